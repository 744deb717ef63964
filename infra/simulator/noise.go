// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"go.mau.fi/whatsmeow/proto/waWa6"
	"go.mau.fi/whatsmeow/socket"
	"go.mau.fi/whatsmeow/util/gcmutil"
	"go.mau.fi/whatsmeow/util/hkdfutil"
	"go.mau.fi/whatsmeow/util/keys"
	"golang.org/x/crypto/curve25519"
	"google.golang.org/protobuf/proto"
)

// noiseHandshake is the server's side of Noise XX. The library's own type
// splits its keys in the client's direction only and does not export the
// chaining key, hence this one.
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

func newNoiseHandshake(header []byte) (*noiseHandshake, error) {
	start := []byte(socket.NoiseStartPattern)
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

// greeting is what the handshake tells about the client.
type greeting struct {
	session   *noiseKeys
	staticKey []byte
	payload   *waWa6.ClientPayload
}

// frames is the part of a connection that the handshake needs.
type frames interface {
	readHeader() ([]byte, error)
	readFrame() ([]byte, error)
	writeFrame([]byte) error
}

// acceptHandshake does XX with a client: -> e, <- e ee s es, -> s se.
func acceptHandshake(wire frames, static *keys.KeyPair, certificate []byte) (*greeting, error) {
	header, err := wire.readHeader()
	if err != nil {
		return nil, err
	}
	shake, err := newNoiseHandshake(header)
	if err != nil {
		return nil, err
	}
	hello, err := readHandshake(wire)
	if err != nil {
		return nil, err
	}
	ephemeral := keys.NewKeyPair()
	if err := answerHello(wire, shake, hello, ephemeral, static, certificate); err != nil {
		return nil, err
	}
	finish, err := readHandshake(wire)
	if err != nil {
		return nil, err
	}
	return readFinish(shake, finish, ephemeral)
}

func readHandshake(wire frames) (*waWa6.HandshakeMessage, error) {
	frame, err := wire.readFrame()
	if err != nil {
		return nil, err
	}
	var message waWa6.HandshakeMessage
	return &message, proto.Unmarshal(frame, &message)
}

func answerHello(wire frames, shake *noiseHandshake, hello *waWa6.HandshakeMessage, ephemeral, static *keys.KeyPair, certificate []byte) error {
	theirs := hello.GetClientHello().GetEphemeral()
	if len(theirs) != 32 {
		return errors.New("the client's hello holds no ephemeral key")
	}
	shake.authenticate(theirs)
	shake.authenticate(ephemeral.Pub[:])
	if err := shake.mix(ephemeral.Priv, theirs); err != nil {
		return err
	}
	sealedStatic := shake.seal(static.Pub[:])
	if err := shake.mix(static.Priv, theirs); err != nil {
		return err
	}
	frame, err := proto.Marshal(&waWa6.HandshakeMessage{ServerHello: &waWa6.HandshakeMessage_ServerHello{
		Ephemeral: ephemeral.Pub[:],
		Static:    sealedStatic,
		Payload:   shake.seal(certificate),
	}})
	if err != nil {
		return err
	}
	return wire.writeFrame(frame)
}

func readFinish(shake *noiseHandshake, finish *waWa6.HandshakeMessage, ephemeral *keys.KeyPair) (*greeting, error) {
	static, err := shake.open(finish.GetClientFinish().GetStatic())
	if err != nil {
		return nil, fmt.Errorf("the client's static key does not open: %w", err)
	}
	if err := shake.mix(ephemeral.Priv, static); err != nil {
		return nil, err
	}
	raw, err := shake.open(finish.GetClientFinish().GetPayload())
	if err != nil {
		return nil, fmt.Errorf("the client's payload does not open: %w", err)
	}
	var payload waWa6.ClientPayload
	if err := proto.Unmarshal(raw, &payload); err != nil {
		return nil, err
	}
	session, err := shake.split()
	return &greeting{session: session, staticKey: static, payload: &payload}, err
}
