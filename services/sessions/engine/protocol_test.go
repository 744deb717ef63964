// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"
)

// The samples are read by Python's tests too: tests/contracts/test_engine_samples.py.
var samples = filepath.Join("..", "..", "..", "tests", "contracts", "samples", "engine")

// sampleFiles returns the samples of a folder by name, as plain maps.
func sampleFiles(t *testing.T, folder string) map[string]map[string]any {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(samples, folder, "*.json"))
	must(t, err)
	if len(files) == 0 {
		t.Fatalf("there are no samples in %s", folder)
	}
	found := map[string]map[string]any{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		must(t, err)
		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.UseNumber()
		var sample map[string]any
		must(t, decoder.Decode(&sample))
		found[strings.TrimSuffix(filepath.Base(file), ".json")] = plain(t, sample).(map[string]any)
	}
	return found
}

// plain turns what JSON reads into what MessagePack writes: whole numbers are integers, a `ref` and a `waveform` are bytes.
func plain(t *testing.T, value any) any {
	t.Helper()
	switch v := value.(type) {
	case json.Number:
		if number, err := v.Int64(); err == nil {
			return number
		}
		number, err := v.Float64()
		must(t, err)
		return number
	case []any:
		for i := range v {
			v[i] = plain(t, v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = plain(t, v[name])
		}
		for _, name := range []string{"ref", "waveform"} {
			if written, ok := v[name].(string); ok {
				raw, err := base64.StdEncoding.DecodeString(written)
				must(t, err)
				v[name] = raw
			}
		}
	}
	return value
}

// packed is what a peer would send.
func packed(t *testing.T, value any) []byte {
	t.Helper()
	encoded, err := encode(value)
	must(t, err)
	return encoded
}

// reread is what a peer would read of what we write, without keys whose value is null.
func reread(t *testing.T, value any) any {
	t.Helper()
	var read any
	must(t, msgpack.Unmarshal(packed(t, value), &read))
	return withoutNulls(read)
}

func withoutNulls(value any) any {
	switch v := value.(type) {
	case map[string]any:
		kept := map[string]any{}
		for name, inner := range v {
			if inner != nil {
				kept[name] = withoutNulls(inner)
			}
		}
		return kept
	case []any:
		for i := range v {
			v[i] = withoutNulls(v[i])
		}
	}
	if number := reflect.ValueOf(value); number.CanInt() {
		return number.Int()
	} else if number.CanUint() {
		return int64(number.Uint())
	}
	return value
}

// withoutEmpty takes out zeros, empty texts and empty lists.
func withoutEmpty(value any) any {
	fields, ok := value.(map[string]any)
	if !ok {
		return value
	}
	kept := map[string]any{}
	for name, inner := range fields {
		if v := reflect.ValueOf(inner); !v.IsZero() && (v.Kind() != reflect.Slice || v.Len() > 0) {
			kept[name] = withoutEmpty(inner)
		}
	}
	return kept
}

func TestEveryRequestSampleIsReadWhole(t *testing.T) {
	kinds := map[string]bool{}
	for name, sample := range sampleFiles(t, "requests") {
		request, err := decodeRequest(packed(t, sample))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		kinds[sample["type"].(string)] = true
		got, want := reread(t, request).(map[string]any), withoutNulls(sample).(map[string]any)
		switch name {
		case "open.minimal":
			want["device_name"] = "Merpati"
		case "send.poll.any", "send.reaction.removed", "send.context.minimal": // what is empty reads as what is left out
			got, want = withoutEmpty(got).(map[string]any), withoutEmpty(want).(map[string]any)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %v\nwant %v", name, got, want)
		}
	}
	for kind := range requests {
		if !kinds[kind] {
			t.Errorf("%s has no sample", kind)
		}
	}
}

var replies = map[string]func() told{
	"done": func() told { return &doneReply{} }, "failed": func() told { return &failedReply{} },
	"pair_code": func() told { return &pairCodeReply{} }, "sent": func() told { return &sentReply{} },
	"refused": func() told { return &refusedReply{} }, "unknown": func() told { return &unknownReply{} },
	"not_sent": func() told { return &notSentReply{} }, "checked": func() told { return &checkedReply{} },
	"groups": func() told { return &groupsReply{} }, "participants": func() told { return &participantsReply{} },
	"downloaded": func() told { return &downloadedReply{} }, "pong": func() told { return &pongReply{} },
}

var eventsByType = map[string]func() told{
	"qr": func() told { return &qrEvent{} }, "qr_ended": func() told { return &qrEndedEvent{} },
	"paired": func() told { return &pairedEvent{} }, "connected": func() told { return &connectedEvent{} },
	"disconnected": func() told { return &disconnectedEvent{} }, "logged_out": func() told { return &loggedOutEvent{} },
	"replaced": func() told { return &replacedEvent{} }, "banned": func() told { return &bannedEvent{} },
	"restricted": func() told { return &restrictedEvent{} }, "outdated": func() told { return &outdatedEvent{} },
	"keepalive_lost":     func() told { return &keepaliveLostEvent{} },
	"keepalive_restored": func() told { return &keepaliveRestoredEvent{} },
	"receipt":            func() told { return &receiptEvent{} }, "message": func() told { return &messageEvent{} },
	"undecryptable":        func() told { return &undecryptableEvent{} },
	"passkey_required":     func() told { return &passkeyRequiredEvent{} },
	"passkey_confirmation": func() told { return &passkeyConfirmationEvent{} },
	"passkey_failed":       func() told { return &passkeyFailedEvent{} },
	"edited":               func() told { return &editedEvent{} }, "revoked": func() told { return &revokedEvent{} },
	"reacted": func() told { return &reactedEvent{} }, "voted": func() told { return &votedEvent{} },
}

func TestEveryReplyAndEventIsWrittenAsItsSample(t *testing.T) {
	for folder, makers := range map[string]map[string]func() told{"replies": replies, "events": eventsByType} {
		sampled := map[string]bool{}
		for name, sample := range sampleFiles(t, folder) {
			kind := sample["type"].(string)
			sampled[kind] = true
			maker, known := makers[kind]
			if !known {
				t.Errorf("%s: the worker never writes a %q", name, kind)
				continue
			}
			made := maker()
			must(t, msgpack.Unmarshal(packed(t, sample), made))
			reflect.ValueOf(made).Elem().FieldByName("Type").SetString("") // named must write it
			if got, want := reread(t, made.named()), withoutNulls(sample); !reflect.DeepEqual(got, want) {
				t.Errorf("%s:\n got %v\nwant %v", name, got, want)
			}
			for key := range sample { // Python has no default for a nullable field of an event
				if !bytes.Contains(packed(t, made.named()), []byte(key)) {
					t.Errorf("%s: %q is left out", name, key)
				}
			}
		}
		for kind := range makers {
			if !sampled[kind] {
				t.Errorf("%s has no sample", kind)
			}
		}
	}
}

func TestAnUnknownRequestIsRefused(t *testing.T) {
	for _, op := range []any{map[string]any{"type": "dance"}, map[string]any{}, "open", 7} {
		if request, err := decodeRequest(packed(t, op)); err == nil {
			t.Errorf("%v was read as %+v", op, request)
		}
	}
}

func TestAFrameOverTheLimitIsRefused(t *testing.T) {
	header := []byte{0x7f, 0xff, 0xff, 0xff}
	if _, err := readFrame(bufio.NewReader(bytes.NewReader(header))); err == nil {
		t.Error("a frame of 2 GB was begun")
	}
	if err := writeFrame(&bytes.Buffer{}, make([]byte, maxFrameBytes+1)); err == nil {
		t.Error("a frame over the limit was written")
	}
}
