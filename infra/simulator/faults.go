// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"slices"
	"sync"
	"time"
)

// fault is the body of POST /faults. Without a phone it concerns everybody,
// without a device all devices of the phone. drop, close and streamError act at
// once on the connections that are open; the others are rules until they were
// used count times, until for has passed, or until DELETE /faults.
type fault struct {
	ID       int    `json:"id"`
	Kind     string `json:"kind"`
	Phone    string `json:"phone,omitempty"`
	Device   uint16 `json:"device,omitempty"`
	To       string `json:"to,omitempty"`       // nack, withholdAck, reuseKeys: only messages to this number or group
	Code     int    `json:"code,omitempty"`     // streamError, loginFailure, nack, media, query
	XMLNS    string `json:"xmlns,omitempty"`    // query: the kind of queries, such as usync or w:g2
	Conflict string `json:"conflict,omitempty"` // streamError: replaced or device_removed
	BanCode  int    `json:"banCode,omitempty"`  // loginFailure 402
	ExpireS  int    `json:"expireS,omitempty"`  // loginFailure 402, timelock: 0 ends it
	MS       int    `json:"ms,omitempty"`       // delay; restart: how long it is away
	Every    int    `json:"every,omitempty"`    // reuseKeys: after each n-th encryption only
	EveryMS  int    `json:"everyMs,omitempty"`  // drop, close, streamError: again and again, as long as for says
	Count    int    `json:"count,omitempty"`    // uses; 0: no limit
	ForMS    int    `json:"for,omitempty"`      // 0: no limit
	Hit      int    `json:"hit"`                // connections or stanzas met so far

	until     time.Time
	encrypted map[deviceName]int // reuseKeys: how much for each device
}

const (
	faultDrop         = "drop"
	faultClose        = "close"
	faultStreamError  = "streamError"
	faultLoginFailure = "loginFailure"
	faultBlackhole    = "blackhole"
	faultWithholdAck  = "withholdAck"
	faultNack         = "nack"
	faultDelay        = "delay"
	faultDuplicate    = "duplicate"
	faultGarble       = "garble"
	faultReuseKeys    = "reuseKeys"
	faultKeepMail     = "keepMail"
	faultMedia        = "media"
	faultQuery        = "query"
	faultTimelock     = "timelock"
	faultPasskey      = "passkey"
	faultCloseAtOnce  = "closeAtOnce"
	faultUntoldDevice = "untoldDevice"
	faultWrongHash    = "wrongHash"
	faultRestart      = "restart"
	faultServerKey    = "serverKey"
)

// faultKinds says of each kind whether it needs a code and whether it acts at
// once.
var faultKinds = map[string]struct{ needsCode, atOnce bool }{
	faultDrop:         {atOnce: true},
	faultClose:        {atOnce: true},
	faultStreamError:  {needsCode: true, atOnce: true},
	faultLoginFailure: {needsCode: true},
	faultBlackhole:    {},
	faultWithholdAck:  {},
	faultNack:         {needsCode: true},
	faultDelay:        {},
	faultDuplicate:    {},
	faultGarble:       {},
	faultReuseKeys:    {},
	faultKeepMail:     {},
	faultMedia:        {needsCode: true},
	faultQuery:        {needsCode: true},
	faultTimelock:     {},
	faultPasskey:      {},
	faultCloseAtOnce:  {},
	faultUntoldDevice: {},
	faultWrongHash:    {},
	faultRestart:      {atOnce: true},
	faultServerKey:    {atOnce: true},
}

// faultBook holds the rules. It has a lock of its own: readers and writers of
// sockets look here outside the network's.
type faultBook struct {
	mu    sync.Mutex
	last  int
	rules []*fault
}

func newFaultBook() *faultBook { return &faultBook{} }

func (book *faultBook) add(one *fault) {
	book.mu.Lock()
	defer book.mu.Unlock()
	book.last++
	one.ID = book.last
	if one.Kind == faultTimelock {
		book.endTimelocks(one)
		one.ForMS = one.ExpireS * 1000
	}
	if one.ForMS > 0 {
		one.until = now().Add(time.Duration(one.ForMS) * time.Millisecond)
	}
	if (!faultKinds[one.Kind].atOnce && one.Kind != faultTimelock) || one.ForMS > 0 {
		book.rules = append(book.rules, one)
	}
}

// endTimelocks removes what a new timelock, or the end of one, replaces.
func (book *faultBook) endTimelocks(next *fault) {
	book.rules = slices.DeleteFunc(book.rules, func(rule *fault) bool {
		return rule.Kind == faultTimelock && (next.Phone == "" || rule.Phone == next.Phone)
	})
}

func (book *faultBook) clear() {
	book.mu.Lock()
	defer book.mu.Unlock()
	book.rules = nil
}

func (book *faultBook) list() []fault {
	book.mu.Lock()
	defer book.mu.Unlock()
	listed := []fault{}
	for _, rule := range book.rules {
		if rule.alive() {
			listed = append(listed, *rule)
		}
	}
	return listed
}

func (one *fault) alive() bool {
	return (one.Count == 0 || one.Hit < one.Count) && (one.until.IsZero() || now().Before(one.until))
}

// concerns asks whether a fault is meant for a device; nil is one that did not
// log in yet.
func (one *fault) concerns(name *deviceName) bool {
	if one.Phone == "" {
		return true
	}
	return name != nil && one.Phone == name.number && (one.Device == 0 || one.Device == name.id)
}

func (book *faultBook) hit(one *fault) {
	book.mu.Lock()
	defer book.mu.Unlock()
	one.Hit++
}

func (book *faultBook) copyOf(one *fault) fault {
	book.mu.Lock()
	defer book.mu.Unlock()
	return *one
}

