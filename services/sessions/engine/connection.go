// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waCompanionReg"
	"go.mau.fi/whatsmeow/proto/waWa6"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"
)

// The library hangs now and then between pairing and login; closing and connecting again heals it.
const (
	pairPatience  = 5 * time.Second
	pairPulse     = 250 * time.Millisecond
	pairRepairs   = 3
	loginPatience = 45 * time.Second
	pulse         = 5 * time.Second
	firstCodeLife = 60 * time.Second
	nextCodeLife  = 20 * time.Second
	ackPatience   = 60 * time.Second
	leavePatience = 300 * time.Millisecond
)

type phase int

const (
	phaseDialing  phase = iota // connecting, logging in, or waiting for the first QR code
	phaseScanning              // QR codes were told
	phasePasskey               // a passkey was asked for
	phasePaired                // a phone linked us; the login follows
	phaseOnline
)

// connection is one numbered attempt of a session to be connected. Python counts them; each ends once.
type connection struct {
	session *session
	number  int
	link    int
	fence   int64
	store   *keyStore
	client  *whatsmeow.Client
	stanzas *stanzaWatch
	proxied bool

	ctx        context.Context // of everything that is done for this connection
	cancel     context.CancelFunc
	socket     context.Context // the socket's life, a moment longer
	dropSocket context.CancelFunc
	work       tasks // everything that runs for this connection
	online     chan struct{}
	fanout     *fanout
	streamEnd  atomic.Pointer[waBinary.Node] // the server's last word on this connection, when it said one

	mu         sync.Mutex // also puts the events in order
	phase      phase
	ended      bool
	pairedTold bool
	codesEnd   time.Time // or of the challenge for a passkey
	missed     int       // pings without an answer, in a row
	typing     *time.Timer
}

// newConnection fails when the proxy is none.
func newConnection(s *session, r *openRequest, ks *keyStore, device *store.Device) (*connection, error) {
	proxy, err := proxyOf(r.Proxy)
	if err != nil {
		return nil, err
	}
	c := &connection{
		session: s, number: r.Connection, link: r.Link, fence: r.Fence, store: ks, online: make(chan struct{}),
		stanzas: newStanzaWatch(), fanout: newFanout(),
	}
	c.ctx, c.cancel = context.WithCancel(s.worker.ctx)
	c.socket, c.dropSocket = context.WithCancel(context.WithoutCancel(s.worker.ctx)) // a worker that stops hangs up too
	c.pairedTold = device.ID != nil
	ks.pairing(device.ID == nil)
	ks.mu.Lock()
	ks.onFailure = c.storeFailed
	ks.mu.Unlock()
	device.Log = libraryLog{s.name, "store"}
	c.client = whatsmeow.NewClient(device, clientLog{libraryLog{s.name, "client"}, c.stanzaReceived, c.stanzaSent})
	c.session.worker.network.attach(c.client, proxy)
	c.proxied = proxy != nil
	c.configure(r.DeviceName)
	return c, nil
}

func (c *connection) configure(deviceName string) {
	client := c.client
	client.EnableAutoReconnect = false
	client.SynchronousAck = true
	client.EnableDecryptedEventBuffer = true
	client.UseRetryMessageStore = true
	client.ManualHistorySyncDownload = true
	client.BackgroundEventCtx = c.ctx
	client.GetClientPayload = func() *waWa6.ClientPayload { return payloadNamed(client.Store, deviceName) }
	client.AddEventHandlerWithSuccessStatus(c.handle)
}

// payloadNamed puts the name that the phone shows for this device into the registration.
func payloadNamed(device *store.Device, name string) *waWa6.ClientPayload {
	payload := device.GetClientPayload()
	if payload.DevicePairingData == nil || name == "" {
		return payload
	}
	props := proto.Clone(store.DeviceProps).(*waCompanionReg.DeviceProps)
	props.Os = proto.String(name)
	props.PlatformType = waCompanionReg.DeviceProps_DESKTOP.Enum()
	if encoded, err := proto.Marshal(props); err == nil {
		payload.DevicePairingData.DeviceProps = encoded
	}
	return payload
}

