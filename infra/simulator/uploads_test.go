// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"testing"
)

// uploadPath is where a client of other hands puts a file.
func uploadPath(file []byte, encoding *base64.Encoding, more string) string {
	sum := sha256.Sum256(file)
	token := encoding.EncodeToString(sum[:])
	return fmt.Sprintf("/mms/document/%s?auth=%s&token=%s%s", token, mediaToken, token, more)
}

func (sim *simulation) upload(path string, body []byte) (int, uploadProgress) {
	sim.t.Helper()
	response, err := http.Post(sim.ready.Endpoint+path, "application/octet-stream", bytes.NewReader(body))
	if err != nil {
		sim.t.Fatal(err)
	}
	defer response.Body.Close()
	var told uploadProgress
	if response.StatusCode == http.StatusOK {
		if err := json.NewDecoder(response.Body).Decode(&told); err != nil {
			sim.t.Fatal(err)
		}
	}
	return response.StatusCode, told
}

func (sim *simulation) expectFile(directPath string, file []byte) {
	sim.t.Helper()
	response, err := http.Get(sim.ready.Endpoint + directPath)
	if err != nil {
		sim.t.Fatal(err)
	}
	defer response.Body.Close()
	if found, _ := io.ReadAll(response.Body); !bytes.Equal(found, file) {
		sim.t.Fatalf("%s holds %d bytes, expected %d", directPath, len(found), len(file))
	}
}

func TestAnUploadsTokenMayLackItsPadding(t *testing.T) {
	sim := startSimulation(t)
	for name, encoding := range map[string]*base64.Encoding{"padded": base64.URLEncoding, "unpadded": base64.RawURLEncoding} {
		file := []byte("a file, " + name)
		status, told := sim.upload(uploadPath(file, encoding, ""), file)
		if status != http.StatusOK {
			t.Fatalf("%s: %d", name, status)
		}
		sim.expectFile(told.DirectPath, file)
	}
	for name, path := range map[string]string{
		"another file's": uploadPath([]byte("another"), base64.RawURLEncoding, ""),
		"no hash":        "/mms/document/aGVsbG8?auth=" + mediaToken,
	} {
		if status, _ := sim.upload(path, []byte("a file")); status != http.StatusBadRequest {
			t.Errorf("a token that is %s was answered with %d", name, status)
		}
	}
}

func TestALargeUploadIsAskedForAndGoesOnWhereItBrokeOff(t *testing.T) {
	sim := startSimulation(t)
	file := bytes.Repeat([]byte("0123456789"), 100_000)
	asked := uploadPath(file, base64.RawURLEncoding, "&resume=1")
	if status, told := sim.upload(asked, nil); status != http.StatusOK || told.Resume != "0" {
		t.Fatalf("before: %d %+v", status, told)
	}
	sim.breakOff(uploadPath(file, base64.RawURLEncoding, ""), file[:600_000], len(file))
	var told uploadProgress
	eventually(t, "what came is kept", func() bool {
		_, told = sim.upload(asked, nil)
		return told.Resume != "0"
	})
	offset, err := strconv.Atoi(told.Resume)
	if err != nil || offset > 600_000 {
		t.Fatalf("goes on at %q", told.Resume)
	}
	if status, _ := sim.upload(uploadPath(file, base64.RawURLEncoding, "&file_offset=900000"), file[900_000:]); status != http.StatusBadRequest {
		t.Errorf("beyond what came: %d", status)
	}
	_, done := sim.upload(uploadPath(file, base64.RawURLEncoding, "&file_offset="+told.Resume), file[offset:])
	sim.expectFile(done.DirectPath, file)
	if _, told = sim.upload(asked, nil); told.Resume != "complete" || told.DirectPath != done.DirectPath || told.URL == "" {
		t.Errorf("afterwards: %+v", told)
	}
	if uploads := sim.stats().Uploads; uploads != 1 {
		t.Errorf("%d uploads are counted", uploads)
	}
}

// breakOff sends a part of an upload and hangs up.
func (sim *simulation) breakOff(path string, part []byte, whole int) {
	sim.t.Helper()
	wire, err := net.Dial("tcp", address(sim.ready.Endpoint))
	if err != nil {
		sim.t.Fatal(err)
	}
	defer wire.Close()
	fmt.Fprintf(wire, "POST %s HTTP/1.1\r\nHost: media\r\nContent-Length: %d\r\n\r\n", path, whole)
	if _, err := wire.Write(part); err != nil {
		sim.t.Fatal(err)
	}
}
