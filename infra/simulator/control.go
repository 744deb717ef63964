// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"time"
)

const maxControlBytes = 64 << 20

// refusal is an answer of the control API that the caller can act on.
type refusal struct {
	status  int
	message string
}

func (r refusal) Error() string { return r.message }

// call is one request of the control API, with the network it is about.
type call struct {
	server  *server
	network *network
	request *http.Request
}

// action returns the status and the body of an answer; a nil body has none.
type action func(*call) (int, any, error)

func (s *server) serveControl(listener net.Listener) {
	mux := http.NewServeMux()
	for route, act := range map[string]action{
		"POST /phones":                      (*call).postPhone,
		"GET /phones":                       (*call).getPhones,
		"GET /phones/{number}":              (*call).getPhone,
		"PATCH /phones/{number}":            (*call).patchPhone,
		"POST /phones/{number}/scan":        (*call).postScan,
		"POST /phones/{number}/unlink":      (*call).postUnlink,
		"POST /phones/{number}/reinstall":   (*call).postReinstall,
		"POST /phones/{number}/messages":    (*call).postMessage,
		"GET /phones/{number}/messages":     (*call).getMessages,
		"POST /phones/{number}/passkey":     (*call).postPasskey,
		"GET /phones/{number}/passkey":      (*call).getPasskey,
		"POST /phones/{number}/presence":    (*call).postPresence,
		"GET /phones/{number}/presence":     (*call).getPresence,
		"POST /phones/{number}/history":     (*call).postHistory,
		"POST /phones/{number}/read":        (*call).postRead,
		"GET /phones/{number}/inbox":        (*call).getInbox,
		"DELETE /phones/{number}/inbox":     (*call).deleteInbox,
		"POST /groups":                      (*call).postGroup,
		"GET /groups":                       (*call).getGroups,
		"PATCH /groups/{group}":             (*call).patchGroup,
		"POST /groups/{group}/participants": (*call).postParticipants,
		"POST /faults":                      (*call).postFault,
		"GET /faults":                       (*call).getFaults,
		"DELETE /faults":                    (*call).deleteFaults,
		"GET /stats":                        (*call).getStats,
	} {
		mux.HandleFunc(route, s.answering(act))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		respond(w, 0, nil, refusal{http.StatusNotFound, "there is no " + r.Method + " " + r.URL.Path})
	})
	control := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	if err := control.Serve(listener); !errors.Is(err, net.ErrClosed) {
		s.log.Error("the control API stopped listening", "error", err)
	}
}

func (s *server) answering(act action) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxControlBytes)
		s.mu.RLock()
		current := s.network
		s.mu.RUnlock()
		status, body, err := act(&call{server: s, network: current, request: r})
		respond(w, status, body, err)
	}
}

func respond(w http.ResponseWriter, status int, body any, err error) {
	if err != nil {
		status = http.StatusInternalServerError
		var refused refusal
		if errors.As(err, &refused) {
			status = refused.status
		}
		body = map[string]string{"message": err.Error()}
	}
	if body == nil {
		w.WriteHeader(status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// read takes the JSON body; an empty one changes nothing.
func (c *call) read(into any) error {
	if c.request.ContentLength == 0 {
		return nil
	}
	if err := json.NewDecoder(c.request.Body).Decode(into); err != nil {
		return refusal{http.StatusBadRequest, "the body is not the JSON that is expected here: " + err.Error()}
	}
	return nil
}

// phone is the one in the path. Call it under the network's lock.
func (c *call) phone() (*phone, error) {
	return c.existing(c.request.PathValue("number"))
}

func (c *call) existing(number string) (*phone, error) {
	number, err := plainNumber(number)
	if err != nil {
		return nil, err
	}
	if p := c.network.phones[number]; p != nil {
		return p, nil
	}
	return nil, refusal{http.StatusNotFound, fmt.Sprintf("there is no phone %s", number)}
}

// plainNumber takes digits with an optional plus.
func plainNumber(text string) (string, error) {
	digits := strings.TrimPrefix(strings.TrimSpace(text), "+")
	if len(digits) < 6 || len(digits) > 15 || digits[0] == '0' || strings.Trim(digits, "0123456789") != "" {
		return "", refusal{http.StatusBadRequest, "a number is 6 to 15 digits in international form"}
	}
	return digits, nil
}

func (c *call) postFault() (int, any, error) {
	var one fault
	if err := c.read(&one); err != nil {
		return 0, nil, err
	}
	if err := one.check(); err != nil {
		return 0, nil, err
	}
	if one.Kind == faultRestart {
		return http.StatusCreated, one, c.server.restart(time.Duration(one.MS) * time.Millisecond)
	}
	err := c.network.change(func() error { return c.network.strike(&one) })
	return http.StatusCreated, c.network.faults.copyOf(&one), err
}

func (one *fault) check() error {
	kind, known := faultKinds[one.Kind]
	if !known {
		return refusal{http.StatusBadRequest, fmt.Sprintf("there is no fault %q", one.Kind)}
	}
	if kind.needsCode && one.Code == 0 && one.Conflict == "" {
		return refusal{http.StatusBadRequest, "this fault needs a code"}
	}
	if one.EveryMS > 0 && (!kind.atOnce || one.ForMS == 0) {
		return refusal{http.StatusBadRequest, "everyMs is for drop, close and streamError, and needs for"}
	}
	one.To, _, _ = strings.Cut(strings.TrimPrefix(one.To, "+"), "@")
	if one.Phone == "" {
		return nil
	}
	number, err := plainNumber(one.Phone)
	one.Phone = number
	return err
}

func (c *call) getFaults() (int, any, error) {
	return http.StatusOK, map[string]any{"faults": c.network.faults.list()}, nil
}

func (c *call) deleteFaults() (int, any, error) {
	c.network.faults.clear()
	return http.StatusNoContent, nil, nil
}

// statistics is the body of GET /stats.
type statistics struct {
	Phones           int     `json:"phones"`
	Devices          int     `json:"devices"`
	Connected        int     `json:"connected"`
	Pending          int     `json:"pending"` // stanzas that wait for a device's confirmation
	MessagesIn       int64   `json:"messagesIn"`
	MessagesOut      int64   `json:"messagesOut"`
	Undecryptable    int64   `json:"undecryptable"`    // arrivals a phone could not open
	RetryReceipts    int64   `json:"retryReceipts"`    // of linked devices, for what they could not open
	LookUps          int64   `json:"lookUps"`          // of linked devices, for people, their devices, and groups
	Uploads          int64   `json:"uploads"`          // files that clients uploaded
	StanzasPerSecond float64 `json:"stanzasPerSecond"` // from clients, over the last ten seconds
	Goroutines       int     `json:"goroutines"`
}

func (c *call) getStats() (int, any, error) {
	var told statistics
	err := c.network.change(func() error {
		told = statistics{
			Phones:           len(c.network.phones),
			MessagesIn:       c.network.counts.messagesIn,
			MessagesOut:      c.network.counts.messagesOut,
			Undecryptable:    c.network.counts.undecryptable,
			RetryReceipts:    c.network.counts.retryReceipts,
			LookUps:          c.network.counts.lookUps,
			Uploads:          c.network.media.uploads.Load(),
			StanzasPerSecond: c.network.counts.rate.perSecond(now()),
			Goroutines:       runtime.NumGoroutine(),
		}
		for _, p := range c.network.phones {
			for _, d := range p.devices {
				told.Pending += len(d.mailbox)
				if d.isPhone() {
					continue
				}
				told.Devices++
				if d.isConnected() {
					told.Connected++
				}
			}
		}
		return nil
	})
	return http.StatusOK, told, err
}
