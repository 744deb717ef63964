// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

const (
	mediaLimitBytes = 100 << 20
	inMemoryBytes   = 8 << 20
	uploadsAtOnce   = 4
	downloadsAtOnce = 4
	uploadPatience  = 10 * time.Minute
)

var errMediaTooLarge = errors.New("the medium is over the limit of 100 MB")

// mediaLibrary reads what customers uploaded: GridFS bucket `media`, string ids.
type mediaLibrary struct {
	bucket *mongo.GridFSBucket
	turns  chan struct{} // uploads at once
	taking chan struct{} // downloads at once
}

func newMediaLibrary(database *mongo.Database) *mediaLibrary {
	return &mediaLibrary{
		bucket: database.GridFSBucket(options.GridFSBucket().SetName("media")),
		turns:  make(chan struct{}, uploadsAtOnce), taking: make(chan struct{}, downloadsAtOnce),
	}
}

func (l *mediaLibrary) open(ctx context.Context, id string) (*mongo.GridFSDownloadStream, error) {
	stream, err := l.bucket.OpenDownloadStream(ctx, id)
	if err != nil {
		return nil, err
	}
	if stream.GetFile().Length > mediaLimitBytes {
		_ = stream.Close()
		return nil, errMediaTooLarge
	}
	return stream, nil
}

// upload is one under way: a message that is tried again joins it.
type upload struct {
	done   chan struct{}
	result *uploaded
	err    error
}

// uploads are those of one session that are under way.
type uploads struct {
	mu      sync.Mutex
	running map[string]*upload
}

func newUploads() *uploads { return &uploads{running: map[string]*upload{}} }

// of returns what an account has of a medium: the key store remembers it for the next message, or the next recipient.
// An upload goes on when ctx ends, for the next try to find. again tells that it was remembered.
func (u *uploads) of(ctx context.Context, c *connection, id string, kind whatsmeow.MediaType) (at *uploaded, again bool, err error) {
	known, err := c.store.uploadOf(ctx, kind, id)
	if err != nil || known != nil {
		return known, known != nil, err
	}
	running := u.join(c, id, kind)
	select {
	case <-running.done:
		return running.result, false, running.err
	case <-ctx.Done():
		return nil, false, ctx.Err()
	}
}

// join finds the upload of a medium under way, or begins it.
func (u *uploads) join(c *connection, id string, kind whatsmeow.MediaType) *upload {
	key := c.store.uploadID(kind, id)
	u.mu.Lock()
	defer u.mu.Unlock()
	if running, ok := u.running[key]; ok {
		return running
	}
	run := &upload{done: make(chan struct{})}
	u.running[key] = run
	c.work.start(func() {
		run.err = errors.New("the upload failed unexpectedly")
		defer u.finished(key, run)
		if err := recovered(func() error { run.result, run.err = c.uploadMedium(id, kind); return nil }); err != nil {
			logEvent("error", "an upload panicked", "session", c.session.name, "error", err)
			return
		}
		if run.err == nil {
			run.err = c.store.keepUpload(c.ctx, kind, id, run.result)
		}
	})
	return run
}

func (u *uploads) finished(key string, run *upload) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.running, key)
	close(run.done)
}

// uploadMedium uploads, and looks into what it has uploaded, after its turn: a picture that decodes slowly keeps no
// other upload waiting.
func (c *connection) uploadMedium(id string, kind whatsmeow.MediaType) (*uploaded, error) {
	response, plaintext, err := c.uploadInTurn(id, kind)
	if err != nil {
		return nil, err
	}
	at := lying(response)
	switch kind {
	case whatsmeow.MediaImage:
		at.Picture = c.session.worker.thumbnails.drawnFor(c.ctx, c.session.name, plaintext)
	case whatsmeow.MediaAudio:
		at.Sound = soundOf(plaintext)
	}
	return at, nil
}

// uploadInTurn also returns the file; nil when it was too large to look into.
func (c *connection) uploadInTurn(id string, kind whatsmeow.MediaType) (at whatsmeow.UploadResponse, plaintext []byte, err error) {
	library := c.session.worker.media
	ctx, cancel := context.WithTimeout(c.ctx, uploadPatience)
	defer cancel()
	select {
	case library.turns <- struct{}{}:
		defer func() { <-library.turns }()
	case <-ctx.Done():
		return at, nil, ctx.Err()
	}
	stream, err := library.open(ctx, id)
	if err != nil {
		return at, nil, err
	}
	defer func() { _ = stream.Close() }()
	if stream.GetFile().Length > inMemoryBytes {
		at, err = c.client.UploadReader(ctx, io.LimitReader(stream, mediaLimitBytes), nil, kind)
		return at, nil, err
	}
	var file bytes.Buffer
	if _, err = io.Copy(&file, io.LimitReader(stream, inMemoryBytes+1)); err != nil {
		return at, nil, err
	}
	at, err = c.client.Upload(ctx, file.Bytes(), kind)
	return at, file.Bytes(), err
}
