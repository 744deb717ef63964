// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"go.mau.fi/whatsmeow/proto/waWa6"
)

const (
	maxFrameBytes  = 1 << 24
	headerBytes    = 4
	writeTimeout   = 10 * time.Second
	handshakeLimit = 20 * time.Second
	// politePause stands between a last stanza and the closing of its socket:
	// without it the client may lose the stanza (fault closeAtOnce).
	politePause = 100 * time.Millisecond
	maxQueued   = 100_000
)

// connection is one websocket of a client. phone and device are set at login
// and guarded by the network's lock, like active and link.
type connection struct {
	network *network
	socket  *websocket.Conn
	life    context.Context
	end     context.CancelFunc
	unread  []byte
	outbox  *outbox
	session *noiseKeys

	staticKey []byte
	payload   *waWa6.ClientPayload
	phone     *phone
	device    *device
	active    bool // after <active/>: messages may flow
	ended     bool // its last stanza is on the way: nothing counts any more
	name      atomic.Pointer[deviceName]
	link      *linking
	code      *codePairing
	passkey   *passkeyPairing
}

func (net *network) acceptSocket(w http.ResponseWriter, r *http.Request) {
	if net.faults.refusesConnections() {
		http.Error(w, "no network", http.StatusServiceUnavailable)
		return
	}
	socket, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true, // the client names WhatsApp's origin
		CompressionMode:    websocket.CompressionDisabled,
	})
	if err != nil {
		return
	}
	socket.SetReadLimit(maxFrameBytes + 3)
	life, end := context.WithCancel(context.Background())
	c := &connection{network: net, socket: socket, life: life, end: end, outbox: newOutbox()}
	defer c.finish()
	if !net.register(c) {
		return
	}
	if err := c.run(); err != nil && !isClosing(err) {
		net.log.Warn("connection failed", "error", err)
	}
}

func (net *network) register(c *connection) bool {
	net.mu.Lock()
	defer net.mu.Unlock()
	if net.closed {
		return false
	}
	net.connections[c] = true
	return true
}

func (net *network) noiseIdentity() noiseIdentity {
	net.mu.Lock()
	defer net.mu.Unlock()
	return net.server
}

func (c *connection) run() error {
	handshakeOver := time.AfterFunc(handshakeLimit, c.abort)
	met, err := acceptHandshake(c, c.network.noiseIdentity())
	handshakeOver.Stop()
	if err != nil {
		return err
	}
	c.session, c.staticKey, c.payload = met.session, met.staticKey, met.payload
	go c.write()
	if err := c.network.change(func() error { return c.network.welcome(c) }); err != nil {
		return err
	}
	for {
		node, err := c.read()
		if err != nil {
			return err
		}
		if c.network.faults.blackholed(c) {
			continue
		}
		if err := c.network.change(func() error { return c.network.receive(c, node) }); err != nil {
			return err
		}
	}
}

// finish forgets the connection everywhere.
func (c *connection) finish() {
	if failure := recover(); failure != nil {
		c.network.log.Error("connection panicked", "failure", fmt.Sprint(failure), "stack", string(debug.Stack()))
	}
	c.abort()
	_ = c.network.change(func() error {
		c.network.forget(c)
		return nil
	})
	c.network.mu.Lock()
	delete(c.network.connections, c)
	c.network.mu.Unlock()
}

func (net *network) forget(c *connection) {
	if c.device != nil && c.device.connection == c {
		c.device.connection = nil
	}
	for text, ref := range net.references {
		if ref.connection == c {
			delete(net.references, text)
		}
	}
	for number, waiting := range net.codes {
		if waiting == c {
			delete(net.codes, number)
		}
	}
	if c.link != nil {
		c.link.end(refusal{http.StatusConflict, "the device went away before it was linked"})
	}
}

// deviceName is the device that a connection belongs to, for faults: they are
// looked at outside the network's lock.
type deviceName struct {
	number string
	id     uint16
}

func (c *connection) identify(d *device) {
	c.name.Store(&deviceName{number: d.phone.Number, id: d.ID})
}

// abort cuts the socket without a word.
func (c *connection) abort() {
	c.end()
	c.outbox.close()
	_ = c.socket.CloseNow()
}

// open is whether the client can still be told something: neither was its
// stream ended nor its socket cut. It is forgotten only when its socket has
// closed, which a slow client does a while later.
func (c *connection) open() bool { return !c.ended && c.life.Err() == nil }

func isClosing(err error) bool {
	return errors.Is(err, errClosed) || errors.Is(err, errSocketEnded) || errors.Is(err, context.Canceled)
}

var errSocketEnded = errors.New("the socket ended")

