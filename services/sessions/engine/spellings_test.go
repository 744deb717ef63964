// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"testing"

	"go.mau.fi/whatsmeow/types"
)

const dialled = "5511987654321"

// anotherSpelling makes a person who is dialled under another number too.
func anotherSpelling(sim *simulation) {
	sim.call("POST", "/phones", map[string]any{"number": theirs, "name": "T"})
	sim.call("PATCH", "/phones/"+theirs, map[string]any{"aliases": []string{dialled}})
}

func wentTo(t *testing.T, reply told) string {
	t.Helper()
	sent, left := reply.(*sentReply)
	if !left {
		t.Fatalf("not sent: %+v", reply)
	}
	return *textOrEmpty(sent.To)
}

func TestAMessageGoesToTheNumberUnderWhichWhatsAppKnowsTheRecipient(t *testing.T) {
	sim, a := startSimulation(t), testArchive(t)
	o := startWorker(t, a, sim)
	o.link(sim, "s1", ours)
	anotherSpelling(sim)
	own := theirs + "@s.whatsapp.net"

	if to := wentTo(t, o.send("s1", dialled, "3EB001", "first")); to != own {
		t.Errorf("went to %q", to)
	}
	sim.call("PATCH", "/phones/"+theirs, map[string]any{"aliases": nil}) // a second look-up would find nobody
	if to := wentTo(t, o.send("s1", dialled, "3EB002", "second")); to != own {
		t.Errorf("the second went to %q", to)
	}
	if to := wentTo(t, o.send("s1", theirs, "3EB003", "third")); to != "" {
		t.Errorf("what was asked for is told as another: %q", to)
	}
	rows := sim.inbox(theirs)
	if len(rows) != 3 {
		t.Fatalf("the phone shows %v", rows)
	}
	sim.writes(theirs, map[string]any{"to": ours, "type": "text", "text": "an answer"})
	if chat := o.until("message", "s1", nil)["chat"]; chat != own {
		t.Errorf("the answer came in as %v", chat)
	}
}

func TestAFurtherSpellingOfSomebodyKnownIsLookedUpOnce(t *testing.T) {
	sim, a := startSimulation(t), testArchive(t)
	o := startWorker(t, a, sim)
	o.link(sim, "s1", ours)
	anotherSpelling(sim)
	o.mustSend("s1", theirs, "3EB001", content{Type: "text", Text: "under the own number"})
	if to := wentTo(t, o.send("s1", dialled, "3EB002", "under another")); to != theirs+"@s.whatsapp.net" {
		t.Errorf("went to %q", to)
	}
	if refused, ok := o.send("s1", "6289999999999", "3EB003", "nobody").(*notSentReply); !ok || refused.Reason != "not_on_whatsapp" {
		t.Errorf("a message to nobody: %+v", refused)
	}
}

func TestTheCheckTellsTheOwnNumber(t *testing.T) {
	sim, a := startSimulation(t), testArchive(t)
	o := startWorker(t, a, sim)
	c := o.link(sim, "s1", ours)
	anotherSpelling(sim)
	reply := o.worker.carryOut(&checkRequest{Session: "s1", Phones: []string{dialled, theirs, "6289999999999"}}).named()
	jids := reply.(*checkedReply).JIDs
	for _, phone := range []string{dialled, theirs} {
		if *textOrEmpty(jids[phone]) != theirs+"@s.whatsapp.net" {
			t.Errorf("%s is %v", phone, jids[phone])
		}
	}
	if jids["6289999999999"] != nil {
		t.Error("nobody was found")
	}
	lid, err := c.store.GetLIDForPN(t.Context(), types.NewJID(theirs, types.DefaultUserServer))
	must(t, err)
	own, err := c.store.GetPNForLID(t.Context(), lid)
	must(t, err)
	if own.User != theirs {
		t.Errorf("the LID belongs to %s now", own)
	}
}

func TestAMemberOfAGroupIsToldOfUnderTheSpellingThatWasAskedFor(t *testing.T) {
	sim, a := startSimulation(t), testArchive(t)
	o := startWorker(t, a, sim)
	o.link(sim, "s1", ours)
	anotherSpelling(sim)
	o.mustSend("s1", dialled, "3EB001", content{Type: "text", Text: "whose number is told"})
	asked := dialled + "@s.whatsapp.net"
	made := o.worker.carryOut(&createGroupRequest{Session: "s1", Subject: "Tim", Participants: []string{asked}}).named().(*groupsReply)
	if members := made.Groups[0].Members; len(members) != 2 {
		t.Fatalf("the group has %+v", members)
	}
	again := &changeParticipantsRequest{Session: "s1", Group: made.Groups[0].JID, Action: "add", Participants: []string{asked}}
	if code := o.worker.carryOut(again).named().(*participantsReply).Codes[asked]; code == nil || *code != 409 {
		t.Errorf("who is in the group already was answered %v", code)
	}
}
