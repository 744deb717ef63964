// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/util/keys"
)

// network is everything the simulated WhatsApp knows. All of it is guarded by
// one lock: a change is made, written down, and only then told to anybody.
type network struct {
	mu          sync.Mutex
	closed      bool
	book        *journal
	phones      map[string]*phone // by number
	byLID       map[string]*phone
	byAlias     map[string]*phone // by other spellings of its number
	groups      map[string]*group // by the user part of their JID
	references  map[string]*reference
	codes       map[string]*connection // waiting for a pairing code, by number
	connections map[*connection]bool
	untold      []telling
	lastRow     uint64
	faults      *faultBook
	counts      counts
	media       *mediaShelf
	root        *keys.KeyPair
	dir         string
	server      noiseIdentity // replaced by the fault serverKey
	log         *slog.Logger
}

// telling is a frame that leaves once what it says is written down.
type telling struct {
	to    *connection
	frame outgoing
}

func openNetwork(dir string, root *keys.KeyPair, log *slog.Logger) (*network, error) {
	server, err := loadNoiseIdentity(dir, root)
	if err != nil {
		return nil, err
	}
	media, err := openMediaShelf(filepath.Join(dir, "media"))
	if err != nil {
		return nil, err
	}
	book, err := openJournal(dir)
	if err != nil {
		return nil, err
	}
	net := &network{
		book:        book,
		phones:      map[string]*phone{},
		byLID:       map[string]*phone{},
		byAlias:     map[string]*phone{},
		groups:      map[string]*group{},
		references:  map[string]*reference{},
		codes:       map[string]*connection{},
		connections: map[*connection]bool{},
		faults:      newFaultBook(),
		media:       media,
		root:        root,
		dir:         dir,
		server:      server,
		log:         log,
	}
	if err := net.load(); err != nil {
		book.close()
		return nil, fmt.Errorf("cannot read the state: %w", err)
	}
	net.resumeReading()
	return net, nil
}

func (net *network) load() error {
	return errors.Join(net.loadPhones(), net.loadDevices(), net.loadMessages(), net.loadLetters(), net.loadGroups(), net.loadState())
}

var errClosed = errors.New("the network is stopping")

// change runs one step under the lock, writes down what it changed, and then
// lets out the frames it produced: nobody is told what a crash could forget.
func (net *network) change(step func() error) error {
	net.mu.Lock()
	defer net.mu.Unlock()
	if net.closed {
		return errClosed
	}
	stepError := step()
	if err := net.book.commit(); err != nil {
		net.untold = nil
		net.log.Error("the state cannot be written", "error", err)
		return err
	}
	for _, one := range net.untold {
		one.to.outbox.push(one.frame)
	}
	net.untold = nil
	return stepError
}

// tell queues a stanza to a connection until the step it belongs to is kept.
func (net *network) tell(to *connection, node stanza) error {
	frame, err := waBinary.Marshal(node)
	if err != nil {
		return fmt.Errorf("cannot write a %s stanza: %w", node.Tag, err)
	}
	net.untold = append(net.untold, telling{to, outgoing{frame: frame}})
	return nil
}

// hangUp closes a connection behind the frames queued before it.
func (net *network) hangUp(which *connection, pause time.Duration) {
	net.untold = append(net.untold, telling{which, outgoing{closes: true, pause: pause}})
}

// nextRow gives ordered keys to rows of lists.
func (net *network) nextRow() string {
	net.lastRow++
	return fmt.Sprintf("%016d", net.lastRow)
}

func (net *network) sawRow(key string) {
	var number uint64
	if _, err := fmt.Sscanf(filepath.Base(key), "%d", &number); err == nil && number > net.lastRow {
		net.lastRow = number
	}
}

func (net *network) close() {
	net.mu.Lock()
	defer net.mu.Unlock()
	if net.closed {
		return
	}
	net.closed = true
	for which := range net.connections {
		which.abort()
	}
	net.book.close()
}

// counts are told by GET /stats.
type counts struct {
	messagesIn    int64
	messagesOut   int64
	undecryptable int64
	retryReceipts int64
	lookUps       int64
	rate          rate
}

// rate counts events of the last full ten seconds.
type rate struct {
	seconds [11]int64
	stamps  [11]int64
}

func (r *rate) add(now time.Time) {
	second := now.Unix()
	slot := second % int64(len(r.seconds))
	if r.stamps[slot] != second {
		r.stamps[slot], r.seconds[slot] = second, 0
	}
	r.seconds[slot]++
}

func (r *rate) perSecond(now time.Time) float64 {
	var sum int64
	for slot, stamp := range r.stamps {
		if age := now.Unix() - stamp; age >= 1 && age <= 10 {
			sum += r.seconds[slot]
		}
	}
	return float64(sum) / 10
}
