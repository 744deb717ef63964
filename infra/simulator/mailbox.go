// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"encoding/json"
	"fmt"
	"slices"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// letterRecord is a stanza kept for a device until the device confirms it: a
// message by its receipt or ack, all else by its ack.
type letterRecord struct {
	Class       string `json:"class"`
	ID          string `json:"id"`
	Type        string `json:"type,omitempty"`
	From        string `json:"from"`
	Participant string `json:"participant,omitempty"`
	Frame       []byte `json:"frame"`
}

type letter struct {
	letterRecord
	key string
}

func (net *network) loadLetters() error {
	return net.book.each("letter/", func(key string, raw json.RawMessage) error {
		d, err := net.deviceOf(key)
		if err != nil {
			return err
		}
		kept := &letter{key: key}
		if err := json.Unmarshal(raw, &kept.letterRecord); err != nil {
			return err
		}
		net.sawRow(key)
		d.mailbox = append(d.mailbox, kept)
		return nil
	})
}

// deliver hands a stanza to a device: at once to a phone that is on, else by
// way of its mailbox.
func (net *network) deliver(target *device, node stanza) error {
	if node.Tag == "message" && attribute(&node, "category") == "" && net.faults.garbles(target) {
		node = garbled(node)
	}
	if target.isPhone() && target.phone.Online {
		return net.phoneReceives(target.phone, &node)
	}
	frame, err := waBinary.Marshal(node)
	if err != nil {
		return fmt.Errorf("cannot write a %s stanza: %w", node.Tag, err)
	}
	kept := &letter{
		key: fmt.Sprintf("letter/%s/%d/%s", target.phone.Number, target.ID, net.nextRow()),
		letterRecord: letterRecord{
			Class:       node.Tag,
			ID:          attribute(&node, "id"),
			Type:        attribute(&node, "type"),
			From:        attribute(&node, "from"),
			Participant: attribute(&node, "participant"),
			Frame:       frame,
		},
	}
	net.book.put(kept.key, kept.letterRecord)
	target.mailbox = append(target.mailbox, kept)
	if c := target.connection; c != nil && c.active {
		net.post(c, kept, kept.Frame)
	}
	return nil
}

func (net *network) post(c *connection, kept *letter, frame []byte) {
	copies := 1
	if kept.Class == "message" {
		net.counts.messagesOut++
		copies += net.faults.duplicates(c)
	}
	for range copies {
		net.untold = append(net.untold, telling{c, outgoing{frame: frame}})
	}
}

// lateFrame is a stanza as it comes out of the mailbox: marked, whatever the
// mark says (source: oxidezap/whatsapp-rust, wacore/src/stanza/call.rs).
func (kept *letter) lateFrame() ([]byte, error) {
	node, err := parseFrame(kept.Frame)
	if err != nil {
		return nil, err
	}
	node.Attrs["offline"] = "1"
	return waBinary.Marshal(*node)
}

// receiveActive ends the login: what waited comes first, in order.
func (net *network) receiveActive(c *connection, query *stanza) error {
	if err := net.answer(c, query); err != nil {
		return err
	}
	if err := net.tellOffline(c, "offline_preview", c.device.mailbox); err != nil {
		return err
	}
	waiting := c.device.mailbox
	c.active = true
	for _, kept := range waiting {
		frame, err := kept.lateFrame()
		if err != nil {
			return err
		}
		net.post(c, kept, frame)
	}
	if err := net.tellOffline(c, "offline", waiting); err != nil {
		return err
	}
	return net.shareStateKeyOnce(c.device)
}

func (net *network) tellOffline(c *connection, tag string, waiting []*letter) error {
	counts := attributes{"count": decimal(len(waiting)), "appdata": "0"}
	for _, class := range []string{"message", "receipt", "notification"} {
		counts[class] = decimal(countOf(waiting, class))
	}
	return net.tell(c, stanza{Tag: "ib", Attrs: attributes{"from": types.ServerJID}, Content: []stanza{{Tag: tag, Attrs: counts}}})
}

