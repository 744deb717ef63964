// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/vmihailenco/msgpack/v5"
)

// This file and protocol_told.go mirror requests.py, replies.py and events.py of services/sessions/engines, where every
// type and field is explained. Both sides' tests read the samples in tests/contracts/samples/engine.

// maxFrameBytes bounds one frame in either direction.
const maxFrameBytes = 16 << 20

// --- requests ---------------------------------------------------------------------------------------------------------

type openRequest struct {
	Type       string  `msgpack:"type"`
	Session    string  `msgpack:"session"`
	Link       int     `msgpack:"link"`
	Fence      int64   `msgpack:"fence"`
	Connection int     `msgpack:"connection"`
	DeviceName string  `msgpack:"device_name"`
	Proxy      *string `msgpack:"proxy,omitempty"`
	Lease      *string `msgpack:"lease,omitempty"`
}

type closeRequest struct {
	Type    string `msgpack:"type"`
	Session string `msgpack:"session"`
}

type logoutRequest struct {
	Type    string `msgpack:"type"`
	Session string `msgpack:"session"`
}

type forgetRequest struct {
	Type    string  `msgpack:"type"`
	Session string  `msgpack:"session"`
	Link    int     `msgpack:"link"`
	Fence   int64   `msgpack:"fence"`
	Lease   *string `msgpack:"lease,omitempty"`
}

type pairPhoneRequest struct {
	Type    string `msgpack:"type"`
	Session string `msgpack:"session"`
	Phone   string `msgpack:"phone"`
}

// content holds every kind of content; Type tells which fields count.
type content struct {
	Type     string  `msgpack:"type"`
	Text     string  `msgpack:"text,omitempty"`
	MediaID  string  `msgpack:"media_id,omitempty"`
	Mimetype string  `msgpack:"mimetype,omitempty"`
	FileName string  `msgpack:"file_name,omitempty"`
	Caption  *string `msgpack:"caption,omitempty"`
	Seconds  *uint32 `msgpack:"seconds,omitempty"`
	Waveform []byte  `msgpack:"waveform,omitempty"` // 64 bars of 0 to 100

	Latitude  float64 `msgpack:"latitude,omitempty"`
	Longitude float64 `msgpack:"longitude,omitempty"`
	Name      *string `msgpack:"name,omitempty"`
	Address   *string `msgpack:"address,omitempty"`
	VCard     string  `msgpack:"vcard,omitempty"`

	Question   string   `msgpack:"question,omitempty"`
	Options    []string `msgpack:"options,omitempty"`
	Selectable int      `msgpack:"selectable,omitempty"`

	Target string  `msgpack:"target,omitempty"`
	Sender *string `msgpack:"sender,omitempty"`
	Emoji  string  `msgpack:"emoji,omitempty"`
}

type quote struct {
	Target string  `msgpack:"target"`
	Sender *string `msgpack:"sender"`
	Text   *string `msgpack:"text"`
}

type preview struct {
	URL         string  `msgpack:"url"`
	Title       string  `msgpack:"title"`
	Description *string `msgpack:"description"`
}

type sendRequest struct {
	Type       string   `msgpack:"type"`
	Session    string   `msgpack:"session"`
	MessageID  string   `msgpack:"message_id"`
	To         string   `msgpack:"to"`
	Content    content  `msgpack:"content"`
	DeadlineMS int64    `msgpack:"deadline_ms"`
	Quote      *quote   `msgpack:"quote,omitempty"`
	Mentions   []string `msgpack:"mentions,omitempty"`
	MentionAll bool     `msgpack:"mention_all,omitempty"`
	Preview    *preview `msgpack:"preview,omitempty"`
	KnownOnly  bool     `msgpack:"known_only,omitempty"`
}

type markReadRequest struct {
	Type       string   `msgpack:"type"`
	Session    string   `msgpack:"session"`
	Chat       string   `msgpack:"chat"`
	Sender     string   `msgpack:"sender"`
	MessageIDs []string `msgpack:"message_ids"`
}

type checkRequest struct {
	Type    string   `msgpack:"type"`
	Session string   `msgpack:"session"`
	Phones  []string `msgpack:"phones"`
}

type presenceRequest struct {
	Type    string `msgpack:"type"`
	Session string `msgpack:"session"`
	Chat    string `msgpack:"chat"`
	State   string `msgpack:"state"`
}

type listGroupsRequest struct {
	Type    string `msgpack:"type"`
	Session string `msgpack:"session"`
}

