// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"go.mongodb.org/mongo-driver/v2/bson"
)

func bsonBytes(row bson.M) ([]byte, error) { return bson.Marshal(row) }

// refused is what the library must see of a fenced write: an error after which it acknowledges nothing.
func refused(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, errFenced) || !errors.Is(err, context.Canceled) {
		t.Errorf("%s: %v", what, err)
	}
}

func TestAStaleOwnersWriteIsRefusedOnceTheNewOneHasRead(t *testing.T) {
	a := testArchive(t)
	stale, fresh := testStore(t, a, 1), testStore(t, a, 2)
	must(t, stale.PutSession(t.Context(), "62:0", []byte("stale, in time")))

	if got := sessionOf(t, fresh, "62:0"); got != "stale, in time" {
		t.Errorf("the new owner does not see what was written before: %q", got)
	}
	refused(t, "PutSession", stale.PutSession(t.Context(), "62:0", []byte("stale, too late")))
	must(t, fresh.PutSession(t.Context(), "62:0", []byte("fresh")))
	if got := sessionOf(t, testStore(t, a, 2), "62:0"); got != "fresh" {
		t.Errorf("stored is %q", got)
	}
}

func TestAStubHoldsTheFenceOfADocumentThatDoesNotExistYet(t *testing.T) {
	a := testArchive(t)
	stale, fresh := testStore(t, a, 1), testStore(t, a, 2)
	if sessionOf(t, stale, "62:0") != "" || sessionOf(t, fresh, "62:0") != "" {
		t.Fatal("there is a session")
	}
	refused(t, "PutSession", stale.PutSession(t.Context(), "62:0", []byte("stale")))
}

func TestEveryKindOfKeyIsFenced(t *testing.T) {
	jid := types.NewJID("6281", types.DefaultUserServer)
	for name, c := range map[string]struct {
		prepare, write func(context.Context, *keyStore) error
	}{
		"decryption": {
			func(ctx context.Context, s *keyStore) error { _, err := s.HasSession(ctx, "62:0"); return err },
			func(ctx context.Context, s *keyStore) error {
				return s.DoDecryptionTxn(ctx, decrypted(s, "62:0", hash1, "x", "y"))
			},
		},
		"many sessions": {
			func(ctx context.Context, s *keyStore) error {
				_, err := s.GetManySessions(ctx, []string{"62:0", "62:1"})
				return err
			},
			func(ctx context.Context, s *keyStore) error {
				ctx, release := s.forSending(ctx)
				defer release()
				if _, err := s.GetManySessions(ctx, []string{"62:0", "62:1"}); err != nil {
					return err
				}
				return s.PutManySessions(ctx, map[string][]byte{"62:0": []byte("x"), "62:1": []byte("x")})
			},
		},
		"sender key": {
			func(ctx context.Context, s *keyStore) error {
				_, err := s.GetSenderKey(ctx, "g@g.us", "62:0")
				return err
			},
			func(ctx context.Context, s *keyStore) error {
				return s.PutSenderKey(ctx, "g@g.us", "62:0", []byte("x"))
			},
		},
		"device": {
			func(ctx context.Context, s *keyStore) error { _, _, err := s.openDevice(ctx); return err },
			func(ctx context.Context, s *keyStore) error {
				device := newDevice()
				device.ID = &jid
				return s.PutDevice(ctx, device)
			},
		},
		"prekeys": {
			func(ctx context.Context, s *keyStore) error { return nil },
			func(ctx context.Context, s *keyStore) error { _, err := s.GetOrGenPreKeys(ctx, 5); return err },
		},
		"app state": {
			func(ctx context.Context, s *keyStore) error { return nil },
			func(ctx context.Context, s *keyStore) error {
				return s.PutAppStateVersion(ctx, "regular", 1, [128]byte{})
			},
		},
		"sync key": {
			func(ctx context.Context, s *keyStore) error { return nil },
			func(ctx context.Context, s *keyStore) error {
				return s.PutAppStateSyncKey(ctx, []byte{1}, store.AppStateSyncKey{Timestamp: 10 - s.fence}) // the stale key is the newer one
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := testArchive(t)
			stale, fresh := testStore(t, a, 1), testStore(t, a, 2)
			told := make(chan error, 1)
			stale.onFailure = func(err error) { told <- err }
			must(t, c.prepare(t.Context(), stale))
			must(t, c.prepare(t.Context(), fresh))
			must(t, c.write(t.Context(), fresh))

			refused(t, "the write", c.write(t.Context(), stale))

			select {
			case err := <-told:
				if !errors.Is(err, errFenced) {
					t.Errorf("the connection was told %v", err)
				}
			case <-time.After(patience):
				t.Error("the connection was not told")
			}
			refused(t, "the next call", stale.PutSession(t.Context(), "99:0", []byte("x")))
		})
	}
}

