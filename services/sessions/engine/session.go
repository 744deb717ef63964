// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"
)

const (
	openPatience   = 20 * time.Second
	requestTimeout = 20 * time.Second
	finishTimeout  = 3 * time.Second
	checkBatch     = 50
)

// session is one WhatsApp account of ours: at most one connection at a time, one message in flight.
type session struct {
	worker *worker
	name   string

	turn sync.Mutex // open, close, logout and forget happen one after another

	mu      sync.Mutex
	current *connection
	fence   int64 // the highest one seen
	sends   map[string]*delivery

	slot      chan struct{}
	uploads   *uploads
	downloads *downloads
}

func newSession(w *worker, name string) *session {
	s := &session{
		worker: w, name: name, sends: map[string]*delivery{}, slot: make(chan struct{}, 1),
		uploads: newUploads(), downloads: newDownloads(),
	}
	s.slot <- struct{}{}
	return s
}

// live returns the connection unless it has ended.
func (s *session) live() *connection {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil || s.current.over() {
		return nil
	}
	return s.current
}

func (s *session) open(r *openRequest) told {
	s.turn.Lock()
	defer s.turn.Unlock()
	s.mu.Lock()
	previous := s.current
	outranked := r.Fence < s.fence
	s.mu.Unlock()
	if outranked {
		return &failedReply{Code: "fenced", Message: "this session was opened with a higher fence"}
	}
	if previous != nil && previous.link == r.Link && previous.fence == r.Fence && r.Connection <= previous.number {
		return previous.openedAgain(r.Connection)
	}
	s.finish(previous)
	store := s.storeAfter(previous, r)
	ctx, cancel := context.WithTimeout(s.worker.ctx, openPatience)
	defer cancel()
	device, endedCode, err := store.openDevice(ctx)
	if errors.Is(err, errFenced) {
		return &failedReply{Code: "fenced", Message: "another worker owns this session"}
	} else if err != nil {
		logEvent("error", "the device could not be read", "session", s.name, "error", err)
		return &failedReply{Code: "store", Message: "the device could not be read"}
	}
	next, err := newConnection(s, r, store, device)
	if err != nil {
		return &failedReply{Code: "bad_request", Message: err.Error()}
	}
	s.mu.Lock()
	s.current, s.fence = next, r.Fence
	s.mu.Unlock()
	if endedCode != 0 {
		next.end(&loggedOutEvent{Code: endedCode})
	} else {
		next.start()
	}
	return &doneReply{}
}

// openedAgain answers an open for a connection number that is not new.
func (c *connection) openedAgain(number int) told {
	if number == c.number && !c.over() {
		return &doneReply{}
	}
	return &failedReply{Code: "not_open", Message: "that connection has ended; open one with a higher number"}
}

// storeAfter keeps the key store of the previous connection, whose documents are claimed already, when it still holds.
func (s *session) storeAfter(previous *connection, r *openRequest) *keyStore {
	if previous != nil && previous.link == r.Link && previous.fence == r.Fence && previous.store.reusable() {
		return previous.store
	}
	return newKeyStore(s.worker.archive, s.worker.queue, s.name, r.Link, tenure{r.Fence, s.worker.leases.named(r.Lease)})
}

// finish ends a connection without telling anybody and waits until nothing of it runs.
func (s *session) finish(c *connection) {
	if c != nil {
		c.end(nil)
		c.settle(finishTimeout)
	}
}

func (s *session) close() told {
	s.turn.Lock()
	defer s.turn.Unlock()
	s.mu.Lock()
	c := s.current
	s.mu.Unlock()
	s.finish(c)
	return &doneReply{}
}

func (s *session) logout() told {
	s.turn.Lock()
	defer s.turn.Unlock()
	c, failed := s.online()
	if failed != nil {
		return failed
	}
	ctx, cancel := context.WithTimeout(c.ctx, requestTimeout)
	defer cancel()
	c.store.ending(loggedOutCode)
	if err := c.client.Logout(ctx); err != nil {
		c.store.ending(0)
		return failure(err)
	}
	s.finish(c)
	return &doneReply{}
}

func (s *session) forget(r *forgetRequest) told {
	s.turn.Lock()
	defer s.turn.Unlock()
	if c := s.live(); c != nil && c.link == r.Link {
		return &failedReply{Code: "bad_request", Message: "close the session first"}
	}
	s.mu.Lock()
	if s.current != nil && s.current.link == r.Link {
		s.current = nil // its key store remembers what is deleted now
	}
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(s.worker.ctx, openPatience)
	defer cancel()
	s.worker.queue.discard(linkPrefix(s.name, r.Link))
	if err := s.worker.archive.forget(ctx, tenure{r.Fence, s.worker.leases.named(r.Lease)}, linkPrefix(s.name, r.Link)); errors.Is(err, errFenced) {
		return &failedReply{Code: "fenced", Message: "another worker owns this link"}
	} else if err != nil {
		return &failedReply{Code: "store", Message: "the keys could not be deleted"}
	}
	return &doneReply{}
}

