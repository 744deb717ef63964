// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"time"
)

// inbox is what the phone shows, in order.
func (p *phone) inbox() []inboxRow {
	rows := []inboxRow{}
	for _, known := range p.messages {
		if !known.Hidden {
			rows = append(rows, known.inboxRow)
		}
	}
	return rows
}

// emptyInbox hides every row and forgets what it said, not that it came.
func (net *network) emptyInbox(p *phone) {
	for _, known := range p.messages {
		if known.Hidden {
			continue
		}
		known.Hidden = true
		known.shownContent = shownContent{Type: known.Type}
		net.book.put(known.key, known.messageRecord)
	}
}

// read sends read receipts for what the phone shows of a chat, or for one
// message of it, and returns the ids that were not read before.
func (net *network) read(p *phone, chat, id string) ([]string, error) {
	ids := []string{}
	for _, known := range p.messages {
		if known.Chat != chat || known.FromMe || !known.Shown || known.Read || (id != "" && known.ID != id) {
			continue
		}
		if err := net.markRead(p, known); err != nil {
			return ids, err
		}
		ids = append(ids, known.ID)
	}
	return ids, nil
}

// play listens to the voice notes of a chat, or to one of them, and returns the
// ids that were not played before.
func (net *network) play(p *phone, chat, id string) ([]string, error) {
	ids := []string{}
	for _, known := range p.messages {
		if known.Chat != chat || known.FromMe || known.Type != "voice" || known.Played || (id != "" && known.ID != id) {
			continue
		}
		known.Played = true
		net.book.put(known.key, known.messageRecord)
		if err := net.sendReceipt(p, known, "played"); err != nil {
			return ids, err
		}
		ids = append(ids, known.ID)
	}
	return ids, nil
}

func (net *network) markRead(p *phone, known *shownMessage) error {
	known.Read = true
	net.book.put(known.key, known.messageRecord)
	return net.sendReceipt(p, known, "read")
}

// readLater reads a message when this person's time to read has passed.
func (net *network) readLater(p *phone, known *shownMessage) {
	if p.ReadAfterMS == nil || known.Read || known.FromMe || !known.Shown || known.Hidden {
		return
	}
	due := known.At.Add(time.Duration(*p.ReadAfterMS) * time.Millisecond)
	time.AfterFunc(time.Until(due), func() {
		_ = net.change(func() error {
			if known.Read || p.ReadAfterMS == nil || !p.Online {
				return nil
			}
			return net.markRead(p, known)
		})
	})
}

// resumeReading starts the waiting again that a restart or a change of habit
// cut short.
func (net *network) resumeReading() {
	for _, p := range net.phones {
		net.resumeReadingOf(p)
	}
}

func (net *network) resumeReadingOf(p *phone) {
	for _, known := range p.messages {
		net.readLater(p, known)
	}
}

// deliverWithheld sends the delivery receipts that a phone held back.
func (net *network) deliverWithheld(p *phone) error {
	for _, known := range p.messages {
		if !known.Shown || known.Delivered || known.FromMe {
			continue
		}
		if err := net.confirmArrival(p, known); err != nil {
			return err
		}
	}
	return nil
}
