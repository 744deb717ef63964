// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

var (
	// errFenced: another worker owns this session, or will; nothing of ours may be written any more.
	errFenced = errors.New("a higher fence was seen, or the lease is over")
	// errOvertaken: a document changed between our read and our write though nobody raised the fence.
	errOvertaken = errors.New("a document changed under our hands")
	// errStore marks every failure of the key store.
	errStore = errors.New("the key store failed")
)

// document is one row of `device_keys`. `_id` is `<session>/<link>/<kind>/...`. `Value` is sealed; the rest is what
// queries and fences need.
type document struct {
	ID      string     `bson:"_id"`
	Stamp   int64      `bson:"stamp,omitempty"`
	Version int64      `bson:"ver,omitempty"`
	KeyID   string     `bson:"kid,omitempty"`
	Value   []byte     `bson:"v,omitempty"`
	Events  [][]byte   `bson:"ev,omitempty"`
	Expires *time.Time `bson:"exp,omitempty"`
	Ended   int        `bson:"ended,omitempty"`

	First      uint32   `bson:"first,omitempty"`
	Last       uint32   `bson:"last,omitempty"`
	UploadedTo uint32   `bson:"upto,omitempty"`
	Used       []uint32 `bson:"used,omitempty"`
}

// change is a write to a claimed document: it happens only if the document still has the version that was read and no
// higher fence has stamped it.
type change struct {
	id      string
	version int64 // as read; 0 for a stub
	set     bson.D
	unset   bson.D

	next int64 // the version it will have
}

// archive is the collection behind all key stores of this worker. While MongoDB is away it waits and tries again.
type archive struct {
	client   *mongo.Client
	rows     *mongo.Collection
	vault    *vault
	patience time.Duration
	writes   atomic.Int64
}

const attemptTimeout = 10 * time.Second

func newArchive(client *mongo.Client, database string, v *vault) *archive {
	return &archive{client: client, rows: client.Database(database).Collection("device_keys"), vault: v, patience: 60 * time.Second}
}

// createIndexes is idempotent: one index finds a buffered event by its hash, one ends rows at `exp`.
func (a *archive) createIndexes(ctx context.Context) error {
	return a.patiently(ctx, func(ctx context.Context) error {
		_, err := a.rows.Indexes().CreateMany(ctx, []mongo.IndexModel{
			{Keys: bson.D{{Key: "ev", Value: 1}}, Options: options.Index().SetSparse(true)},
			{Keys: bson.D{{Key: "exp", Value: 1}}, Options: options.Index().SetSparse(true).SetExpireAfterSeconds(0)},
		})
		return err
	})
}

// claim stamps exactly these documents with our fence, making stubs of absent ones, and then reads them. Whatever an
// older owner wrote before is seen whole; whatever it tries to write after is refused.
func (a *archive) claim(ctx context.Context, by tenure, ids []string) (map[string]document, error) {
	found := make(map[string]document, len(ids))
	err := a.rightfully(ctx, by, func(ctx context.Context) error {
		err := a.claimAll(ctx, by.fence, ids, found)
		if mongo.IsDuplicateKeyError(err) { // another goroutine of ours made the same stub at this moment
			err = a.claimAll(ctx, by.fence, ids, found)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, doc := range found {
		if doc.Stamp > by.fence {
			return nil, errFenced
		}
	}
	return found, nil
}

func (a *archive) claimAll(ctx context.Context, fence int64, ids []string, found map[string]document) error {
	if len(ids) == 1 {
		return a.claimOne(ctx, fence, ids[0], found)
	}
	return a.claimMany(ctx, fence, ids, found)
}

func (a *archive) claimOne(ctx context.Context, fence int64, id string, found map[string]document) error {
	var doc document
	err := a.rows.FindOneAndUpdate(ctx, bson.D{{Key: "_id", Value: id}}, stampWith(fence),
		options.FindOneAndUpdate().SetUpsert(true).SetReturnDocument(options.After)).Decode(&doc)
	if err == nil {
		found[id] = doc
	}
	return err
}

func (a *archive) claimMany(ctx context.Context, fence int64, ids []string, found map[string]document) error {
	models := make([]mongo.WriteModel, len(ids))
	for i, id := range ids {
		models[i] = mongo.NewUpdateOneModel().SetFilter(bson.D{{Key: "_id", Value: id}}).SetUpdate(stampWith(fence)).SetUpsert(true)
	}
	if _, err := a.rows.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false)); err != nil {
		return err
	}
	return a.readInto(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}}, found)
}

