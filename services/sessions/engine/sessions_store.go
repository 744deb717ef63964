// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"context"
	"strings"

	"go.mau.fi/whatsmeow/types"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// This file: identities, Signal sessions and sender keys.

func (s *keyStore) IsTrustedIdentity(ctx context.Context, address string, key [32]byte) (bool, error) {
	id := s.addressID(address)
	loaded, err := s.load(ctx, id)
	if err != nil {
		return false, err
	}
	known := loaded[id].Identity
	return len(known) == 0 || bytes.Equal(known, key[:]), nil
}

// PutIdentity writes only what is new: it is called for every message.
func (s *keyStore) PutIdentity(ctx context.Context, address string, key [32]byte) error {
	return s.amend(ctx, s.addressID(address), func(r *ratchet) bool {
		unchanged := bytes.Equal(r.Identity, key[:])
		r.Identity = key[:]
		return !unchanged
	})
}

func (s *keyStore) DeleteIdentity(ctx context.Context, address string) error {
	return s.amend(ctx, s.addressID(address), func(r *ratchet) bool {
		had := len(r.Identity) > 0
		r.Identity = nil
		return had
	})
}

func (s *keyStore) DeleteAllIdentities(ctx context.Context, user string) error {
	return s.forEachAddress(ctx, user, s.DeleteIdentity)
}

func (s *keyStore) GetSession(ctx context.Context, address string) ([]byte, error) {
	if editOf(ctx) == nil {
		if err := s.ratchets.holdStray(ctx, address); err != nil {
			return nil, storeFailure(err)
		}
	}
	id := s.addressID(address)
	loaded, err := s.load(ctx, id)
	if err != nil {
		if editOf(ctx) == nil {
			s.ratchets.releaseStray(address)
		}
		return nil, err
	}
	return loaded[id].Record, nil
}

func (s *keyStore) HasSession(ctx context.Context, address string) (bool, error) {
	id := s.addressID(address)
	loaded, err := s.load(ctx, id)
	if err != nil {
		return false, err
	}
	return len(loaded[id].Record) > 0, nil
}

// GetManySessions returns every asked address, nil when there is no session: for a missing one the library would fetch no
// keys and leave the device out of the message without an error. In a SendMessage of ours it takes the lock.
func (s *keyStore) GetManySessions(ctx context.Context, addresses []string) (map[string][]byte, error) {
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	if err := editOf(ctx).lock(ctx); err != nil {
		return nil, storeFailure(err)
	}
	ids := make([]string, len(addresses))
	for i, address := range addresses {
		ids[i] = s.addressID(address)
	}
	loaded, err := s.load(ctx, ids...)
	if err != nil {
		return nil, err
	}
	sessions := make(map[string][]byte, len(addresses))
	for i, address := range addresses {
		sessions[address] = loaded[ids[i]].Record
	}
	return sessions, nil
}

// PutSession returns when the record is on disk: the frame that used it leaves afterwards.
func (s *keyStore) PutSession(ctx context.Context, address string, record []byte) error {
	if editOf(ctx) == nil {
		defer s.ratchets.releaseStray(address)
	}
	if e := editOf(ctx); e != nil && e.decrypting && !s.unrepaired {
		loaded, err := s.load(ctx, s.addressID(address))
		if err != nil {
			return err
		}
		record = repaired(loaded[s.addressID(address)].Record, record)
	}
	return s.amend(ctx, s.addressID(address), func(r *ratchet) bool {
		r.Record = record
		return true
	})
}

// PutManySessions ends the bracket of one SendMessage: sessions, identities and the message kept for retries go out in
// one write, and the lock is let go.
func (s *keyStore) PutManySessions(ctx context.Context, sessions map[string][]byte) error {
	e := editOf(ctx)
	if e == nil {
		e = &edit{store: s, ratchets: map[string]*ratchet{}}
	}
	defer e.unlock()
	ids := make([]string, 0, len(sessions))
	for address := range sessions {
		ids = append(ids, s.addressID(address))
	}
	loaded, err := s.load(ctx, ids...)
	if err != nil {
		return err
	}
	for address, record := range sessions {
		r := loaded[s.addressID(address)].copied()
		r.Record = record
		e.ratchets[s.addressID(address)] = r
	}
	changed, outgoing := e.ratchets, e.outgoing
	e.ratchets, e.outgoing = map[string]*ratchet{}, nil
	return s.save(ctx, changed, outgoing...)
}

