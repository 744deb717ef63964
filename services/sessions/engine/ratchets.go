// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/vmihailenco/msgpack/v5"
	"go.mau.fi/libsignal/signalerror"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// bufferedEventLife is how long WhatsApp may deliver a message again: its privacy policy says 30 days.
const bufferedEventLife = 31 * 24 * time.Hour

// ratchet is everything that changes together when a message of one remote address is read: the Signal record, the
// identity, and the messages that were read but not yet handled. One document, hence one atomic write. A group's sender
// key has the same shape without an identity.
type ratchet struct {
	Record   []byte          `msgpack:"r,omitempty"`
	Identity []byte          `msgpack:"i,omitempty"`
	Events   []bufferedEvent `msgpack:"e,omitempty"`

	version int64
}

func (r *ratchet) copied() *ratchet {
	twin := *r
	twin.Events = slices.Clone(r.Events)
	return &twin
}

func (s *keyStore) addressID(address string) string { return s.prefix + "addr/" + address }

func (s *keyStore) senderKeyID(group, user string) string {
	return s.prefix + "skey/" + user + "/" + group
}

// load returns the ratchets of these ids as one may read them, claiming those that were not read under this fence yet.
// Inside an edit its unsaved changes are seen.
func (s *keyStore) load(ctx context.Context, ids ...string) (map[string]*ratchet, error) {
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	found, unclaimed := s.loaded(editOf(ctx), ids)
	if len(unclaimed) == 0 {
		return found, nil
	}
	docs, err := s.archive.claim(ctx, s.tenure, unclaimed)
	if err != nil {
		return nil, s.failed(ctx, err)
	}
	for _, id := range unclaimed {
		r, err := s.decode(docs[id])
		if err != nil {
			return nil, s.failed(ctx, err)
		}
		found[id] = s.claim(editOf(ctx), id, r)
	}
	return found, nil
}

func (s *keyStore) loaded(e *edit, ids []string) (found map[string]*ratchet, unclaimed []string) {
	found = make(map[string]*ratchet, len(ids))
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		if changed, ok := e.changed(id); ok {
			found[id] = changed
		} else if known, ok := s.claimed.get(id); ok {
			found[id] = known
		} else {
			unclaimed = append(unclaimed, id)
		}
	}
	return found, unclaimed
}

// claim remembers a document that was read under this fence for the first time.
func (s *keyStore) claim(e *edit, id string, r *ratchet) *ratchet {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, ok := s.claimed.get(id); ok {
		return known // another goroutine was faster, and may have written since
	}
	s.claimed.put(id, r)
	if e != nil {
		e.fresh = append(e.fresh, r)
	}
	return r
}

func (s *keyStore) decode(doc document) (*ratchet, error) {
	r := &ratchet{}
	plaintext, err := s.openValue(doc)
	if err == nil && plaintext != nil {
		err = msgpack.Unmarshal(plaintext, r)
	}
	r.version = doc.Version
	return r, err
}

// change is the write that turns the stored document into this ratchet.
func (s *keyStore) change(id string, r *ratchet) (*change, error) {
	r.Events = s.stillNeeded(r.Events)
	plaintext, err := msgpack.Marshal(r)
	if err != nil {
		return nil, err
	}
	c := &change{id: id, version: r.version, set: s.sealed(id, plaintext)}
	if len(r.Events) == 0 {
		c.unset = bson.D{{Key: "ev", Value: 1}}
	} else {
		keys := make([][]byte, len(r.Events))
		for i, event := range r.Events {
			keys[i] = s.eventKey(event.Hash)
		}
		c.set = append(c.set, bson.E{Key: "ev", Value: keys})
	}
	return c, nil
}

// stillNeeded drops events whose hash is kept elsewhere or too old to come again. A handled one stays, without its text,
// until its own row is written: otherwise a crash in between would make a repeat look like another message.
func (s *keyStore) stillNeeded(events []bufferedEvent) []bufferedEvent {
	s.mu.Lock()
	defer s.mu.Unlock()
	oldest := time.Now().Add(-bufferedEventLife).UnixMilli()
	var needed []bufferedEvent
	for _, event := range events {
		_, handled := s.handled.get(eventHash(event.Hash))
		if event.Inserted < oldest || (handled && !s.queue.holds(s.handledID(eventHash(event.Hash)))) {
			continue
		}
		if handled {
			event.Plaintext = nil
		}
		needed = append(needed, event)
	}
	return needed
}

