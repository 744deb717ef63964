// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"
)

// BenchmarkAcknowledgedMessages sends from 20 linked clients at once; with
// SIMULATOR_CLIENTS from as many.
func BenchmarkAcknowledgedMessages(b *testing.B) {
	clients, _ := strconv.Atoi(os.Getenv("SIMULATOR_CLIENTS"))
	if clients == 0 {
		clients = 20
	}
	b.StopTimer()
	sim := startSimulation(b)
	sim.phone(budi)
	var linked []*client
	for at := range clients {
		linked = append(linked, sim.link(fmt.Sprint(6285000000000+at)))
	}
	for _, c := range linked {
		c.send(person(budi), c.GenerateMessageID(), text("the first opens the session"))
	}
	b.StartTimer()
	work := make(chan int)
	var done sync.WaitGroup
	for _, c := range linked {
		done.Go(func() {
			for range work {
				if _, err := c.SendMessage(context.Background(), person(budi), text("a message")); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for at := range b.N {
		work <- at
	}
	close(work)
	done.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}
