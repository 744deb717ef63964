// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// clientUpload is a client's POST /mms/<kind>/<token>. The token is the SHA-256 of
// the ciphertext in base64url, padded (tulir/whatsmeow, upload.go) or not
// (WhiskeySockets/Baileys, getWAUploadToServer; oxidezap/whatsapp-rust,
// src/upload.rs).
type clientUpload struct {
	kind string
	sum  [sha256.Size]byte
}

func (one clientUpload) name() string { return hex.EncodeToString(one.sum[:]) }

// uploadProgress answers resume=1, by which a client asks before a large upload
// how much of it the server has: the number of bytes, or "complete".
type uploadProgress struct {
	Resume string `json:"resume"`
	uploadPlace
}

// uploadPlace is where an uploaded file is downloaded from.
type uploadPlace struct {
	URL        string `json:"url,omitempty"`
	DirectPath string `json:"direct_path,omitempty"`
	Handle     string `json:"handle,omitempty"`
}

func (one clientUpload) place() uploadPlace {
	directPath := directPathOf(one.kind, one.name())
	return uploadPlace{URL: "https://" + mediaHost + directPath, DirectPath: directPath, Handle: hex.EncodeToString(one.sum[:8])}
}

func (shelf *mediaShelf) receive(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if len(parts) < 3 || r.URL.Query().Get("auth") != mediaToken {
		http.Error(w, "not authorized", http.StatusUnauthorized)
		return
	}
	sum, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[len(parts)-1], "="))
	if err != nil || len(sum) != sha256.Size {
		http.Error(w, "the token is no hash", http.StatusBadRequest)
		return
	}
	wanted := clientUpload{kind: parts[len(parts)-2], sum: [sha256.Size]byte(sum)}
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Query().Get("resume") == "1" {
		_ = json.NewEncoder(w).Encode(shelf.progress(wanted))
		return
	}
	if refused := shelf.take(wanted, w, r); refused != nil {
		http.Error(w, refused.Error(), http.StatusBadRequest)
		return
	}
	_ = json.NewEncoder(w).Encode(wanted.place())
}

func (shelf *mediaShelf) progress(wanted clientUpload) uploadProgress {
	if _, err := os.Stat(shelf.place(wanted.name())); err == nil {
		return uploadProgress{Resume: "complete", uploadPlace: wanted.place()}
	}
	begun, _ := os.ReadFile(shelf.partPlace(wanted))
	return uploadProgress{Resume: strconv.Itoa(len(begun))}
}

// take keeps an upload, or what came of one that broke off.
func (shelf *mediaShelf) take(wanted clientUpload, w http.ResponseWriter, r *http.Request) error {
	begun, err := shelf.begunUpTo(wanted, r.URL.Query().Get("file_offset"))
	if err != nil {
		return err
	}
	rest, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxUploadBytes))
	sealed := joined(begun, rest)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.Join(errors.New("the upload broke off"), writeWhole(shelf.partPlace(wanted), sealed))
	}
	if err != nil {
		return errors.New("upload not read")
	}
	if sha256.Sum256(sealed) != wanted.sum {
		return errors.New("the token is not the hash of the upload")
	}
	if _, err := shelf.keep(wanted.kind, sealed); err != nil {
		return errors.New("upload not kept")
	}
	shelf.uploads.Add(1)
	_ = os.Remove(shelf.partPlace(wanted))
	return nil
}

// begunUpTo is what came before the offset at which a client goes on.
func (shelf *mediaShelf) begunUpTo(wanted clientUpload, offset string) ([]byte, error) {
	if offset == "" {
		return nil, nil
	}
	begun, _ := os.ReadFile(shelf.partPlace(wanted))
	bytes, err := strconv.Atoi(offset)
	if err != nil || bytes < 0 || bytes > len(begun) {
		return nil, errors.New("the upload has not come that far")
	}
	return begun[:bytes], nil
}

func (shelf *mediaShelf) partPlace(wanted clientUpload) string {
	return filepath.Join(shelf.dir, "part-"+wanted.name())
}