func stampWith(fence int64) bson.D {
	return bson.D{{Key: "$max", Value: bson.D{{Key: "stamp", Value: fence}}}}
}

func (a *archive) readInto(ctx context.Context, filter any, found map[string]document, opts ...options.Lister[options.FindOptions]) error {
	cursor, err := a.rows.Find(ctx, filter, opts...)
	if err != nil {
		return err
	}
	var docs []document
	if err = cursor.All(ctx, &docs); err != nil {
		return err
	}
	for _, doc := range docs {
		found[doc.ID] = doc
	}
	return nil
}

// read finds documents without claiming them: for what needs no stamp.
func (a *archive) read(ctx context.Context, filter any, opts ...options.Lister[options.FindOptions]) (map[string]document, error) {
	found := map[string]document{}
	err := a.patiently(ctx, func(ctx context.Context) error {
		clear(found)
		return a.readInto(ctx, filter, found, opts...)
	})
	return found, err
}

// commit writes changes to claimed documents in one round trip, with any rows that need no fence beside them. When it
// returns nil every change is on a majority's disk; a failure may have written some of them.
func (a *archive) commit(ctx context.Context, by tenure, changes []*change, unfenced ...mongo.WriteModel) error {
	if len(changes)+len(unfenced) == 0 {
		return nil
	}
	models := make([]mongo.WriteModel, 0, len(changes)+len(unfenced))
	for _, c := range changes {
		models = append(models, c.model(by.fence))
	}
	models = append(models, unfenced...)
	a.writes.Add(1)
	return a.rightfully(ctx, by, func(ctx context.Context) error {
		result, err := a.rows.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
		if err != nil {
			return err
		}
		if result.MatchedCount+result.UpsertedCount == int64(len(models)) {
			return nil
		}
		return a.judge(ctx, by.fence, changes)
	})
}

func (c *change) model(fence int64) mongo.WriteModel {
	c.next = rand.Int64N(1<<62) + 1
	return mongo.NewUpdateOneModel().SetFilter(c.filter(fence)).SetUpdate(c.update())
}

func (c *change) filter(fence int64) bson.D {
	version := any(c.version)
	if c.version == 0 {
		version = nil // matches a stub, which has no version yet
	}
	return bson.D{{Key: "_id", Value: c.id}, {Key: "stamp", Value: bson.D{{Key: "$lte", Value: fence}}}, {Key: "ver", Value: version}}
}

func (c *change) update() bson.D {
	update := bson.D{{Key: "$set", Value: append(c.set, bson.E{Key: "ver", Value: c.next})}}
	if len(c.unset) > 0 {
		update = append(update, bson.E{Key: "$unset", Value: c.unset})
	}
	return update
}

// judge finds out why a write did not match: an attempt whose answer was lost may have written it already.
func (a *archive) judge(ctx context.Context, fence int64, changes []*change) error {
	ids := make([]string, len(changes))
	for i, c := range changes {
		ids[i] = c.id
	}
	found := map[string]document{}
	if err := a.readInto(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}}, found); err != nil {
		return err
	}
	for _, c := range changes {
		switch doc := found[c.id]; {
		case doc.Stamp > fence:
			return errFenced
		case doc.Version != c.next:
			return errOvertaken
		}
	}
	return nil
}

// put writes rows that follow no read, refused when a higher fence has stamped one of them.
func (a *archive) put(ctx context.Context, by tenure, rows map[string]bson.D) error {
	if len(rows) == 0 {
		return nil
	}
	models := make([]mongo.WriteModel, 0, len(rows))
	for id, set := range rows {
		models = append(models, mongo.NewUpdateOneModel().SetUpsert(true).
			SetFilter(bson.D{{Key: "_id", Value: id}, {Key: "stamp", Value: bson.D{{Key: "$lte", Value: by.fence}}}}).
			SetUpdate(bson.D{{Key: "$set", Value: append(set, bson.E{Key: "stamp", Value: by.fence})}}))
	}
	a.writes.Add(1)
	insertRaces := 0
	return a.rightfully(ctx, by, func(ctx context.Context) error {
		for {
			_, err := a.rows.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
			if !mongo.IsDuplicateKeyError(err) {
				return err
			}
			// The row exists with a higher stamp, or was inserted at this very moment by another goroutine of ours.
			if insertRaces++; insertRaces > 3 {
				return errFenced
			}
		}
	})
}

