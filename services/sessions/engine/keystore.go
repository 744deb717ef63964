// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.mau.fi/whatsmeow/store"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

const (
	ratchetCacheSize = 2_000
	valueCacheSize   = 4_000
	handledCacheSize = 4_000
)

// keyStore is the device store of one link of one session under one fence: all 65 methods that whatsmeow asks for.
//
// The first failure, a refused fence included, is final: every later call fails too, wrapped in context.Canceled, so
// that the library acknowledges nothing that was never read; onFailure closes the connection.
type keyStore struct {
	archive *archive
	queue   *writeBehind
	prefix  string // "<session>/<link>/"
	tenure

	ratchets   *ratchetLock
	preKeyLock sync.Mutex
	deviceLock sync.Mutex
	device     int64 // version of the device document as last read or written

	mu         sync.Mutex
	claimed    *lru[string, *ratchet]
	values     *lru[string, []byte] // nil value: known to be absent
	pending    map[eventHash]pendingEvent
	handled    *lru[eventHash, time.Time]
	missed     *lru[eventHash, bool] // asked for and not found
	migrated   map[string]bool
	usedKeys   map[uint32]bool
	endedCode  int  // told by the event handler before DeleteDevice runs
	unpaired   bool // DeleteDevice undoes a pairing that was never finished
	unrepaired bool // only a test leaves records as libsignal leaves them, to see the harm

	emptied   bool // its documents are deleted: what it remembers is no longer so
	failure   error
	onFailure func(error)
}

var (
	_ store.AllStores       = (*keyStore)(nil)
	_ store.DeviceContainer = (*keyStore)(nil)
)

func newKeyStore(a *archive, q *writeBehind, session string, link int, by tenure) *keyStore {
	return &keyStore{
		archive:   a,
		queue:     q,
		prefix:    linkPrefix(session, link),
		tenure:    by,
		ratchets:  newRatchetLock(),
		claimed:   newLRU[string, *ratchet](ratchetCacheSize),
		values:    newLRU[string, []byte](valueCacheSize),
		pending:   map[eventHash]pendingEvent{},
		handled:   newLRU[eventHash, time.Time](handledCacheSize),
		missed:    newLRU[eventHash, bool](64),
		migrated:  map[string]bool{},
		usedKeys:  map[uint32]bool{},
		onFailure: func(error) {},
	}
}

func linkPrefix(session string, link int) string { return fmt.Sprintf("%s/%d/", session, link) }

// storeFailure wraps an error so that the library neither acknowledges nor answers what it was reading.
func storeFailure(err error) error {
	return fmt.Errorf("%w: %w: %w", errStore, context.Canceled, err)
}

// ready fails when the store has failed before or the caller has gone.
func (s *keyStore) ready(ctx context.Context) error {
	s.mu.Lock()
	failure := s.failure
	s.mu.Unlock()
	if failure != nil {
		return storeFailure(failure)
	}
	if ctx.Err() != nil {
		return storeFailure(ctx.Err())
	}
	return nil
}

// failed makes an error final, unless it is the caller who went away.
func (s *keyStore) failed(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() == nil || errors.Is(err, errFenced) {
		s.breakWith(err)
	}
	if errors.Is(err, errStore) {
		return err
	}
	return storeFailure(err)
}

func (s *keyStore) breakWith(err error) {
	s.mu.Lock()
	first := s.failure == nil
	if first {
		s.failure = err
	}
	onFailure := s.onFailure
	s.mu.Unlock()
	if first {
		go onFailure(err)
	}
}

// reusable tells whether another connection may go on with what this store has claimed.
func (s *keyStore) reusable() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failure == nil && !s.emptied
}

// broken returns the error that made the store final, or nil.
func (s *keyStore) broken() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failure
}

// --- small values: contacts, settings, maps; cached, most of them written late ---------------------------------------

// value reads one small value; nil when it is absent.
func (s *keyStore) value(ctx context.Context, id string) ([]byte, error) {
	found, err := s.valuesOf(ctx, id)
	return found[id], err
}

