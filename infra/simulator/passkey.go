// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"

	"go.mau.fi/util/random"
	"go.mau.fi/whatsmeow/proto/waCompanionReg"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/gcmutil"
	"go.mau.fi/whatsmeow/util/hkdfutil"
	"go.mau.fi/whatsmeow/util/keys"
	"golang.org/x/crypto/curve25519"
	"google.golang.org/protobuf/proto"
)

// passkeyPairing is a link for which WhatsApp demands the person's passkey,
// and lets the person compare a code on both screens.
type passkeyPairing struct {
	reference  string
	challenge  []byte
	ours       *keys.KeyPair
	nonce      []byte // of the phone, half of the code
	identity   []byte // the device's, as it committed to it
	commitment []byte
	key        []byte
	code       string
}

var codeAlphabet = base32.NewEncoding("123456789ABCDEFGHJKLMNPQRSTVWXYZ")

// demandPasskey answers a scan by a demand; the link goes on when the device
// has answered it.
func (net *network) demandPasskey(c *connection, p *phone) (*linking, error) {
	_, credential, err := p.passkey()
	if err != nil {
		return nil, err
	}
	c.link = &linking{phone: p, outcome: make(chan error, 1), withPasskey: true}
	c.passkey = &passkeyPairing{
		reference: newStanzaID(), challenge: random.Bytes(32), ours: keys.NewKeyPair(), nonce: random.Bytes(32),
	}
	options, err := json.Marshal(types.WebAuthnPublicKey{
		Challenge: c.passkey.challenge, Timeout: 600_000, RelyingPartID: passkeyDomain, UserVerification: "required",
		AllowCredentials: []types.AllowedCredential{{ID: credential, Type: "public-key", Transports: []string{"internal"}}},
	})
	if err != nil {
		return nil, err
	}
	return c.link, net.tell(c, stanza{
		Tag:     "notification",
		Attrs:   attributes{"from": types.ServerJID, "type": "passkey_prologue_request", "id": newStanzaID(), "t": unixSeconds(now())},
		Content: []stanza{{Tag: "passkey_request_options", Content: options}},
	})
}

// receivePasskeyStep takes the device's steps: reference, prologue, nonce,
// encrypted request. A wrong answer is refused and may be tried again.
func (net *network) receivePasskeyStep(c *connection, query *stanza, step string) error {
	if c.passkey == nil || c.link == nil {
		return net.refuse(c, query, http.StatusForbidden, "forbidden")
	}
	var err error
	switch step {
	case "ref":
		return net.answer(c, query, stanza{Tag: "ref", Content: []byte(c.passkey.reference)})
	case "passkey_prologue":
		err = c.passkey.takePrologue(c.link.phone, query)
	case "companion_nonce":
		err = c.passkey.takeNonce(content(query.GetChildByTag("companion_nonce")))
	case "encrypted_pairing_request":
		return net.receivePairingRequest(c, query)
	}
	if err != nil {
		net.log.Warn("passkey refused", "phone", masked(c.link.phone.Number), "error", err)
		return net.refuse(c, query, http.StatusForbidden, "passkey refused: "+err.Error())
	}
	if err := net.answer(c, query); err != nil || step != "passkey_prologue" {
		return err
	}
	return net.continuePasskey(c)
}

func (pairing *passkeyPairing) takePrologue(p *phone, query *stanza) error {
	var answered types.WebAuthnResponse
	if err := json.Unmarshal(content(query.GetChildByTag("passkey_prologue", "webauthn_assertion")), &answered); err != nil {
		return fmt.Errorf("the answer is no assertion: %w", err)
	}
	if err := p.check(pairing.challenge, &answered); err != nil {
		return err
	}
	var payload waCompanionReg.ProloguePayload
	var companion waCompanionReg.CompanionEphemeralIdentity
	if err := proto.Unmarshal(content(query.GetChildByTag("passkey_prologue", "prologue_payload")), &payload); err != nil {
		return err
	}
	if err := proto.Unmarshal(payload.GetCompanionEphemeralIdentity(), &companion); err != nil {
		return err
	}
	if companion.GetRef() != pairing.reference {
		return fmt.Errorf("the answer belongs to another link")
	}
	shared, err := curve25519.X25519(pairing.ours.Priv[:], companion.GetPublicKey())
	if err != nil {
		return err
	}
	salt := fmt.Sprintf("Companion Pairing %d with ref %s", companion.GetDeviceType(), companion.GetRef())
	pairing.key = hkdfutil.SHA256(shared, []byte(salt), []byte("Pairing Information Encryption Key"), 32)
	pairing.identity, pairing.commitment = payload.GetCompanionEphemeralIdentity(), payload.GetCommitment().GetHash()
	return nil
}