// move writes changes and deletes documents in one transaction.
func (a *archive) move(ctx context.Context, by tenure, changes []*change, deletions []*change) error {
	a.writes.Add(1)
	return a.rightfully(ctx, by, func(ctx context.Context) error {
		session, err := a.client.StartSession()
		if err != nil {
			return err
		}
		defer session.EndSession(ctx)
		_, err = session.WithTransaction(ctx, func(ctx context.Context) (any, error) {
			for _, c := range changes {
				c.next = rand.Int64N(1<<62) + 1
				result, err := a.rows.UpdateOne(ctx, c.filter(by.fence), c.update())
				if err != nil {
					return nil, err
				} else if result.MatchedCount == 0 {
					return nil, errOvertaken
				}
			}
			for _, c := range deletions {
				result, err := a.rows.DeleteOne(ctx, c.filter(by.fence))
				if err != nil {
					return nil, err
				} else if result.DeletedCount == 0 {
					return nil, errOvertaken
				}
			}
			return nil, nil
		})
		return err
	})
}

// forget deletes every row below the prefix that no higher fence has stamped.
func (a *archive) forget(ctx context.Context, by tenure, prefix string) error {
	filter := append(below(prefix), bson.E{Key: "$or", Value: bson.A{
		bson.D{{Key: "stamp", Value: bson.D{{Key: "$lte", Value: by.fence}}}},
		bson.D{{Key: "stamp", Value: nil}},
	}})
	err := a.rightfully(ctx, by, func(ctx context.Context) error {
		_, err := a.rows.DeleteMany(ctx, filter)
		return err
	})
	if err != nil {
		return err
	}
	outranked := append(below(prefix), bson.E{Key: "stamp", Value: bson.D{{Key: "$gt", Value: by.fence}}})
	left, err := a.read(ctx, outranked, options.Find().SetLimit(1).SetProjection(bson.D{{Key: "stamp", Value: 1}}))
	if err == nil && len(left) > 0 {
		return errFenced
	}
	return err
}

// below matches every _id that begins with the prefix, which ends in a slash.
func below(prefix string) bson.D {
	return bson.D{{Key: "_id", Value: bson.D{{Key: "$gte", Value: prefix}, {Key: "$lt", Value: prefix[:len(prefix)-1] + "0"}}}}
}

// rightfully is patiently for a write under a lease: it waits while the lease is not confirmed, and fails with errFenced
// when it is over.
func (a *archive) rightfully(ctx context.Context, by tenure, attempt func(context.Context) error) error {
	return a.patiently(ctx, func(ctx context.Context) error {
		if err := by.holds(); err != nil {
			return err
		}
		return attempt(ctx)
	})
}

// patiently repeats an operation that failed because MongoDB was away, for up to a.patience.
func (a *archive) patiently(ctx context.Context, attempt func(context.Context) error) error {
	deadline := time.Now().Add(a.patience)
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		attemptCtx, cancel := context.WithTimeout(ctx, attemptTimeout)
		err := attempt(attemptCtx)
		cancel()
		if err == nil || !passing(err) || ctx.Err() != nil {
			return err
		}
		if time.Now().Add(pause).After(deadline) {
			return fmt.Errorf("tried for %s: %w", a.patience, err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Server error codes that say "not now": elections, shutdowns, and a majority that did not answer in time.
var passingCodes = []int{6, 7, 64, 89, 91, 112, 134, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436}

// passing tells whether an error of MongoDB is one that goes away by itself: the server said "not now", or there was no
// server to say anything.
func passing(err error) bool {
	if errors.Is(err, errFenced) || errors.Is(err, errOvertaken) || errors.Is(err, mongo.ErrNoDocuments) {
		return false
	}
	var server mongo.ServerError
	if !errors.As(err, &server) {
		return true
	}
	for _, code := range passingCodes {
		if server.HasErrorCode(code) {
			return true
		}
	}
	return mongo.IsNetworkError(err) || mongo.IsTimeout(err) ||
		server.HasErrorLabel("RetryableWriteError") || server.HasErrorLabel("TransientTransactionError")
}
