// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
)

// sentTo is what became of a text.
func (o *testOwner) sentTo(to, id string) told {
	return o.worker.carryOut(&sendRequest{
		Session: "s1", MessageID: id, To: to, Content: content{Type: "text", Text: id},
		DeadlineMS: time.Now().Add(20 * time.Second).UnixMilli(),
	}).named()
}

func reasonOf(reply told) string {
	if notSent, ok := reply.(*notSentReply); ok {
		return notSent.Reason
	}
	return fmt.Sprintf("%T", reply)
}

func TestWhatFailsBeforeTheStanzaIsGivenToTheSocketHasNotLeft(t *testing.T) {
	sim, archive := startSimulation(t), testArchive(t)
	owner := startWorker(t, archive, sim)
	owner.link(sim, "s1", ours)
	sim.call("POST", "/phones", map[string]any{"number": theirs, "name": "friend"})
	group := sim.makesGroup(ours, theirs)
	for i, c := range []struct {
		to, xmlns string
		code      int
		want      string
	}{
		{theirs + "@s.whatsapp.net", "usync", 429, "limited"},
		{theirs + "@s.whatsapp.net", "usync", 403, "lookup"},
		{theirs + "@s.whatsapp.net", "usync", 500, "lookup"},
		{group, "w:g2", 429, "limited"},
		{group, "w:g2", 500, "lookup"},
		{group, "w:g2", 403, "group_unknown"},
		{group, "usync", 403, "lookup"},
	} {
		owner.reconnect("s1", i+2) // nothing is cached
		sim.call("POST", "/faults", map[string]any{"kind": "query", "xmlns": c.xmlns, "code": c.code})
		began := time.Now()
		got := owner.sentTo(c.to, fmt.Sprintf("3EB0%016d", i))
		sim.call("DELETE", "/faults", nil)
		if reasonOf(got) != c.want {
			t.Errorf("%s refused with %d: %+v, not %s", c.xmlns, c.code, got, c.want)
		}
		if time.Since(began) > time.Second {
			t.Errorf("%s refused with %d took %s", c.xmlns, c.code, time.Since(began))
		}
	}
	for _, to := range []string{theirs + "@s.whatsapp.net", group} {
		if _, sent := owner.sentTo(to, "3EB0AAAA"+to[len(to)-6:]).(*sentReply); !sent {
			t.Errorf("nothing is sent to %s afterwards", to)
		}
	}
	if shown := len(sim.inbox(theirs)); shown != 2 {
		t.Errorf("the phone shows %d messages", shown)
	}
}

// A known person's devices are asked for after every connect, within the library's SendMessage.
func TestAKnownPersonWhoseDevicesWhatsAppDoesNotTellIsNotSentTo(t *testing.T) {
	sim, archive := startSimulation(t), testArchive(t)
	owner := startWorker(t, archive, sim)
	owner.link(sim, "s1", ours)
	sim.call("POST", "/phones", map[string]any{"number": theirs, "name": "friend"})
	owner.mustSend("s1", theirs, "3EB01", content{Type: "text", Text: "known now"})
	for i, code := range []int{429, 503} {
		owner.reconnect("s1", i+2)
		sim.call("POST", "/faults", map[string]any{"kind": "query", "xmlns": "usync", "code": code})
		if got, want := reasonOf(owner.send("s1", theirs, "3EB02", "again")), []string{"limited", "lookup"}[i]; got != want {
			t.Errorf("%d: %s, not %s", code, got, want)
		}
		sim.call("DELETE", "/faults", nil)
	}
	owner.mustSend("s1", theirs, "3EB02", content{Type: "text", Text: "again"})
	if shown := len(sim.inbox(theirs)); shown != 2 {
		t.Errorf("the phone shows %d messages", shown)
	}
}

