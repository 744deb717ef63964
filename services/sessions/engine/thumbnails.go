// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"time"
)

const (
	thumbnailsAtOnce   = 2
	thumbnailsWaiting  = 8 // each keeps its file in memory
	thumbnailPatience  = 10 * time.Second
	mostThumbnailBytes = 64 << 10
)

var (
	errThumbnailsBusy  = errors.New("too many pictures wait for their thumbnails")
	errThumbnailTooBig = errors.New("the thumbnail has too many bytes")
)

// thumbnails has pictures decoded by processes of their own, so that none costs this one, which holds everybody's
// sockets, more than its bytes. A picture beyond the budget has no thumbnail.
type thumbnails struct {
	places chan struct{} // held by those that wait and those that are decoded
	turns  chan struct{} // held by those that are decoded
}

func newThumbnails() *thumbnails {
	return &thumbnails{
		places: make(chan struct{}, thumbnailsAtOnce+thumbnailsWaiting), turns: make(chan struct{}, thumbnailsAtOnce),
	}
}

// drawnFor returns the size and, within the budget, the thumbnail of a picture. Without one the message is sent too.
func (t *thumbnails) drawnFor(ctx context.Context, session string, encoded []byte) *picture {
	shape := pictureOf(encoded)
	if shape == nil || isWebP(encoded) {
		return shape
	}
	if reason := tooCostly(shape, encoded); reason != "" {
		logEvent("info", "a picture gets no thumbnail", "session", session, "reason", reason)
		return shape
	}
	small, err := t.of(ctx, encoded)
	if err != nil {
		logEvent("info", "a picture gets no thumbnail", "session", session, "reason", err)
	}
	shape.Small = small
	return shape
}

// of waits for a turn and returns the thumbnail, all within thumbnailPatience.
func (t *thumbnails) of(ctx context.Context, encoded []byte) ([]byte, error) {
	select {
	case t.places <- struct{}{}:
		defer func() { <-t.places }()
	default:
		return nil, errThumbnailsBusy
	}
	ctx, cancel := context.WithTimeout(ctx, thumbnailPatience)
	defer cancel()
	select {
	case t.turns <- struct{}{}:
		defer func() { <-t.turns }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return decodedApart(ctx, encoded)
}

// decodedApart runs this program once more. Nothing of the environment is handed on: it holds the keys.
func decodedApart(ctx context.Context, encoded []byte) ([]byte, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	small := boundedBuffer{most: mostThumbnailBytes}
	child := exec.CommandContext(ctx, program, thumbnailMode)
	child.Env, child.Dir = []string{"GOTRACEBACK=none"}, "/"
	child.Stdin, child.Stdout = bytes.NewReader(encoded), &small
	child.WaitDelay = time.Second
	if err = child.Run(); err != nil {
		return nil, err
	}
	return small.taken, nil
}

// boundedBuffer takes no more than `most` bytes.
type boundedBuffer struct {
	taken []byte
	most  int
}

func (b *boundedBuffer) Write(piece []byte) (int, error) {
	if len(b.taken)+len(piece) > b.most {
		return 0, errThumbnailTooBig
	}
	b.taken = append(b.taken, piece...)
	return len(piece), nil
}
