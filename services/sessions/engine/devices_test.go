// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"
)

const cici = "6281200000003"

// A contact links another device: nobody tells us (the message crosses the notification), or everybody is told.
var waysToHearOfADevice = map[string]map[string]any{
	"told":   nil,
	"untold": {"kind": "untoldDevice"},
}

// counted is what the network has counted of its linked devices so far.
type counted struct{ MessagesIn, LookUps, Undecryptable int }

func (sim *simulation) counted() counted {
	sim.t.Helper()
	var c counted
	must(sim.t, json.Unmarshal(sim.call("GET", "/stats", nil), &c))
	return c
}

func (c counted) since(before counted) counted {
	return counted{c.MessagesIn - before.MessagesIn, c.LookUps - before.LookUps, c.Undecryptable - before.Undecryptable}
}

// linkAnother links one more device to a contact's phone: a session that only listens.
func (o *testOwner) linkAnother(sim *simulation, session, number string, fault map[string]any) {
	o.t.Helper()
	if fault != nil {
		sim.call("POST", "/faults", fault)
	}
	o.link(sim, session, number)
}

// arrivesOnce waits for a text at a session, and fails when it came twice, or came to the phone as a repeat.
func (o *testOwner) arrivesOnce(sim *simulation, session, id, text, phone string) {
	o.t.Helper()
	o.until("message", session, func(e map[string]any) bool { return e["text"] == text })
	o.mu.Lock()
	defer o.mu.Unlock()
	came := 0
	for _, e := range o.events {
		if e["type"] == "message" && e["session"] == session && e["id"] == id {
			came++
		}
	}
	if came != 1 {
		o.t.Errorf("%s came to %s %d times", id, session, came)
	}
	for _, row := range sim.inbox(phone) {
		if row["id"] == id && row["copies"] != 1.0 {
			o.t.Errorf("the phone got %v copies of %s", row["copies"], id)
		}
	}
}

func TestTheFirstMessageAfterAContactLinkedADeviceReachesIt(t *testing.T) {
	for name, fault := range waysToHearOfADevice {
		t.Run(name, func(t *testing.T) {
			sim := startSimulation(t)
			o := startWorker(t, testArchive(t), sim)
			o.link(sim, "s1", ours)
			sim.call("POST", "/phones", map[string]any{"number": theirs, "name": "T"})
			o.mustSend("s1", theirs, "3EB0000001", content{Type: "text", Text: "to the phone alone"})
			o.linkAnother(sim, "theirs", theirs, fault)
			o.mustSend("s1", theirs, "3EB0000002", content{Type: "text", Text: "to both"})
			o.arrivesOnce(sim, "theirs", "3EB0000002", "to both", theirs)
		})
	}
}

func TestTheFirstMessageInAGroupReachesADeviceThatWasLinkedMeanwhile(t *testing.T) {
	for name, fault := range waysToHearOfADevice {
		t.Run(name, func(t *testing.T) {
			sim := startSimulation(t)
			o := startWorker(t, testArchive(t), sim)
			o.link(sim, "s1", ours)
			group := sim.group(ours, theirs, cici)
			o.mustSendTo("s1", group, "3EB0000001", "to the phones alone")
			o.linkAnother(sim, "theirs", theirs, fault)
			before := sim.counted()
			o.mustSendTo("s1", group, "3EB0000002", "to all")
			o.arrivesOnce(sim, "theirs", "3EB0000002", "to all", cici)
			if cost := sim.counted().since(before); cost.LookUps == 0 {
				t.Errorf("the list was not asked for: the device had to ask for the message") // a retry receipt
			}
			o.mustSendTo("s1", group, "3EB0000003", "with the group's key")
			o.arrivesOnce(sim, "theirs", "3EB0000003", "with the group's key", cici)
		})
	}
}

func TestAnotherDeviceOfOurOwnSeesTheFirstMessage(t *testing.T) {
	for name, fault := range waysToHearOfADevice {
		t.Run(name, func(t *testing.T) {
			sim := startSimulation(t)
			o := startWorker(t, testArchive(t), sim)
			o.link(sim, "s1", ours)
			sim.call("POST", "/phones", map[string]any{"number": theirs, "name": "T"})
			o.mustSend("s1", theirs, "3EB0000001", content{Type: "text", Text: "before"})
			o.linkAnother(sim, "own", ours, fault)
			o.mustSend("s1", theirs, "3EB0000002", content{Type: "text", Text: "after"})
			o.arrivesOnce(sim, "own", "3EB0000002", "after", theirs)
			told := o.until("message", "own", func(e map[string]any) bool { return e["id"] == "3EB0000002" })
			if told["from_me"] != true || told["chat"] != theirs+"@s.whatsapp.net" {
				t.Errorf("told as %v", told)
			}
		})
	}
}

