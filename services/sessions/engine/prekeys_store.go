// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"fmt"
	"slices"

	"go.mau.fi/whatsmeow/util/keys"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// This file: one-time prekeys. The keys of one upload are one document; which of them were uploaded or used stands
// beside them, so that a used key costs no rewrite.

const preKeyBytes = 32

func (s *keyStore) batchID(first uint32) string {
	return fmt.Sprintf("%sprekeys/%010d", s.prefix, first)
}

// batches reads which keys exist, in order, without the keys.
func (s *keyStore) batches(ctx context.Context) ([]document, error) {
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	rows, err := s.archive.read(ctx, below(s.prefix+"prekeys/"), options.Find().SetProjection(bson.D{{Key: "v", Value: 0}}))
	if err != nil {
		return nil, s.failed(ctx, err)
	}
	var batches []document
	for _, row := range rows {
		if row.Last > 0 { // a stub of a crashed generation holds nothing
			batches = append(batches, row)
		}
	}
	slices.SortFunc(batches, func(a, b document) int { return int(int64(a.First) - int64(b.First)) })
	return batches, nil
}

// keysOf claims a batch and opens it: the keys with ids above `after` that are not used.
func (s *keyStore) keysOf(ctx context.Context, id string, after uint32) ([]*keys.PreKey, error) {
	docs, err := s.archive.claim(ctx, s.tenure, []string{id})
	if err != nil {
		return nil, s.failed(ctx, err)
	}
	batch := docs[id]
	private, err := s.openValue(batch)
	if err != nil {
		return nil, s.failed(ctx, err)
	}
	var out []*keys.PreKey
	for keyID := max(batch.First, after+1); batch.Last > 0 && keyID <= batch.Last; keyID++ {
		if !slices.Contains(batch.Used, keyID) && !s.isUsed(keyID) {
			out = append(out, preKeyAt(private, batch.First, keyID))
		}
	}
	return out, nil
}

func preKeyAt(private []byte, first, id uint32) *keys.PreKey {
	offset := int(id-first) * preKeyBytes
	pair := keys.NewKeyPairFromPrivateKey([preKeyBytes]byte(private[offset : offset+preKeyBytes]))
	return &keys.PreKey{KeyPair: *pair, KeyID: id}
}

// GetOrGenPreKeys returns keys that were not uploaded yet and makes the rest; the new ones are on disk when it returns.
func (s *keyStore) GetOrGenPreKeys(ctx context.Context, count uint32) ([]*keys.PreKey, error) {
	s.preKeyLock.Lock()
	defer s.preKeyLock.Unlock()
	batches, err := s.batches(ctx)
	if err != nil {
		return nil, err
	}
	var out []*keys.PreKey
	for _, batch := range batches {
		if batch.UploadedTo >= batch.Last || len(out) >= int(count) {
			continue
		}
		left, err := s.keysOf(ctx, batch.ID, batch.UploadedTo)
		if err != nil {
			return nil, err
		}
		out = append(out, left[:min(len(left), int(count)-len(out))]...)
	}
	if missing := int(count) - len(out); missing > 0 {
		made, err := s.makeBatch(ctx, nextPreKeyID(batches), missing, false)
		if err != nil {
			return nil, err
		}
		out = append(out, made...)
	}
	return out, nil
}

// GenOnePreKey makes a key that travels in a retry receipt, hence counts as uploaded.
func (s *keyStore) GenOnePreKey(ctx context.Context) (*keys.PreKey, error) {
	s.preKeyLock.Lock()
	defer s.preKeyLock.Unlock()
	batches, err := s.batches(ctx)
	if err != nil {
		return nil, err
	}
	made, err := s.makeBatch(ctx, nextPreKeyID(batches), 1, true)
	if err != nil {
		return nil, err
	}
	return made[0], nil
}

func nextPreKeyID(batches []document) uint32 {
	if len(batches) == 0 {
		return 1
	}
	return batches[len(batches)-1].Last + 1
}