// save writes changed ratchets in one round trip; afterwards they are what load returns.
func (s *keyStore) save(ctx context.Context, changed map[string]*ratchet, unfenced ...mongo.WriteModel) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	changes := make([]*change, 0, len(changed))
	for id, r := range changed {
		c, err := s.change(id, r)
		if err != nil {
			return s.failed(ctx, err)
		}
		changes = append(changes, c)
	}
	// A write that was begun is waited for even when the caller goes: a late write must not cross the next one.
	if err := s.archive.commit(context.WithoutCancel(ctx), s.tenure, changes, unfenced...); err != nil {
		s.breakWith(err)
		return s.failed(ctx, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range changes {
		r := changed[c.id]
		r.version = c.next
		s.claimed.put(c.id, r)
	}
	return nil
}

// --- edits: changes that are written together ------------------------------------------------------------------------

// edit collects changes until they are saved at once: during one decryption, or between the load and the store of the
// sessions of one SendMessage. It belongs to one goroutine.
type edit struct {
	store      *keyStore
	ratchets   map[string]*ratchet
	events     []bufferedEvent
	usedKeys   []uint32
	fresh      []*ratchet         // claimed during this edit
	outgoing   []mongo.WriteModel // messages kept for retry receipts
	decrypting bool
	locked     bool
}

type editKey struct{}

func editOf(ctx context.Context) *edit {
	e, _ := ctx.Value(editKey{}).(*edit)
	return e
}

func (e *edit) changed(id string) (*ratchet, bool) {
	if e == nil {
		return nil, false
	}
	r, ok := e.ratchets[id]
	return r, ok
}

// collects tells whether changes wait for the edit's end. Outside the lock they are written at once.
func (e *edit) collects() bool { return e != nil && e.locked }

// amend changes one ratchet: inside an edit when it is saved, else at once. apply returns false when nothing changed.
func (s *keyStore) amend(ctx context.Context, id string, apply func(*ratchet) bool) error {
	loaded, err := s.load(ctx, id)
	if err != nil {
		return err
	}
	r := loaded[id].copied()
	if !apply(r) {
		return nil
	}
	if e := editOf(ctx); e.collects() {
		e.ratchets[id] = r
		return nil
	}
	return s.save(ctx, map[string]*ratchet{id: r})
}

// forSending marks a context for one SendMessage and returns what must run when it is over. GetManySessions takes the
// lock, PutManySessions saves and lets it go.
func (s *keyStore) forSending(ctx context.Context) (context.Context, func()) {
	e := &edit{store: s, ratchets: map[string]*ratchet{}}
	return context.WithValue(ctx, editKey{}, e), e.unlock
}

func (e *edit) lock(ctx context.Context) error {
	if e == nil || e.locked {
		return nil
	}
	if err := e.store.ratchets.acquire(ctx); err != nil {
		return err
	}
	e.locked = true
	return nil
}

func (e *edit) unlock() {
	if e != nil && e.locked {
		e.locked = false
		e.store.ratchets.release()
	}
}

// DoDecryptionTxn runs one decryption under the lock and writes what it changed at once: all of it, or nothing.
func (s *keyStore) DoDecryptionTxn(ctx context.Context, decrypt func(context.Context) error) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	e := &edit{store: s, ratchets: map[string]*ratchet{}, decrypting: true}
	if err := e.lock(ctx); err != nil {
		return storeFailure(err)
	}
	defer e.unlock()
	if err := recovered(func() error { return decrypt(context.WithValue(ctx, editKey{}, e)) }); err != nil {
		return s.afterFailedDecryption(ctx, e, err)
	}
	return s.saveDecryption(ctx, e)
}

// errUsedKey says that an earlier message had used this one's key. It does not wrap the library's ErrOldCounter, which the
// library takes for a repeat and confirms unread. A repeat has bytes that GetBufferedEvent knows and is not decrypted, so
// this is another message: the library asks its sender for it again.
var errUsedKey = errors.New("the key of this message was used before")

// afterFailedDecryption drops the changes. When the previous owner read this very message between our look for it and
// our claim of the ratchet, the failure is only ours: the next login finds the message buffered.
func (s *keyStore) afterFailedDecryption(ctx context.Context, e *edit, err error) error {
	if s.holdsMissed(e.fresh) {
		return s.failed(ctx, errOvertaken)
	}
	if !errors.Is(err, signalerror.ErrOldCounter) {
		return err
	}
	appeared, lookErr := s.missedAppeared(ctx)
	if lookErr != nil {
		return lookErr
	}
	if appeared {
		return s.failed(ctx, errOvertaken)
	}
	return fmt.Errorf("%w: %s", errUsedKey, err)
}

// holdsMissed tells whether one of these ratchets holds a message that was asked for and not found.
func (s *keyStore) holdsMissed(ratchets []*ratchet) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range ratchets {
		for _, event := range r.Events {
			if _, asked := s.missed.get(eventHash(event.Hash)); asked {
				return true
			}
		}
	}
	return false
}

var errTwoRatchets = errors.New("one decryption changed two addresses: their write would not be atomic")

func (s *keyStore) saveDecryption(ctx context.Context, e *edit) error {
	if len(e.ratchets) > 1 {
		return s.failed(ctx, errTwoRatchets)
	}
	for _, r := range e.ratchets {
		r.Events = append(r.Events, e.events...)
	}
	if err := s.save(ctx, e.ratchets); err != nil {
		return err
	}
	s.mu.Lock()
	for id := range e.ratchets {
		for _, event := range e.events {
			s.pending[eventHash(event.Hash)] = pendingEvent{event, id}
		}
	}
	s.mu.Unlock()
	for _, id := range e.usedKeys {
		s.markUsed(id)
	}
	return nil
}
