// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"go.mau.fi/libsignal/kdf"
	"go.mau.fi/libsignal/keys/chain"
	"go.mau.fi/libsignal/state/record"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"
)

const (
	ours   = "6281200000001"
	theirs = "6281300000002"
)

func TestARetryReceiptIsAnsweredAfterARestart(t *testing.T) {
	sim := startSimulation(t)
	a := testArchive(t)
	first := startWorker(t, a, sim)
	c := first.link(sim, "s1", ours)
	var phone struct {
		LID string `json:"lid"`
	}
	must(t, json.Unmarshal(sim.call("POST", "/phones", map[string]any{"number": theirs, "name": "T"}), &phone))
	if _, ok := first.send("s1", theirs, "3EB0000001", "establishes the session").(*sentReply); !ok {
		t.Fatal("not sent")
	}
	spoilSending(t, c.store, types.NewJID(phone.LID, types.HiddenUserServer).SignalAddress().String())
	sim.call("PATCH", "/phones/"+theirs, map[string]any{"online": false})
	if _, ok := first.send("s1", theirs, "3EB0000002", "unreadable at first").(*sentReply); !ok {
		t.Fatal("not sent")
	}
	first.worker.closeAll(drainTimeout)

	second := startWorker(t, a, sim)
	second.worker.carryOut(&openRequest{Session: "s1", Link: 1, Fence: 2, Connection: 1})
	second.until("connected", "s1", nil)
	sim.call("PATCH", "/phones/"+theirs, map[string]any{"online": true})

	second.until("receipt", "s1", func(e map[string]any) bool { return e["message_ids"].([]any)[0] == "3EB0000002" })
	var inbox struct {
		Messages []struct{ ID, Text string }
	}
	must(t, json.Unmarshal(sim.call("GET", "/phones/"+theirs+"/inbox", nil), &inbox))
	if last := inbox.Messages[len(inbox.Messages)-1]; last.ID != "3EB0000002" || last.Text != "unreadable at first" {
		t.Errorf("the phone shows %+v", inbox.Messages)
	}
}

// spoilSending replaces the key of the sending chain, so that the recipient cannot read the next message.
func spoilSending(t *testing.T, s *keyStore, address string) {
	t.Helper()
	raw, err := s.GetSession(t.Context(), address)
	must(t, err)
	signal := store.SignalProtobufSerializer
	session, err := record.NewSessionFromBytes(raw, signal.Session, signal.State)
	must(t, err)
	spoiled := make([]byte, 32)
	session.SessionState().SetSenderChainKey(chain.NewKey(kdf.DeriveSecrets, spoiled, session.SessionState().SenderChainKey().Index()))
	must(t, s.PutSession(t.Context(), address, session.Serialize()))
}

func TestAPanicInTheHandlerAcknowledgesNothing(t *testing.T) {
	a := testArchive(t)
	o := startWorker(t, a, &simulation{t: t, Endpoint: "http://127.0.0.1:1"})
	s := newSession(o.worker, "s1")
	ks := newKeyStore(a, o.worker.queue, "s1", 1, tenure{fence: 1})
	device, _, err := ks.openDevice(t.Context())
	must(t, err)
	c, err := newConnection(s, &openRequest{Session: "s1", Connection: 3}, ks, device)
	must(t, err)
	c.client.Store = nil // makes the handler of a login panic

	if c.handle(&connectedForTest) {
		t.Error("a handler that panicked said yes")
	}
	if !c.over() {
		t.Error("the connection goes on after a panic")
	}
	if end := o.until("disconnected", "s1", nil); end["reason"] != "dropped" {
		t.Errorf("the reason is %v", end["reason"])
	}
}

func TestWhatWasTakenBeforeTheEndIsAcknowledgedAndNothingAfter(t *testing.T) {
	a := testArchive(t)
	o := startWorker(t, a, &simulation{t: t, Endpoint: "http://127.0.0.1:1"})
	s := newSession(o.worker, "s1")
	ks := newKeyStore(a, o.worker.queue, "s1", 1, tenure{fence: 1})
	device, _, err := ks.openDevice(t.Context())
	must(t, err)
	written := &events.Message{Message: &waE2E.Message{Conversation: proto.String("halo")}}
	var current atomic.Pointer[connection]
	o.taken = func() { current.Load().end(nil) }

	for number := range 30 {
		c, err := newConnection(s, &openRequest{Session: "s1", Connection: number}, ks, device)
		must(t, err)
		current.Store(c)
		if !c.handle(written) {
			t.Errorf("what was taken as connection %d ended was not acknowledged", number)
		}
		c.end(nil)
		if c.handle(written) {
			t.Errorf("connection %d acknowledged after its end", number)
		}
	}

	gone, cancel := context.WithCancel(t.Context())
	cancel()
	must(t, ks.ClearBufferedEventPlaintext(gone, eventHash{1}))
	if known, err := ks.GetBufferedEvent(t.Context(), eventHash{1}); err != nil || known == nil || known.Plaintext != nil {
		t.Errorf("what was taken is not known to be: %+v, %v", known, err)
	}
}

func TestAConnectionEndsOnce(t *testing.T) {
	a := testArchive(t)
	o := startWorker(t, a, &simulation{t: t, Endpoint: "http://127.0.0.1:1"})
	s := newSession(o.worker, "s1")
	ks := newKeyStore(a, o.worker.queue, "s1", 1, tenure{fence: 1})
	device, _, err := ks.openDevice(t.Context())
	must(t, err)
	c, err := newConnection(s, &openRequest{Session: "s1", Connection: 3}, ks, device)
	must(t, err)

	ks.breakWith(errFenced)
	o.until("disconnected", "s1", nil)
	c.end(&replacedEvent{})
	c.tell(&keepaliveRestoredEvent{})
	c.storeFailed(errors.New("again"))
	if c.confirmed(&messageEvent{ID: "m"}) {
		t.Error("an ended connection confirmed a message")
	}
	o.worker.tell(&qrEvent{origin: origin{"s2", 1}}) // what comes behind shows that nothing else came
	o.until("qr", "s2", nil)

	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.events) != 2 || o.events[0]["reason"] != "fenced" || o.events[0]["connection"] != int8(3) {
		t.Errorf("told was %v", o.events)
	}
}

func TestACloseEndsADialThatHangs(t *testing.T) {
	silent := silentServer(t)
	o := startWorker(t, testArchive(t), &simulation{t: t, Endpoint: "http://" + silent})
	o.worker.carryOut(&openRequest{Session: "s1", Link: 1, Fence: 1, Connection: 1})
	began := time.Now()

	o.worker.carryOut(&closeRequest{Session: "s1"})

	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("closing took %s", took)
	}
	if open := o.worker.countOpen(); open != 0 {
		t.Errorf("%d sessions are open", open)
	}
}

func TestAStoreThatWaitsIsNotAFailure(t *testing.T) {
	a := testArchive(t)
	a.patience = 300 * time.Millisecond
	attempts := 0
	err := a.patiently(t.Context(), func(context.Context) error {
		if attempts++; attempts < 3 {
			return errors.New("connection refused")
		}
		return nil
	})
	if err != nil || attempts != 3 {
		t.Errorf("%d attempts: %v", attempts, err)
	}
	if err = a.patiently(t.Context(), func(context.Context) error { return errors.New("connection refused") }); err == nil {
		t.Error("it waits for ever")
	}
	attempts = 0
	if err = a.patiently(t.Context(), func(context.Context) error { attempts++; return errFenced }); attempts != 1 || !errors.Is(err, errFenced) {
		t.Errorf("a refused fence was tried %d times: %v", attempts, err)
	}
}
