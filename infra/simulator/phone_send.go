// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"go.mau.fi/libsignal/groups"
	"go.mau.fi/libsignal/protocol"
	"go.mau.fi/libsignal/session"
	"go.mau.fi/util/random"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

// sentMessage is what a person wrote: kept to answer retry receipts, and to
// tell how far it came.
type sentMessage struct {
	ID     string    `json:"id"`
	To     string    `json:"to"`
	At     time.Time `json:"at"`
	Status string    `json:"status"` // sent, delivered, read, played
	Plain  []byte    `json:"plain"`
}

var statusRank = map[string]int{"sent": 0, "delivered": 1, "read": 2, "played": 3}

func sentKey(p *phone, id string) string { return fmt.Sprintf("sent/%s/%s", p.Number, id) }

func (net *network) loadSent() error {
	return net.book.each("sent/", func(key string, raw json.RawMessage) error {
		p, err := net.ownerOf(key)
		if err != nil {
			return err
		}
		var one sentMessage
		if err := json.Unmarshal(raw, &one); err != nil {
			return err
		}
		p.sent[one.ID] = &one
		return nil
	})
}

// newMessageID is one as phones make them.
func newMessageID() string { return "3A" + strings.ToUpper(hex.EncodeToString(random.Bytes(9))) }

// send writes a message from a phone to a person or a group.
func (net *network) send(p *phone, to types.JID, message *waE2E.Message) (string, error) {
	plain, err := proto.Marshal(message)
	if err != nil {
		return "", err
	}
	written := &sentMessage{
		ID:     newMessageID(),
		To:     to.String(),
		At:     now().UTC(),
		Status: "sent",
		Plain:  plain,
	}
	p.sent[written.ID] = written
	net.book.put(sentKey(p, written.ID), written)
	if to.Server == types.GroupServer {
		return written.ID, net.sendToGroup(p, to, written, message)
	}
	targets := p.allDevices()
	if recipient := net.account(to); recipient != p {
		targets = append(recipient.allDevices(), targets...)
	}
	for _, target := range targets {
		if target == p.primary() {
			continue
		}
		if err := net.sendTo(p, target, to, written.ID, message); err != nil {
			return written.ID, err
		}
	}
	return written.ID, nil
}

// sendTo encrypts for one device and delivers.
func (net *network) sendTo(p *phone, target *device, to types.JID, id string, message *waE2E.Message) error {
	if target.phone == p {
		message = forOwnDevice(to, message)
	}
	plain, err := proto.Marshal(message)
	if err != nil {
		return err
	}
	sealed, err := net.encrypt(p, target, plain)
	if err != nil {
		return err
	}
	return net.deliver(target, net.stanzaFor(p, target, to, id, message, []stanza{sealed}))
}

// forOwnDevice tells an own device what this one sent, and to whom.
func forOwnDevice(to types.JID, message *waE2E.Message) *waE2E.Message {
	return &waE2E.Message{
		DeviceSentMessage:  &waE2E.DeviceSentMessage{DestinationJID: proto.String(to.String()), Message: message},
		MessageContextInfo: message.GetMessageContextInfo(), // a poll's secret is looked for here
	}
}

// stanzaFor is a phone's message as one device gets it: the phone names itself
// by LID, or by number when its addressing says so.
func (net *network) stanzaFor(p *phone, target *device, to types.JID, id string, message *waE2E.Message, parts []stanza) stanza {
	me := p.primary()
	attrs := attributes{"id": id, "type": typeOf(message), "t": unixSeconds(now()), "notify": p.Name}
	edit := editOf(message)
	if edit != types.EditAttributeEmpty {
		attrs["edit"] = string(edit)
	}
	if edit != types.EditAttributeEmpty || typeOf(message) == "reaction" || unwrapped(message).GetPollUpdateMessage() != nil {
		for at := range parts { // nobody is told when one of these does not open
			parts[at].Attrs["decrypt-fail"] = "hide"
		}
	}
	switch {
	case to.Server == types.GroupServer:
		attrs["from"], attrs["participant"] = to, me.lid()
		attrs["addressing_mode"] = byLID
		nameNumber(attrs, "participant_pn", p)
	case target.phone == p:
		attrs["from"], attrs["recipient"] = me.jid(to.Server), to
		if to.Server == types.HiddenUserServer {
			nameNumber(attrs, "peer_recipient_pn", net.account(to))
		}
	case p.Addressing == byNumber && !p.HideNumber:
		attrs["from"], attrs["sender_lid"] = me.number(), me.lid()
	default:
		attrs["from"] = me.lid()
		nameNumber(attrs, "sender_pn", p)
	}
	return stanza{Tag: "message", Attrs: attrs, Content: parts}
}