func TestNobodyIsAskedAboutANewNumberWhenThatIsNotWanted(t *testing.T) {
	sim, archive := startSimulation(t), testArchive(t)
	owner := startWorker(t, archive, sim)
	owner.link(sim, "s1", ours)
	sim.call("POST", "/phones", map[string]any{"number": theirs, "name": "friend"})
	request := func(id string, knownOnly bool) told {
		return owner.worker.carryOut(&sendRequest{
			Session: "s1", MessageID: id, To: theirs + "@s.whatsapp.net", Content: content{Type: "text", Text: id},
			DeadlineMS: time.Now().Add(20 * time.Second).UnixMilli(), KnownOnly: knownOnly,
		}).named()
	}
	if got := reasonOf(request("3EB01", true)); got != "unasked" {
		t.Errorf("a new number: %s", got)
	}
	for i, knownOnly := range []bool{false, true} {
		if got := request(fmt.Sprintf("3EB1%d", i), knownOnly); reasonOf(got) != "*main.sentReply" {
			t.Errorf("known only %v: %+v", knownOnly, got)
		}
	}
}

// What nobody saw leave has not left, unless it was answered: then the watch is believed no more.
func TestAWatchThatMissedAStanzaIsBelievedNoMore(t *testing.T) {
	c := &connection{session: &session{name: "s1"}, stanzas: newStanzaWatch(), store: &keyStore{}, ctx: t.Context()}
	ask := &waBinary.Node{Tag: "iq", Attrs: waBinary.Attrs{"id": "1"}}
	c.stanzas.begin("A", nil)
	unknown := errors.New("what is this")
	if got := reasonOf(c.outcomeOf("A", time.Time{}, unknown)); got != "*main.unknownReply" {
		t.Errorf("no stanza was ever seen: %s", got)
	}
	c.stanzas.saw(ask)
	if got := reasonOf(c.outcomeOf("A", time.Time{}, unknown)); got != "lookup" {
		t.Errorf("only a question was seen: %s", got)
	}
	c.stanzas.saw(&waBinary.Node{Tag: "message", Attrs: waBinary.Attrs{"id": "A"}})
	if got := reasonOf(c.outcomeOf("A", time.Time{}, unknown)); got != "*main.unknownReply" {
		t.Errorf("it was seen: %s", got)
	}
	c.stanzas.begin("B", nil)
	if got := reasonOf(c.outcomeOf("B", time.Now(), nil)); got != "*main.sentReply" {
		t.Errorf("answered though unseen: %s", got)
	}
	c.stanzas.begin("C", nil)
	if got := reasonOf(c.outcomeOf("C", time.Time{}, unknown)); got != "*main.unknownReply" {
		t.Errorf("after one was missed: %s", got)
	}
}

