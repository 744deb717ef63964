// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
)

const leaseName = "07-e1"

func seconds(from float64) int64 { return monotonicNow() + int64(from*float64(time.Second)) }

// leasedStore is a key store under a lease that holds until the given moment.
func leasedStore(t testing.TB, a *archive, until int64) (*keyStore, *leases) {
	t.Helper()
	held := &leases{}
	held.hold(map[string]int64{leaseName: until})
	name := leaseName
	return newKeyStore(a, newWriteBehind(a), "s1", 1, tenure{1, held.named(&name)}), held
}

// keyWrites are writes of every kind that only an owner may make.
var keyWrites = map[string]func(context.Context, *keyStore) error{
	"claim":   func(ctx context.Context, s *keyStore) error { _, err := s.HasSession(ctx, "62:0"); return err },
	"session": func(ctx context.Context, s *keyStore) error { return s.PutSession(ctx, "62:0", []byte("x")) },
	"sender key": func(ctx context.Context, s *keyStore) error {
		return s.PutSenderKey(ctx, "g@g.us", "62:0", []byte("x"))
	},
	"prekeys": func(ctx context.Context, s *keyStore) error { _, err := s.GetOrGenPreKeys(ctx, 5); return err },
	"prekeys uploaded": func(ctx context.Context, s *keyStore) error {
		return s.MarkPreKeysAsUploaded(ctx, 5)
	},
	"device": func(ctx context.Context, s *keyStore) error { _, _, err := s.openDevice(ctx); return err },
	"app state": func(ctx context.Context, s *keyStore) error {
		return s.PutAppStateVersion(ctx, "regular", 1, [128]byte{})
	},
	"sync key": func(ctx context.Context, s *keyStore) error {
		return s.PutAppStateSyncKey(ctx, []byte{1}, store.AppStateSyncKey{Timestamp: 9})
	},
	"move": func(ctx context.Context, s *keyStore) error {
		return s.MigratePNToLID(ctx, types.NewJID("62", types.DefaultUserServer), types.NewJID("7", types.HiddenUserServer))
	},
	"forget": func(ctx context.Context, s *keyStore) error { return s.archive.forget(ctx, s.tenure, s.prefix) },
}

// archiveOfOneKey holds one key, and comes with a check that nothing was written since.
func archiveOfOneKey(t *testing.T) (a *archive, asItWas func()) {
	t.Helper()
	a = testArchive(t)
	must(t, testStore(t, a, 1).PutSession(t.Context(), "62:0", []byte("as it was")))
	before := rows(t, a)
	return a, func() {
		t.Helper()
		if after := rows(t, a); len(after) != len(before) || after[0]["ver"] != before[0]["ver"] {
			t.Errorf("written: %v", after)
		}
	}
}

func TestNothingIsWrittenAfterALeaseIsOver(t *testing.T) {
	for kind, write := range keyWrites {
		t.Run(kind, func(t *testing.T) {
			a, asItWas := archiveOfOneKey(t)
			s, held := leasedStore(t, a, seconds(60))
			held.hold(map[string]int64{"08-e1": seconds(60)})

			if err := write(t.Context(), s); !errors.Is(err, errFenced) {
				t.Errorf("the write ended with %v", err)
			}
			asItWas()
		})
	}
}

func TestAWriteWaitsUntilTheLeaseIsConfirmed(t *testing.T) {
	for kind, write := range keyWrites {
		t.Run(kind, func(t *testing.T) {
			a, asItWas := archiveOfOneKey(t)
			s, held := leasedStore(t, a, seconds(-0.001)) // this machine stood still: its time ran out meanwhile
			done := make(chan error, 1)
			go func() { done <- write(t.Context(), s) }()

			select {
			case err := <-done:
				t.Errorf("it did not wait: %v", err)
			case <-time.After(200 * time.Millisecond):
			}
			asItWas()
			held.hold(map[string]int64{leaseName: seconds(60)})

			select {
			case err := <-done:
				must(t, err)
			case <-time.After(patience):
				t.Error("it did not go on")
			}
		})
	}
}

func TestALeaseThatIsOverStaysOver(t *testing.T) {
	a := testArchive(t)
	s, held := leasedStore(t, a, seconds(60))
	held.hold(nil)
	held.hold(map[string]int64{leaseName: seconds(60)})

	refused(t, "PutSession", s.PutSession(t.Context(), "62:0", []byte("x")))
}

func TestALeaseThatIsNotHeldIsOver(t *testing.T) {
	name, held := leaseName, &leases{}
	if err := (tenure{1, held.named(&name)}).holds(); !errors.Is(err, errFenced) {
		t.Errorf("it holds: %v", err)
	}
	if err := (tenure{1, held.named(nil)}).holds(); err != nil {
		t.Errorf("a session without an owner: %v", err)
	}
}
