// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"errors"
	"fmt"

	"go.mau.fi/whatsmeow/proto/waWa6"
	"go.mau.fi/whatsmeow/socket"
	"go.mau.fi/whatsmeow/util/keys"
	"google.golang.org/protobuf/proto"
)

// Patterns of Noise (specification, 7.5 and 10.2) that WhatsApp's clients use:
// XX at first, IK with the server's key that they know from then, XXfallback
// when that key is not the server's any more. A client tells them apart by the
// server's hello: it holds a static key in XX and XXfallback alone (source:
// oxidezap/whatsapp-rust, agent_docs/noise_handshake.md).
const (
	patternXX         = socket.NoiseStartPattern
	patternIK         = "Noise_IK_25519_AESGCM_SHA256\x00\x00\x00\x00"
	patternXXFallback = "Noise_XXfallback_25519_AESGCM_SHA256"
)

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

// noiseIdentity is the server's static key and the chain that proves it.
type noiseIdentity struct {
	static      *keys.KeyPair
	certificate []byte
}

// hello is the first message of a client, and what was sent before it.
type hello struct {
	header, ephemeral, static, payload []byte
}

// acceptHandshake does the pattern that the client begins.
func acceptHandshake(wire frames, server noiseIdentity) (*greeting, error) {
	begun, err := readHello(wire)
	if err != nil {
		return nil, err
	}
	if begun.static == nil {
		return acceptXX(wire, server, begun, patternXX)
	}
	shake, met, err := openIK(server, begun)
	if err != nil { // encrypted for another key than this server's
		return acceptXX(wire, server, begun, patternXXFallback)
	}
	return finishIK(wire, server, begun, shake, met)
}

func readHello(wire frames) (hello, error) {
	header, err := wire.readHeader()
	if err != nil {
		return hello{}, err
	}
	message, err := readHandshake(wire)
	if err != nil {
		return hello{}, err
	}
	told := message.GetClientHello()
	if len(told.GetEphemeral()) != 32 {
		return hello{}, errors.New("the client's hello holds no ephemeral key")
	}
	return hello{header, told.GetEphemeral(), told.GetStatic(), told.GetPayload()}, nil
}

func readHandshake(wire frames) (*waWa6.HandshakeMessage, error) {
	frame, err := wire.readFrame()
	if err != nil {
		return nil, err
	}
	var message waWa6.HandshakeMessage
	return &message, proto.Unmarshal(frame, &message)
}

func writeServerHello(wire frames, told *waWa6.HandshakeMessage_ServerHello) error {
	frame, err := proto.Marshal(&waWa6.HandshakeMessage{ServerHello: told})
	if err != nil {
		return err
	}
	return wire.writeFrame(frame)
}

// acceptXX does -> e, <- e ee s es, -> s se. XXfallback is the same with the
// ephemeral key of the IK that failed.
func acceptXX(wire frames, server noiseIdentity, begun hello, pattern string) (*greeting, error) {
	shake, err := newNoiseHandshake(pattern, begun.header)
	if err != nil {
		return nil, err
	}
	ephemeral := keys.NewKeyPair()
	if err := answerXX(wire, shake, begun, ephemeral, server); err != nil {
		return nil, err
	}
	finish, err := readHandshake(wire)
	if err != nil {
		return nil, err
	}
	return readFinish(shake, finish, ephemeral)
}

func answerXX(wire frames, shake *noiseHandshake, begun hello, ephemeral *keys.KeyPair, server noiseIdentity) error {
	shake.authenticate(begun.ephemeral)
	shake.authenticate(ephemeral.Pub[:])
	if err := shake.mix(ephemeral.Priv, begun.ephemeral); err != nil {
		return err
	}
	sealedStatic := shake.seal(server.static.Pub[:])
	if err := shake.mix(server.static.Priv, begun.ephemeral); err != nil {
		return err
	}
	return writeServerHello(wire, &waWa6.HandshakeMessage_ServerHello{
		Ephemeral: ephemeral.Pub[:], Static: sealedStatic, Payload: shake.seal(server.certificate),
	})
}

func readFinish(shake *noiseHandshake, finish *waWa6.HandshakeMessage, ephemeral *keys.KeyPair) (*greeting, error) {
	static, err := shake.open(finish.GetClientFinish().GetStatic())
	if err != nil {
		return nil, fmt.Errorf("the client's static key does not open: %w", err)
	}
	if err := shake.mix(ephemeral.Priv, static); err != nil {
		return nil, err
	}
	met, err := openPayload(shake, static, finish.GetClientFinish().GetPayload())
	if err != nil {
		return nil, err
	}
	met.session, err = shake.split()
	return met, err
}

func openPayload(shake *noiseHandshake, static, sealed []byte) (*greeting, error) {
	raw, err := shake.open(sealed)
	if err != nil {
		return nil, fmt.Errorf("the client's payload does not open: %w", err)
	}
	var payload waWa6.ClientPayload
	return &greeting{staticKey: static, payload: &payload}, proto.Unmarshal(raw, &payload)
}

// openIK reads -> e es s ss, which holds the client's whole login.
func openIK(server noiseIdentity, begun hello) (*noiseHandshake, *greeting, error) {
	shake, err := newNoiseHandshake(patternIK, begun.header)
	if err != nil {
		return nil, nil, err
	}
	shake.authenticate(server.static.Pub[:])
	shake.authenticate(begun.ephemeral)
	if err := shake.mix(server.static.Priv, begun.ephemeral); err != nil {
		return nil, nil, err
	}
	static, err := shake.open(begun.static)
	if err != nil {
		return nil, nil, err
	}
	if err := shake.mix(server.static.Priv, static); err != nil {
		return nil, nil, err
	}
	met, err := openPayload(shake, static, begun.payload)
	return shake, met, err
}

// finishIK answers with <- e ee se.
func finishIK(wire frames, server noiseIdentity, begun hello, shake *noiseHandshake, met *greeting) (*greeting, error) {
	ephemeral := keys.NewKeyPair()
	shake.authenticate(ephemeral.Pub[:])
	err := errors.Join(shake.mix(ephemeral.Priv, begun.ephemeral), shake.mix(ephemeral.Priv, met.staticKey))
	if err != nil {
		return nil, err
	}
	err = writeServerHello(wire, &waWa6.HandshakeMessage_ServerHello{
		Ephemeral: ephemeral.Pub[:], Payload: shake.seal(server.certificate),
	})
	if err != nil {
		return nil, err
	}
	met.session, err = shake.split()
	return met, err
}