// encrypt opens a session with the device when there is none. A phone that
// reuses keys has the session afterwards as it was before.
func (net *network) encrypt(p *phone, target *device, plain []byte) (stanza, error) {
	if err := net.ensureSession(p, target); err != nil {
		return stanza{}, fmt.Errorf("no session with a device: %w", err)
	}
	address := signalAddress(target)
	before, err := p.signal.Sessions.GetSession(background, address.String())
	if err != nil {
		return stanza{}, err
	}
	builder := session.NewBuilderFromSignal(p.signal, address, serializer)
	sealed, err := session.NewCipher(builder, address).Encrypt(background, padded(plain))
	if err != nil {
		return stanza{}, err
	}
	if net.faults.forgetsKey(p, target) {
		net.signalRowsOf(p).rollBack(address, before)
	}
	kind := "msg"
	if sealed.Type() == protocol.PREKEY_TYPE {
		kind = "pkmsg"
	}
	return stanza{Tag: "enc", Attrs: attributes{"v": "2", "type": kind}, Content: sealed.Serialize()}, nil
}

func (net *network) ensureSession(p *phone, target *device) error {
	open, err := p.signal.ContainsSession(background, signalAddress(target))
	if err != nil || open {
		return err
	}
	taken, err := net.takeBundle(target)
	if err != nil {
		return err
	}
	return openSession(p, target, taken)
}

func openSession(p *phone, target *device, keys bundle) error {
	forSignal, err := keys.forSignal(target.ID)
	if err != nil {
		return err
	}
	return session.NewBuilderFromSignal(p.signal, signalAddress(target), serializer).ProcessBundle(background, forSignal)
}

// sendToGroup encrypts once with the phone's sender key, and gives that key to
// every device along with the message.
func (net *network) sendToGroup(p *phone, to types.JID, written *sentMessage, message *waE2E.Message) error {
	key, sealed, err := encryptForGroup(p, to, written.Plain)
	if err != nil {
		return err
	}
	for _, target := range net.groupDevices(to) {
		if target == p.primary() {
			continue
		}
		withKey, err := net.encrypt(p, target, key)
		if err != nil {
			return err
		}
		node := net.stanzaFor(p, target, to, written.ID, message, []stanza{withKey, sealed})
		if err := net.deliver(target, node); err != nil {
			return err
		}
	}
	return nil
}

func encryptForGroup(p *phone, to types.JID, plain []byte) (keyMessage []byte, sealed stanza, err error) {
	builder := groups.NewGroupSessionBuilder(p.signal, serializer)
	name := protocol.NewSenderKeyName(to.String(), signalAddress(p.primary()))
	key, err := builder.Create(background, name)
	if err != nil {
		return nil, stanza{}, err
	}
	keyMessage, err = proto.Marshal(&waE2E.Message{SenderKeyDistributionMessage: &waE2E.SenderKeyDistributionMessage{
		GroupID:                             proto.String(to.String()),
		AxolotlSenderKeyDistributionMessage: key.Serialize(),
	}})
	if err != nil {
		return nil, stanza{}, err
	}
	ciphertext, err := groups.NewGroupCipher(builder, name, p.signal).Encrypt(background, padded(plain))
	if err != nil {
		return nil, stanza{}, err
	}
	return keyMessage, stanza{Tag: "enc", Attrs: attributes{"v": "2", "type": "skmsg"}, Content: ciphertext.SignedSerialize()}, nil
}

// phoneTakesReceipt raises the status of what the person wrote, or answers a
// device that could not decrypt it.
func (net *network) phoneTakesReceipt(p *phone, receipt *stanza) error {
	if attribute(receipt, "type") == "retry" {
		return net.sendAgain(p, receipt)
	}
	status := "delivered"
	if kind := attribute(receipt, "type"); kind == "read" || kind == "played" {
		status = kind
	}
	for _, id := range idsOf(receipt) {
		if written := p.sent[id]; written != nil && statusRank[status] > statusRank[written.Status] {
			written.Status = status
			net.book.put(sentKey(p, id), written)
		}
	}
	return nil
}

// sendAgain encrypts anew for the device that asked, with the keys it sent.
func (net *network) sendAgain(p *phone, receipt *stanza) error {
	asker := jidAttribute(receipt, "participant")
	if asker.IsEmpty() {
		asker = jidAttribute(receipt, "from")
	}
	target, written := net.find(asker), p.sent[attribute(receipt, "id")]
	if target == nil || written == nil {
		return nil
	}
	if fresh, carried := bundleFrom(receipt); carried {
		if err := openSession(p, target, fresh); err != nil {
			return err
		}
	}
	to, err := types.ParseJID(written.To)
	if err != nil {
		return err
	}
	node, err := net.repeatFor(p, target, to, written)
	if err != nil {
		return err
	}
	count := receipt.GetChildByTag("retry")
	parts := node.GetChildren()
	for at := range parts {
		parts[at].Attrs["count"] = attribute(&count, "count")
	}
	return net.deliver(target, node)
}

func (net *network) repeatFor(p *phone, target *device, to types.JID, written *sentMessage) (stanza, error) {
	message := &waE2E.Message{}
	if err := proto.Unmarshal(written.Plain, message); err != nil {
		return stanza{}, err
	}
	if target.phone == p && to.Server != types.GroupServer {
		message = forOwnDevice(to, message)
	}
	plain, err := proto.Marshal(message)
	if err != nil {
		return stanza{}, err
	}
	sealed, err := net.encrypt(p, target, plain)
	return net.stanzaFor(p, target, to, written.ID, message, []stanza{sealed}), err
}
