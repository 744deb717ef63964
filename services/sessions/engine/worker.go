// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"regexp"
	"sync"
	"time"
)

// worker speaks with the owner and hands each request to its session.
type worker struct {
	ctx        context.Context
	stop       func()
	owner      net.Conn
	archive    *archive
	queue      *writeBehind
	media      *mediaLibrary
	thumbnails *thumbnails
	network    *network
	leases     leases

	outbox chan any // frames, in order

	mu       sync.Mutex
	sessions map[string]*session
	lastID   int64
	awaited  map[int64]chan bool
}

func newWorker(ctx context.Context, owner net.Conn, a *archive, q *writeBehind, media *mediaLibrary, n *network) *worker {
	ctx, stop := context.WithCancel(ctx)
	return &worker{
		ctx: ctx, stop: stop, owner: owner, archive: a, queue: q, media: media, thumbnails: newThumbnails(), network: n,
		outbox: make(chan any, 256), sessions: map[string]*session{}, awaited: map[int64]chan bool{},
	}
}

// serve returns when the owner is gone or the worker's context ended.
func (w *worker) serve() {
	defer w.stop()
	go w.writeFrames()
	go func() { <-w.ctx.Done(); _ = w.owner.SetReadDeadline(time.Now()) }()
	reader := bufio.NewReaderSize(w.owner, 64<<10)
	for {
		frame, err := readFrame(reader)
		if err != nil {
			if w.ctx.Err() == nil && !errors.Is(err, io.EOF) {
				logEvent("error", "the owner's socket failed", "error", err)
			}
			return
		}
		switch frame.Kind {
		case "ack":
			w.acknowledged(frame.ID, frame.OK)
		case "hold": // before whatever is asked next
			w.leases.hold(frame.Until)
		case "request":
			go w.answer(frame)
		}
	}
}

func (w *worker) writeFrames() {
	defer w.stop()
	for {
		select {
		case frame := <-w.outbox:
			if err := writeFrame(w.owner, frame); err != nil {
				logEvent("error", "a frame could not be written", "error", err)
				return
			}
		case <-w.ctx.Done():
			return
		}
	}
}

func (w *worker) put(frame any) {
	select {
	case w.outbox <- frame:
	case <-w.ctx.Done():
	}
}

func (w *worker) answer(frame *incoming) {
	request, err := decodeRequest(frame.Op)
	var reply told = &failedReply{Code: "bad_request", Message: "the request could not be read"}
	if err == nil {
		reply = w.carryOut(request)
	}
	w.put(replyFrame{"reply", frame.ID, reply.named()})
}

func (w *worker) carryOut(request any) (reply told) {
	err := recovered(func() error {
		switch r := request.(type) {
		case *pingRequest:
			reply = &pongReply{OpenSessions: w.countOpen()}
		case *openRequest:
			reply = w.onSession(r.Session, func(s *session) told { return s.open(r) })
		case *closeRequest:
			reply = w.onSession(r.Session, func(s *session) told { return s.close() })
		case *logoutRequest:
			reply = w.onSession(r.Session, func(s *session) told { return s.logout() })
		case *forgetRequest:
			reply = w.onSession(r.Session, func(s *session) told { return s.forget(r) })
		case *pairPhoneRequest:
			reply = w.onSession(r.Session, func(s *session) told { return s.pairPhone(r) })
		case *passkeyResponseRequest:
			reply = w.onSession(r.Session, func(s *session) told { return s.answerPasskey(r) })
		case *passkeyConfirmRequest:
			reply = w.onSession(r.Session, func(s *session) told { return s.confirmPasskey() })
		case *sendRequest:
			reply = w.onSession(r.Session, func(s *session) told { return s.send(r) })
		case *markReadRequest:
			reply = w.onSession(r.Session, func(s *session) told { return s.markRead(r) })
		case *presenceRequest:
			reply = w.onSession(r.Session, func(s *session) told { return s.presence(r) })
		case *listGroupsRequest:
			reply = w.onSession(r.Session, func(s *session) told { return s.listGroups() })
		case *createGroupRequest:
			reply = w.onSession(r.Session, func(s *session) told { return s.createGroup(r) })
		case *changeParticipantsRequest:
			reply = w.onSession(r.Session, func(s *session) told { return s.changeParticipants(r) })
		case *downloadRequest:
			reply = w.onSession(r.Session, func(s *session) told { return s.download(r) })
		case *checkRequest:
			reply = w.onSession(r.Session, func(s *session) told { return s.check(r) })
		}
		return nil
	})
	if err != nil {
		logEvent("error", "a request failed unexpectedly", "error", err)
		if _, sending := request.(*sendRequest); sending {
			return &unknownReply{Reason: "the worker failed unexpectedly"}
		}
		return &failedReply{Code: "bad_request", Message: "the worker failed unexpectedly"}
	}
	return reply
}

// sessionName is what may stand in the _id of a document.
var sessionName = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,128}$`)

func (w *worker) onSession(name string, do func(*session) told) told {
	if !sessionName.MatchString(name) {
		return &failedReply{Code: "bad_request", Message: "a session id has 1 to 128 letters, digits, dots, dashes, colons or underscores"}
	}
	w.mu.Lock()
	s, known := w.sessions[name]
	if !known {
		s = newSession(w, name)
		w.sessions[name] = s
	}
	w.mu.Unlock()
	return do(s)
}

func (w *worker) countOpen() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	open := 0
	for _, s := range w.sessions {
		if s.live() != nil {
			open++
		}
	}
	return open
}

// tell sends an event that needs no acknowledgement.
func (w *worker) tell(e event) { w.put(eventFrame{"event", w.nextID(nil), e.named()}) }

// ask sends an event and returns a channel on which the owner's answer comes, and a way to stop waiting for it.
func (w *worker) ask(e event) (answer <-chan bool, forget func()) {
	waiting := make(chan bool, 1)
	id := w.nextID(waiting)
	w.put(eventFrame{"event", id, e.named()})
	return waiting, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.awaited, id)
	}
}

func (w *worker) nextID(waiting chan bool) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lastID++
	if waiting != nil {
		w.awaited[w.lastID] = waiting
	}
	return w.lastID
}

func (w *worker) acknowledged(id int64, ok bool) {
	w.mu.Lock()
	waiting, known := w.awaited[id]
	delete(w.awaited, id)
	w.mu.Unlock()
	if known {
		waiting <- ok
	}
}

// closeAll closes every session at once, and waits no longer than the limit.
func (w *worker) closeAll(limit time.Duration) {
	var closing tasks
	w.mu.Lock()
	for _, s := range w.sessions {
		closing.start(func() { s.close() })
	}
	w.mu.Unlock()
	closing.settled(limit)
}
