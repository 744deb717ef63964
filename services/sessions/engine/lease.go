// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"errors"
	"math"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// This file: until when we may write. The owner tells us about twice a second which leases it holds and until when, on a
// clock that both processes read. A machine that stood still finds here that its time is over before anybody can tell it.

// errSuspended passes by itself: the owner confirms the lease, or says that it is over.
var errSuspended = errors.New("the lease is not confirmed at the moment")

// lease is the owner's hold on the sessions of one shard.
type lease struct {
	until atomic.Int64 // ns of the kernel's monotonic clock; leaseOver when it is lost
}

const leaseOver = math.MinInt64

// leases are those that the owner holds.
type leases struct {
	mu   sync.Mutex
	held map[string]*lease
}

// hold takes notice of every lease that is held now, by name; one that is not among them is over.
func (l *leases) hold(until map[string]int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	held := make(map[string]*lease, len(until))
	for name, moment := range until {
		known := l.held[name]
		if known == nil {
			known = &lease{}
		}
		known.until.Store(moment)
		held[name] = known
		delete(l.held, name)
	}
	for _, lost := range l.held {
		lost.until.Store(leaseOver)
	}
	l.held = held
}

// named returns the lease of this name, and one that is over when it is not held; nil for nil.
func (l *leases) named(name *string) *lease {
	if name == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if known := l.held[*name]; known != nil {
		return known
	}
	lost := &lease{}
	lost.until.Store(leaseOver)
	return lost
}

// tenure is under what a key store writes: its fence, and the lease while which it may. Without a lease it always may.
type tenure struct {
	fence int64
	lease *lease
}

// holds fails with errSuspended, or with errFenced when the lease is over.
func (t tenure) holds() error {
	if t.lease == nil {
		return nil
	}
	switch until := t.lease.until.Load(); {
	case until == leaseOver:
		return errFenced
	case monotonicNow() >= until:
		return errSuspended
	}
	return nil
}

// monotonicNow is CLOCK_MONOTONIC in ns, which is Python's time.monotonic_ns(); Go's own clock starts with the process.
func monotonicNow() int64 {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return math.MaxInt64 // nobody may write without a clock
	}
	return now.Nano()
}