func (c *connection) start() {
	c.work.start(c.connect)
	c.work.start(c.watch)
}

func (c *connection) connect() {
	err := c.client.ConnectContext(c.socket)
	if err != nil && c.ctx.Err() == nil {
		logEvent("warn", "connecting failed", "session", c.session.name, "connection", c.number, "error", err)
		c.end(&disconnectedEvent{Reason: "connect_failed", Cause: causeOf(err, c.proxied)})
	}
}

// watch ends a connection that never comes up, whose codes ran out, or whose socket went away without a word.
func (c *connection) watch() {
	ticker := time.NewTicker(pulse)
	defer ticker.Stop()
	began, silent := time.Now(), 0
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-ticker.C:
		}
		at := c.at()
		if c.client.IsConnected() || at == phaseDialing || at == phasePaired {
			silent = 0
		} else {
			silent++
		}
		switch {
		case at == phaseDialing && time.Since(began) > loginPatience:
			c.end(&disconnectedEvent{Reason: "connect_failed", Cause: "timeout"})
		case (at == phaseScanning || at == phasePasskey) && c.codesOver():
			c.end(&qrEndedEvent{Reason: "expired"})
		case silent >= 2:
			c.lost()
		}
	}
}

// watchPairing connects again when the login does not follow a pairing.
func (c *connection) watchPairing() {
	for repair := 0; !c.loggedInSoon(); repair++ {
		if c.over() {
			return
		}
		if repair == pairRepairs {
			c.end(&disconnectedEvent{Reason: "pair_timeout"})
			return
		}
		logEvent("warn", "the login did not follow the pairing; connecting again", "session", c.session.name, "connection", c.number)
		c.client.Disconnect()
		if err := c.client.ConnectContext(c.socket); err != nil && !errors.Is(err, whatsmeow.ErrAlreadyConnected) {
			logEvent("warn", "connecting again failed", "session", c.session.name, "connection", c.number, "error", err)
		}
	}
}

// loggedInSoon waits for the login: false when it takes too long, or when the socket is gone and nobody dials.
func (c *connection) loggedInSoon() bool {
	ticker := time.NewTicker(pairPulse)
	defer ticker.Stop()
	deadline := time.Now().Add(pairPatience)
	for gone := 0; gone < 2 && time.Now().Before(deadline); {
		select {
		case <-c.online:
			return true
		case <-c.ctx.Done():
			return false
		case <-ticker.C:
		}
		if c.client.IsConnected() { // waits while the library dials
			gone = 0
		} else {
			gone++
		}
	}
	return false
}

func (c *connection) at() phase {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.phase
}

func (c *connection) codesOver() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().After(c.codesEnd)
}

func (c *connection) over() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}

// tell sends an event that needs no acknowledgement, unless the connection has ended.
func (c *connection) tell(e event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended {
		e.from(c.session.name, c.number)
		c.session.worker.tell(e)
	}
}

// confirmed sends an event and waits until Python has it in safe hands. False ends the connection: only the next login
// makes WhatsApp tell it again, and nothing later may be acknowledged before.
func (c *connection) confirmed(e event) bool {
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return false
	}
	e.from(c.session.name, c.number)
	answer, forget := c.session.worker.ask(e)
	c.mu.Unlock()
	defer forget()
	select {
	case ok := <-answer:
		if ok {
			return true
		}
	case <-time.After(ackPatience):
	case <-c.ctx.Done():
		select {
		case ok := <-answer: // it came before the end
			return ok
		default:
			return false
		}
	}
	c.end(&disconnectedEvent{Reason: "dropped"})
	return false
}

// end closes the socket for good and tells why, once; nil tells nobody.
func (c *connection) end(why event) {
	c.mu.Lock()
	first := !c.ended
	c.ended = true
	if first && why != nil {
		why.from(c.session.name, c.number)
		c.session.worker.tell(why)
	}
	c.mu.Unlock()
	if first {
		c.cancel()
		c.work.start(c.hangUp)
	}
}