func TestADeviceThatIsGoneIsWrittenToOnceAtMost(t *testing.T) {
	for name, fault := range waysToHearOfADevice {
		t.Run(name, func(t *testing.T) {
			sim := startSimulation(t)
			o := startWorker(t, testArchive(t), sim)
			o.link(sim, "s1", ours)
			o.link(sim, "theirs", theirs)
			o.mustSend("s1", theirs, "3EB0000001", content{Type: "text", Text: "to both"})
			if fault != nil {
				sim.call("POST", "/faults", fault)
			}
			sim.call("POST", "/phones/"+theirs+"/unlink", map[string]any{})
			o.mustSend("s1", theirs, "3EB0000002", content{Type: "text", Text: "to the phone"})
			before := sim.counted()
			for n := range 3 {
				o.mustSend("s1", theirs, fmt.Sprintf("3EB000001%d", n), content{Type: "text", Text: "to the phone"})
			}
			if cost := sim.counted().since(before); cost != (counted{MessagesIn: 3}) {
				t.Errorf("three messages took %+v", cost)
			}
		})
	}
}

func TestAMessageToARightListCostsNoQuestion(t *testing.T) {
	sim := startSimulation(t)
	o := startWorker(t, testArchive(t), sim)
	o.link(sim, "s1", ours)
	group := sim.group(ours, theirs, cici)
	o.mustSendTo("s1", group, "3EB0000001", "first")
	o.mustSend("s1", theirs, "3EB0000002", content{Type: "text", Text: "first"})
	before := sim.counted()
	for n := range 5 {
		o.mustSendTo("s1", group, fmt.Sprintf("3EB000001%d", n), "again")
		o.mustSend("s1", theirs, fmt.Sprintf("3EB000002%d", n), content{Type: "text", Text: "again"})
	}
	if cost := sim.counted().since(before); cost != (counted{MessagesIn: 10}) {
		t.Errorf("ten messages took %+v", cost)
	}
}

// group makes a group and returns its JID; its people get phones.
func (sim *simulation) group(numbers ...string) string {
	sim.t.Helper()
	for _, number := range numbers {
		sim.call("POST", "/phones", map[string]any{"number": number, "name": number})
	}
	var made struct{ JID string }
	must(sim.t, json.Unmarshal(sim.call("POST", "/groups", map[string]any{"subject": "g", "participants": numbers}), &made))
	return made.JID
}

func (o *testOwner) mustSendTo(session, jid, id, text string) {
	o.t.Helper()
	reply := o.worker.carryOut(&sendRequest{
		Session: session, MessageID: id, To: jid, Content: content{Type: "text", Text: text},
		DeadlineMS: time.Now().Add(20 * time.Second).UnixMilli(),
	}).named()
	if _, sent := reply.(*sentReply); !sent {
		o.t.Fatalf("%s was not sent: %+v", id, reply)
	}
}

// A look-up that WhatsApp refuses leaves the message sent; the next one goes to the right list.
func TestAMessageIsSentThoughTheDevicesThatItMissedCannotBeAskedFor(t *testing.T) {
	sim := startSimulation(t)
	o := startWorker(t, testArchive(t), sim)
	o.link(sim, "s1", ours)
	sim.call("POST", "/phones", map[string]any{"number": theirs, "name": "T"})
	o.mustSend("s1", theirs, "3EB0000001", content{Type: "text", Text: "to the phone alone"})
	o.linkAnother(sim, "theirs", theirs, map[string]any{"kind": "untoldDevice"})
	sim.call("POST", "/faults", map[string]any{"kind": "query", "xmlns": "usync", "code": 429, "phone": ours, "count": 1})
	o.mustSend("s1", theirs, "3EB0000002", content{Type: "text", Text: "missed"})
	o.mustSend("s1", theirs, "3EB0000003", content{Type: "text", Text: "to both"})
	o.arrivesOnce(sim, "theirs", "3EB0000003", "to both", theirs)
}

// A hash that no list explains is looked into once, not with every message.
func TestAHashThatNoListExplainsIsLookedIntoOnce(t *testing.T) {
	sim := startSimulation(t)
	o := startWorker(t, testArchive(t), sim)
	o.link(sim, "s1", ours)
	group := sim.group(ours, theirs, cici)
	o.mustSendTo("s1", group, "3EB0000001", "first")
	sim.call("POST", "/faults", map[string]any{"kind": "wrongHash"})
	o.mustSendTo("s1", group, "3EB0000002", "doubted")
	before := sim.counted()
	o.mustSendTo("s1", group, "3EB0000003", "doubted again")
	o.mustSendTo("s1", group, "3EB0000004", "doubted again")
	if cost := sim.counted().since(before); cost.MessagesIn != 2 || cost.LookUps > 2 { // the library forgets the members itself
		t.Errorf("two messages took %+v", cost)
	}
}