func (c *connection) fill(bytes int) error {
	for len(c.unread) < bytes {
		_, more, err := c.socket.Read(c.life)
		if err != nil {
			return errors.Join(errSocketEnded, err)
		}
		c.unread = append(c.unread, more...)
	}
	return nil
}

func (c *connection) readHeader() ([]byte, error) {
	return c.take(headerBytes)
}

func (c *connection) take(bytes int) ([]byte, error) {
	if err := c.fill(bytes); err != nil {
		return nil, err
	}
	taken := c.unread[:bytes:bytes]
	c.unread = c.unread[bytes:]
	if len(c.unread) == 0 {
		c.unread = nil // a waiting connection does not hold its last frame
	}
	return taken, nil
}

// readFrame reads one frame; several may share a websocket message, and one
// may be spread over several.
func (c *connection) readFrame() ([]byte, error) {
	length, err := c.take(3)
	if err != nil {
		return nil, err
	}
	return c.take(int(fromBigEndian(length)))
}

func (c *connection) writeFrame(frame []byte) error {
	ctx, cancel := context.WithTimeout(c.life, writeTimeout)
	defer cancel()
	return c.socket.Write(ctx, websocket.MessageBinary, append(bigEndian(uint32(len(frame)), 3), frame...))
}

func (c *connection) read() (*stanza, error) {
	sealed, err := c.readFrame()
	if err != nil {
		return nil, err
	}
	frame, err := c.session.open(sealed)
	if err != nil {
		return nil, fmt.Errorf("a frame does not open: %w", err)
	}
	return parseFrame(frame)
}

// write is the only writer after the handshake. A frame swallowed by a black
// hole is not sealed, so the counters of both sides stay equal.
func (c *connection) write() {
	defer c.abort()
	for {
		next, open := c.outbox.pop(c.life)
		if !open {
			return
		}
		if !c.waitUntil(next.queued.Add(c.network.faults.delay(c))) {
			return
		}
		if next.closes {
			c.waitUntil(time.Now().Add(next.pause))
			if next.polite {
				_ = c.socket.Close(websocket.StatusNormalClosure, "")
			}
			return
		}
		if c.network.faults.blackholed(c) {
			continue
		}
		if err := c.writeFrame(c.session.seal(next.frame)); err != nil {
			return
		}
	}
}

func (c *connection) waitUntil(at time.Time) bool {
	wait := time.Until(at)
	if wait <= 0 {
		return true
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.life.Done():
		return false
	}
}

// outgoing is a frame to write, or the order to close behind those before it.
type outgoing struct {
	frame  []byte
	queued time.Time
	closes bool
	polite bool // with a closing handshake
	pause  time.Duration
}

// outbox is the unbounded queue between the network's lock and a slow socket.
type outbox struct {
	mu     sync.Mutex
	frames []outgoing
	signal chan struct{}
	closed bool
}

func newOutbox() *outbox {
	return &outbox{signal: make(chan struct{}, 1)}
}

func (box *outbox) push(one outgoing) {
	one.queued = time.Now()
	box.mu.Lock()
	if !box.closed && len(box.frames) < maxQueued {
		box.frames = append(box.frames, one)
	}
	box.mu.Unlock()
	box.wake()
}

func (box *outbox) wake() {
	select {
	case box.signal <- struct{}{}:
	default:
	}
}

func (box *outbox) pop(life context.Context) (outgoing, bool) {
	for {
		box.mu.Lock()
		if len(box.frames) > 0 {
			first := box.frames[0]
			box.frames[0] = outgoing{}
			if box.frames = box.frames[1:]; len(box.frames) == 0 {
				box.frames = nil
			}
			box.mu.Unlock()
			return first, true
		}
		box.mu.Unlock()
		select {
		case <-box.signal:
		case <-life.Done():
			return outgoing{}, false
		}
	}
}

func (box *outbox) close() {
	box.mu.Lock()
	box.closed = true
	box.frames = nil
	box.mu.Unlock()
}

// receive handles one stanza of a client, under the lock.
func (net *network) receive(c *connection, node *stanza) error {
	net.counts.rate.add(time.Now())
	if c.ended {
		return nil
	}
	if node.Tag == "iq" {
		return net.receiveQuery(c, node)
	}
	if c.device == nil {
		return nil // the acks of a device that is being linked
	}
	switch node.Tag {
	case "message":
		return net.receiveMessage(c, node)
	case "receipt":
		return net.receiveReceipt(c, node)
	case "ack":
		net.receiveAck(c, node)
	case "presence":
		net.receivePresence(c, node)
	case "chatstate":
		return net.receiveChatState(c, node)
	}
	return nil
}
