// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types/events"
)

// pings sets the library's variables for one test. Two unanswered pings take within + within, whatever the pause.
func pings(t *testing.T, pause, within time.Duration) {
	t.Helper()
	kept := [3]time.Duration{whatsmeow.KeepAliveIntervalMin, whatsmeow.KeepAliveIntervalMax, whatsmeow.KeepAliveResponseDeadline}
	t.Cleanup(func() {
		whatsmeow.KeepAliveIntervalMin, whatsmeow.KeepAliveIntervalMax, whatsmeow.KeepAliveResponseDeadline = kept[0], kept[1], kept[2]
	})
	whatsmeow.KeepAliveIntervalMin, whatsmeow.KeepAliveIntervalMax = pause, pause+10*time.Millisecond
	whatsmeow.KeepAliveResponseDeadline = within
}

func TestABlackHoleIsNoticedAfterOnePauseAndTwoPings(t *testing.T) {
	const pause, within = 3 * time.Second, 400 * time.Millisecond
	pings(t, pause, within)
	sim := startSimulation(t)
	o := startWorker(t, testArchive(t), sim)
	c := o.link(sim, "s1", ours)

	sim.call("POST", "/faults", map[string]any{"kind": "blackhole", "phone": ours})
	began := time.Now()

	end := o.until("disconnected", "s1", nil)
	if took := time.Since(began); end["reason"] != "keepalive" || took > pause+2*within+pause/2 {
		t.Errorf("after %s the reason is %v", took, end["reason"])
	}
	for _, count := range []int8{1, 2} {
		o.until("keepalive_lost", "s1", func(e map[string]any) bool { return e["count"] == count })
	}
	if !c.work.settled(patience) {
		t.Error("something of the connection still runs")
	}
}

func TestTheTimesOfPingsNoticeABlackHoleWithinFortySeconds(t *testing.T) {
	pings(t, 0, 0)
	pingInTime()

	if within := whatsmeow.KeepAliveIntervalMax + 2*whatsmeow.KeepAliveResponseDeadline; within > 38*time.Second {
		t.Errorf("it takes %s", within)
	}
}

func TestAPingThatIsAnsweredAtTheSecondTryKeepsTheConnection(t *testing.T) {
	pings(t, 200*time.Millisecond, 2*time.Second) // the network must come back within the second ping's time
	sim := startSimulation(t)
	o := startWorker(t, testArchive(t), sim)
	c := o.link(sim, "s1", ours)

	sim.call("POST", "/faults", map[string]any{"kind": "blackhole", "phone": ours})
	o.until("keepalive_lost", "s1", nil)
	sim.call("DELETE", "/faults", nil)

	o.until("keepalive_restored", "s1", nil)
	c.handle(&events.KeepAliveRestored{}) // the library's own next ping tells it again
	c.tell(&outdatedEvent{})              // what comes behind shows that nothing else came
	o.until("outdated", "s1", nil)
	if restored, lost := o.count("keepalive_restored", "s1"), o.count("keepalive_lost", "s1"); restored != 1 || lost != 1 {
		t.Errorf("told were %d lost and %d restored", lost, restored)
	}
	if o.count("disconnected", "s1") != 0 {
		t.Error("the connection ended")
	}
}
