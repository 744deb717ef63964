// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"go.mau.fi/util/random"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waWa6"
	"go.mau.fi/whatsmeow/socket"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/keys"
	waLog "go.mau.fi/whatsmeow/util/log"
	"google.golang.org/protobuf/proto"
)

// foreignClient is a client of other hands: it speaks the Noise patterns that
// the library does not, and sends and reads stanzas as they stand on the wire.
// It logs in as a device that the library has linked, and ends when the server
// closes.
type foreignClient struct {
	t       testing.TB
	device  *store.Device
	pattern string   // what the handshake became
	server  [32]byte // the server's static key, for the next login
	session *socket.NoiseSocket
	mu      sync.Mutex
	seen    []*stanza
}

// linkedFor is a device that the library links and then leaves alone.
func (sim *simulation) linkedFor(number string) *store.Device {
	sim.t.Helper()
	c := sim.link(number)
	c.Disconnect()
	eventually(sim.t, "the library has gone", func() bool { return !sim.isConnected(number) })
	return c.Store
}

// foreign logs in by XX, and waits for the success.
func (sim *simulation) foreign(device *store.Device) *foreignClient {
	sim.t.Helper()
	return sim.login(device, nil)
}

// login resumes with the server's key when it is known.
func (sim *simulation) login(device *store.Device, known *[32]byte) *foreignClient {
	sim.t.Helper()
	f := &foreignClient{t: sim.t, device: device}
	wire := socket.NewFrameSocket(waLog.Noop, &http.Client{Transport: toEndpoint{address(sim.ready.Endpoint)}})
	life, end := context.WithCancel(context.Background())
	sim.t.Cleanup(end)
	if err := wire.Connect(life); err != nil {
		sim.t.Fatal(err)
	}
	shake, err := f.greet(wire, known)
	if err != nil {
		sim.t.Fatalf("the handshake failed: %v", err)
	}
	f.session, err = shake.Finish(life, wire, f.record, func(context.Context, *socket.NoiseSocket, bool) {})
	if err != nil {
		sim.t.Fatal(err)
	}
	f.awaits("success", func(node *stanza) bool { return node.Tag == "success" })
	return f
}

func (f *foreignClient) leave() { f.session.Stop(true, false) }

// greet does the initiator's side (Noise specification, 7.5 and 10.2).
func (f *foreignClient) greet(wire *socket.FrameSocket, known *[32]byte) (*socket.NoiseHandshake, error) {
	ephemeral, header := keys.NewKeyPair(), socket.WAConnHeader
	hello := &waWa6.HandshakeMessage_ClientHello{Ephemeral: ephemeral.Pub[:]}
	shake := socket.NewNoiseHandshake()
	if known == nil {
		f.pattern = patternOfXX
		startedXX(shake, f.pattern, header, ephemeral)
	} else if err := f.helloIK(shake, hello, ephemeral, *known); err != nil {
		return nil, err
	}
	answer, err := exchanged(wire, &waWa6.HandshakeMessage{ClientHello: hello})
	if err != nil {
		return nil, err
	}
	if known != nil && answer.Static == nil {
		return shake, f.readIK(shake, answer, ephemeral)
	}
	if known != nil {
		f.pattern = patternOfFallback
		startedXX(shake, f.pattern, header, ephemeral)
	}
	return shake, f.finishXX(wire, shake, answer, ephemeral)
}

const (
	patternOfXX       = "Noise_XX_25519_AESGCM_SHA256\x00\x00\x00\x00"
	patternOfIK       = "Noise_IK_25519_AESGCM_SHA256\x00\x00\x00\x00"
	patternOfFallback = "Noise_XXfallback_25519_AESGCM_SHA256"
)

func startedXX(shake *socket.NoiseHandshake, pattern string, header []byte, ephemeral *keys.KeyPair) {
	shake.Start(pattern, header)
	shake.Authenticate(ephemeral.Pub[:])
}

// exchanged sends one message of the handshake and reads the server's hello.
func exchanged(wire *socket.FrameSocket, message *waWa6.HandshakeMessage) (*waWa6.HandshakeMessage_ServerHello, error) {
	if err := sendMessage(wire, message); err != nil {
		return nil, err
	}
	select {
	case frame := <-wire.Frames:
		var answer waWa6.HandshakeMessage
		err := proto.Unmarshal(frame, &answer)
		return answer.GetServerHello(), err
	case <-time.After(patience):
		return nil, errors.New("no hello of the server")
	}
}

func sendMessage(wire *socket.FrameSocket, message *waWa6.HandshakeMessage) error {
	frame, err := proto.Marshal(message)
	if err != nil {
		return err
	}
	return wire.SendFrame(frame)
}