type createGroupRequest struct {
	Type         string   `msgpack:"type"`
	Session      string   `msgpack:"session"`
	Subject      string   `msgpack:"subject"`
	Participants []string `msgpack:"participants"`
}

type changeParticipantsRequest struct {
	Type         string   `msgpack:"type"`
	Session      string   `msgpack:"session"`
	Group        string   `msgpack:"group"`
	Action       string   `msgpack:"action"`
	Participants []string `msgpack:"participants"`
}

type downloadRequest struct {
	Type      string            `msgpack:"type"`
	Session   string            `msgpack:"session"`
	Ref       []byte            `msgpack:"ref"`
	MediaID   string            `msgpack:"media_id"`
	FileName  *string           `msgpack:"file_name"`
	Metadata  map[string]string `msgpack:"metadata"`
	MostBytes int64             `msgpack:"most_bytes"`
}

type passkeyResponseRequest struct {
	Type     string `msgpack:"type"`
	Session  string `msgpack:"session"`
	Response string `msgpack:"response"`
}

type passkeyConfirmRequest struct {
	Type    string `msgpack:"type"`
	Session string `msgpack:"session"`
}

type pingRequest struct {
	Type string `msgpack:"type"`
}

// requests makes an empty request of a type; fields that are missing on the wire keep these defaults.
var requests = map[string]func() any{
	"open":                func() any { return &openRequest{DeviceName: "Merpati"} },
	"close":               func() any { return &closeRequest{} },
	"logout":              func() any { return &logoutRequest{} },
	"forget":              func() any { return &forgetRequest{} },
	"pair_phone":          func() any { return &pairPhoneRequest{} },
	"passkey_response":    func() any { return &passkeyResponseRequest{} },
	"passkey_confirm":     func() any { return &passkeyConfirmRequest{} },
	"send":                func() any { return &sendRequest{} },
	"mark_read":           func() any { return &markReadRequest{} },
	"presence":            func() any { return &presenceRequest{} },
	"check":               func() any { return &checkRequest{} },
	"list_groups":         func() any { return &listGroupsRequest{} },
	"create_group":        func() any { return &createGroupRequest{} },
	"change_participants": func() any { return &changeParticipantsRequest{} },
	"download":            func() any { return &downloadRequest{} },
	"ping":                func() any { return &pingRequest{} },
}

// --- frames -----------------------------------------------------------------------------------------------------------

// incoming is a frame from Python: a request, the acknowledgement of an event, or the leases that are held.
type incoming struct {
	Kind  string             `msgpack:"kind"`
	ID    int64              `msgpack:"id"`
	OK    bool               `msgpack:"ok"`
	Op    msgpack.RawMessage `msgpack:"op"`
	Until map[string]int64   `msgpack:"until"`
}

type replyFrame struct {
	Kind   string `msgpack:"kind"`
	ID     int64  `msgpack:"id"`
	Result told   `msgpack:"result"`
}

type eventFrame struct {
	Kind  string `msgpack:"kind"`
	ID    int64  `msgpack:"id"`
	Event told   `msgpack:"event"`
}

// decodeRequest reads one `op` by its type.
func decodeRequest(op []byte) (any, error) {
	var tagged struct {
		Type string `msgpack:"type"`
	}
	if err := msgpack.Unmarshal(op, &tagged); err != nil {
		return nil, err
	}
	empty, known := requests[tagged.Type]
	if !known {
		return nil, fmt.Errorf("unknown request %q", tagged.Type)
	}
	request := empty()
	return request, msgpack.Unmarshal(op, request)
}

func encode(value any) ([]byte, error) {
	var buffer bytes.Buffer
	encoder := msgpack.NewEncoder(&buffer)
	encoder.UseCompactInts(true)
	err := encoder.Encode(value)
	return buffer.Bytes(), err
}

func writeFrame(w io.Writer, frame any) error {
	payload, err := encode(frame)
	if err != nil {
		return err
	}
	if len(payload) > maxFrameBytes {
		return fmt.Errorf("a frame of %d bytes is over the limit of %d", len(payload), maxFrameBytes)
	}
	_, err = w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(payload))), payload...))
	return err
}

func readFrame(r *bufio.Reader) (*incoming, error) {
	var header [4]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(header[:])
	if size > maxFrameBytes {
		return nil, fmt.Errorf("a frame of %d bytes is over the limit of %d", size, maxFrameBytes)
	}
	payload := make([]byte, size)
	if _, err := io.ReadFull(r, payload); err != nil {
		return nil, err
	}
	frame := &incoming{}
	return frame, msgpack.Unmarshal(payload, frame)
}
