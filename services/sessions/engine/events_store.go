// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/vmihailenco/msgpack/v5"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// This file: messages that were read but not yet handled, and sent messages kept for retry receipts.

// outgoingLife is how long a sent message can be encrypted again for a device that could not read it.
const outgoingLife = 7 * 24 * time.Hour

type eventHash [32]byte

// bufferedEvent is a message that was decrypted and whose handler has not said yes yet; without plaintext it has.
type bufferedEvent struct {
	Hash      []byte `msgpack:"h"`
	Plaintext []byte `msgpack:"p"`
	Inserted  int64  `msgpack:"i"` // ms
	Server    int64  `msgpack:"s"` // ms
}

// pendingEvent is a buffered event and the ratchet it lies in.
type pendingEvent struct {
	event   bufferedEvent
	ratchet string
}

func (e bufferedEvent) told() *store.BufferedEvent {
	return &store.BufferedEvent{Plaintext: e.Plaintext, InsertTime: time.UnixMilli(e.Inserted), ServerTime: time.UnixMilli(e.Server)}
}

// eventKey is what the index holds: it tells nothing about the ciphertext, and two links never share one.
func (s *keyStore) eventKey(hash []byte) []byte {
	digest := sha256.Sum256(append([]byte(s.prefix), hash...))
	return digest[:16]
}

func (s *keyStore) handledID(hash eventHash) string {
	return s.prefix + "handled/" + hex.EncodeToString(s.eventKey(hash[:]))
}

// GetBufferedEvent returns a message that was read before: without plaintext when it was handled too, nil when unknown.
func (s *keyStore) GetBufferedEvent(ctx context.Context, hash [32]byte) (*store.BufferedEvent, error) {
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	if known := s.knownEvent(hash); known != nil {
		return known, nil
	}
	rows, err := s.archive.read(ctx, bson.D{{Key: "ev", Value: s.eventKey(hash[:])}})
	if err != nil {
		return nil, s.failed(ctx, err)
	}
	if _, handled := rows[s.handledID(hash)]; handled {
		return &store.BufferedEvent{InsertTime: time.Now()}, nil
	}
	for _, row := range rows {
		r, err := s.decode(row)
		if err != nil {
			return nil, s.failed(ctx, err)
		}
		for _, event := range r.Events {
			if eventHash(event.Hash) == hash {
				return event.told(), nil
			}
		}
	}
	s.mu.Lock()
	s.missed.put(hash, true)
	s.mu.Unlock()
	return nil, nil
}

// missedAppeared tells whether another owner has stored a message since it was asked for here and not found.
func (s *keyStore) missedAppeared(ctx context.Context) (bool, error) {
	var keys [][]byte
	for _, hash := range s.missedHashes() {
		if s.knownEvent(hash) == nil {
			keys = append(keys, s.eventKey(hash[:]))
		}
	}
	if len(keys) == 0 {
		return false, nil
	}
	rows, err := s.archive.read(ctx, bson.D{{Key: "ev", Value: bson.D{{Key: "$in", Value: keys}}}},
		options.Find().SetLimit(1).SetProjection(bson.D{{Key: "stamp", Value: 1}}))
	if err != nil {
		return false, s.failed(ctx, err)
	}
	return len(rows) > 0, nil
}

func (s *keyStore) missedHashes() []eventHash {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.missed.entries))
}

func (s *keyStore) knownEvent(hash eventHash) *store.BufferedEvent {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, handled := s.handled.get(hash); handled {
		return &store.BufferedEvent{InsertTime: at}
	}
	if known, waiting := s.pending[hash]; waiting {
		return known.event.told()
	}
	return nil
}

// PutBufferedEvent joins the decryption's write.
func (s *keyStore) PutBufferedEvent(ctx context.Context, hash [32]byte, plaintext []byte, serverTime time.Time) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	e := editOf(ctx)
	if e == nil || !e.decrypting || len(e.ratchets) == 0 {
		return s.failed(ctx, errors.New("a buffered event outside a decryption"))
	}
	e.events = append(e.events, bufferedEvent{
		Hash: hash[:], Plaintext: slices.Clone(plaintext), Inserted: time.Now().UnixMilli(), Server: serverTime.UnixMilli(),
	})
	return nil
}

