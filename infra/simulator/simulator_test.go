// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"testing"

	"go.mau.fi/whatsmeow/types"
)

const (
	anna = "6281200000001"
	budi = "6281200000002"
	cici = "6281200000003"
)

func TestADeviceIsLinkedByQR(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	if c.Store.ID.User != anna || c.Store.ID.Device != 1 || c.Store.LID.Server != types.HiddenUserServer {
		t.Fatalf("linked as %s / %s", c.Store.ID, c.Store.LID)
	}
}

func TestATextArrivesAndIsConfirmed(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	sim.phone(budi)
	c.send(person(budi), "3EB0AA", text("halo Budi"))
	row := sim.inboxOf(budi, 1)[0]
	if row.ID != "3EB0AA" || row.From != anna || row.Chat != anna || row.Type != "text" || row.Text != "halo Budi" || row.Copies != 1 {
		t.Fatalf("shown as %+v", row)
	}
	c.awaitReceipt("3EB0AA", types.ReceiptTypeDelivered)
	sim.call("POST", "/phones/"+budi+"/read", fields{"chat": anna}, nil)
	c.awaitReceipt("3EB0AA", types.ReceiptTypeRead)
	if own := sim.inboxOf(anna, 1)[0]; own.Chat != budi || !own.FromMe || own.Text != "halo Budi" {
		t.Fatalf("the sender's own phone shows %+v", own)
	}
}

func TestATextComesIn(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	sim.phone(budi)
	var answer struct{ ID string }
	sim.call("POST", "/phones/"+budi+"/messages", fields{"to": "+" + anna, "type": "text", "text": "apa kabar"}, &answer)
	message := c.awaitText("apa kabar")
	if message.Info.ID != answer.ID || message.Info.SenderAlt.User != budi || message.Info.PushName != "Name of "+budi {
		t.Fatalf("came as %+v", message.Info)
	}
	sim.awaitSent(budi, answer.ID, "delivered")
}

func (sim *simulation) awaitSent(number, id, status string) {
	sim.t.Helper()
	eventually(sim.t, status+" at the person's phone", func() bool {
		var sent struct{ Messages []sentView }
		sim.call("GET", "/phones/"+number+"/messages", nil, &sent)
		for _, one := range sent.Messages {
			if one.ID == id {
				return one.Status == status
			}
		}
		return false
	})
}
