// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"time"

	"go.mau.fi/whatsmeow"
)

// This file: whether WhatsApp is still at the other end. A ping goes out about as often as a browser's; one that is not
// answered is repeated at once. So a black hole is noticed within 24 + 6 + 6 s.

const keepaliveMax = 2

// pingInTime sets the library's variables, before any connect.
func pingInTime() {
	whatsmeow.KeepAliveIntervalMin, whatsmeow.KeepAliveIntervalMax = 18*time.Second, 24*time.Second
	whatsmeow.KeepAliveResponseDeadline = 6 * time.Second
}

// pingMissed is told by the library's own ping.
func (c *connection) pingMissed() {
	if c.countMissed() < keepaliveMax {
		c.work.start(c.pingAgain)
	}
}

// countMissed tells the missed ping, and ends the connection at the second in a row.
func (c *connection) countMissed() int {
	c.mu.Lock()
	c.missed++
	missed := c.missed
	c.mu.Unlock()
	c.tell(&keepaliveLostEvent{Count: missed})
	if missed >= keepaliveMax {
		c.end(&disconnectedEvent{Reason: "keepalive"})
	}
	return missed
}

func (c *connection) pingAgain() {
	answered, goesOn := c.client.DangerousInternals().SendKeepAlive(c.ctx)
	switch {
	case answered && c.client.IsConnected(): // a socket that goes away answers every question too
		c.pingAnswered()
	case !answered && goesOn && c.ctx.Err() == nil:
		c.countMissed()
	}
}

// pingAnswered is told once after pings were missed: by our own ping or by the library's next.
func (c *connection) pingAnswered() {
	c.mu.Lock()
	restored := c.missed > 0
	c.missed = 0
	c.mu.Unlock()
	if restored {
		c.tell(&keepaliveRestoredEvent{})
	}
}