func TestALateWriteOfOurOwnDoesNotCrossTheNext(t *testing.T) {
	a := testArchive(t)
	s := testStore(t, a, 1)
	must(t, s.PutSession(t.Context(), "62:0", []byte("one")))
	loaded, err := s.load(t.Context(), s.addressID("62:0"))
	must(t, err)
	late, err := s.change(s.addressID("62:0"), loaded[s.addressID("62:0")].copied())
	must(t, err)
	must(t, s.PutSession(t.Context(), "62:0", []byte("two")))

	if err := a.commit(t.Context(), tenure{fence: 1}, []*change{late}); !errors.Is(err, errOvertaken) {
		t.Errorf("a write that was overtaken ended with %v", err)
	}
	if got := sessionOf(t, testStore(t, a, 1), "62:0"); got != "two" {
		t.Errorf("stored is %q", got)
	}
}

func TestAWriteWhoseAnswerWasLostIsRecognised(t *testing.T) {
	a := testArchive(t)
	s := testStore(t, a, 1)
	loaded, err := s.load(t.Context(), s.addressID("62:0"))
	must(t, err)
	c, err := s.change(s.addressID("62:0"), loaded[s.addressID("62:0")].copied())
	must(t, err)
	c.model(1)
	for range 2 { // the first answer was lost, so it is tried again
		must(t, a.patiently(t.Context(), func(ctx context.Context) error {
			result, err := a.rows.UpdateOne(ctx, c.filter(1), c.update())
			if err != nil || result.MatchedCount == 1 {
				return err
			}
			return a.judge(ctx, 1, []*change{c})
		}))
	}
}

func TestAMessageThatTheFormerOwnerReadMeanwhileIsNotTakenForARepeat(t *testing.T) {
	a := testArchive(t)
	former, next := testStore(t, a, 1), testStore(t, a, 2)
	if event, err := next.GetBufferedEvent(t.Context(), hash1); event != nil || err != nil {
		t.Fatal("the message was there before")
	}
	must(t, former.DoDecryptionTxn(t.Context(), decrypted(former, "62:0", hash1, "one", "hello")))

	oldCounter := errors.New("received message with old counter")
	err := next.DoDecryptionTxn(t.Context(), func(ctx context.Context) error {
		_, err := next.GetSession(ctx, "62:0")
		return errors.Join(err, oldCounter)
	})

	if !errors.Is(err, context.Canceled) {
		t.Errorf("the library would acknowledge what nobody handled: %v", err)
	}
	event, err := testStore(t, a, 2).GetBufferedEvent(t.Context(), hash1)
	if err != nil || event == nil || string(event.Plaintext) != "hello" {
		t.Errorf("the next login does not find it: %+v, %v", event, err)
	}
}

func TestAFailureIsFinal(t *testing.T) {
	s := testStore(t, testArchive(t), 1)
	s.breakWith(errors.New("MongoDB was away"))
	ctx := t.Context()
	_, errGet := s.GetSession(ctx, "62:0")
	_, errMany := s.GetManySessions(ctx, []string{"62:0"})
	_, errTrust := s.IsTrustedIdentity(ctx, "62:0", keyA)
	_, errEvent := s.GetBufferedEvent(ctx, hash1)
	_, errLID := s.GetLIDForPN(ctx, types.NewJID("1", types.DefaultUserServer))
	for name, err := range map[string]error{
		"GetSession": errGet, "GetManySessions": errMany, "IsTrustedIdentity": errTrust, "GetBufferedEvent": errEvent,
		"GetLIDForPN": errLID, "PutSession": s.PutSession(ctx, "62:0", nil), "PutIdentity": s.PutIdentity(ctx, "62:0", keyA),
		"PutBufferedEvent":            s.PutBufferedEvent(ctx, hash1, nil, served),
		"ClearBufferedEventPlaintext": s.ClearBufferedEventPlaintext(ctx, hash1),
		"DoDecryptionTxn":             s.DoDecryptionTxn(ctx, func(context.Context) error { return nil }),
		"PutSenderKey":                s.PutSenderKey(ctx, "g", "u", nil),
		"MigratePNToLID":              s.MigratePNToLID(ctx, types.NewJID("1", types.DefaultUserServer), types.NewJID("2", types.HiddenUserServer)),
	} {
		if !errors.Is(err, context.Canceled) || !errors.Is(err, errStore) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestForgettingALinkLeavesOthersAndObeysTheFence(t *testing.T) {
	a := testArchive(t)
	first := testStore(t, a, 5)
	second := newKeyStore(a, newWriteBehind(a), "s1", 11, tenure{fence: 5})
	must(t, first.PutSession(t.Context(), "62:0", []byte("x")))
	must(t, first.putLater(t.Context(), first.contactID(types.NewJID("1", "s.whatsapp.net")), []byte("y")))
	first.flush(t)
	must(t, second.PutSession(t.Context(), "62:0", []byte("x")))

	if err := a.forget(t.Context(), tenure{fence: 4}, first.prefix); !errors.Is(err, errFenced) {
		t.Errorf("a lower fence: %v", err)
	}
	must(t, a.forget(t.Context(), tenure{fence: 5}, first.prefix))
	must(t, a.forget(t.Context(), tenure{fence: 5}, first.prefix))

	left := rows(t, a)
	if len(left) != 1 || left[0]["_id"] != "s1/11/addr/62:0" {
		t.Errorf("left: %v", left)
	}
}
