// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"encoding/json"
	"testing"
	"time"
)

func TestWeAreOnlineOnlyWhileWeType(t *testing.T) {
	sim, a := startSimulation(t), testArchive(t)
	keptTyping, keptPause := typingLife, pauseLife
	t.Cleanup(func() { typingLife, pauseLife = keptTyping, keptPause })
	typingLife, pauseLife = time.Hour, 50*time.Millisecond
	o := startWorker(t, a, sim)
	c := o.link(sim, "s1", ours)
	sim.call("POST", "/phones", map[string]any{"number": theirs, "name": "T"})
	show := func(state string) {
		t.Helper()
		request := &presenceRequest{Session: "s1", Chat: theirs + "@s.whatsapp.net", State: state}
		if reply, ok := o.worker.carryOut(request).named().(*doneReply); !ok {
			t.Fatalf("%s was answered %+v", state, reply)
		}
	}

	show("composing") // without a name WhatsApp takes no presence
	c.client.Store.PushName = "Toko"
	show("paused") // nobody goes offline who is not online
	show("recording")
	untilPresence(sim, "available")
	show("paused")
	untilPresence(sim, "unavailable")
}

// untilPresence waits until our device says this of itself; before that it may only have said nothing, or the other.
func untilPresence(sim *simulation, want string) {
	sim.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		said := presencesOf(sim, ours)
		switch {
		case len(said) == 1 && said[0] == want:
			return
		case want == "available" && len(said) > 0, time.Now().After(deadline):
			sim.t.Fatalf("told was %v", said)
		}
	}
}

// presencesOf is what a phone's devices said of themselves.
func presencesOf(sim *simulation, number string) (said []string) {
	var shown struct{ Devices []struct{ Presence string } }
	must(sim.t, json.Unmarshal(sim.call("GET", "/phones/"+number+"/presence", nil), &shown))
	for _, device := range shown.Devices {
		said = append(said, device.Presence)
	}
	return said
}
