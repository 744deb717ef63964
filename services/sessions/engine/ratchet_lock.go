// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// strayHold bounds how long a lone GetSession keeps the lock when no PutSession follows it.
const strayHold = 2 * time.Second

// ratchetLock serialises everything that reads and then writes Signal sessions of one link. The library has no such lock:
// without ours, a message sent and one received at the same moment use one counter twice and one of them is lost.
type ratchetLock struct {
	token    chan struct{}
	disabled bool // only a test turns it off, to see the loss

	mu    sync.Mutex
	stray map[string]*time.Timer
}

func newRatchetLock() *ratchetLock {
	l := &ratchetLock{token: make(chan struct{}, 1), stray: map[string]*time.Timer{}}
	l.token <- struct{}{}
	return l
}

func (l *ratchetLock) acquire(ctx context.Context) error {
	if l.disabled {
		return nil
	}
	select {
	case <-l.token:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *ratchetLock) release() {
	if !l.disabled {
		l.token <- struct{}{}
	}
}

// holdStray takes the lock for a lone GetSession: the library encrypts answers to retry receipts and its own peer
// messages with GetSession and PutSession, outside SendMessage's bracket.
func (l *ratchetLock) holdStray(ctx context.Context, address string) error {
	if err := l.acquire(ctx); err != nil || l.disabled {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stray[address] = time.AfterFunc(strayHold, func() { l.releaseStray(address) })
	return nil
}

func (l *ratchetLock) releaseStray(address string) {
	l.mu.Lock()
	timer, held := l.stray[address]
	delete(l.stray, address)
	l.mu.Unlock()
	if held {
		timer.Stop()
		l.release()
	}
}

// recovered turns a panic into an error.
func recovered(run func() error) (err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("panic: %v", panicked)
		}
	}()
	return run()
}