func countOf(waiting []*letter, class string) int {
	count := 0
	for _, kept := range waiting {
		if kept.Class == class {
			count++
		}
	}
	return count
}

// confirm removes the first letter that an answer names.
func (net *network) confirm(d *device, class, id, kind, from, participant string) {
	at := slices.IndexFunc(d.mailbox, func(kept *letter) bool {
		return kept.Class == class && kept.ID == id && kept.From == from && kept.Participant == participant &&
			(class == "message" || kept.Type == kind)
	})
	if at < 0 {
		return
	}
	net.book.remove(d.mailbox[at].key)
	d.mailbox = slices.Delete(d.mailbox, at, at+1)
}

func (net *network) receiveAck(c *connection, ack *stanza) {
	net.confirm(c.device, attribute(ack, "class"), attribute(ack, "id"), attribute(ack, "type"),
		attribute(ack, "to"), attribute(ack, "participant"))
}

// emptyMailbox gives a phone that is switched on what waited for it.
func (net *network) emptyMailbox(p *phone) error {
	waiting := p.primary().mailbox
	p.primary().mailbox = nil
	for _, kept := range waiting {
		net.book.remove(kept.key)
		node, err := parseFrame(kept.Frame)
		if err != nil {
			return err
		}
		if err := net.phoneReceives(p, node); err != nil {
			return err
		}
	}
	return nil
}

// Types of receipts that answer the arrival of a message.
var arrivalReceipts = map[string]bool{"": true, "inactive": true, "sender": true, "peer_msg": true, "hist_sync": true}

// receiveReceipt takes a device's receipt, acknowledges it and passes it on to
// whom it concerns.
func (net *network) receiveReceipt(c *connection, receipt *stanza) error {
	kind := attribute(receipt, "type")
	if kind == "retry" {
		net.counts.retryReceipts++
	}
	if arrivalReceipts[kind] && !net.faults.keepsMail(c) {
		for _, id := range idsOf(receipt) {
			net.confirm(c.device, "message", id, "", attribute(receipt, "to"), attribute(receipt, "participant"))
		}
	}
	ack := attributes{"class": "receipt", "id": attribute(receipt, "id"), "from": jidAttribute(receipt, "to")}
	copyAttributes(receipt, ack, "type", "participant")
	if err := net.tell(c, stanza{Tag: "ack", Attrs: ack}); err != nil {
		return err
	}
	return net.forwardReceipt(c.device, receipt)
}

// idsOf are the messages that a receipt is about: those after the first one
// stand in a list.
func idsOf(receipt *stanza) []string {
	ids := []string{attribute(receipt, "id")}
	for _, item := range childrenOf(receipt, "list") {
		ids = append(ids, attribute(&item, "id"))
	}
	return ids
}

// forwardReceipt passes a receipt of one device on. Delivery and retry concern
// the device that sent the message, reading all devices of its owner.
func (net *network) forwardReceipt(author *device, receipt *stanza) error {
	to, about := jidAttribute(receipt, "to"), jidAttribute(receipt, "to")
	passed := attributes{"id": attribute(receipt, "id"), "t": unixSeconds(now())}
	copyAttributes(receipt, passed, "type", "recipient")
	if to.Server == types.GroupServer {
		about = jidAttribute(receipt, "participant")
		passed["from"], passed["participant"] = to, author.lid()
	} else {
		passed["from"] = author.jid(to.Server)
	}
	for _, target := range net.concerned(author, about, attribute(receipt, "type")) {
		node := stanza{Tag: "receipt", Attrs: passed, Content: receipt.Content}
		if err := net.deliver(target, node); err != nil {
			return err
		}
	}
	return nil
}

func (net *network) concerned(author *device, about types.JID, kind string) []*device {
	switch kind {
	case "", "inactive", "retry":
		if target := net.find(about); target != nil && target != author {
			return []*device{target}
		}
	case "read", "played":
		if p := net.account(about); p != nil && p != author.phone {
			return p.allDevices()
		}
	}
	return nil
}
