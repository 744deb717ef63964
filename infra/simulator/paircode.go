// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"errors"
	"strings"

	"go.mau.fi/util/random"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/gcmutil"
	"go.mau.fi/whatsmeow/util/hkdfutil"
	"go.mau.fi/whatsmeow/util/keys"
	"golang.org/x/crypto/curve25519"
	"golang.org/x/crypto/pbkdf2"
)

const (
	codeIterations = 2 << 16
	wrappedBytes   = 80 // salt 32, nonce 16, key 32
)

// codePairing is a link by code: the device says which number, the person
// types the code that the device shows, both derive one secret from it.
type codePairing struct {
	number    string
	wrapped   []byte
	reference []byte
	theirs    []byte // the device's ephemeral key, as the typed code opens it
	ours      *keys.KeyPair
}

// receiveCodeStage takes the device's two steps of a link by code.
func (net *network) receiveCodeStage(c *connection, query *stanza) error {
	step := query.GetChildByTag("link_code_companion_reg")
	switch attribute(&step, "stage") {
	case "companion_hello":
		return net.receiveCodeHello(c, query, &step)
	case "companion_finish":
		return net.receiveCodeFinish(c, query, &step)
	default:
		return net.refuse(c, query, 400, "bad-request")
	}
}

func (net *network) receiveCodeHello(c *connection, query, step *stanza) error {
	wrapped := content(step.GetChildByTag("link_code_pairing_wrapped_companion_ephemeral_pub"))
	number := jidAttribute(step, "jid").User
	if len(wrapped) != wrappedBytes || number == "" {
		return net.refuse(c, query, 400, "bad-request")
	}
	c.code = &codePairing{number: number, wrapped: wrapped, reference: random.Bytes(16)}
	net.codes[number] = c
	return net.answer(c, query, stanza{Tag: "link_code_companion_reg", Content: []stanza{
		{Tag: "link_code_pairing_ref", Content: c.code.reference},
	}})
}

// typedCode is a code whose slow key derivations are done.
type typedCode struct {
	pairing *codePairing
	theirs  []byte
	ours    *keys.KeyPair
	wrapped []byte
}

// typeCode derives the keys of a typed code; slow on purpose of the protocol,
// so it runs outside the network's lock.
func typeCode(pairing *codePairing, code string) (typedCode, error) {
	code = strings.ToUpper(strings.ReplaceAll(strings.TrimSpace(code), "-", ""))
	theirs, err := codeCipher(code, pairing.wrapped[:32], pairing.wrapped[32:48], pairing.wrapped[48:])
	if err != nil {
		return typedCode{}, err
	}
	ours, salt, nonce := keys.NewKeyPair(), random.Bytes(32), random.Bytes(16)
	sealed, err := codeCipher(code, salt, nonce, ours.Pub[:])
	return typedCode{pairing: pairing, theirs: theirs, ours: ours, wrapped: joined(salt, nonce, sealed)}, err
}

func codeCipher(code string, salt, nonce, text []byte) ([]byte, error) {
	block, err := aes.NewCipher(pbkdf2.Key([]byte(code), salt, codeIterations, 32, sha256.New))
	if err != nil {
		return nil, err
	}
	result := make([]byte, len(text))
	cipher.NewCTR(block, nonce).XORKeyStream(result, text)
	return result, nil
}

// waitingForCode finds the device that offered a code to this number.
func (net *network) waitingForCode(p *phone) (*codePairing, error) {
	c := net.codes[p.Number]
	if c == nil {
		return nil, refusal{409, "no device asked this phone for a pairing code"}
	}
	if c.link != nil {
		return nil, refusal{409, "a device with this pairing code is being linked already"}
	}
	return c.code, nil
}

// sendTypedCode passes the person's answer to the device.
func (net *network) sendTypedCode(p *phone, typed typedCode) (*linking, error) {
	c := net.codes[p.Number]
	if c == nil || c.code != typed.pairing {
		return nil, refusal{410, "this pairing code is not valid any more"}
	}
	c.code.theirs, c.code.ours = typed.theirs, typed.ours
	c.link = &linking{phone: p, outcome: make(chan error, 1)}
	return c.link, net.tell(c, stanza{
		Tag:   "notification",
		Attrs: attributes{"from": types.ServerJID, "type": "link_code_companion_reg", "id": newStanzaID(), "t": unixSeconds(now())},
		Content: []stanza{{Tag: "link_code_companion_reg", Attrs: attributes{"stage": "primary_hello"}, Content: []stanza{
			{Tag: "link_code_pairing_wrapped_primary_ephemeral_pub", Content: typed.wrapped},
			{Tag: "primary_identity_pub", Content: p.signal.IdentityKey.Pub[:]},
			{Tag: "link_code_pairing_ref", Content: c.code.reference},
		}}},
	})
}

// receiveCodeFinish opens the device's keys; that they do not open is how a
// wrong code shows.
func (net *network) receiveCodeFinish(c *connection, query, step *stanza) error {
	if c.code == nil || c.code.ours == nil || c.link == nil {
		return net.refuse(c, query, 400, "bad-request")
	}
	if err := net.answer(c, query); err != nil {
		return err
	}
	identity, secret, err := openKeyBundle(c.code, c.link.phone, content(step.GetChildByTag("link_code_pairing_wrapped_key_bundle")))
	if err != nil {
		c.link.end(refusal{409, "the pairing code is wrong"})
		c.link, c.code.ours = nil, nil
		return nil
	}
	delete(net.codes, c.code.number)
	_, err = net.sendPairSuccess(c, c.link.phone, identity, secret)
	return err
}

func openKeyBundle(pairing *codePairing, p *phone, wrapped []byte) (identity, advSecret []byte, err error) {
	if len(wrapped) < 44 {
		return nil, nil, errors.New("a key bundle is too short")
	}
	shared, err := curve25519.X25519(pairing.ours.Priv[:], pairing.theirs)
	if err != nil {
		return nil, nil, err
	}
	key := hkdfutil.SHA256(shared, wrapped[:32], []byte("link_code_pairing_key_bundle_encryption_key"), 32)
	plain, err := gcmutil.Decrypt(key, wrapped[32:44], wrapped[44:], nil)
	if err != nil || len(plain) != 96 {
		return nil, nil, errors.New("the key bundle does not open")
	}
	identity = plain[:32]
	sharedIdentity, err := curve25519.X25519(p.signal.IdentityKey.Priv[:], identity)
	if err != nil {
		return nil, nil, err
	}
	return identity, hkdfutil.SHA256(joined(shared, sharedIdentity, plain[64:]), nil, []byte("adv_secret"), 32), nil
}