// use counts a meeting with the first living rule of a kind, and returns a
// copy of it, or nil.
func (book *faultBook) use(kind string, fits func(*fault) bool) *fault {
	book.mu.Lock()
	defer book.mu.Unlock()
	for _, rule := range book.rules {
		if rule.Kind == kind && rule.alive() && fits(rule) {
			rule.Hit++
			met := *rule
			return &met
		}
	}
	return nil
}

func (book *faultBook) useFor(kind string, c *connection) *fault {
	name := c.name.Load()
	return book.use(kind, func(rule *fault) bool { return rule.concerns(name) })
}

func (book *faultBook) useForMessage(kind string, c *connection, to string) *fault {
	name := c.name.Load()
	return book.use(kind, func(rule *fault) bool {
		return rule.concerns(name) && (rule.To == "" || rule.To == to)
	})
}

func (book *faultBook) blackholed(c *connection) bool {
	return book.useFor(faultBlackhole, c) != nil
}

func (book *faultBook) delay(c *connection) time.Duration {
	if met := book.useFor(faultDelay, c); met != nil {
		return time.Duration(met.MS) * time.Millisecond
	}
	return 0
}

// duplicates is how many further times a message goes to a device.
func (book *faultBook) duplicates(c *connection) int {
	if book.useFor(faultDuplicate, c) != nil {
		return 1
	}
	return 0
}

func (book *faultBook) nack(c *connection, to string) int {
	if met := book.useForMessage(faultNack, c, to); met != nil {
		return met.Code
	}
	return 0
}

func (book *faultBook) withholdsAck(c *connection, to string) bool {
	return book.useForMessage(faultWithholdAck, c, to) != nil
}

func (book *faultBook) timelocked(c *connection) *fault {
	return book.useFor(faultTimelock, c)
}

// garbles asks whether a message to a device is damaged on its way.
func (book *faultBook) garbles(d *device) bool {
	name := &deviceName{number: d.phone.Number, id: d.ID}
	return book.use(faultGarble, func(rule *fault) bool { return rule.concerns(name) }) != nil
}

// forgetsKey asks, once for each encryption, whether a phone forgets that it
// used a key for this device.
func (book *faultBook) forgetsKey(p *phone, target *device) bool {
	writer, reader := &deviceName{number: p.Number}, deviceName{number: target.phone.Number, id: target.ID}
	return book.use(faultReuseKeys, func(rule *fault) bool {
		return rule.concerns(writer) && (rule.To == "" || rule.To == reader.number) && rule.isDue(reader)
	}) != nil
}

// isDue counts what is encrypted for a device; each n-th time is due.
func (one *fault) isDue(reader deviceName) bool {
	if one.encrypted == nil {
		one.encrypted = map[deviceName]int{}
	}
	one.encrypted[reader]++
	return one.encrypted[reader]%max(one.Every, 1) == 0
}

// keepsMail asks whether what a device confirms stays in its mailbox.
func (book *faultBook) keepsMail(c *connection) bool {
	return book.useFor(faultKeepMail, c) != nil
}

// mediaCode is the HTTP status by which an upload or a download fails, or 0.
func (book *faultBook) mediaCode() int {
	if met := book.use(faultMedia, func(*fault) bool { return true }); met != nil {
		return met.Code
	}
	return 0
}

// queryCode is the code by which a query is refused, or 0.
func (book *faultBook) queryCode(c *connection, xmlns string) int {
	name := c.name.Load()
	met := book.use(faultQuery, func(rule *fault) bool { return rule.concerns(name) && rule.XMLNS == xmlns })
	if met == nil {
		return 0
	}
	return met.Code
}

// holds asks whether a rule still stands.
func (book *faultBook) holds(one *fault) bool {
	book.mu.Lock()
	defer book.mu.Unlock()
	return slices.Contains(book.rules, one) && one.alive()
}

func (book *faultBook) passkeyDemanded(number string) bool {
	name := &deviceName{number: number}
	return book.use(faultPasskey, func(rule *fault) bool { return rule.concerns(name) }) != nil
}

func (book *faultBook) pauseBeforeClose(c *connection) time.Duration {
	if book.useFor(faultCloseAtOnce, c) != nil {
		return 0
	}
	return politePause
}

// withholdsChange reports whether no notification goes out for a device that
// was added or removed.
func (book *faultBook) withholdsChange(d *device) bool {
	name := &deviceName{number: d.phone.Number, id: d.ID}
	return book.use(faultUntoldDevice, func(rule *fault) bool { return rule.concerns(name) }) != nil
}

// hashesWrongly asks whether the hash in an ack is one of no devices.
func (book *faultBook) hashesWrongly(d *device) bool {
	name := &deviceName{number: d.phone.Number, id: d.ID}
	return book.use(faultWrongHash, func(rule *fault) bool { return rule.concerns(name) }) != nil
}

// loginFailure is what a refused login is told, or nil.
func (book *faultBook) loginFailure(c *connection) attributes {
	met := book.useFor(faultLoginFailure, c)
	if met == nil {
		return nil
	}
	failure := attributes{"reason": decimal(met.Code)}
	if met.Code == 402 {
		failure["code"], failure["expire"] = decimal(max(met.BanCode, 101)), decimal(met.ExpireS)
	}
	return failure
}

// refusesConnections is a network that is away for everybody.
func (book *faultBook) refusesConnections() bool {
	return book.use(faultDrop, func(rule *fault) bool { return rule.Phone == "" }) != nil
}

// refusesLogin is a network that is away for one device.
func (book *faultBook) refusesLogin(c *connection) bool {
	return book.useFor(faultDrop, c) != nil || book.useFor(faultClose, c) != nil
}
