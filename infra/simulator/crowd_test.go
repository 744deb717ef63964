// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types/events"
)

// crowdSize is the environment's name for how many devices the crowd has.
const crowdSize = "SIMULATOR_DEVICES"

// residentMB is what the simulator's process occupies.
func (sim *simulation) residentMB() float64 {
	sim.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", sim.process.Process.Pid))
	if err != nil {
		sim.t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), "VmRSS:")
	kilobytes, err := strconv.Atoi(strings.Fields(after)[0])
	if err != nil {
		sim.t.Fatal(err)
	}
	return float64(kilobytes) / 1024
}

// TestACrowdOfDevicesIsServed links 20 devices, or as many as crowdSize says: 1,000 on
// two free cores take about a minute. Each writes to the next one, the network
// restarts, and each writes again.
func TestACrowdOfDevicesIsServed(t *testing.T) {
	devices, _ := strconv.Atoi(os.Getenv(crowdSize))
	if devices == 0 {
		devices = 20
	}
	sim := startSimulation(t)
	empty := sim.residentMB()
	number := func(at int) string { return fmt.Sprint(6285000000000 + at%devices) }
	started := time.Now()
	linked := make([]*client, devices)
	atOnce(devices, func(at int) { linked[at] = sim.link(number(at)) })
	if t.Failed() {
		t.FailNow()
	}
	t.Logf("%d devices linked in %.1f s, %.0f MB, %.3f MB each, %d goroutines", devices, time.Since(started).Seconds(),
		sim.residentMB(), (sim.residentMB()-empty)/float64(devices), sim.stats().Goroutines)
	writing := func(id string) {
		started := time.Now()
		atOnce(devices, func(at int) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			_, err := linked[at].SendMessage(ctx, person(number(at+1)), text(id), whatsmeow.SendRequestExtra{ID: id + decimal(at)})
			if err != nil {
				t.Errorf("%s of %d: %v", id, at, err)
			}
		})
		eventuallyIn(t, time.Minute, "every device has its message", func() bool {
			for _, c := range linked {
				if count(c, func(message *events.Message) bool { return message.Message.GetConversation() == id }) == 0 {
					return false
				}
			}
			return true
		})
		stats := sim.stats()
		t.Logf("%d messages, each to two phones and a device, in %.1f s, %.0f MB; %.0f stanzas/s over 10 s", devices,
			time.Since(started).Seconds(), sim.residentMB(), stats.StanzasPerSecond)
		if stats.Undecryptable != 0 || stats.Devices != devices || stats.Connected != devices || stats.Phones != devices {
			t.Errorf("the statistics are %+v", stats)
		}
	}
	writing("first")
	sim.kill()
	sim.restart()
	started = time.Now()
	atOnce(devices, func(at int) {
		awaited(linked[at], "disconnected", whichever[*events.Disconnected])
		sim.reconnects(linked[at])
	})
	t.Logf("%d devices back %.1f s after a restart, %.0f MB", devices, time.Since(started).Seconds(), sim.residentMB())
	writing("second")
	debug.FreeOSMemory()
}

// atOnce runs a step for each number, 20 of them at a time.
func atOnce(times int, step func(int)) {
	places := make(chan struct{}, 20)
	var done sync.WaitGroup
	for at := range times {
		places <- struct{}{}
		done.Go(func() {
			defer func() { <-places }()
			step(at)
		})
	}
	done.Wait()
}
