// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// vault seals what is stored: AES-256-GCM with the deployment's key ring. A value is bound to the _id of its document, so
// that a value copied to another document does not open there.
type vault struct {
	sealingKey string
	keys       map[string]cipher.AEAD
}

// newVault reads the form of MERPATI_SECRET_KEYS: `<id>:<base64 of 32 bytes>[,...]`; the first key seals, all open.
func newVault(ring string) (*vault, error) {
	v := &vault{keys: map[string]cipher.AEAD{}}
	for _, entry := range strings.Split(ring, ",") {
		id, encoded, found := strings.Cut(strings.TrimSpace(entry), ":")
		if !found || id == "" {
			return nil, errors.New("MERPATI_SECRET_KEYS must read <id>:<base64 of 32 bytes>[,...]")
		}
		aead, err := aeadFrom(encoded)
		if err != nil {
			return nil, fmt.Errorf("key %q of MERPATI_SECRET_KEYS: %w", id, err)
		}
		if v.sealingKey == "" {
			v.sealingKey = id
		}
		v.keys[id] = aead
	}
	return v, nil
}

func aeadFrom(encoded string) (cipher.AEAD, error) {
	key, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(encoded, "="))
	if err != nil || len(key) != 32 {
		return nil, errors.New("not the base64 of 32 bytes")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// seal returns the id of the key that was used, and nonce and ciphertext as one value.
func (v *vault) seal(documentID string, plaintext []byte) (keyID string, sealed []byte) {
	aead := v.keys[v.sealingKey]
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(plaintext)+aead.Overhead())
	_, _ = rand.Read(nonce) // never fails: crypto/rand ends the process instead
	return v.sealingKey, aead.Seal(nonce, nonce, plaintext, []byte(documentID))
}

func (v *vault) open(documentID, keyID string, sealed []byte) ([]byte, error) {
	aead, known := v.keys[keyID]
	if !known {
		return nil, fmt.Errorf("the key ring has no key %q", keyID)
	}
	if len(sealed) < aead.NonceSize() {
		return nil, errors.New("the stored value is too short")
	}
	plaintext, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], []byte(documentID))
	if err != nil {
		return nil, fmt.Errorf("a stored value does not open with key %q: %w", keyID, err)
	}
	return plaintext, nil
}
