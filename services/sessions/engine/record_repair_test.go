// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"testing"
	"time"

	"go.mau.fi/libsignal/ecc"
	"go.mau.fi/libsignal/keys/identity"
	"go.mau.fi/libsignal/keys/prekey"
	"go.mau.fi/libsignal/protocol"
	signal "go.mau.fi/libsignal/session"
	"go.mau.fi/libsignal/util/optional"
	"go.mau.fi/whatsmeow/store"
)

// person is one side of a conversation, with a key store like ours.
type person struct {
	t      *testing.T
	store  *keyStore
	device *store.Device
	at     *protocol.SignalAddress
}

func newPerson(t *testing.T, a *archive, name string, unrepaired bool) *person {
	t.Helper()
	s := newKeyStore(a, newWriteBehind(a), name, 1, tenure{fence: 1})
	s.unrepaired = unrepaired
	device, _, err := s.openDevice(t.Context())
	must(t, err)
	return &person{t, s, device, protocol.NewSignalAddress(name, 0)}
}

// bundle is what the server hands to somebody who writes first.
func (p *person) bundle() *prekey.Bundle {
	made, err := p.store.GenOnePreKey(p.t.Context())
	must(p.t, err)
	signed := p.device.SignedPreKey
	return prekey.NewBundle(p.device.RegistrationID, 0, optional.NewOptionalUint32(made.KeyID), signed.KeyID,
		ecc.NewDjbECPublicKey(*made.Pub), ecc.NewDjbECPublicKey(*signed.Pub), *signed.Signature,
		identity.NewKey(ecc.NewDjbECPublicKey(*p.device.IdentityKey.Pub)))
}

func (p *person) builder(other *person) *signal.Builder {
	return signal.NewBuilderFromSignal(p.device, other.at, store.SignalProtobufSerializer)
}

func (p *person) writes(other *person, text string) protocol.CiphertextMessage {
	sealed, err := signal.NewCipher(p.builder(other), other.at).Encrypt(p.t.Context(), []byte(text))
	must(p.t, err)
	return sealed
}

func (p *person) reads(other *person, sealed protocol.CiphertextMessage) (text string, err error) {
	cipher := signal.NewCipher(p.builder(other), other.at)
	err = p.store.DoDecryptionTxn(p.t.Context(), func(ctx context.Context) error {
		var plain []byte
		var err error
		switch message := sealed.(type) {
		case *protocol.PreKeySignalMessage:
			plain, err = cipher.DecryptMessage(ctx, message)
		case *protocol.SignalMessage:
			plain, err = cipher.Decrypt(ctx, message)
		}
		if err != nil {
			return err
		}
		text = string(plain)
		var hash [32]byte
		_, _ = rand.Read(hash[:])
		return p.store.PutBufferedEvent(ctx, hash, plain, time.Now())
	})
	return text, err
}

// crossing lets two people write to each other for the first time at once, and go on in a random order; it returns how
// many of their messages could not be read.
func crossing(t *testing.T, a *archive, round int, unrepaired bool) (unread int) {
	t.Helper()
	order := mathrand.New(mathrand.NewPCG(uint64(round), 7))
	ann := newPerson(t, a, fmt.Sprintf("ann%v%d", unrepaired, round), unrepaired)
	bob := newPerson(t, a, fmt.Sprintf("bob%v%d", unrepaired, round), unrepaired)
	must(t, ann.builder(bob).ProcessBundle(t.Context(), bob.bundle()))
	must(t, bob.builder(ann).ProcessBundle(t.Context(), ann.bundle()))
	people := []*person{ann, bob}
	onTheWay := [][]protocol.CiphertextMessage{nil, nil} // to ann, to bob
	for step := range 60 {
		who := order.IntN(2)
		if order.IntN(2) == 0 {
			onTheWay[1-who] = append(onTheWay[1-who], people[who].writes(people[1-who], fmt.Sprint(step)))
		} else if len(onTheWay[who]) > 0 {
			if _, err := people[who].reads(people[1-who], onTheWay[who][0]); err != nil {
				unread++
			}
			onTheWay[who] = onTheWay[who][1:]
		}
	}
	return unread
}

func TestTwoFirstMessagesThatCrossLeaveBothSessionsReadable(t *testing.T) {
	a := testArchive(t)
	for round := range 8 {
		if unread := crossing(t, a, round, false); unread > 0 {
			t.Errorf("round %d: %d messages could not be read", round, unread)
		}
	}
}

func TestWithoutTheRepairCrossedSessionsBreak(t *testing.T) {
	a := testArchive(t)
	unread := 0
	for round := range 8 {
		unread += crossing(t, a, round, true)
	}
	if unread == 0 {
		t.Error("libsignal leaves failed states alone now: the repair can go")
	}
	t.Logf("%d messages could not be read", unread)
}
