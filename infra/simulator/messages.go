// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"go.mau.fi/whatsmeow/types"
)

// nackNotAMember refuses what somebody outside writes to a group. The code is a
// guess: nobody here has seen WhatsApp's.
const nackNotAMember = 403

// envelope is what one device gets of a message, and the name it was given.
type envelope struct {
	target    *device
	addressed types.JID
	encrypted []stanza
}

// receiveMessage passes a client's message on and acknowledges it. The same id
// may come again: it is passed on and acknowledged again, and the phone that
// shows it counts the copies.
func (net *network) receiveMessage(c *connection, message *stanza) error {
	net.counts.messagesIn++
	to := jidAttribute(message, "to")
	if code := net.faults.nack(c, net.numberOf(to)); code != 0 {
		return net.acknowledge(c, message, attributes{"error": decimal(code)})
	}
	if net.outOfReach(c, to) {
		return net.acknowledge(c, message, attributes{"error": decimal(codeTimelocked)})
	}
	if g := net.groups[to.User]; to.Server == types.GroupServer && (g == nil || !g.has(c.phone.Number)) {
		return net.acknowledge(c, message, attributes{"error": decimal(nackNotAMember)})
	}
	for _, one := range net.envelopes(c.device, message) {
		if err := net.deliver(one.target, messageFor(c.device, one, message)); err != nil {
			return err
		}
	}
	if net.faults.withholdsAck(c, net.numberOf(to)) {
		return nil
	}
	return net.acknowledge(c, message, net.deviceHash(c.device, message))
}

func (net *network) acknowledge(c *connection, message *stanza, extra attributes) error {
	ack := attributes{"class": "message", "id": attribute(message, "id"), "from": jidAttribute(message, "to"), "t": unixSeconds(now())}
	for name, value := range extra {
		ack[name] = value
	}
	return net.tell(c, stanza{Tag: "ack", Attrs: ack})
}

// numberOf is the number behind a person's JID, or the name of a group.
func (net *network) numberOf(jid types.JID) string {
	if p := net.account(jid); p != nil {
		return p.Number
	}
	return jid.User
}

// envelopes sorts a message by the devices that get it. Devices that are not
// linked any more are left out. What is shared in a group goes to every device
// of it: the list names those that lack the sender key, and a client leaves it
// out when none does (sources: WhiskeySockets/Baileys, relayMessage;
// oxidezap/whatsapp-rust, wacore/src/send). A participant is the one device
// whose retry receipt is answered.
func (net *network) envelopes(sender *device, message *stanza) []envelope {
	to := jidAttribute(message, "to")
	shared := message.GetChildrenByTag("enc")
	participants, listed := message.GetOptionalChildByTag("participants")
	var found []envelope
	group := net.groups[to.User]
	add := func(jid types.JID, encrypted []stanza) {
		d := net.find(jid)
		if to.Server == types.GroupServer && d != nil && !group.has(d.phone.Number) {
			return // left meanwhile
		}
		if d != nil && d != sender && len(encrypted) > 0 {
			found = append(found, envelope{d, jid, encrypted})
		}
	}
	switch {
	case to.Server == types.GroupServer && attribute(message, "participant") != "":
		add(jidAttribute(message, "participant"), shared)
	case to.Server != types.GroupServer && !listed:
		add(to, shared)
	default:
		named := map[*device]bool{}
		for _, one := range participants.GetChildren() {
			jid := jidAttribute(&one, "jid")
			if !named[net.find(jid)] { // the library names an own device twice in a chat with oneself
				add(jid, append(one.GetChildrenByTag("enc"), shared...))
			}
			named[net.find(jid)] = true
		}
		if to.Server == types.GroupServer {
			for _, member := range net.groupDevices(to) {
				if !named[member] {
					add(member.lid(), shared)
				}
			}
		}
	}
	return found
}

// messageFor is the stanza as one device gets it.
func messageFor(sender *device, one envelope, message *stanza) stanza {
	to := jidAttribute(message, "to")
	attrs := attributes{"id": attribute(message, "id"), "t": unixSeconds(now()), "notify": sender.phone.Name}
	copyAttributes(message, attrs, "type", "edit", "category")
	switch {
	case to.Server == types.GroupServer:
		attrs["from"], attrs["participant"] = to, sender.lid()
		attrs["addressing_mode"] = byLID
		nameNumber(attrs, "participant_pn", sender.phone)
	case one.target.phone == sender.phone:
		attrs["from"] = sender.jid(one.addressed.Server)
		copyAttributes(message, attrs, "recipient", "peer_recipient_pn")
		if _, named := attrs["recipient"]; !named && to.Device == 0 && attrs["category"] == nil {
			attrs["recipient"] = to
		}
	case one.addressed.Server == types.HiddenUserServer:
		attrs["from"] = sender.lid()
		nameNumber(attrs, "sender_pn", sender.phone)
	default:
		attrs["from"], attrs["sender_lid"] = sender.number(), sender.phone.primary().lid()
	}
	parts := append([]stanza(nil), one.encrypted...)
	if opensSession(one.encrypted) && sender.SignedIdentity != nil {
		parts = append(parts, stanza{Tag: "device-identity", Content: sender.SignedIdentity})
	}
	return stanza{Tag: "message", Attrs: attrs, Content: parts}
}

func opensSession(encrypted []stanza) bool {
	for _, one := range encrypted {
		if attribute(&one, "type") == "pkmsg" {
			return true
		}
	}
	return false
}
