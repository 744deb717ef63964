// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"go.mau.fi/libsignal/groups"
	"go.mau.fi/libsignal/protocol"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

// This file: a message that was encrypted for other devices than there are, as WhatsApp's acknowledgement says by a hash,
// goes once more, to the devices that it missed.

const (
	missedPatience = 5 * time.Second // the session's next message waits behind this
	answerMargin   = time.Second
	hopelessChats  = 256
)

// fannedOut is a message as it left.
type fannedOut struct {
	id      string
	content *waE2E.Message
	stanza  *waBinary.Node // nil until it has left
	phash   string         // of the devices that there are, by the acknowledgement; empty: it told none
}

func (m *fannedOut) chat() types.JID { return m.stanza.AttrGetter().JID("to") }

func (m *fannedOut) inGroup() bool { return m.chat().Server == types.GroupServer }

// devices are those that it was encrypted for.
func (m *fannedOut) devices() []types.JID {
	participants := m.stanza.GetChildByTag("participants")
	var devices []types.JID
	for _, one := range participants.GetChildren() {
		devices = append(devices, one.AttrGetter().JID("jid"))
	}
	return devices
}

// fanout watches the message in flight.
type fanout struct {
	mu       sync.Mutex
	inFlight *fannedOut
	hopeless *lru[types.JID, string] // by chat: the hash that fresh lists and keys did not help against
}

func newFanout() *fanout {
	return &fanout{inFlight: &fannedOut{}, hopeless: newLRU[types.JID, string](hopelessChats)}
}

func (f *fanout) begin(id string, content *waE2E.Message) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.inFlight = &fannedOut{id: id, content: content}
}

// left takes the message in flight as it goes out; an answer to a retry receipt has no participants. The library changes
// a group's message when it answers one, so a copy is taken before anybody can ask.
func (f *fanout) left(stanza *waBinary.Node) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.inFlight
	if _, lists := stanza.GetOptionalChildByTag("participants"); !lists || m.stanza != nil || stanza.Attrs["id"] != m.id {
		return
	}
	if m.stanza = stanza; m.inGroup() {
		m.content = proto.CloneOf(m.content)
	}
}

func (f *fanout) acknowledged(ack *waBinary.Node) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if phash, told := ack.Attrs["phash"].(string); told && ack.Attrs["id"] == f.inFlight.id {
		f.inFlight.phash = phash
	}
}

// doubted returns the message in flight when WhatsApp told a hash that is not the message's own, nor one that is hopeless.
// It is in flight no longer.
func (f *fanout) doubted() *fannedOut {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.inFlight
	f.inFlight = &fannedOut{}
	if m.stanza == nil || m.phash == "" || m.stanza.Attrs["phash"] == m.phash {
		return nil
	}
	if known, _ := f.hopeless.get(m.chat()); known == m.phash {
		return nil
	}
	return m
}

func (f *fanout) giveUpOn(m *fannedOut) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hopeless.put(m.chat(), m.phash)
}

// sendToMissed lets the message that was just acknowledged go once more, under its id, to the devices that it missed. It
// counts as sent whatever comes of this.
func (c *connection) sendToMissed(ctx context.Context) {
	m := c.fanout.doubted()
	if m == nil || c.covers(m.devices(), m.phash) {
		return
	}
	ctx, cancel := context.WithDeadline(ctx, missedDeadline(ctx))
	defer cancel()
	var devices int
	err := recovered(func() (err error) {
		devices, err = c.sendAgain(ctx, m)
		return err
	})
	about := []any{"session", c.session.name, "connection", c.number, "message", m.id, "devices", devices}
	if err != nil {
		logEvent("warn", "a message could not go again to the devices that it missed", append(about, "error", err)...)
	} else if devices > 0 {
		logEvent("info", "a message went again, to the devices that it missed", about...)
	}
}

// missedDeadline leaves the send enough time to answer before its own.
func missedDeadline(ctx context.Context) time.Time {
	patience := time.Now().Add(missedPatience)
	if deadline, bounded := ctx.Deadline(); bounded {
		return earlier(patience, deadline.Add(-answerMargin))
	}
	return patience
}

func (c *connection) sendAgain(ctx context.Context, m *fannedOut) (devices int, err error) {
	current, err := c.currentDevices(ctx, m.chat(), m.phash)
	if err != nil {
		return 0, err
	}
	missed := c.missedBy(m, current)
	if !c.covers(current, m.phash) {
		c.fanout.giveUpOn(m)
	}
	if len(missed) == 0 {
		return 0, nil
	}
	stanza, devices, err := c.encryptAgain(ctx, m, missed)
	if err != nil {
		return 0, err
	}
	if devices == 0 { // nobody has keys of them
		c.fanout.giveUpOn(m)
		return 0, nil
	}
	return devices, c.sendAndWait(ctx, stanza)
}