// valuesOf reads several small values in one round trip; absent ones are missing in the answer.
func (s *keyStore) valuesOf(ctx context.Context, ids ...string) (map[string][]byte, error) {
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	found, unknown := s.knownValues(ids)
	if len(unknown) == 0 {
		return found, nil
	}
	rows, err := s.archive.read(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: unknown}}}})
	if err != nil {
		return nil, s.failed(ctx, err)
	}
	for _, id := range unknown {
		plaintext, err := s.openValue(rows[id])
		if err != nil {
			return nil, s.failed(ctx, err)
		}
		if plaintext != nil {
			found[id] = plaintext
		}
		s.mu.Lock()
		if _, written := s.values.get(id); !written {
			s.values.put(id, plaintext)
		}
		s.mu.Unlock()
	}
	return found, nil
}

func (s *keyStore) knownValues(ids []string) (found map[string][]byte, unknown []string) {
	found = make(map[string][]byte, len(ids))
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		if plaintext, cached := s.values.get(id); cached {
			if plaintext != nil {
				found[id] = plaintext
			}
		} else if plaintext, waiting := s.queue.peek(id); waiting {
			found[id] = plaintext
		} else {
			unknown = append(unknown, id)
		}
	}
	return found, unknown
}

func (s *keyStore) openValue(doc document) ([]byte, error) {
	if len(doc.Value) == 0 {
		return nil, nil
	}
	return s.archive.vault.open(doc.ID, doc.KeyID, doc.Value)
}

func (s *keyStore) sealed(id string, plaintext []byte) bson.D {
	keyID, sealed := s.archive.vault.seal(id, plaintext)
	return bson.D{{Key: "kid", Value: keyID}, {Key: "v", Value: sealed}}
}

// putLater queues a small value; extra fields stand beside it unsealed.
func (s *keyStore) putLater(ctx context.Context, id string, plaintext []byte, extra ...bson.E) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	s.remember(id, plaintext)
	s.queue.add(id, upsert(id, "$set", append(s.sealed(id, plaintext), extra...)), plaintext)
	return nil
}

// putNow writes small values and returns when they are on a majority's disk.
func (s *keyStore) putNow(ctx context.Context, values map[string][]byte) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	rows := make(map[string]bson.D, len(values))
	for id, plaintext := range values {
		rows[id] = s.sealed(id, plaintext)
	}
	if err := s.archive.put(ctx, s.tenure, rows); err != nil {
		return s.failed(ctx, err)
	}
	for id, plaintext := range values {
		s.remember(id, plaintext)
	}
	return nil
}

// putOnce writes a small value unless there is one, and returns when one is on disk; extra fields stand beside it unsealed.
func (s *keyStore) putOnce(ctx context.Context, id string, plaintext []byte, extra ...bson.E) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	if found, err := s.value(ctx, id); err != nil || found != nil {
		return err
	}
	fields := append(s.sealed(id, plaintext), extra...)
	inserted := false
	err := s.archive.patiently(ctx, func(ctx context.Context) error {
		result, err := s.archive.rows.UpdateOne(ctx, bson.D{{Key: "_id", Value: id}},
			bson.D{{Key: "$setOnInsert", Value: fields}}, options.UpdateOne().SetUpsert(true))
		if mongo.IsDuplicateKeyError(err) { // somebody was faster by a moment
			return nil
		}
		inserted = err == nil && result.UpsertedCount > 0
		return err
	})
	if err != nil {
		return s.failed(ctx, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if inserted {
		s.values.put(id, plaintext)
	} else {
		s.values.drop(id) // it was remembered as absent
	}
	return nil
}

// deleteNow deletes small values.
func (s *keyStore) deleteNow(ctx context.Context, ids ...string) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	filter := bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}}
	err := s.archive.patiently(ctx, func(ctx context.Context) error {
		_, err := s.archive.rows.DeleteMany(ctx, filter)
		return err
	})
	if err != nil {
		return s.failed(ctx, err)
	}
	for _, id := range ids {
		s.remember(id, nil)
	}
	return nil
}

func (s *keyStore) remember(id string, plaintext []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values.put(id, plaintext)
}

func upsert(id, operator string, fields bson.D) mongo.WriteModel {
	return mongo.NewUpdateOneModel().SetUpsert(true).
		SetFilter(bson.D{{Key: "_id", Value: id}}).SetUpdate(bson.D{{Key: operator, Value: fields}})
}