// ClearBufferedEventPlaintext notes that a message was handled. It is queued: when it is lost, the handler sees the
// message twice.
func (s *keyStore) ClearBufferedEventPlaintext(ctx context.Context, hash [32]byte) error {
	if err := s.ready(context.WithoutCancel(ctx)); err != nil { // the connection may have ended just now
		return err
	}
	id := s.handledID(hash)
	s.queue.add(id, upsert(id, "$set", bson.D{
		{Key: "ev", Value: [][]byte{s.eventKey(hash[:])}}, {Key: "exp", Value: time.Now().Add(bufferedEventLife)},
	}), nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handled.put(hash, time.Now())
	s.forgetEvent(hash)
	return nil
}

// forgetEvent drops a handled event's text from the ratchet in memory; its next write drops the rest.
func (s *keyStore) forgetEvent(hash eventHash) {
	known, waiting := s.pending[hash]
	delete(s.pending, hash)
	if r, ok := s.claimed.get(known.ratchet); waiting && ok {
		twin := r.copied()
		for i := range twin.Events {
			if eventHash(twin.Events[i].Hash) == hash {
				twin.Events[i].Plaintext = nil
			}
		}
		s.claimed.put(known.ratchet, twin)
	}
}

// DeleteOldBufferedHashes has nothing to do: the index on `exp` ends them.
func (s *keyStore) DeleteOldBufferedHashes(context.Context) error { return nil }

// DeleteOldOutgoingEvents has nothing to do: the index on `exp` ends them.
func (s *keyStore) DeleteOldOutgoingEvents(context.Context) error { return nil }

type outgoingEvent struct {
	Format    string `msgpack:"f"`
	Plaintext []byte `msgpack:"p"`
}

func (s *keyStore) outgoingID(chat types.JID, id types.MessageID) string {
	return s.prefix + "out/" + chat.ToNonAD().String() + "/" + id
}

// AddOutgoingEvent keeps a message for retry receipts. In a SendMessage it rides on the write of the sessions.
func (s *keyStore) AddOutgoingEvent(ctx context.Context, chat types.JID, id types.MessageID, format string, plaintext []byte) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	encoded, err := msgpack.Marshal(outgoingEvent{format, plaintext})
	if err != nil {
		return s.failed(ctx, err)
	}
	key := s.outgoingID(chat, id)
	model := upsert(key, "$set", append(s.sealed(key, encoded), bson.E{Key: "exp", Value: time.Now().Add(outgoingLife)}))
	if e := editOf(ctx); e != nil && !e.decrypting {
		e.outgoing = append(e.outgoing, model)
	} else {
		s.queue.add(key, model, encoded)
	}
	return nil
}

var errUnknownOutgoing = errors.New("that message is not kept for retries any more")

func (s *keyStore) GetOutgoingEvent(ctx context.Context, chat, altChat types.JID, id types.MessageID) (string, []byte, error) {
	if err := s.ready(ctx); err != nil {
		return "", nil, err
	}
	ids := []string{s.outgoingID(chat, id)}
	if !altChat.IsEmpty() {
		ids = append(ids, s.outgoingID(altChat, id))
	}
	rows, err := s.archive.read(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}})
	if err != nil {
		return "", nil, s.failed(ctx, err)
	}
	for _, row := range rows {
		encoded, err := s.openValue(row)
		if err != nil || encoded == nil {
			return "", nil, s.failed(ctx, errors.Join(err, errUnknownOutgoing))
		}
		var event outgoingEvent
		err = msgpack.Unmarshal(encoded, &event)
		return event.Format, event.Plaintext, err
	}
	return "", nil, errUnknownOutgoing
}
