// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync/atomic"

	"go.mau.fi/util/random"
	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/util/cbcutil"
	"go.mau.fi/whatsmeow/util/hkdfutil"
)

const (
	mediaHost      = "media.simulator.invalid" // the client's transport goes to the endpoint, whatever the host
	mediaToken     = "simulator"
	mediaMACBytes  = 10
	maxUploadBytes = 256 << 20
)

// mediaShelf keeps files as they were uploaded, encrypted, by the SHA-256 of
// their ciphertext.
type mediaShelf struct {
	dir     string
	uploads atomic.Int64 // by clients, since the start
}

func openMediaShelf(dir string) (*mediaShelf, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the media directory: %w", err)
	}
	return &mediaShelf{dir: dir}, nil
}

// receiveMediaQuery tells where files are uploaded.
func (net *network) receiveMediaQuery(c *connection, query *stanza) error {
	return net.answer(c, query, stanza{
		Tag:     "media_conn",
		Attrs:   attributes{"auth": mediaToken, "ttl": "3600", "auth_ttl": "3600", "max_buckets": "12"},
		Content: []stanza{{Tag: "host", Attrs: attributes{"hostname": mediaHost}}},
	})
}

// ServeHTTP takes uploads at /mms/<kind>/<token> and gives files at the direct
// path told for them.
func (shelf *mediaShelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodPost, http.MethodPut:
		shelf.receive(w, r)
	case http.MethodGet:
		http.ServeFile(w, r, shelf.place(path.Base(r.URL.Path)))
	case http.MethodDelete:
		w.WriteHeader(http.StatusOK)
	default:
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	}
}

// keep returns the direct path of the file. Clients append "&hash=...", so it
// must hold a question mark.
func (shelf *mediaShelf) keep(kind string, sealed []byte) (string, error) {
	sum := sha256.Sum256(sealed)
	name := hex.EncodeToString(sum[:])
	if err := writeWhole(shelf.place(name), sealed); err != nil {
		return "", err
	}
	return directPathOf(kind, name), nil
}

func directPathOf(kind, name string) string {
	return fmt.Sprintf("/v/%s/%s?ccb=1", path.Base(kind), name)
}

func (shelf *mediaShelf) place(name string) string {
	return filepath.Join(shelf.dir, filepath.Base("file-"+name))
}

// mediaKeys expands a file's key for its kind.
func mediaKeys(key []byte, kind whatsmeow.MediaType) (nonce, cipherKey, macKey []byte) {
	expanded := hkdfutil.SHA256(key, nil, []byte(kind), 112)
	return expanded[:16], expanded[16:48], expanded[48:80]
}

// open returns the plaintext of a file, with everything checked that a phone
// checks: both hashes, the MAC and the padding.
func (shelf *mediaShelf) open(file whatsmeow.DownloadableMessage) ([]byte, error) {
	name, _, _ := strings.Cut(path.Base(file.GetDirectPath()), "?")
	sealed, err := os.ReadFile(shelf.place(name))
	if err != nil {
		return nil, errors.New("the file was never uploaded")
	}
	sum := sha256.Sum256(sealed)
	if !hmac.Equal(sum[:], file.GetFileEncSHA256()) {
		return nil, errors.New("the file is not the one that was sent")
	}
	if len(sealed) <= mediaMACBytes {
		return nil, errors.New("the file is too short")
	}
	nonce, cipherKey, macKey := mediaKeys(file.GetMediaKey(), whatsmeow.GetMediaType(file))
	ciphertext, mac := sealed[:len(sealed)-mediaMACBytes], sealed[len(sealed)-mediaMACBytes:]
	if !hmac.Equal(mediaMAC(macKey, nonce, ciphertext), mac) {
		return nil, errors.New("the file's MAC is wrong")
	}
	plain, err := cbcutil.Decrypt(cipherKey, nonce, ciphertext)
	if err != nil {
		return nil, errors.New("the file does not decrypt")
	}
	if sum := sha256.Sum256(plain); !hmac.Equal(sum[:], file.GetFileSHA256()) {
		return nil, errors.New("the decrypted file is not the one that was sent")
	}
	return plain, nil
}

func mediaMAC(macKey, nonce, ciphertext []byte) []byte {
	mac := hmac.New(sha256.New, macKey)
	mac.Write(nonce)
	mac.Write(ciphertext)
	return mac.Sum(nil)[:mediaMACBytes]
}

// uploadedFile is what a message says of its file.
type uploadedFile struct {
	url, directPath     string
	key, sum, sealedSum []byte
	length              uint64
}

// upload encrypts a file the way a phone does and puts it on the shelf.
func (shelf *mediaShelf) upload(plain []byte, kind whatsmeow.MediaType, name string) (uploadedFile, error) {
	key := random.Bytes(32)
	nonce, cipherKey, macKey := mediaKeys(key, kind)
	ciphertext, err := cbcutil.Encrypt(cipherKey, nonce, plain)
	if err != nil {
		return uploadedFile{}, err
	}
	sealed := joined(ciphertext, mediaMAC(macKey, nonce, ciphertext))
	directPath, err := shelf.keep(name, sealed)
	if err != nil {
		return uploadedFile{}, err
	}
	sum, sealedSum := sha256.Sum256(plain), sha256.Sum256(sealed)
	return uploadedFile{
		url: "https://" + mediaHost + directPath, directPath: directPath,
		key: key, sum: sum[:], sealedSum: sealedSum[:], length: uint64(len(plain)),
	}, nil
}
