// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"github.com/vmihailenco/msgpack/v5"
	"go.mau.fi/whatsmeow"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

const (
	downloadPatience = 10 * time.Minute
	sealedExtraBytes = 64 // padding and MAC of an encrypted file
)

var errTooLarge = errors.New("the medium has more bytes than were allowed")

// downloads are those of one session that are under way; a request that comes again joins.
type downloads struct {
	mu      sync.Mutex
	running map[string]*downloading
}

type downloading struct {
	done  chan struct{}
	reply told
}

func newDownloads() *downloads { return &downloads{running: map[string]*downloading{}} }

// download answers when the file lies in GridFS. It goes on when the caller goes.
func (s *session) download(r *downloadRequest) told {
	ref := &mediaRef{}
	if msgpack.Unmarshal(r.Ref, ref) != nil || mediaKinds[ref.Kind] == "" || r.MediaID == "" {
		return &failedReply{Code: "bad_request", Message: "that is not where a medium lies"}
	}
	if int64(ref.Length) > r.MostBytes {
		return &failedReply{Code: "too_large", Message: errTooLarge.Error()}
	}
	c, failed := s.online()
	if failed != nil {
		return failed
	}
	running := s.downloads.join(r.MediaID, func(d *downloading) {
		c.work.start(func() {
			defer s.downloads.finished(r.MediaID, d)
			ctx, cancel := context.WithTimeout(c.ctx, downloadPatience)
			defer cancel()
			err := recovered(func() (err error) { d.reply, err = c.fetch(ctx, r, ref); return err })
			if err != nil {
				logEvent("warn", "a medium could not be downloaded", "session", s.name, "error", err)
				d.reply = downloadFailure(err)
			}
		})
	})
	<-running.done
	return ownCopy(running.reply)
}

func (d *downloads) join(id string, begin func(*downloading)) *downloading {
	d.mu.Lock()
	defer d.mu.Unlock()
	if running, ok := d.running[id]; ok {
		return running
	}
	next := &downloading{done: make(chan struct{})}
	d.running[id] = next
	begin(next)
	return next
}

func (d *downloads) finished(id string, done *downloading) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.running, id)
	close(done.done)
}

func downloadFailure(err error) *failedReply {
	switch {
	case errors.Is(err, whatsmeow.ErrMediaDownloadFailedWith403), errors.Is(err, whatsmeow.ErrMediaDownloadFailedWith404),
		errors.Is(err, whatsmeow.ErrMediaDownloadFailedWith410):
		return &failedReply{Code: "gone", Message: "WhatsApp does not have the medium any more"}
	case errors.Is(err, errTooLarge):
		return &failedReply{Code: "too_large", Message: errTooLarge.Error()}
	case errors.Is(err, errLibrary):
		return &failedReply{Code: "store", Message: "the medium could not be stored"}
	}
	return failure(err)
}

// fetch downloads and decrypts into a file without a name, and then copies it to GridFS.
func (c *connection) fetch(ctx context.Context, r *downloadRequest, ref *mediaRef) (told, error) {
	library := c.session.worker.media
	done := &downloadedReply{Bytes: int64(ref.Length), SHA256: hex.EncodeToString(ref.SHA256)}
	if length, whole, err := library.holds(ctx, r.MediaID); err != nil || whole {
		done.Bytes = length
		return done, err
	}
	select {
	case library.taking <- struct{}{}:
		defer func() { <-library.taking }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	file, err := os.CreateTemp("", "merpati-download-*")
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	if err = os.Remove(file.Name()); err != nil {
		return nil, err
	}
	if err = c.client.DownloadToFile(ctx, lyingAt{ref}, &boundedFile{file, r.MostBytes + sealedExtraBytes}); err != nil {
		return nil, err
	}
	state, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if done.Bytes = state.Size(); done.Bytes > r.MostBytes {
		return nil, errTooLarge
	}
	if _, err = file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return done, library.keep(ctx, r, done.SHA256, file)
}

// lyingAt is a reference as the library takes it.
type lyingAt struct{ ref *mediaRef }

func (l lyingAt) GetDirectPath() string             { return l.ref.DirectPath }
func (l lyingAt) GetMediaKey() []byte               { return l.ref.MediaKey }
func (l lyingAt) GetFileSHA256() []byte             { return l.ref.SHA256 }
func (l lyingAt) GetFileEncSHA256() []byte          { return l.ref.EncSHA256 }
func (l lyingAt) GetMediaType() whatsmeow.MediaType { return mediaKinds[l.ref.Kind] }

// boundedFile takes no more bytes than it may: what a sender says of a medium's size need not be so.
type boundedFile struct {
	whatsmeow.File
	most int64
}

func (f *boundedFile) Write(p []byte) (int, error) {
	at, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, err
	}
	if at+int64(len(p)) > f.most {
		return 0, errTooLarge
	}
	return f.File.Write(p)
}

// errLibrary marks a failure of GridFS.
var errLibrary = errors.New("the media library failed")

// holds tells whether a file is there with all of its chunks.
func (l *mediaLibrary) holds(ctx context.Context, id string) (length int64, whole bool, err error) {
	var file struct {
		Length    int64 `bson:"length"`
		ChunkSize int64 `bson:"chunkSize"`
	}
	err = l.bucket.GetFilesCollection().FindOne(ctx, bson.D{{Key: "_id", Value: id}}).Decode(&file)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return 0, false, nil
	} else if err != nil || file.ChunkSize <= 0 {
		return 0, false, errors.Join(errLibrary, err)
	}
	chunks, err := l.bucket.GetChunksCollection().CountDocuments(ctx, bson.D{{Key: "files_id", Value: id}})
	if err != nil {
		return 0, false, errors.Join(errLibrary, err)
	}
	return file.Length, chunks*file.ChunkSize >= file.Length, nil
}

// keep writes a file with its metadata. What a try that died left behind goes first; the entry is written last.
func (l *mediaLibrary) keep(ctx context.Context, r *downloadRequest, sha256 string, file io.Reader) error {
	of := bson.D{{Key: "files_id", Value: r.MediaID}}
	if _, err := l.bucket.GetChunksCollection().DeleteMany(ctx, of); err != nil {
		return errors.Join(errLibrary, err)
	}
	if _, err := l.bucket.GetFilesCollection().DeleteOne(ctx, bson.D{{Key: "_id", Value: r.MediaID}}); err != nil {
		return errors.Join(errLibrary, err)
	}
	name := r.MediaID
	if r.FileName != nil && *r.FileName != "" {
		name = *r.FileName
	}
	err := l.bucket.UploadFromStreamWithID(ctx, r.MediaID, name, file, options.GridFSUpload().SetMetadata(metadataOf(r, sha256)))
	if err != nil {
		return errors.Join(errLibrary, err)
	}
	if _, whole, err := l.holds(ctx, r.MediaID); err != nil || !whole { // another worker wrote the same at the same time
		return errors.Join(errLibrary, err)
	}
	return nil
}

// metadataOf adds the file's name and hash to what was asked; `keepUntil` is a date there, as the cleaner reads it.
func metadataOf(r *downloadRequest, sha256 string) bson.D {
	metadata := bson.D{{Key: "sha256", Value: sha256}, {Key: "fileName", Value: r.FileName}}
	for name, value := range r.Metadata {
		if moment, err := time.Parse(time.RFC3339Nano, value); name == "keepUntil" && err == nil {
			metadata = append(metadata, bson.E{Key: name, Value: moment})
		} else if name != "sha256" && name != "fileName" {
			metadata = append(metadata, bson.E{Key: name, Value: value})
		}
	}
	return metadata
}