func (c *connection) missedBy(m *fannedOut, current []types.JID) []types.JID {
	reached := map[types.JID]bool{}
	for _, device := range m.devices() {
		reached[device] = true
	}
	others, _ := c.withoutOurs(current)
	return slices.DeleteFunc(others, func(device types.JID) bool {
		hosted := device.Server == types.HostedServer || device.Server == types.HostedLIDServer
		return reached[device] || (hosted && m.inGroup()) // the library leaves those out of groups
	})
}

// encryptAgain makes the stanza for the devices that a message missed, and tells how many it could be encrypted for. In a
// group each of them gets the message itself, and the sender key for the next ones.
func (c *connection) encryptAgain(ctx context.Context, m *fannedOut, missed []types.JID) (stanza waBinary.Node, devices int, err error) {
	theirs, ours, err := c.plaintexts(ctx, m)
	if err != nil {
		return stanza, 0, err
	}
	internals := c.client.DangerousInternals()
	ctx, release := c.store.forSending(ctx)
	defer release()
	encrypted, opensSession, err := internals.EncryptMessageForDevices(ctx, missed, m.id, theirs, ours, encryptionAttrs(m.stanza))
	if err != nil {
		return stanza, 0, err
	}
	content := []waBinary.Node{{Tag: "participants", Content: encrypted}}
	if opensSession {
		content = append(content, internals.MakeDeviceIdentityNode())
	}
	for _, part := range m.stanza.GetChildren() {
		if part.Tag != "participants" && part.Tag != "device-identity" && part.Tag != "enc" {
			content = append(content, part)
		}
	}
	stanza = waBinary.Node{Tag: m.stanza.Tag, Attrs: maps.Clone(m.stanza.Attrs), Content: content}
	if m.inGroup() {
		stanza.Attrs["phash"] = m.phash
	}
	return stanza, len(encrypted), nil
}

// plaintexts are what the recipient's devices and our own other ones get; in a group all get the same.
func (c *connection) plaintexts(ctx context.Context, m *fannedOut) (theirs, ours []byte, err error) {
	if m.inGroup() {
		theirs, err = c.withSenderKey(ctx, m)
		return theirs, nil, err
	}
	if theirs, err = proto.Marshal(m.content); err != nil {
		return nil, nil, err
	}
	ours, err = proto.Marshal(&waE2E.Message{
		DeviceSentMessage:  &waE2E.DeviceSentMessage{DestinationJID: proto.String(m.chat().String()), Message: m.content},
		MessageContextInfo: m.content.GetMessageContextInfo(),
	})
	return theirs, ours, err
}

func (c *connection) withSenderKey(ctx context.Context, m *fannedOut) ([]byte, error) {
	group, own := m.chat(), c.client.DangerousInternals().GetOwnLID()
	builder := groups.NewGroupSessionBuilder(c.client.Store, store.SignalProtobufSerializer)
	key, err := builder.Create(ctx, protocol.NewSenderKeyName(group.String(), own.SignalAddress()))
	if err != nil {
		return nil, err
	}
	m.content.SenderKeyDistributionMessage = &waE2E.SenderKeyDistributionMessage{
		GroupID:                             proto.String(group.String()),
		AxolotlSenderKeyDistributionMessage: key.Serialize(),
	}
	return proto.Marshal(m.content)
}

// encryptionAttrs are what the encrypted parts of the message said of their content.
func encryptionAttrs(sent *waBinary.Node) waBinary.Attrs {
	attrs := waBinary.Attrs{}
	participants := sent.GetChildByTag("participants")
	parts := sent.GetChildrenByTag("enc")
	if named := participants.GetChildren(); len(named) > 0 {
		parts = append(parts, named[0].GetChildrenByTag("enc")...)
	}
	for _, part := range parts {
		for _, name := range []string{"mediatype", "decrypt-fail"} {
			if value, said := part.Attrs[name]; said {
				attrs[name] = value
			}
		}
	}
	return attrs
}

// sendAndWait returns once WhatsApp has acknowledged the stanza.
func (c *connection) sendAndWait(ctx context.Context, node waBinary.Node) error {
	internals := c.client.DangerousInternals()
	id, _ := node.Attrs["id"].(string)
	answer := internals.WaitResponse(id)
	if err := internals.SendNode(ctx, node); err != nil {
		internals.CancelResponse(id, answer)
		return err
	}
	select {
	case ack := <-answer:
		if ack == nil || ack.Tag != "ack" {
			return errors.New("the connection was lost")
		}
		if code := ack.AttrGetter().OptionalInt("error"); code != 0 {
			return fmt.Errorf("WhatsApp refused it: %d", code)
		}
		return nil
	case <-ctx.Done():
		internals.CancelResponse(id, answer)
		return ctx.Err()
	}
}
