// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"sync"
	"time"
)

// tasks counts what runs for a connection. Unlike a WaitGroup it may grow while somebody waits.
type tasks struct {
	mu      sync.Mutex
	running int
	idle    chan struct{} // closed when nothing runs; nil while nobody waits
}

func (t *tasks) begin() {
	t.mu.Lock()
	t.running++
	t.mu.Unlock()
}

func (t *tasks) finish() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.running--; t.running == 0 && t.idle != nil {
		close(t.idle)
		t.idle = nil
	}
}

func (t *tasks) start(run func()) {
	t.begin()
	go func() {
		defer t.finish()
		run()
	}()
}

// settled waits until nothing runs and tells whether that happened within the limit.
func (t *tasks) settled(limit time.Duration) bool {
	t.mu.Lock()
	if t.running == 0 {
		t.mu.Unlock()
		return true
	}
	if t.idle == nil {
		t.idle = make(chan struct{})
	}
	idle := t.idle
	t.mu.Unlock()
	select {
	case <-idle:
		return true
	case <-time.After(limit):
		return false
	}
}
