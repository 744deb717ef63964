// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"go.mau.fi/libsignal/groups"
	"go.mau.fi/libsignal/protocol"
	"go.mau.fi/libsignal/signalerror"
	"go.mau.fi/whatsmeow/store"
)

// twice writes two texts under one key: after the first the ratchet is put back.
func (p *person) twice(id string, write func(text string) protocol.CiphertextMessage) (first, second protocol.CiphertextMessage) {
	p.t.Helper()
	loaded, err := p.store.load(p.t.Context(), id)
	must(p.t, err)
	before := loaded[id].Record
	first = write("first")
	must(p.t, p.store.amend(p.t.Context(), id, func(r *ratchet) bool {
		r.Record = before
		return true
	}))
	return first, write("second")
}

// asksAgain is what the library must see of another message under a used key: neither a repeat nor a failed store.
func asksAgain(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, errUsedKey) || errors.Is(err, signalerror.ErrOldCounter) || errors.Is(err, context.Canceled) {
		t.Errorf("the library does not ask for the message again after %v", err)
	}
}

func TestASecondMessageUnderOneKeyIsNoRepeat(t *testing.T) {
	a := testArchive(t)
	for _, answered := range []bool{false, true} { // pkmsg, msg
		t.Run(fmt.Sprintf("answered %v", answered), func(t *testing.T) {
			ann := newPerson(t, a, fmt.Sprintf("ann%v", answered), false)
			bob := newPerson(t, a, fmt.Sprintf("bob%v", answered), false)
			must(t, ann.builder(bob).ProcessBundle(t.Context(), bob.bundle()))
			if answered {
				_, err := bob.reads(ann, ann.writes(bob, "hello"))
				must(t, err)
				_, err = ann.reads(bob, bob.writes(ann, "hello too"))
				must(t, err)
			}
			first, second := ann.twice(ann.store.addressID(bob.at.String()), func(text string) protocol.CiphertextMessage {
				return ann.writes(bob, text)
			})

			if text, err := bob.reads(ann, first); err != nil || text != "first" {
				t.Fatalf("read %q, %v", text, err)
			}
			_, err := bob.reads(ann, second)
			asksAgain(t, err)
			if text, err := bob.reads(ann, ann.writes(bob, "third")); err != nil || text != "third" {
				t.Errorf("afterwards %q, %v", text, err)
			}
		})
	}
}

const testGroup = "120363000000000001@g.us"

func (p *person) inGroup(sender *person) *groups.GroupCipher {
	builder := groups.NewGroupSessionBuilder(p.device, store.SignalProtobufSerializer)
	return groups.NewGroupCipher(builder, protocol.NewSenderKeyName(testGroup, sender.at), p.device)
}

func (p *person) takesSenderKeyOf(sender *person) {
	p.t.Helper()
	name := protocol.NewSenderKeyName(testGroup, sender.at)
	made, err := groups.NewGroupSessionBuilder(sender.device, store.SignalProtobufSerializer).Create(p.t.Context(), name)
	must(p.t, err)
	must(p.t, groups.NewGroupSessionBuilder(p.device, store.SignalProtobufSerializer).Process(p.t.Context(), name, made))
}

func TestASecondGroupMessageUnderOneSenderKeyIsNoRepeat(t *testing.T) {
	a := testArchive(t)
	ann, bob := newPerson(t, a, "ann", false), newPerson(t, a, "bob", false)
	bob.takesSenderKeyOf(ann)
	reads := func(sealed protocol.CiphertextMessage) (plain []byte, err error) {
		err = bob.store.DoDecryptionTxn(t.Context(), func(ctx context.Context) (err error) {
			if plain, err = bob.inGroup(ann).Decrypt(ctx, sealed.(*protocol.SenderKeyMessage)); err == nil {
				err = bob.store.PutBufferedEvent(ctx, [32]byte{plain[0]}, plain, served)
			}
			return err
		})
		return plain, err
	}
	first, second := ann.twice(ann.store.senderKeyID(testGroup, ann.at.String()), func(text string) protocol.CiphertextMessage {
		sealed, err := ann.inGroup(ann).Encrypt(t.Context(), []byte(text))
		must(t, err)
		return sealed
	})

	if plain, err := reads(first); err != nil || string(plain) != "first" {
		t.Fatalf("read %q, %v", plain, err)
	}
	_, err := reads(second)
	asksAgain(t, err)
}

func TestAHandledMessageIsRememberedByTheNextWriteWhileItsRowWaits(t *testing.T) {
	a := testArchive(t)
	s := testStore(t, a, 1)
	must(t, s.DoDecryptionTxn(t.Context(), decrypted(s, "62:0", hash1, "one", "hello")))
	must(t, s.ClearBufferedEventPlaintext(t.Context(), hash1))
	must(t, s.DoDecryptionTxn(t.Context(), decrypted(s, "62:0", hash2, "two", "next")))

	crashed := testStore(t, a, 1) // the queue was not written
	event, err := crashed.GetBufferedEvent(t.Context(), hash1)
	must(t, err)
	if event == nil || event.Plaintext != nil {
		t.Errorf("after a crash a repeat is found as %+v", event)
	}
	if next, err := crashed.GetBufferedEvent(t.Context(), hash2); err != nil || next == nil || string(next.Plaintext) != "next" {
		t.Errorf("the unhandled message is found as %+v, %v", next, err)
	}
}

// The former owner has handled the message after our look for it; we held its ratchet already.
func TestAMessageThatTheFormerOwnerHandledMeanwhileIsNotAskedForAgain(t *testing.T) {
	a := testArchive(t)
	former, next := testStore(t, a, 1), testStore(t, a, 2)
	must(t, former.DoDecryptionTxn(t.Context(), decrypted(former, "62:0", hash1, "one", "hello")))
	must(t, former.ClearBufferedEventPlaintext(t.Context(), hash1))
	former.flush(t)
	must(t, former.DoDecryptionTxn(t.Context(), decrypted(former, "62:0", hash2, "two", "next")))
	next.missed.put(hash1, true) // before the former owner's first write
	if got := sessionOf(t, next, "62:0"); got != "two" {
		t.Fatalf("the ratchet is %q", got)
	}

	err := next.DoDecryptionTxn(t.Context(), func(context.Context) error { return signalerror.ErrOldCounter })

	if !errors.Is(err, context.Canceled) || errors.Is(err, errUsedKey) {
		t.Errorf("the library would ask for a message that was told: %v", err)
	}
}