func (s *keyStore) makeBatch(ctx context.Context, first uint32, count int, uploaded bool) ([]*keys.PreKey, error) {
	id := s.batchID(first)
	docs, err := s.archive.claim(ctx, s.tenure, []string{id})
	if err != nil {
		return nil, s.failed(ctx, err)
	}
	last := first + uint32(count) - 1
	made := make([]*keys.PreKey, count)
	private := make([]byte, 0, count*preKeyBytes)
	for i := range made {
		made[i] = keys.NewPreKey(first + uint32(i))
		private = append(private, made[i].Priv[:]...)
	}
	c := &change{id: id, version: docs[id].Version, set: append(s.sealed(id, private),
		bson.E{Key: "first", Value: first}, bson.E{Key: "last", Value: last})}
	if uploaded {
		c.set = append(c.set, bson.E{Key: "upto", Value: last})
	}
	if err := s.archive.commit(ctx, s.tenure, []*change{c}); err != nil {
		return nil, s.failed(ctx, err)
	}
	return made, nil
}

func (s *keyStore) GetPreKey(ctx context.Context, id uint32) (*keys.PreKey, error) {
	batches, err := s.batches(ctx)
	if err != nil {
		return nil, err
	}
	for _, batch := range batches {
		if batch.First > id || id > batch.Last {
			continue
		}
		found, err := s.keysOf(ctx, batch.ID, id-1)
		if err != nil || len(found) == 0 || found[0].KeyID != id {
			return nil, err
		}
		return found[0], nil
	}
	return nil, nil
}

// RemovePreKey follows the decryption that used the key; a removal that a crash loses is harmless.
func (s *keyStore) RemovePreKey(ctx context.Context, id uint32) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	if e := editOf(ctx); e != nil && e.decrypting {
		e.usedKeys = append(e.usedKeys, id)
	} else {
		s.markUsed(id)
	}
	return nil
}

func (s *keyStore) isUsed(id uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.usedKeys[id]
}

func (s *keyStore) markUsed(id uint32) {
	s.mu.Lock()
	s.usedKeys[id] = true
	s.mu.Unlock()
	filter := append(below(s.prefix+"prekeys/"), bson.E{Key: "stamp", Value: bson.D{{Key: "$lte", Value: s.fence}}},
		bson.E{Key: "first", Value: bson.D{{Key: "$lte", Value: id}}}, bson.E{Key: "last", Value: bson.D{{Key: "$gte", Value: id}}})
	update := bson.D{{Key: "$addToSet", Value: bson.D{{Key: "used", Value: id}}}}
	s.queue.add(fmt.Sprintf("%sused/%d", s.prefix, id), mongo.NewUpdateOneModel().SetFilter(filter).SetUpdate(update), nil)
}

// MarkPreKeysAsUploaded raises the mark of every batch up to this id.
func (s *keyStore) MarkPreKeysAsUploaded(ctx context.Context, upTo uint32) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	filter := append(below(s.prefix+"prekeys/"), bson.E{Key: "stamp", Value: bson.D{{Key: "$lte", Value: s.fence}}},
		bson.E{Key: "first", Value: bson.D{{Key: "$lte", Value: upTo}}})
	uploaded := bson.D{{Key: "$max", Value: bson.A{"$upto", bson.D{{Key: "$min", Value: bson.A{"$last", upTo}}}}}}
	update := mongo.Pipeline{{{Key: "$set", Value: bson.D{{Key: "upto", Value: uploaded}}}}}
	return s.failed(ctx, s.archive.rightfully(ctx, s.tenure, func(ctx context.Context) error {
		_, err := s.archive.rows.UpdateMany(ctx, filter, update)
		return err
	}))
}

func (s *keyStore) UploadedPreKeyCount(ctx context.Context) (int, error) {
	batches, err := s.batches(ctx)
	if err != nil {
		return 0, err
	}
	count := 0
	for _, batch := range batches {
		for id := batch.First; id <= batch.UploadedTo; id++ {
			if !slices.Contains(batch.Used, id) && !s.isUsed(id) {
				count++
			}
		}
	}
	return count, nil
}