func TestAFileIsAFileForTheDeviceThatItMissed(t *testing.T) {
	sim := startSimulation(t)
	o := startWorker(t, testArchive(t), sim)
	o.link(sim, "s1", ours)
	sim.call("POST", "/phones", map[string]any{"number": theirs, "name": "T"})
	o.mustSend("s1", theirs, "3EB0000001", content{Type: "text", Text: "first"})
	o.linkAnother(sim, "theirs", theirs, map[string]any{"kind": "untoldDevice"})
	o.storeMedium("m1", []byte("picture"))
	o.mustSend("s1", theirs, "3EB0000003", content{Type: "image", MediaID: "m1", Caption: proto.String("a bird")})
	told := o.until("message", "theirs", func(e map[string]any) bool { return e["id"] == "3EB0000003" })
	if told["content_class"] != "image" || told["caption"] != "a bird" {
		t.Errorf("told as %v", told)
	}
}

func TestASendAnswersInTimeThoughTheDeviceThatItMissedTakesLonger(t *testing.T) {
	sim := startSimulation(t)
	o := startWorker(t, testArchive(t), sim)
	o.link(sim, "s1", ours)
	sim.call("POST", "/phones", map[string]any{"number": theirs, "name": "T"})
	o.mustSend("s1", theirs, "3EB0000001", content{Type: "text", Text: "to the phone alone"})
	o.linkAnother(sim, "theirs", theirs, map[string]any{"kind": "untoldDevice"})
	sim.call("POST", "/faults", map[string]any{"kind": "delay", "ms": 800, "phone": ours})
	reply := o.worker.carryOut(&sendRequest{
		Session: "s1", MessageID: "3EB0000002", To: theirs + "@s.whatsapp.net", Content: content{Type: "text", Text: "late"},
		DeadlineMS: time.Now().Add(2200 * time.Millisecond).UnixMilli(),
	}).named()
	if _, sent := reply.(*sentReply); !sent {
		t.Errorf("answered with %+v", reply)
	}
}

// A phone that was set up anew cannot open what is encrypted for its former keys: nobody should have to ask again.
func TestAPhoneThatWasSetUpAnewReadsTheNextMessage(t *testing.T) {
	sim := startSimulation(t)
	o := startWorker(t, testArchive(t), sim)
	c := o.link(sim, "s1", ours)
	sim.call("POST", "/phones", map[string]any{"number": theirs, "name": "T"})
	o.mustSend("s1", theirs, "3EB0000001", content{Type: "text", Text: "before"})
	lid, err := c.store.GetLIDForPN(t.Context(), types.NewJID(theirs, types.DefaultUserServer))
	must(t, err)
	sim.call("POST", "/phones/"+theirs+"/reinstall", map[string]any{})
	soon(t, "the old session to be forgotten", func() bool {
		known, err := c.store.HasSession(t.Context(), lid.SignalAddress().String())
		return err == nil && !known
	})
	o.mustSend("s1", theirs, "3EB0000002", content{Type: "text", Text: "after"})
	sim.untilShown(theirs, "after")
	if unread := sim.counted().Undecryptable; unread != 0 {
		t.Errorf("%d messages did not open", unread)
	}
	sim.writes(theirs, map[string]any{"to": ours, "type": "text", "text": "an answer"})
	o.until("message", "s1", func(e map[string]any) bool { return e["text"] == "an answer" })
	if o.count("undecryptable", "s1") != 0 {
		t.Error("the answer did not open at first")
	}
}

func (sim *simulation) untilShown(number, text string) {
	sim.t.Helper()
	soon(sim.t, text+" to be shown", func() bool {
		return slices.ContainsFunc(sim.inbox(number), func(row map[string]any) bool { return row["text"] == text })
	})
}

func soon(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s for %s", patience, what)
		}
	}
}

// The library forgets a member as it does when it hears of a leaving: the list of the group's people is the stale one.
func TestAMessageForAGroupGoesAgainToAMemberThatItMissed(t *testing.T) {
	sim := startSimulation(t)
	o := startWorker(t, testArchive(t), sim)
	c := o.link(sim, "s1", ours)
	group := sim.group(ours, theirs, cici)
	o.mustSendTo("s1", group, "3EB0000001", "to all")
	lid, err := c.store.GetLIDForPN(t.Context(), types.NewJID(theirs, types.DefaultUserServer))
	must(t, err)
	jid, err := types.ParseJID(group)
	must(t, err)
	c.client.DangerousInternals().UpdateGroupParticipantCache(&events.GroupInfo{JID: jid, Leave: []types.JID{lid}})
	before := sim.counted()
	o.mustSendTo("s1", group, "3EB0000002", "to all again")
	if cost := sim.counted().since(before); cost.MessagesIn != 2 || cost.LookUps != 1 {
		t.Errorf("it took %+v", cost)
	}
	sim.untilShown(theirs, "to all again")
	before = sim.counted()
	o.mustSendTo("s1", group, "3EB0000003", "to a right list")
	if cost := sim.counted().since(before); cost.MessagesIn != 1 || cost.LookUps != 0 {
		t.Errorf("the next one took %+v", cost)
	}
}