func (net *network) continuePasskey(c *connection) error {
	primary, err := proto.Marshal(&waCompanionReg.PrimaryEphemeralIdentity{
		PublicKey: c.passkey.ours.Pub[:],
		Nonce:     c.passkey.nonce,
	})
	if err != nil {
		return err
	}
	return net.tell(c, stanza{
		Tag:     "notification",
		Attrs:   attributes{"from": types.ServerJID, "type": "crsc_continuation", "id": newStanzaID(), "t": unixSeconds(now())},
		Content: []stanza{{Tag: "primary_ephemeral_identity", Content: primary}},
	})
}

// takeNonce opens the device's commitment; from here on the phone shows the
// same code as the device.
func (pairing *passkeyPairing) takeNonce(nonce []byte) error {
	sum := sha256.Sum256(joined(pairing.identity, nonce))
	if pairing.key == nil || !bytes.Equal(sum[:], pairing.commitment) {
		return fmt.Errorf("the device did not commit to this nonce")
	}
	digest := sha256.Sum256(joined(nonce, pairing.ours.Pub[:]))
	shown := make([]byte, 5)
	for at := range shown {
		shown[at] = pairing.nonce[at] ^ digest[at]
	}
	code := codeAlphabet.EncodeToString(shown)
	pairing.code = code[:4] + "-" + code[4:]
	return nil
}

func (net *network) receivePairingRequest(c *connection, query *stanza) error {
	var sealed waCompanionReg.EncryptedPairingRequest
	if err := proto.Unmarshal(content(query.GetChildByTag("encrypted_pairing_request")), &sealed); err != nil {
		return err
	}
	if c.passkey.code == "" {
		return net.refuse(c, query, http.StatusForbidden, "no code was compared")
	}
	plain, err := gcmutil.Decrypt(c.passkey.key, sealed.GetIV(), sealed.GetEncryptedPayload(), nil)
	if err != nil {
		return net.refuse(c, query, http.StatusBadRequest, "bad-request")
	}
	var request waCompanionReg.PairingRequest
	if err := proto.Unmarshal(plain, &request); err != nil {
		return err
	}
	if err := net.answer(c, query); err != nil {
		return err
	}
	_, err = net.sendPairSuccess(c, c.link.phone, request.GetCompanionIdentityKey(), request.GetAdvSecret())
	return err
}

// passkeyOf is the link with a passkey that a phone is in, or nil.
func (net *network) passkeyOf(p *phone) *passkeyPairing {
	for c := range net.connections {
		if c.link != nil && c.link.phone == p && c.passkey != nil {
			return c.passkey
		}
	}
	return nil
}

// postPasskey is the person's passkey answering a challenge, as the page of
// WhatsApp would ask it: POST /phones/{number}/passkey.
func (c *call) postPasskey() (int, any, error) {
	var wanted struct{ Challenge string }
	if err := c.read(&wanted); err != nil {
		return 0, nil, err
	}
	challenge, err := base64.RawURLEncoding.DecodeString(wanted.Challenge)
	if err != nil || len(challenge) == 0 {
		return 0, nil, refusal{http.StatusBadRequest, "challenge is base64url without padding"}
	}
	return c.withPhone(func(p *phone) (any, error) { return p.assertion(challenge) })
}

// getPasskey is the code that the phone shows: GET /phones/{number}/passkey.
func (c *call) getPasskey() (int, any, error) {
	return c.withPhone(func(p *phone) (any, error) {
		pairing := c.network.passkeyOf(p)
		if pairing == nil || pairing.code == "" {
			return nil, refusal{http.StatusConflict, "this phone shows no code"}
		}
		return map[string]string{"code": pairing.code}, nil
	})
}
