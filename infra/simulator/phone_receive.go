// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"go.mau.fi/libsignal/groups"
	"go.mau.fi/libsignal/protocol"
	"go.mau.fi/libsignal/session"
	"go.mau.fi/libsignal/signalerror"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

const mostRetries = 5

var (
	background = context.Background()
	serializer = store.SignalProtobufSerializer
)

// shownMessage is one WhatsApp id as a phone knows it, and what it shows of it.
// It stays when the inbox is emptied: a repeat must not be shown again.
type shownMessage struct {
	key     string
	arrival string
	messageRecord
}

type messageRecord struct {
	inboxRow
	Source    arrivalSource `json:"source"`
	Shown     bool          `json:"shown,omitempty"`  // decrypted once
	Hidden    bool          `json:"hidden,omitempty"` // no inbox row: emptied, or nothing to show
	Delivered bool          `json:"delivered,omitempty"`
	Read      bool          `json:"read,omitempty"`
	Played    bool          `json:"played,omitempty"`
	Poll      *poll         `json:"poll,omitempty"`
}

// arrivalSource is where receipts for a message go.
type arrivalSource struct {
	From        string `json:"from"`
	Participant string `json:"participant,omitempty"`
}

// inboxRow is a row of GET /phones/{number}/inbox.
type inboxRow struct {
	ID     string    `json:"id"`
	From   string    `json:"from"`
	Chat   string    `json:"chat"`
	FromMe bool      `json:"fromMe,omitempty"`
	At     time.Time `json:"at"`
	Copies int       `json:"copies"`
	shownContent
}

func signalAddress(d *device) *protocol.SignalAddress {
	return protocol.NewSignalAddress(d.phone.LID, uint32(d.ID))
}

func (net *network) loadMessages() error {
	if err := net.loadSent(); err != nil {
		return err
	}
	return net.book.each("message/", func(key string, raw json.RawMessage) error {
		p, err := net.ownerOf(key)
		if err != nil {
			return err
		}
		known := &shownMessage{key: key}
		if err := json.Unmarshal(raw, &known.messageRecord); err != nil {
			return err
		}
		net.sawRow(key)
		known.arrival = arrivalKey(known.From, known.ID)
		p.arrivals[known.arrival] = known
		p.messages = append(p.messages, known)
		return nil
	})
}

func arrivalKey(from, id string) string { return from + "/" + id }

// phoneReceives is a stanza's arrival at a phone that is on.
func (net *network) phoneReceives(p *phone, node *stanza) error {
	switch node.Tag {
	case "message":
		return net.phoneTakesMessage(p, node)
	case "receipt":
		return net.phoneTakesReceipt(p, node)
	}
	return nil
}

func (net *network) phoneTakesMessage(p *phone, message *stanza) error {
	source := jidAttribute(message, "participant")
	if source.IsEmpty() {
		source = jidAttribute(message, "from")
	}
	sender := net.find(source)
	if sender == nil {
		return nil // unlinked while its message was on the way
	}
	plain, err := net.decrypt(p, sender, message)
	if attribute(message, "category") == "peer" {
		return net.phoneTakesPeerMessage(p, sender, plain)
	}
	known := net.recordArrival(p, sender, message)
	switch {
	case err == nil && !known.Shown:
		net.show(p, known, message, plain)
	case err != nil && !known.Shown:
		net.counts.undecryptable++
		net.book.put(known.key, known.messageRecord)
		return net.askAgain(p, sender, message, errors.Is(err, signalerror.ErrNoSessionForUser))
	}
	net.book.put(known.key, known.messageRecord)
	if known.FromMe {
		return nil
	}
	return net.confirmArrival(p, known)
}

// recordArrival counts a copy; the first one makes the row.
func (net *network) recordArrival(p *phone, sender *device, message *stanza) *shownMessage {
	id := attribute(message, "id")
	arrival := arrivalKey(sender.phone.Number, id)
	known := p.arrivals[arrival]
	if known == nil {
		known = &shownMessage{
			key:     fmt.Sprintf("message/%s/%s", p.Number, net.nextRow()),
			arrival: arrival,
			messageRecord: messageRecord{
				inboxRow: inboxRow{ID: id, From: sender.phone.Number, FromMe: sender.phone == p},
				Hidden:   true,
			},
		}
		p.arrivals[arrival] = known
		p.messages = append(p.messages, known)
	}
	known.Copies++
	known.Source = arrivalSource{From: attribute(message, "from"), Participant: attribute(message, "participant")}
	return known
}

// show fills the row of a message that was opened for the first time.
func (net *network) show(p *phone, known *shownMessage, message *stanza, plain *waE2E.Message) {
	known.Chat = net.chatOf(p, known, message, plain)
	known.At = now().UTC()
	outer := plain
	if sentByOwn := plain.GetDeviceSentMessage(); sentByOwn != nil {
		plain = sentByOwn.GetMessage()
	}
	shown, visible := describe(plain)
	shown = net.withContext(net.withMedia(shown, plain), plain)
	known.shownContent = net.withVote(shown, p, net.phones[known.From], plain)
	known.Poll = keptPoll(plain, outer)
	known.Shown, known.Hidden = true, !visible
	net.moveToEnd(p, known)
	net.log.Info("phone shows a message", "phone", masked(p.Number), "type", known.Type)
}

// moveToEnd keeps the inbox in the order of showing: a message that had to be
// asked for again is shown when it could be opened.
func (net *network) moveToEnd(p *phone, known *shownMessage) {
	if p.messages[len(p.messages)-1] == known {
		return
	}
	for at, one := range p.messages {
		if one == known {
			p.messages = append(p.messages[:at], p.messages[at+1:]...)
			break
		}
	}
	net.book.remove(known.key)
	known.key = fmt.Sprintf("message/%s/%s", p.Number, net.nextRow())
	p.messages = append(p.messages, known)
}

