// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"

	"go.mau.fi/whatsmeow/util/gcmutil"
	"go.mau.fi/whatsmeow/util/hkdfutil"
	"golang.org/x/crypto/curve25519"
)

// noiseHandshake is the cipher of a handshake, on the server's side. The
// library's own type splits its keys in the client's direction only and does
// not export the chaining key, hence this one.
type noiseHandshake struct {
	hash     []byte
	chaining []byte
	key      cipher.AEAD
	counter  uint32
}

// noiseKeys are the two directions after the split, each with its counter.
type noiseKeys struct {
	read, write               cipher.AEAD
	readCounter, writeCounter uint32
}

// newNoiseHandshake starts a pattern: its name is the first hash when it fits
// one, else hashed itself (Noise specification, 5.2).
func newNoiseHandshake(pattern string, header []byte) (*noiseHandshake, error) {
	start := []byte(pattern)
	if len(start) != sha256.Size {
		sum := sha256.Sum256(start)
		start = sum[:]
	}
	key, err := gcmutil.Prepare(start)
	if err != nil {
		return nil, err
	}
	shake := &noiseHandshake{hash: start, chaining: start, key: key}
	shake.authenticate(header)
	return shake, nil
}

func (shake *noiseHandshake) authenticate(data []byte) {
	sum := sha256.Sum256(joined(shake.hash, data))
	shake.hash = sum[:]
}

func (shake *noiseHandshake) seal(plaintext []byte) []byte {
	sealed := shake.key.Seal(nil, noiseNonce(shake.counter), plaintext, shake.hash)
	shake.counter++
	shake.authenticate(sealed)
	return sealed
}

func (shake *noiseHandshake) open(sealed []byte) ([]byte, error) {
	plaintext, err := shake.key.Open(nil, noiseNonce(shake.counter), sealed, shake.hash)
	if err != nil {
		return nil, err
	}
	shake.counter++
	shake.authenticate(sealed)
	return plaintext, nil
}

func (shake *noiseHandshake) mix(private *[32]byte, public []byte) error {
	secret, err := curve25519.X25519(private[:], public)
	if err != nil {
		return err
	}
	expanded := hkdfutil.SHA256(secret, shake.chaining, nil, 64)
	shake.chaining, shake.counter = expanded[:32], 0
	shake.key, err = gcmutil.Prepare(expanded[32:])
	return err
}

// split ends the handshake: the client writes with the first key.
func (shake *noiseHandshake) split() (*noiseKeys, error) {
	expanded := hkdfutil.SHA256(nil, shake.chaining, nil, 64)
	read, err := gcmutil.Prepare(expanded[:32])
	if err != nil {
		return nil, err
	}
	write, err := gcmutil.Prepare(expanded[32:])
	return &noiseKeys{read: read, write: write}, err
}

func (session *noiseKeys) seal(plaintext []byte) []byte {
	sealed := session.write.Seal(nil, noiseNonce(session.writeCounter), plaintext, nil)
	session.writeCounter++
	return sealed
}

func (session *noiseKeys) open(sealed []byte) ([]byte, error) {
	plaintext, err := session.read.Open(nil, noiseNonce(session.readCounter), sealed, nil)
	session.readCounter++
	return plaintext, err
}

func noiseNonce(counter uint32) []byte {
	nonce := make([]byte, 12)
	binary.BigEndian.PutUint32(nonce[8:], counter)
	return nonce
}
