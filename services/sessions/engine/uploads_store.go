// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"time"

	"github.com/vmihailenco/msgpack/v5"
	"go.mau.fi/whatsmeow"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// This file: what this account has uploaded, so that a medium that is sent again, or to the next recipient, is not
// uploaded again. It holds the media keys, so it lies with the other keys.

// uploadLife is how long an upload is used again. WhatsApp keeps files longer, but does not say how long.
const uploadLife = 3 * 24 * time.Hour

// uploaded is a medium that lies at WhatsApp, with what a message tells of it beside.
type uploaded struct {
	URL        string    `msgpack:"u"`
	DirectPath string    `msgpack:"p"`
	MediaKey   []byte    `msgpack:"m"`
	EncSHA256  []byte    `msgpack:"e"`
	SHA256     []byte    `msgpack:"s"`
	Length     uint64    `msgpack:"l"`
	At         time.Time `msgpack:"t"`

	Picture *picture `msgpack:"i"`
	Sound   *sound   `msgpack:"a"`
}

// lying describes an upload.
func lying(response whatsmeow.UploadResponse) *uploaded {
	return &uploaded{
		URL: response.URL, DirectPath: response.DirectPath, MediaKey: response.MediaKey,
		EncSHA256: response.FileEncSHA256, SHA256: response.FileSHA256, Length: response.FileLength, At: time.Now(),
	}
}

func (s *keyStore) uploadID(kind whatsmeow.MediaType, mediaID string) string {
	return s.prefix + "upload/" + string(kind) + "/" + mediaID
}

// uploadOf returns a remembered upload, or nil. One that cannot be read any more is none.
func (s *keyStore) uploadOf(ctx context.Context, kind whatsmeow.MediaType, mediaID string) (*uploaded, error) {
	plaintext, err := s.value(ctx, s.uploadID(kind, mediaID))
	if err != nil || plaintext == nil {
		return nil, err
	}
	at := &uploaded{}
	if msgpack.Unmarshal(plaintext, at) != nil || time.Since(at.At) > uploadLife {
		return nil, nil
	}
	return at, nil
}

// keepUpload is queued: what a crash loses here costs an upload.
func (s *keyStore) keepUpload(ctx context.Context, kind whatsmeow.MediaType, mediaID string, at *uploaded) error {
	plaintext, err := msgpack.Marshal(at)
	if err != nil {
		return err
	}
	return s.putLater(ctx, s.uploadID(kind, mediaID), plaintext, bson.E{Key: "exp", Value: at.At.Add(uploadLife)})
}

// forgetUpload makes the next use of a medium upload it again.
func (s *keyStore) forgetUpload(kind whatsmeow.MediaType, mediaID string) {
	id := s.uploadID(kind, mediaID)
	s.remember(id, nil)
	s.queue.add(id, mongo.NewDeleteOneModel().SetFilter(bson.D{{Key: "_id", Value: id}}), nil)
}