func (f *foreignClient) payload() []byte {
	raw, _ := proto.Marshal(f.device.GetClientPayload())
	return raw
}

// helloIK is <- s ... -> e es s ss.
func (f *foreignClient) helloIK(shake *socket.NoiseHandshake, hello *waWa6.HandshakeMessage_ClientHello, ephemeral *keys.KeyPair, server [32]byte) error {
	f.pattern, f.server = patternOfIK, server
	shake.Start(patternOfIK, socket.WAConnHeader)
	shake.Authenticate(server[:])
	shake.Authenticate(ephemeral.Pub[:])
	if err := shake.MixSharedSecretIntoKey(*ephemeral.Priv, server); err != nil {
		return err
	}
	hello.Static = shake.Encrypt(f.device.NoiseKey.Pub[:])
	if err := shake.MixSharedSecretIntoKey(*f.device.NoiseKey.Priv, server); err != nil {
		return err
	}
	hello.Payload = shake.Encrypt(f.payload())
	return nil
}

// readIK is <- e ee se.
func (f *foreignClient) readIK(shake *socket.NoiseHandshake, answer *waWa6.HandshakeMessage_ServerHello, ephemeral *keys.KeyPair) error {
	theirs := [32]byte(answer.GetEphemeral())
	shake.Authenticate(theirs[:])
	if err := shake.MixSharedSecretIntoKey(*ephemeral.Priv, theirs); err != nil {
		return err
	}
	if err := shake.MixSharedSecretIntoKey(*f.device.NoiseKey.Priv, theirs); err != nil {
		return err
	}
	_, err := shake.Decrypt(answer.GetPayload())
	return err
}

// finishXX is <- e ee s es, -> s se.
func (f *foreignClient) finishXX(wire *socket.FrameSocket, shake *socket.NoiseHandshake, answer *waWa6.HandshakeMessage_ServerHello, ephemeral *keys.KeyPair) error {
	theirs := [32]byte(answer.GetEphemeral())
	shake.Authenticate(theirs[:])
	if err := shake.MixSharedSecretIntoKey(*ephemeral.Priv, theirs); err != nil {
		return err
	}
	static, err := shake.Decrypt(answer.GetStatic())
	if err != nil {
		return err
	}
	f.server = [32]byte(static)
	if err := shake.MixSharedSecretIntoKey(*ephemeral.Priv, f.server); err != nil {
		return err
	}
	if _, err := shake.Decrypt(answer.GetPayload()); err != nil {
		return err
	}
	sealed := shake.Encrypt(f.device.NoiseKey.Pub[:])
	if err := shake.MixSharedSecretIntoKey(*f.device.NoiseKey.Priv, theirs); err != nil {
		return err
	}
	return sendMessage(wire, &waWa6.HandshakeMessage{ClientFinish: &waWa6.HandshakeMessage_ClientFinish{
		Static: sealed, Payload: shake.Encrypt(f.payload()),
	}})
}

func (f *foreignClient) record(_ context.Context, frame []byte) {
	node, err := parseFrame(frame)
	if err != nil {
		f.t.Errorf("a frame that is no stanza: %v", err)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen = append(f.seen, node)
}

// awaits takes the first stanza that fits out of those that came.
func (f *foreignClient) awaits(what string, fits func(*stanza) bool) *stanza {
	f.t.Helper()
	var found *stanza
	eventually(f.t, what, func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		for at, node := range f.seen {
			if fits(node) {
				found = node
				f.seen = append(f.seen[:at:at], f.seen[at+1:]...)
				return true
			}
		}
		return false
	})
	return found
}

// tagged is the next stanza with that tag.
func (f *foreignClient) tagged(tag string) *stanza {
	f.t.Helper()
	return f.awaits("a "+tag, func(node *stanza) bool { return node.Tag == tag })
}

func (f *foreignClient) tell(node stanza) {
	f.t.Helper()
	frame, err := waBinary.Marshal(node)
	if err != nil {
		f.t.Fatal(err)
	}
	if err := f.session.SendFrame(context.Background(), frame); err != nil {
		f.t.Fatal(err)
	}
}

// ask sends a query and returns its answer.
func (f *foreignClient) ask(kind, xmlns string, content ...stanza) *stanza {
	f.t.Helper()
	id := "foreign-" + string(random.StringBytes(8))
	f.tell(stanza{Tag: "iq", Attrs: attributes{"id": id, "type": kind, "xmlns": xmlns, "to": types.ServerJID}, Content: content})
	return f.awaits("the answer to "+xmlns, func(node *stanza) bool { return node.Tag == "iq" && attribute(node, "id") == id })
}

// active ends the login: what waits comes now.
func (f *foreignClient) active() {
	f.t.Helper()
	f.ask("set", "passive", stanza{Tag: "active"})
}
