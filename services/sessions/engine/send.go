// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"slices"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"
)

const (
	// After a reconnect the library waits for an ack without limit, whatever its time-out says: hence both.
	sendDeadline = 25 * time.Second
	sendTimeout  = 20 * time.Second
	// A send that runs this long hangs for good; only the end of its connection ends it.
	sendHangs = 100 * time.Second
	// One recipient whom WhatsApp does not answer for holds the session's other messages up no longer.
	lookUpPatience  = 8 * time.Second
	preparePatience = 12 * time.Second
)

// delivery is one message id in flight; a second request for it waits for the same answer.
type delivery struct {
	done  chan struct{}
	reply told
}

func (s *session) send(r *sendRequest) told {
	limit := time.Until(time.UnixMilli(r.DeadlineMS))
	if limit <= 0 {
		return &unknownReply{Reason: "the deadline had passed before the message was handed over"}
	}
	ctx, cancel := context.WithTimeout(s.worker.ctx, min(limit, sendDeadline))
	defer cancel()
	d := s.deliveryOf(r)
	select {
	case <-d.done:
		return ownCopy(d.reply)
	case <-ctx.Done():
		return &unknownReply{Reason: "WhatsApp's answer did not come in time"}
	}
}

// deliveryOf joins the delivery of this message id, or begins it.
func (s *session) deliveryOf(r *sendRequest) *delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	if running, ok := s.sends[r.MessageID]; ok {
		return running
	}
	d := &delivery{done: make(chan struct{}), reply: &unknownReply{Reason: "the worker failed unexpectedly"}}
	s.sends[r.MessageID] = d
	go func() {
		_ = recovered(func() error { d.reply = s.deliver(r); return nil })
		s.mu.Lock()
		delete(s.sends, r.MessageID)
		s.mu.Unlock()
		close(d.done)
	}()
	return d
}

func (s *session) deliver(r *sendRequest) told {
	c, failed := s.online()
	if failed != nil {
		return &notSentReply{Reason: failed.Code, Message: failed.Message}
	}
	to, err := types.ParseJID(r.To)
	if err != nil || !sendable(to) || r.MessageID == "" {
		return &notSentReply{Reason: "recipient", Message: "the recipient must be a JID of a person or a group"}
	}
	ctx, cancel := context.WithDeadline(c.ctx, earlier(time.Now().Add(sendDeadline), time.UnixMilli(r.DeadlineMS)))
	defer cancel()
	message, refused := s.compose(ctx, c, r, to, firstUploadWait)
	if refused != nil {
		return refused
	}
	select { // one message in flight
	case <-s.slot:
		defer func() { s.slot <- struct{}{} }()
	case <-ctx.Done():
		return &notSentReply{Reason: "busy", Message: "the message before this one is still in flight"}
	}
	own, refused := c.recipient(ctx, to, r.KnownOnly)
	if refused != nil {
		return refused
	}
	reply := namingOwn(c.handOver(ctx, r.MessageID, own, message), to, own)
	if message.again == nil || !mayBeTheUpload(reply) {
		return reply
	}
	message.again() // WhatsApp does not say what it refused: what was uploaded earlier is uploaded anew, once
	if message, refused = s.compose(ctx, c, r, to, sendDeadline); refused != nil {
		return reply
	}
	return namingOwn(c.handOver(ctx, r.MessageID, own, message), to, own)
}

// Codes that say why a message was refused, and that it was not for its medium: the number may not write to that contact,
// or not now, or not at all.
var notTheUpload = map[int]bool{401: true, 403: true, 429: true, 463: true}

func mayBeTheUpload(reply told) bool {
	refused, nacked := reply.(*refusedReply)
	return nacked && !notTheUpload[refused.Code]
}

