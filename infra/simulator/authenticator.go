// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/hkdfutil"
)

// A person's passkey: WebAuthn assertions with ES256, made as an authenticator
// makes them and checked as WhatsApp would have to (W3C WebAuthn, 6.3.3, 7.2).

const (
	passkeyDomain   = "whatsapp.com"
	passkeyOrigin   = "https://web.whatsapp.com"
	userPresent     = 1 << 0
	userVerified    = 1 << 2
	authDataBytes   = 32 + 1 + 4 // hash of the domain, flags, counter
	assertionType   = "webauthn.get"
	credentialBytes = 16
)

// clientData is what the browser signs along with a challenge.
type clientData struct {
	Type      string `json:"type"`
	Challenge string `json:"challenge"`
	Origin    string `json:"origin"`
}

// passkey is derived from the phone's identity, so that it outlives a restart.
func (p *phone) passkey() (*ecdsa.PrivateKey, []byte, error) {
	seed := hkdfutil.SHA256(p.Identity, nil, []byte("simulated passkey"), 32+credentialBytes)
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), seed[:32])
	return key, seed[32:], err
}

// assertion is the passkey's answer to a challenge.
func (p *phone) assertion(challenge []byte) (*types.WebAuthnResponse, error) {
	key, credential, err := p.passkey()
	if err != nil {
		return nil, err
	}
	client, err := json.Marshal(clientData{
		Type: assertionType, Challenge: base64.RawURLEncoding.EncodeToString(challenge), Origin: passkeyOrigin,
	})
	if err != nil {
		return nil, err
	}
	domain := sha256.Sum256([]byte(passkeyDomain))
	data := joined(domain[:], []byte{userPresent | userVerified, 0, 0, 0, 0})
	signature, err := ecdsa.SignASN1(rand.Reader, key, assertionSum(data, client))
	if err != nil {
		return nil, err
	}
	return &types.WebAuthnResponse{
		ID: base64.RawURLEncoding.EncodeToString(credential), RawID: credential, Type: "public-key",
		Response: types.WebAuthnResponseData{ClientDataJSON: client, AuthenticatorData: data, Signature: signature},
	}, nil
}

func assertionSum(authenticatorData, client []byte) []byte {
	clientSum := sha256.Sum256(client)
	sum := sha256.Sum256(joined(authenticatorData, clientSum[:]))
	return sum[:]
}

// check says why an answer is not that of this person's passkey to the
// challenge.
func (p *phone) check(challenge []byte, answered *types.WebAuthnResponse) error {
	key, credential, err := p.passkey()
	if err != nil {
		return err
	}
	var client clientData
	if err := json.Unmarshal(answered.Response.ClientDataJSON, &client); err != nil {
		return errors.New("the answer holds no client data")
	}
	domain := sha256.Sum256([]byte(passkeyDomain))
	data := answered.Response.AuthenticatorData
	switch {
	case !bytes.Equal(answered.RawID, credential):
		return errors.New("the answer is of another passkey")
	case client.Type != assertionType || client.Challenge != base64.RawURLEncoding.EncodeToString(challenge):
		return errors.New("the answer is to another challenge")
	case len(data) < authDataBytes || !bytes.Equal(data[:32], domain[:]):
		return errors.New("the answer is for another domain")
	case data[32]&userPresent == 0:
		return errors.New("nobody was there to answer")
	case !ecdsa.VerifyASN1(&key.PublicKey, assertionSum(data, answered.Response.ClientDataJSON), answered.Response.Signature):
		return errors.New("the signature of the answer is wrong")
	}
	return nil
}
