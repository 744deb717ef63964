// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

const (
	queueInterval = 50 * time.Millisecond
	queueBatch    = 500
	queueLimit    = 20_000
)

// writeBehind writes what may be late: contacts, settings, LID maps, message secrets, hashes of handled events. What a
// crash loses here costs a lookup or a repeat, never a message.
type writeBehind struct {
	archive *archive

	writing sync.Mutex // held while a batch is under way

	mu      sync.Mutex
	order   []string
	waiting map[string]queued
	dropped int
	wake    chan struct{}
}

type queued struct {
	model     mongo.WriteModel
	plaintext []byte // what a reader must see meanwhile
}

func newWriteBehind(a *archive) *writeBehind {
	return &writeBehind{archive: a, waiting: map[string]queued{}, wake: make(chan struct{}, 1)}
}

// add queues a write under a key; a later write of the same key replaces it. Beyond the limit, with MongoDB away, the
// write is dropped.
func (q *writeBehind) add(key string, model mongo.WriteModel, plaintext []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, replaced := q.waiting[key]; !replaced {
		if len(q.order) >= queueLimit {
			q.dropped++
			return
		}
		q.order = append(q.order, key)
	}
	q.waiting[key] = queued{model, plaintext}
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// peek returns a value that waits to be written.
func (q *writeBehind) peek(key string) (plaintext []byte, found bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	entry, found := q.waiting[key]
	return entry.plaintext, found && entry.plaintext != nil
}

// holds tells whether a write is not done yet.
func (q *writeBehind) holds(key string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	_, found := q.waiting[key]
	return found
}

// discard drops what waits under a prefix, after whatever of it is being written now.
func (q *writeBehind) discard(prefix string) {
	q.writing.Lock()
	defer q.writing.Unlock()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.order = slices.DeleteFunc(q.order, func(key string) bool { return strings.HasPrefix(key, prefix) })
	maps.DeleteFunc(q.waiting, func(key string, _ queued) bool { return strings.HasPrefix(key, prefix) })
}

// run writes until ctx ends, then writes what is left.
func (q *writeBehind) run(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-q.wake:
		case <-ctx.Done():
		}
		select {
		case <-time.After(queueInterval):
		case <-ctx.Done():
		}
		for q.writeBatch(ctx) {
		}
	}
	final, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	for q.writeBatch(final) {
	}
}

// writeBatch writes the oldest entries and tells whether more are waiting.
func (q *writeBehind) writeBatch(ctx context.Context) (more bool) {
	q.writing.Lock()
	defer q.writing.Unlock()
	keys, entries := q.oldest()
	if len(keys) == 0 {
		return false
	}
	models := make([]mongo.WriteModel, len(entries))
	for i, entry := range entries {
		models[i] = entry.model
	}
	err := q.archive.patiently(ctx, func(ctx context.Context) error {
		_, err := q.archive.rows.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
		return err
	})
	if err != nil && passing(err) {
		return ctx.Err() == nil // MongoDB is still away: keep them
	}
	if err != nil {
		logEvent("warn", "queued key store rows were refused", "rows", len(models), "error", err)
	}
	return q.forget(keys, entries)
}

func (q *writeBehind) oldest() (keys []string, entries []queued) {
	q.mu.Lock()
	defer q.mu.Unlock()
	keys = append(keys, q.order[:min(queueBatch, len(q.order))]...)
	for _, key := range keys {
		entries = append(entries, q.waiting[key])
	}
	return keys, entries
}

// forget takes written entries out, except those that were replaced while they were being written.
func (q *writeBehind) forget(keys []string, written []queued) (more bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.order = q.order[len(keys):]
	for i, key := range keys {
		if q.waiting[key].model == written[i].model {
			delete(q.waiting, key)
		} else {
			q.order = append(q.order, key)
		}
	}
	if q.dropped > 0 {
		logEvent("warn", "the queue of key store rows was full; some were dropped", "rows", q.dropped)
		q.dropped = 0
	}
	return len(q.order) > 0
}