func (s *keyStore) DeleteSession(ctx context.Context, address string) error {
	if editOf(ctx) == nil {
		defer s.ratchets.releaseStray(address)
	}
	return s.amend(ctx, s.addressID(address), func(r *ratchet) bool {
		had := len(r.Record) > 0
		r.Record = nil
		return had
	})
}

func (s *keyStore) DeleteAllSessions(ctx context.Context, user string) error {
	return s.forEachAddress(ctx, user, s.DeleteSession)
}

func (s *keyStore) forEachAddress(ctx context.Context, user string, apply func(context.Context, string) error) error {
	ids, err := s.idsBelow(ctx, s.prefix+"addr/"+user+":")
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := apply(ctx, strings.TrimPrefix(id, s.prefix+"addr/")); err != nil {
			return err
		}
	}
	return nil
}

// idsBelow lists documents whose _id begins with the prefix and goes on with a device number.
func (s *keyStore) idsBelow(ctx context.Context, prefix string) ([]string, error) {
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	filter := bson.D{{Key: "_id", Value: bson.D{{Key: "$gte", Value: prefix}, {Key: "$lt", Value: prefix + "~"}}}}
	rows, err := s.archive.read(ctx, filter, options.Find().SetProjection(bson.D{{Key: "stamp", Value: 1}}))
	if err != nil {
		return nil, s.failed(ctx, err)
	}
	ids := make([]string, 0, len(rows))
	for id := range rows {
		ids = append(ids, id)
	}
	return ids, nil
}

func (s *keyStore) GetSenderKey(ctx context.Context, group, user string) ([]byte, error) {
	id := s.senderKeyID(group, user)
	loaded, err := s.load(ctx, id)
	if err != nil {
		return nil, err
	}
	return loaded[id].Record, nil
}

// PutSenderKey waits for the end of a decryption; in a SendMessage it writes at once, as no bracket is sure to follow.
func (s *keyStore) PutSenderKey(ctx context.Context, group, user string, key []byte) error {
	if e := editOf(ctx); e != nil && !e.decrypting {
		ctx = context.WithValue(ctx, editKey{}, (*edit)(nil))
	}
	return s.amend(ctx, s.senderKeyID(group, user), func(r *ratchet) bool {
		r.Record = key
		return true
	})
}

// MigratePNToLID moves what was stored under a phone number to its LID, once per contact and start.
func (s *keyStore) MigratePNToLID(ctx context.Context, pn, lid types.JID) error {
	from, to := pn.SignalAddressUser(), lid.SignalAddressUser()
	s.mu.Lock()
	done := s.migrated[from]
	s.mu.Unlock()
	if done {
		return nil
	}
	if e := editOf(ctx); e == nil || !e.locked {
		if err := s.ratchets.acquire(ctx); err != nil {
			return storeFailure(err)
		}
		defer s.ratchets.release()
	}
	for _, kind := range []string{"addr/", "skey/"} {
		if err := s.moveRatchets(ctx, s.prefix+kind+from+":", s.prefix+kind+to+":"); err != nil {
			return err
		}
	}
	s.mu.Lock()
	s.migrated[from] = true
	s.mu.Unlock()
	return nil
}

func (s *keyStore) moveRatchets(ctx context.Context, from, to string) error {
	ids, err := s.idsBelow(ctx, from)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := s.moveRatchet(ctx, id, to+strings.TrimPrefix(id, from)); err != nil {
			return s.failed(ctx, err)
		}
	}
	return nil
}

func (s *keyStore) moveRatchet(ctx context.Context, from, to string) error {
	loaded, err := s.load(ctx, from, to)
	if err != nil || (len(loaded[from].Record) == 0 && len(loaded[from].Identity) == 0) {
		return err
	}
	moved := loaded[to].copied()
	moved.Record, moved.Identity = loaded[from].Record, loaded[from].Identity
	moved.Events = append(moved.Events, loaded[from].Events...)
	written, err := s.change(to, moved)
	if err != nil {
		return err
	}
	deleted := &change{id: from, version: loaded[from].version}
	if err := s.archive.move(context.WithoutCancel(ctx), s.tenure, []*change{written}, []*change{deleted}); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	moved.version = written.next
	s.claimed.put(to, moved)
	s.claimed.drop(from)
	return nil
}