func (net *network) chatOf(p *phone, known *shownMessage, message *stanza, plain *waE2E.Message) string {
	if from := jidAttribute(message, "from"); from.Server == types.GroupServer {
		return from.String()
	}
	if sentByOwn := plain.GetDeviceSentMessage(); sentByOwn != nil {
		if chat, err := types.ParseJID(sentByOwn.GetDestinationJID()); err == nil {
			return net.numberOf(chat)
		}
	}
	return known.From
}

// decrypt opens every part of a message; the last one that is no sender key is
// its content.
func (net *network) decrypt(p *phone, sender *device, message *stanza) (*waE2E.Message, error) {
	var opened *waE2E.Message
	chat := jidAttribute(message, "from").String()
	for _, part := range message.GetChildrenByTag("enc") {
		plaintext, err := decryptPart(p, sender, chat, &part)
		if err != nil {
			return nil, err
		}
		plaintext, err = unpadded(plaintext)
		if err != nil {
			return nil, err
		}
		var plain waE2E.Message
		if err := proto.Unmarshal(plaintext, &plain); err != nil {
			return nil, err
		}
		if key := plain.GetSenderKeyDistributionMessage(); key != nil {
			if err := takeSenderKey(p, sender, chat, key.GetAxolotlSenderKeyDistributionMessage()); err != nil {
				return nil, err
			}
		}
		opened = &plain
	}
	if opened == nil {
		return nil, errors.New("a message without content")
	}
	return opened, nil
}

func decryptPart(p *phone, sender *device, chat string, part *stanza) ([]byte, error) {
	address := signalAddress(sender)
	cipher := session.NewCipher(session.NewBuilderFromSignal(p.signal, address, serializer), address)
	switch attribute(part, "type") {
	case "pkmsg":
		sealed, err := protocol.NewPreKeySignalMessageFromBytes(content(*part), serializer.PreKeySignalMessage, serializer.SignalMessage)
		if err != nil {
			return nil, err
		}
		return cipher.DecryptMessage(background, sealed)
	case "msg":
		sealed, err := protocol.NewSignalMessageFromBytes(content(*part), serializer.SignalMessage)
		if err != nil {
			return nil, err
		}
		return cipher.Decrypt(background, sealed)
	case "skmsg":
		sealed, err := protocol.NewSenderKeyMessageFromBytes(content(*part), serializer.SenderKeyMessage)
		if err != nil {
			return nil, err
		}
		name := protocol.NewSenderKeyName(chat, address)
		return groups.NewGroupCipher(groups.NewGroupSessionBuilder(p.signal, serializer), name, p.signal).Decrypt(background, sealed)
	default:
		return nil, fmt.Errorf("an unknown kind of encryption: %s", attribute(part, "type"))
	}
}

func takeSenderKey(p *phone, sender *device, chat string, raw []byte) error {
	key, err := protocol.NewSenderKeyDistributionMessageFromBytes(raw, serializer.SenderKeyDistributionMessage)
	if err != nil {
		return err
	}
	name := protocol.NewSenderKeyName(chat, signalAddress(sender))
	return groups.NewGroupSessionBuilder(p.signal, serializer).Process(background, name, key)
}

// askAgain sends a retry receipt, with fresh keys when there is no session or
// the first request did not help.
func (net *network) askAgain(p *phone, sender *device, message *stanza, noSession bool) error {
	attempt := 1
	for _, part := range message.GetChildrenByTag("enc") {
		if count, err := strconv.Atoi(attribute(&part, "count")); err == nil {
			attempt = max(attempt, count+1)
		}
	}
	if attempt > mostRetries {
		net.log.Warn("phone gives up on a message that it cannot decrypt", "phone", masked(p.Number))
		return nil
	}
	id := attribute(message, "id")
	parts := []stanza{
		{Tag: "retry", Attrs: attributes{"count": decimal(attempt), "id": id, "t": attribute(message, "t"), "v": "1"}},
		{Tag: "registration", Content: bigEndian(p.Registration, 4)},
	}
	if attempt > 1 || noSession {
		fresh, err := net.takePhoneBundle(p)
		if err != nil {
			return err
		}
		parts = append(parts, stanza{Tag: "keys", Content: fresh.keyNodes()})
	}
	net.log.Warn("phone cannot decrypt a message and asks again", "phone", masked(p.Number), "device", sender.ID, "attempt", attempt)
	attrs := attributes{"to": jidAttribute(message, "from"), "id": id, "type": "retry"}
	copyAttributes(message, attrs, "participant", "recipient")
	return net.forwardReceipt(p.primary(), &stanza{Tag: "receipt", Attrs: attrs, Content: parts})
}

// confirmArrival sends the delivery receipt, again for every copy: the first
// one may be what got lost. Reading follows if this person reads.
func (net *network) confirmArrival(p *phone, known *shownMessage) error {
	net.readLater(p, known)
	if !p.Deliver {
		return nil
	}
	known.Delivered = true
	net.book.put(known.key, known.messageRecord)
	return net.sendReceipt(p, known, "")
}

func (net *network) sendReceipt(p *phone, known *shownMessage, kind string) error {
	to, err := types.ParseJID(known.Source.From)
	if err != nil {
		return err
	}
	attrs := attributes{"to": to, "id": known.ID}
	if kind != "" {
		attrs["type"] = kind
	}
	if known.Source.Participant != "" {
		participant, err := types.ParseJID(known.Source.Participant)
		if err != nil {
			return err
		}
		attrs["participant"] = participant
	}
	return net.forwardReceipt(p.primary(), &stanza{Tag: "receipt", Attrs: attrs})
}