// hangUp closes the socket. A dial, or a server that does not take its leave, is cut off; only then, for the library
// closes a socket that is cut off in another goroutine, and the two might meet.
func (c *connection) hangUp() {
	late := time.AfterFunc(leavePatience, c.dropSocket)
	defer late.Stop()
	c.client.Disconnect()
	c.dropSocket()
}

// settle waits until nothing of an ended connection runs, within a limit.
func (c *connection) settle(limit time.Duration) {
	if !c.work.settled(limit) {
		logEvent("warn", "something of an ended connection still runs", "session", c.session.name, "connection", c.number)
	}
	c.client.Disconnect()
}

func (c *connection) storeFailed(err error) {
	reason := "store"
	if errors.Is(err, errFenced) {
		reason = "fenced"
	}
	logEvent("error", "the key store failed; the connection is closed", "session", c.session.name, "connection", c.number, "reason", reason, "error", err)
	c.end(&disconnectedEvent{Reason: reason})
}

// handle is the library's event handler. What it returns decides whether WhatsApp gets its acknowledgement: true only
// when the event is in safe hands, over a key store that still holds. What was taken just before the connection ended is
// taken; nothing is after.
func (c *connection) handle(raw any) (handled bool) {
	c.work.begin()
	defer c.work.finish()
	defer func() {
		if panicked := recover(); panicked != nil {
			logEvent("error", "an event handler panicked", "session", c.session.name, "kind", fmt.Sprintf("%T", raw), "panic", panicked)
			c.end(&disconnectedEvent{Reason: "dropped"})
			handled = false
		}
	}()
	switch e := raw.(type) {
	case *events.Message:
		handled = c.onMessage(e)
	case *events.Receipt:
		handled = c.onReceipt(e)
	case *events.UndecryptableMessage:
		handled = c.onUndecryptable(e)
	default:
		c.onState(raw)
		handled = true
	}
	return handled && c.store.broken() == nil
}

// onState follows the life of the connection.
func (c *connection) onState(raw any) {
	switch e := raw.(type) {
	case *events.QR:
		c.toScanning(e.Codes)
	case *events.PairSuccess:
		c.toPaired()
	case *events.PairError:
		logEvent("error", "pairing failed", "session", c.session.name, "error", e.Error)
		c.end(&qrEndedEvent{Reason: "pair_failed"})
	case *events.PairPasskeyRequest:
		c.toPasskey(e)
	case *events.PairPasskeyConfirmation:
		c.tell(&passkeyConfirmationEvent{Code: e.Code, Skip: e.SkipHandoffUX})
	case *events.PairPasskeyError:
		c.tell(&passkeyFailedEvent{Message: scrub(e.Error.Error())})
	case *events.Connected:
		c.toOnline()
	case *events.Disconnected:
		c.lost()
	case *events.LoggedOut:
		c.loggedOut(int(e.Reason))
	case *events.StreamReplaced:
		c.end(&replacedEvent{})
	case *events.TemporaryBan:
		c.end(&bannedEvent{Code: int(e.Code), UntilMS: after(e.Expire)})
	case *events.ClientOutdated:
		c.end(&outdatedEvent{})
	case *events.ConnectFailure:
		c.end(&disconnectedEvent{Reason: fmt.Sprintf("server_error:%d", int(e.Reason))})
	case *events.StreamError:
		c.end(&disconnectedEvent{Reason: "server_error:" + e.Code})
	case *events.KeepAliveTimeout:
		c.pingMissed()
	case *events.KeepAliveRestored:
		c.pingAnswered()
	case *events.NotifyAccountReachoutTimelock:
		c.tell(&restrictedEvent{Kind: e.EnforcementType, Active: e.IsActive, UntilMS: momentOrNil(e.TimeEnforcementEnds.Time)})
	}
}

