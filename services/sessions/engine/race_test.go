// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const raceEach = 150

// TestNothingIsLostWhenTwoWriteToEachOtherAtOnce is the race that the lock is for.
func TestNothingIsLostWhenTwoWriteToEachOtherAtOnce(t *testing.T) {
	if harm := bothWays(t, false); harm != (raceHarm{}) {
		t.Errorf("of %d messages: %+v", 2*raceEach, harm)
	}
}

// TestWithoutTheLockMessagesSuffer shows that the test above can fail: the same run, the lock turned off. The versions
// of the documents then catch what the library alone would lose, at the price of the connection.
func TestWithoutTheLockMessagesSuffer(t *testing.T) {
	for range 5 {
		if harm := bothWays(t, true); harm != (raceHarm{}) {
			t.Logf("of %d messages: %+v", 2*raceEach, harm)
			return
		}
	}
	t.Error("five rounds without the lock did no harm: does the lock still do anything?")
}

// raceHarm counts what must not happen.
type raceHarm struct{ unsent, lost, undecryptable int }

// bothWays lets two sessions write to each other as fast as they can. A message counts as lost when it did not arrive at
// the other session, whatever retry receipts may bring later.
func bothWays(t *testing.T, unlocked bool) (harm raceHarm) {
	t.Helper()
	sim := startSimulation(t)
	o := startWorker(t, testArchive(t), sim)
	names, numbers := []string{"a", "b"}, []string{"6281200000001", "6281200000002"}
	for i, name := range names {
		o.link(sim, name, numbers[i]).store.ratchets.disabled = unlocked
	}
	for i, name := range names { // both ways once, so that both hold a session
		if reply, ok := o.send(name, numbers[1-i], fmt.Sprintf("3EB0AAAA%d", i), "first").(*sentReply); !ok {
			t.Fatalf("the first message: %+v", reply)
		}
		o.until("message", names[1-i], func(e map[string]any) bool { return e["text"] == "first" })
	}
	var unsent atomic.Int64
	var sending sync.WaitGroup
	for i, name := range names {
		sending.Go(func() {
			for n := range raceEach {
				if _, ok := o.send(name, numbers[1-i], fmt.Sprintf("3EB0%d%010d", i, n), "m").(*sentReply); !ok {
					unsent.Add(1)
				}
			}
		})
	}
	sending.Wait()
	arrived := func() (all int) {
		for _, name := range names {
			all += o.count("message", name) - 1
		}
		return all
	}
	sent := 2*raceEach - int(unsent.Load())
	for deadline := time.Now().Add(4 * time.Second); arrived() < sent && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
	}
	undecryptable := o.count("undecryptable", "a") + o.count("undecryptable", "b")
	return raceHarm{unsent: 2*raceEach - sent, lost: max(0, sent-arrived()), undecryptable: undecryptable}
}