func sendable(to types.JID) bool {
	return to.User != "" && to.Device == 0 &&
		(to.Server == types.DefaultUserServer || to.Server == types.HiddenUserServer || to.Server == types.GroupServer)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// recipient finds out whether a person can be sent to, and under which own number, asking WhatsApp about one who is new
// unless knownOnly forbids it.
func (c *connection) recipient(ctx context.Context, to types.JID, knownOnly bool) (types.JID, told) {
	if to.Server != types.DefaultUserServer {
		return to, nil
	}
	lid, err := c.store.GetLIDForPN(ctx, to)
	switch {
	case err != nil:
		return to, c.notReached(err)
	case !lid.IsEmpty():
		own, err := c.ownNumber(ctx, to)
		if err != nil {
			return to, c.notReached(err)
		}
		return own, nil
	case knownOnly:
		return to, &notSentReply{Reason: "unasked", Message: "that number is new, and WhatsApp is asked about no new numbers now"}
	}
	ctx, cancel := context.WithTimeout(ctx, lookUpPatience)
	defer cancel()
	own, refused := c.reachable(ctx, to)
	if refused == nil {
		refused = c.addressable(ctx, own)
	}
	return own, refused
}

// addressable makes sure that the number's LID is known: messages are addressed by it, and the library has only a text
// for a number without one.
func (c *connection) addressable(ctx context.Context, to types.JID) told {
	if lid, err := c.store.GetLIDForPN(ctx, to); err != nil {
		return c.notReached(err)
	} else if !lid.IsEmpty() {
		return nil
	}
	people, err := c.client.GetUserInfo(ctx, []types.JID{to})
	if err != nil {
		return c.notReached(err)
	}
	if people[to].LID.IsEmpty() {
		return &notSentReply{Reason: "not_on_whatsapp", Message: "that number is not on WhatsApp"}
	}
	return nil
}

// reachable asks whether a new number is on WhatsApp, and under which own number: the library's answer is only a text.
func (c *connection) reachable(ctx context.Context, to types.JID) (types.JID, told) {
	found, err := c.whoIsOnWhatsApp(ctx, []string{to.User})
	if err != nil {
		return to, c.notReached(err)
	}
	own, registered := found[to.User]
	if !registered {
		return to, &notSentReply{Reason: "not_on_whatsapp", Message: "that number is not on WhatsApp"}
	}
	return own, nil
}

// notReached says why the question before a send failed: nothing has left yet.
func (c *connection) notReached(err error) told {
	return notLeft(err, c.store.broken() != nil, c.ctx.Err() != nil)
}

// handOver gives the message to the library and waits for the server's answer.
func (c *connection) handOver(ctx context.Context, id string, to types.JID, message *outgoing) told {
	c.work.begin()
	defer c.work.finish()
	hanging := time.AfterFunc(sendHangs, func() { c.end(&disconnectedEvent{Reason: "dropped"}) })
	defer hanging.Stop()
	sending, giveUp := context.WithCancel(ctx)
	defer giveUp()
	c.stanzas.begin(id, giveUp)
	defer c.stanzas.end(id)
	preparing := time.AfterFunc(preparePatience, func() {
		if isPerson(to) && !c.stanzas.mayHaveLeft(id) { // the keys of a large group take their time
			giveUp()
		}
	})
	defer preparing.Stop()
	sendCtx, release := c.store.forSending(sending)
	defer release()
	c.fanout.begin(id, message.message)
	response, err := c.client.SendMessage(sendCtx, to, message.message, whatsmeow.SendRequestExtra{ID: id, Timeout: sendTimeout})
	if err != nil {
		logEvent("warn", "a message was not acknowledged", "session", c.session.name, "connection", c.number, "message", id, "error", err)
		return c.outcomeOf(id, response.Timestamp, err)
	}
	release()
	if !c.reached(id, to) {
		logEvent("warn", "a message left for no device of its recipient", "session", c.session.name, "message", id)
		return c.unreached(ctx, to)
	}
	c.sendToMissed(ctx)
	return c.outcomeOf(id, response.Timestamp, err)
}

// reached tells whether a message to a person left for one of the person's devices.
func (c *connection) reached(id string, to types.JID) bool {
	us := []string{c.client.Store.GetJID().User, c.client.Store.GetLID().User}
	return !isPerson(to) || slices.Contains(us, to.User) || c.stanzas.reaches(id, us...)
}

// unreached says why a message was for nobody: the library leaves out devices whose keys it does not get.
func (c *connection) unreached(ctx context.Context, to types.JID) told {
	if devices, err := c.client.GetUserDevices(ctx, []types.JID{to}); err == nil && len(devices) == 0 {
		return &notSentReply{Reason: "not_on_whatsapp", Message: "the recipient has no device"}
	}
	return &unknownReply{Reason: "WhatsApp gave no keys of the recipient's devices"}
}

// outcomeOf names what came of a message, by whether its stanza was given to the socket.
func (c *connection) outcomeOf(id string, at time.Time, err error) told {
	storeBroken := c.store.broken() != nil
	if received, proven := c.stanzas.receiptOf(id); proven && !answered(err) {
		return &sentReply{AtMS: momentOf(received)}
	}
	if c.stanzas.mayHaveLeft(id) {
		return outcome(at, err, storeBroken)
	}
	if answered(err) {
		logEvent("error", "the library sent a message unseen", "session", c.session.name, "message", id)
		c.stanzas.missed()
		return outcome(at, err, storeBroken)
	}
	return notLeft(err, storeBroken, c.ctx.Err() != nil)
}
