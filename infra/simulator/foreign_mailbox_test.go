// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"fmt"
	"testing"

	"go.mau.fi/whatsmeow/types/events"
)

// takes waits for a message that was written.
func (f *foreignClient) takes(id string) *stanza {
	f.t.Helper()
	return f.awaits("message "+id, func(node *stanza) bool { return node.Tag == "message" && attribute(node, "id") == id })
}

func TestWhatComesOutOfTheMailboxIsMarked(t *testing.T) {
	sim := startSimulation(t)
	device := sim.linkedFor(anna)
	sim.phone(budi)
	waited := sim.write(budi, fields{"to": anna, "text": "while away"})
	f := sim.foreign(device)
	f.active()
	if late := f.takes(waited); attribute(late, "offline") == "" {
		t.Errorf("came as %v", late.Attrs)
	}
	if now := f.takes(sim.write(budi, fields{"to": anna, "text": "at once"})); attribute(now, "offline") != "" {
		t.Errorf("what did not wait came as %v", now.Attrs)
	}
}

func TestWhatWaitsIsAnnouncedByItsKinds(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	sim.phone(budi)
	sim.call("PATCH", "/phones/"+budi, fields{"deliver": false}, nil)
	c.send(person(budi), "3EB001", text("delivered later"))
	c.Disconnect()
	awaited(c, "the first announcement", whichever[*events.OfflineSyncPreview])
	sim.call("PATCH", "/phones/"+budi, fields{"deliver": true}, nil)
	sim.write(budi, fields{"to": anna, "text": "while away"})
	sim.group(anna, budi)
	sim.reconnects(c)
	told := awaited(c, "what waits", whichever[*events.OfflineSyncPreview])
	if told.Total != 3 || told.Messages != 1 || told.Receipts != 1 || told.Notifications != 1 {
		t.Errorf("told %+v", told)
	}
}

func TestAReceiptWithAListConfirmsAllItsMessages(t *testing.T) {
	sim := startSimulation(t)
	f := sim.foreign(sim.linkedFor(anna))
	f.active()
	sim.phone(budi)
	var ids []string
	var items []stanza
	var from any
	for n := range 3 {
		id := sim.write(budi, fields{"to": anna, "text": fmt.Sprint(n)})
		from = f.takes(id).Attrs["from"]
		ids = append(ids, id)
		if n > 0 {
			items = append(items, stanza{Tag: "item", Attrs: attributes{"id": id}})
		}
	}
	f.tell(stanza{Tag: "receipt", Attrs: attributes{"id": ids[0], "to": from}, Content: []stanza{{Tag: "list", Content: items}}})
	eventually(t, "nothing waits", func() bool { return sim.stats().Pending == 0 })
	for _, id := range ids {
		sim.awaitSent(budi, id, "delivered")
	}
}
