// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"slices"
	"sync"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
)

// stanzaWatch knows of each message in hand whether its stanza was given to the socket. The library logs every stanza
// (`sendNodeAndGetData` in its client.go), in the sending goroutine, before the socket gets it; a frame that it sends
// again after a disconnect was logged the first time. So what was not seen here has certainly not left.
type stanzaWatch struct {
	mu     sync.Mutex
	works  bool                 // a stanza was seen: the library logs as described
	blind  bool                 // and yet one left unseen: what was not seen means nothing any more
	inHand map[string]*sighting // by message id
}

// sighting is what was seen of a message.
type sighting struct {
	seen       bool
	users      []string // those for whose devices it is encrypted one by one
	receivedAt time.Time
	onReceipt  func()
}

// ackGrace is how long the ack of a message may stay away after a receipt for it: usually it is on its way.
const ackGrace = time.Second

// arrivals are the types of receipts that only who has the message sends, each of which proves that WhatsApp took it.
var arrivals = map[string]bool{"": true, "read": true, "played": true, "inactive": true, "sender": true}

func newStanzaWatch() *stanzaWatch { return &stanzaWatch{inHand: map[string]*sighting{}} }

// begin watches for a message; end stops. onReceipt is called some time after a receipt for it has come.
func (w *stanzaWatch) begin(id string, onReceipt func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.inHand[id] = &sighting{onReceipt: onReceipt}
}

func (w *stanzaWatch) end(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.inHand, id)
}

func (w *stanzaWatch) saw(node *waBinary.Node) {
	id, _ := node.Attrs["id"].(string)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.works = true
	if sight, watched := w.inHand[id]; watched && node.Tag == "message" {
		sight.seen, sight.users = true, usersOf(node)
	}
}

// received sees a receipt: it ends the wait for an ack that does not come.
func (w *stanzaWatch) received(receipt *waBinary.Node) {
	attrs := receipt.AttrGetter()
	if !arrivals[attrs.OptionalString("type")] {
		return
	}
	ids := []string{attrs.OptionalString("id")}
	list := receipt.GetChildByTag("list")
	for _, item := range list.GetChildren() {
		ids = append(ids, item.AttrGetter().OptionalString("id"))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range ids {
		if sight, watched := w.inHand[id]; watched && sight.seen && sight.receivedAt.IsZero() {
			sight.receivedAt = attrs.UnixTime("t")
			time.AfterFunc(ackGrace, sight.onReceipt)
		}
	}
}

// receiptOf tells when a message that is watched was received, if a receipt says so.
func (w *stanzaWatch) receiptOf(id string) (at time.Time, received bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	sight, watched := w.inHand[id]
	if !watched || sight.receivedAt.IsZero() {
		return time.Time{}, false
	}
	return sight.receivedAt, true
}

func usersOf(message *waBinary.Node) (users []string) {
	participants := message.GetChildByTag("participants")
	for _, device := range participants.GetChildren() {
		users = append(users, device.AttrGetter().OptionalJIDOrEmpty("jid").User)
	}
	return users
}

// reaches tells whether a message that was seen is encrypted for a device of somebody else than ourselves.
func (w *stanzaWatch) reaches(id string, ourselves ...string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	sight, watched := w.inHand[id]
	if !watched || !sight.seen {
		return true // nothing is known of it
	}
	return slices.ContainsFunc(sight.users, func(user string) bool { return !slices.Contains(ourselves, user) })
}

// mayHaveLeft tells whether a message that is watched was given to the socket, as far as anybody can know.
func (w *stanzaWatch) mayHaveLeft(id string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	sight, watched := w.inHand[id]
	return !w.works || w.blind || !watched || sight.seen
}

// missed is called when WhatsApp answered a message that was never seen: from then on anything may have left.
func (w *stanzaWatch) missed() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.blind = true
}