// online returns the connection when it is logged in.
func (s *session) online() (*connection, *failedReply) {
	c := s.live()
	if c == nil {
		return nil, &failedReply{Code: "not_open", Message: "the session is not open"}
	}
	if c.at() != phaseOnline {
		return nil, &failedReply{Code: "not_connected", Message: "the session is not connected"}
	}
	return c, nil
}

func (s *session) pairPhone(r *pairPhoneRequest) told {
	c := s.live()
	if c == nil {
		return &failedReply{Code: "not_open", Message: "the session is not open"}
	}
	if c.at() != phaseScanning {
		return &failedReply{Code: "bad_request", Message: "a pairing code needs a link attempt whose QR code was told"}
	}
	ctx, cancel := context.WithTimeout(c.ctx, requestTimeout)
	defer cancel()
	code, err := c.client.PairPhone(ctx, r.Phone, true, whatsmeow.PairClientChrome, "Chrome (Linux)")
	if err != nil {
		return failure(err)
	}
	return &pairCodeReply{Code: code}
}

// whileOnline asks WhatsApp for something, within the time that a request may take.
func (s *session) whileOnline(ask func(context.Context, *connection) (told, error)) told {
	c, failed := s.online()
	if failed != nil {
		return failed
	}
	ctx, cancel := context.WithTimeout(c.ctx, requestTimeout)
	defer cancel()
	reply, err := ask(ctx, c)
	if err != nil {
		return failure(err)
	}
	return reply
}

func (s *session) markRead(r *markReadRequest) told {
	chat, chatErr := types.ParseJID(r.Chat)
	sender, senderErr := types.ParseJID(r.Sender)
	if chatErr != nil || senderErr != nil || len(r.MessageIDs) == 0 {
		return &failedReply{Code: "bad_request", Message: "chat and sender must be JIDs, and there must be a message id"}
	}
	return s.whileOnline(func(ctx context.Context, c *connection) (told, error) {
		return &doneReply{}, c.client.MarkRead(ctx, r.MessageIDs, time.Now(), c.asAddressed(ctx, chat), c.asAddressed(ctx, sender))
	})
}

func (s *session) check(r *checkRequest) told {
	return s.whileOnline(func(ctx context.Context, c *connection) (told, error) {
		jids := make(map[string]*string, len(r.Phones))
		for _, phone := range r.Phones {
			jids[phone] = nil
		}
		for start := 0; start < len(r.Phones); start += checkBatch {
			found, err := c.whoIsOnWhatsApp(ctx, r.Phones[start:min(start+checkBatch, len(r.Phones))])
			if err != nil {
				return nil, err
			}
			for phone, jid := range found {
				if _, asked := jids[phone]; asked {
					jids[phone] = textOrNil(jid.String())
				}
			}
		}
		return &checkedReply{JIDs: jids}, nil
	})
}

// whoIsOnWhatsApp answers, for those digits that are on WhatsApp, with the JID of the account's own number.
func (c *connection) whoIsOnWhatsApp(ctx context.Context, phones []string) (map[string]types.JID, error) {
	international := make([]string, len(phones))
	for i, phone := range phones {
		international[i] = "+" + phone
	}
	answers, err := c.client.IsOnWhatsApp(ctx, international)
	if err != nil {
		return nil, err
	}
	found := map[string]types.JID{}
	for _, answer := range answers {
		if !answer.IsIn {
			continue
		}
		phone := strings.TrimPrefix(answer.Query, "+")
		if found[phone], err = c.learnNumber(ctx, phone, answer); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// failure names an error of the library for the port.
func failure(err error) *failedReply {
	switch {
	case errors.Is(err, errFenced):
		return &failedReply{Code: "fenced", Message: "a higher fence was seen"}
	case errors.Is(err, errStore):
		return &failedReply{Code: "store", Message: "the key store failed"}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, whatsmeow.ErrIQTimedOut):
		return &failedReply{Code: "timeout", Message: "WhatsApp did not answer in time"}
	case errors.Is(err, context.Canceled), errors.Is(err, whatsmeow.ErrNotConnected):
		return &failedReply{Code: "interrupted", Message: "the connection was lost"}
	case errors.Is(err, whatsmeow.ErrPhoneNumberTooShort), errors.Is(err, whatsmeow.ErrPhoneNumberIsNotInternational):
		return &failedReply{Code: "bad_request", Message: "that is not an international phone number"}
	}
	var refused *whatsmeow.IQError
	if errors.As(err, &refused) && limited[refused.Code] {
		return &failedReply{Code: "limited", Message: "WhatsApp limits how often this may be asked"}
	}
	var gone *whatsmeow.DisconnectedError
	if errors.As(err, &gone) {
		return &failedReply{Code: "interrupted", Message: "the connection was lost"}
	}
	var network net.Error
	if errors.As(err, &network) {
		return &failedReply{Code: "timeout", Message: "WhatsApp could not be reached"}
	}
	reply := &failedReply{Code: "refused", Message: "WhatsApp refused: " + scrub(err.Error())}
	var refusal *whatsmeow.IQError
	if errors.As(err, &refusal) {
		reply.Status = refusal.Code
	}
	return reply
}

func textOrNil(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