func (c *connection) toScanning(codes []string) {
	c.mu.Lock()
	if c.phase == phaseDialing {
		c.phase = phaseScanning
	}
	c.codesEnd = time.Now().Add(firstCodeLife + nextCodeLife*time.Duration(len(codes)-1) + pulse)
	c.mu.Unlock()
	c.tell(&qrEvent{Codes: codes})
}

func (c *connection) toPaired() {
	c.mu.Lock()
	first := !c.pairedTold
	c.pairedTold = true
	if c.phase != phaseOnline {
		c.phase = phasePaired
	}
	c.mu.Unlock()
	if !first {
		return
	}
	device := c.client.Store
	c.tell(&pairedEvent{JID: device.GetJID().String(), LID: device.LID.ToNonAD().String(), Name: device.BusinessName})
	c.work.start(c.watchPairing)
}

func (c *connection) toOnline() {
	c.toPairedFirst()
	c.store.pairing(false)
	c.mu.Lock()
	again := c.phase == phaseOnline
	c.phase = phaseOnline
	c.mu.Unlock()
	if again {
		return // the library reconnected by itself after a 515
	}
	close(c.online)
	device := c.client.Store
	c.tell(&connectedEvent{JID: device.GetJID().String(), LID: device.LID.ToNonAD().String()})
}

// toPairedFirst keeps the order of `paired` and `connected`, which the library tells from two goroutines.
func (c *connection) toPairedFirst() {
	c.mu.Lock()
	untold := !c.pairedTold
	c.mu.Unlock()
	if untold {
		c.toPaired()
	}
}

// lost is told what it means by the phase: after a pairing the watchdog connects again.
func (c *connection) lost() {
	if c.endedByServer() {
		return
	}
	switch c.at() {
	case phasePaired:
	case phasePasskey:
		c.end(&qrEndedEvent{Reason: "dropped"})
	case phaseScanning:
		c.mu.Lock()
		lastCode := time.Now().After(c.codesEnd.Add(-nextCodeLife))
		c.mu.Unlock()
		reason := "dropped"
		if lastCode {
			reason = "expired"
		}
		c.end(&qrEndedEvent{Reason: reason})
	default:
		c.end(&disconnectedEvent{Reason: "dropped"})
	}
}

// endedByServer tells why WhatsApp ended the stream, as the library does: it drops the stanza that says so when the
// socket is closed right behind it. A connection that was replaced must not be opened again, against the one that
// replaced it.
func (c *connection) endedByServer() bool {
	node := c.streamEnd.Load()
	if node == nil {
		return false
	}
	code := node.AttrGetter().OptionalString("code")
	conflict := node.GetChildByTag("conflict")
	switch kind := conflict.AttrGetter().OptionalString("type"); {
	case kind == "device_removed" && code == "401":
		c.loggedOut(401)
	case kind == "replaced":
		c.end(&replacedEvent{})
	case code == "" || code == "503" || code == "515": // a restart, or the login after a pairing: a drop like any other
		return false
	default:
		c.end(&disconnectedEvent{Reason: "server_error:" + code})
	}
	return true
}

// loggedOut is told after the link is marked as ended, so that whoever opens it next hears it too.
func (c *connection) loggedOut(code int) {
	c.store.ending(code)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), c.store.archive.patience)
	defer cancel()
	if err := c.store.DeleteDevice(ctx, nil); err != nil {
		logEvent("error", "the end of a link could not be marked", "session", c.session.name, "error", err)
		c.end(&disconnectedEvent{Reason: "store"})
		return
	}
	c.end(&loggedOutEvent{Code: code})
}

func after(wait time.Duration) *int64 {
	if wait <= 0 {
		return nil
	}
	return momentOrNil(time.Now().Add(wait))
}

func momentOrNil(t time.Time) *int64 {
	if t.IsZero() || t.Unix() <= 0 {
		return nil
	}
	ms := t.UnixMilli()
	return &ms
}