// This fails when a newer library logs its stanzas otherwise, or later.
func TestAMessageIsSeenToLeaveWhileItsAckIsAwaited(t *testing.T) {
	sim, archive := startSimulation(t), testArchive(t)
	owner := startWorker(t, archive, sim)
	c := owner.link(sim, "s1", ours)
	sim.call("POST", "/phones", map[string]any{"number": theirs, "name": "friend"})
	sim.call("PATCH", "/phones/"+theirs, map[string]any{"deliver": false}) // a receipt would end the wait
	sim.call("POST", "/faults", map[string]any{"kind": "withholdAck", "phone": ours})
	c.stanzas.begin("3EB01", func() {})
	if c.stanzas.mayHaveLeft("3EB01") {
		t.Fatal("it may have left before it was sent: the library's stanzas are not seen")
	}
	done := make(chan told, 1)
	go func() { done <- owner.send("s1", theirs, "3EB01", "hi") }()
	for deadline := time.Now().Add(patience); len(sim.inbox(theirs)) == 0; {
		if time.Now().After(deadline) {
			t.Fatal("it did not arrive")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if !c.stanzas.mayHaveLeft("3EB01") {
		t.Error("it has arrived, and counts as not left")
	}
	sim.call("POST", "/faults", map[string]any{"kind": "drop", "phone": ours})
	if got := reasonOf(<-done); got != "*main.unknownReply" {
		t.Errorf("it ended as %s", got)
	}
}

func TestAReceiptEndsTheWaitForAnAckThatDoesNotCome(t *testing.T) {
	sim, archive := startSimulation(t), testArchive(t)
	owner := startWorker(t, archive, sim)
	owner.link(sim, "s1", ours)
	sim.call("POST", "/phones", map[string]any{"number": theirs, "name": "friend"})
	sim.call("POST", "/faults", map[string]any{"kind": "withholdAck", "phone": ours})
	began := time.Now()
	for _, id := range []string{"3EB01", "3EB02"} {
		if got := reasonOf(owner.send("s1", theirs, id, "hi")); got != "*main.sentReply" {
			t.Errorf("%s ended as %s", id, got)
		}
	}
	if took := time.Since(began); took > sendTimeout/2 {
		t.Errorf("they kept the session for %s", took)
	}
}

// WhatsApp acknowledges a message that nobody can read, when it gave no keys for it.
func TestAMessageThatLeftForNoDeviceOfItsRecipientIsNotTakenForSent(t *testing.T) {
	sim, archive := startSimulation(t), testArchive(t)
	owner := startWorker(t, archive, sim)
	owner.link(sim, "s1", ours)
	sim.call("POST", "/phones", map[string]any{"number": theirs, "name": "friend"})
	sim.call("POST", "/faults", map[string]any{"kind": "query", "xmlns": "encrypt", "code": 429})
	if got := reasonOf(owner.send("s1", theirs, "3EB01", "hi")); got != "*main.unknownReply" {
		t.Errorf("without keys it is %s", got)
	}
	sim.call("DELETE", "/faults", nil)
	owner.mustSend("s1", theirs, "3EB01", content{Type: "text", Text: "hi"})
	if shown := sim.inbox(theirs); len(shown) != 1 || shown[0]["text"] != "hi" {
		t.Errorf("the phone shows %v", shown)
	}
	owner.mustSend("s1", ours, "3EB02", content{Type: "text", Text: "to myself"})
	if got := reasonOf(owner.sentTo("999000999000@lid", "3EB03")); got != "not_on_whatsapp" {
		t.Errorf("to a LID of nobody it is %s", got)
	}
}

func TestAMediumThatWhatsAppDoesNotTakeHasNotLeft(t *testing.T) {
	sim, archive := startSimulation(t), testArchive(t)
	owner := startWorker(t, archive, sim)
	owner.link(sim, "s1", ours)
	sim.call("POST", "/phones", map[string]any{"number": theirs, "name": "friend"})
	owner.storeMedium("med_1", []byte("%PDF-1.4 a file"))
	file := content{Type: "document", MediaID: "med_1", Mimetype: "application/pdf", FileName: "a.pdf"}
	sim.call("POST", "/faults", map[string]any{"kind": "media", "code": 503})
	if got := reasonOf(owner.sendContent("s1", theirs, "3EB01", file)); got != "upload" {
		t.Errorf("it is %s", got)
	}
	sim.call("DELETE", "/faults", nil)
	owner.mustSend("s1", theirs, "3EB01", file)
}

// reconnect opens the session's next connection.
func (o *testOwner) reconnect(session string, number int) {
	o.t.Helper()
	o.worker.carryOut(&openRequest{Session: session, Link: 1, Fence: 1, Connection: number})
	o.until("connected", session, func(e map[string]any) bool { return fmt.Sprint(e["connection"]) == fmt.Sprint(number) })
}

// makesGroup makes a group of these numbers; the first owns it.
func (sim *simulation) makesGroup(numbers ...string) string {
	sim.t.Helper()
	var made struct{ JID string }
	must(sim.t, json.Unmarshal(sim.call("POST", "/groups", map[string]any{"subject": "A group", "participants": numbers}), &made))
	return made.JID
}
