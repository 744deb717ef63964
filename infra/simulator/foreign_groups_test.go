// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"testing"

	"go.mau.fi/libsignal/groups"
	"go.mau.fi/libsignal/protocol"
	"go.mau.fi/libsignal/session"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

// sealedForGroup is a text under the sender key that the library has given to
// everybody in the group before.
func (f *foreignClient) sealedForGroup(group types.JID, words string) stanza {
	f.t.Helper()
	plain, _ := proto.Marshal(text(words))
	name := protocol.NewSenderKeyName(group.String(), f.device.GetLID().SignalAddress())
	cipher := groups.NewGroupCipher(groups.NewGroupSessionBuilder(f.device, serializer), name, f.device)
	sealed, err := cipher.Encrypt(background, padded(plain))
	if err != nil {
		f.t.Fatal(err)
	}
	return stanza{Tag: "enc", Attrs: attributes{"v": "2", "type": "skmsg"}, Content: sealed.SignedSerialize()}
}

// sealedFor is a text in the session that the library has with a device.
func (f *foreignClient) sealedFor(to types.JID, words string) stanza {
	f.t.Helper()
	plain, _ := proto.Marshal(text(words))
	address := to.SignalAddress()
	sealed, err := session.NewCipher(session.NewBuilderFromSignal(f.device, address, serializer), address).Encrypt(background, padded(plain))
	if err != nil {
		f.t.Fatal(err)
	}
	kind := map[bool]string{true: "pkmsg", false: "msg"}[sealed.Type() == protocol.PREKEY_TYPE]
	return stanza{Tag: "enc", Attrs: attributes{"v": "2", "type": kind, "count": "1"}, Content: sealed.Serialize()}
}

// writes sends a message to a group, and waits for its ack.
func (f *foreignClient) writes(group types.JID, id string, more attributes, content ...stanza) {
	f.t.Helper()
	attrs := attributes{"id": id, "to": group, "type": "text"}
	for name, value := range more {
		attrs[name] = value
	}
	f.tell(stanza{Tag: "message", Attrs: attrs, Content: content})
	f.awaits("the ack of "+id, func(node *stanza) bool { return node.Tag == "ack" && attribute(node, "id") == id })
}

// groupOfAForeigner is a group in which the library has given everybody the
// sender key of the device that a foreign client then logs in as.
func groupOfAForeigner(sim *simulation) (*foreignClient, *client, types.JID) {
	a, b := sim.link(anna), sim.link(budi)
	_, group := sim.group(anna, budi, cici)
	a.send(group, "3EB001", text("with the keys"))
	b.awaitText("with the keys")
	a.Disconnect()
	f := sim.foreign(a.Store)
	f.active()
	return f, b, group
}

func TestAGroupMessageWithoutParticipantsGoesToTheWholeGroup(t *testing.T) {
	sim := startSimulation(t)
	f, b, group := groupOfAForeigner(sim)
	f.writes(group, "3EB002", nil, f.sealedForGroup(group, "without a list"))
	b.awaitText("without a list")
	for _, number := range []string{anna, budi, cici} {
		if row := sim.inboxOf(number, 2)[1]; row.Text != "without a list" || row.Chat != group.String() || row.Copies != 1 {
			t.Errorf("%s is shown %+v", number, row)
		}
	}
}

func TestTheAnswerToARetryReceiptInAGroupGoesToThatDeviceAlone(t *testing.T) {
	sim := startSimulation(t)
	f, b, group := groupOfAForeigner(sim)
	sim.fault(fields{"kind": "garble", "phone": cici, "count": 1})
	f.writes(group, "3EB002", nil, f.sealedForGroup(group, "damaged once"))
	b.awaitText("damaged once")
	retry := f.awaits("a retry receipt", func(node *stanza) bool { return node.Tag == "receipt" && attribute(node, "type") == "retry" })
	asker := jidAttribute(retry, "participant")
	f.writes(group, "3EB002", attributes{"participant": asker}, f.sealedFor(asker, "damaged once"))
	for number, copies := range map[string]int{anna: 1, budi: 1, cici: 2} {
		if row := sim.inboxOf(number, 2)[1]; row.Text != "damaged once" || row.Copies != copies {
			t.Errorf("%s is shown %+v", number, row)
		}
	}
}
