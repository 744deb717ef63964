// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"fmt"
	"maps"
	"testing"
	"time"
)

// settledCommands waits until the queue is written, and returns what was sent to MongoDB since the last time.
func settledCommands(t *testing.T, o *testOwner) map[string]int {
	t.Helper()
	total := map[string]int{}
	for quiet := 0; quiet < 3; time.Sleep(2 * queueInterval) {
		latest := sentCommands(t)
		if quiet++; len(latest) > 0 {
			quiet = 0
		}
		for name, count := range latest {
			total[name] += count
		}
	}
	return total
}

func TestWhatALoginAndAMessageCost(t *testing.T) {
	sim := startSimulation(t)
	a := testArchive(t)
	o := startWorker(t, a, sim)
	o.link(sim, "s1", ours)
	sim.call("POST", "/phones", map[string]any{"number": theirs, "name": "T"})
	pairing := settledCommands(t, o)
	o.send("s1", theirs, "3EB0000000", "first")
	first := settledCommands(t, o)
	const further = 10
	for n := range further {
		if _, ok := o.send("s1", theirs, fmt.Sprintf("3EB1%06d", n), "again").(*sentReply); !ok {
			t.Fatal("not sent")
		}
	}
	again := settledCommands(t, o)
	o.worker.carryOut(&closeRequest{Session: "s1"})
	o.worker.carryOut(&openRequest{Session: "s1", Link: 1, Fence: 2, Connection: 2})
	o.until("connected", "s1", func(e map[string]any) bool { return e["connection"] == int8(2) })
	resume := settledCommands(t, o)

	t.Logf("pairing %v, first message %v, %d further %v, resume %v", pairing, first, further, again, resume)
	if want := map[string]int{"update": further}; !maps.Equal(again, want) {
		t.Errorf("%d further messages took %v, not %v", further, again, want)
	}
	if resume["update"] > 0 || resume["findAndModify"] != 1 || resume["find"] > 2 || resume["delete"] > 1 {
		t.Errorf("a resume took %v", resume)
	}
	if first["find"]+first["findAndModify"]+first["update"] > 15 {
		t.Errorf("the first message took %v", first)
	}
	if pairing["find"]+pairing["findAndModify"]+pairing["update"]+pairing["delete"] > 30 {
		t.Errorf("pairing took %v", pairing)
	}
}
