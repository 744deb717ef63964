// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"testing"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
)

// devicesOf asks the network for a person's devices by LID, past what a client remembers.
func (c *client) devicesOf(number string) []types.JID {
	c.t.Helper()
	lid, err := c.Store.LIDs.GetLIDForPN(context.Background(), person(number))
	if err != nil || lid.IsEmpty() {
		c.t.Fatalf("no LID of %s: %v", number, err)
	}
	list, err := c.DangerousInternals().Usync(context.Background(), []types.JID{lid}, "query", "message", []stanza{{Tag: "devices"}})
	if err != nil {
		c.t.Fatal(err)
	}
	user := list.GetChildren()[0]
	devices := user.GetChildByTag("devices")
	var found []types.JID
	for _, one := range childrenOf(&devices, "device-list") {
		device := lid
		device.Device = uint16(one.AttrGetter().Int("id"))
		found = append(found, device)
	}
	return found
}

func (c *client) awaitNotification(kind string, at int) *stanza {
	c.t.Helper()
	eventually(c.t, "a notification of "+kind, func() bool { return len(c.notifications(kind)) > at })
	return c.notifications(kind)[at]
}

func TestOneNotificationTellsOfADeviceUnderBothOfItsNames(t *testing.T) {
	sim := startSimulation(t)
	a := sim.link(anna)
	sim.phone(budi)
	a.send(person(budi), "3EB001", text("now a holds the list"))
	sim.link(budi)

	told := a.awaitNotification("devices", 0)
	added := told.GetChildByTag("add")
	device, signed := added.GetChildByTag("device"), added.GetChildByTag("key-index-list")
	lid := jidAttribute(told, "lid")
	if jidAttribute(told, "from") != person(budi) || lid.Server != types.HiddenUserServer {
		t.Fatalf("told as %s", told)
	}
	if jidAttribute(&device, "jid") != (types.JID{User: budi, Device: 1, Server: types.DefaultUserServer}) ||
		jidAttribute(&device, "lid") != (types.JID{User: lid.User, Device: 1, Server: types.HiddenUserServer}) ||
		attribute(&device, "key-index") != "1" || len(content(signed)) == 0 {
		t.Fatalf("the device is told as %s", told)
	}
	if attribute(&added, "device_lid_hash") != deviceListHash(a.devicesOf(budi)) {
		t.Fatalf("the list's hash is told as %s", told)
	}

	sim.call("POST", "/phones/"+budi+"/unlink", fields{}, nil)
	told = a.awaitNotification("devices", 1)
	removed := told.GetChildByTag("remove")
	gone := removed.GetChildByTag("device")
	if jidAttribute(&gone, "jid").Device != 1 || attribute(&removed, "device_lid_hash") != deviceListHash(a.devicesOf(budi)) {
		t.Fatalf("the removal is told as %s", told)
	}
	if len(a.notifications("devices")) != 2 {
		t.Fatalf("%d notifications for two changes", len(a.notifications("devices")))
	}
}

func TestADeviceWithoutAKnownNumberIsToldByLIDAlone(t *testing.T) {
	sim := startSimulation(t)
	a := sim.link(anna)
	sim.phone(budi)
	a.send(person(budi), "3EB001", text("now a holds the list"))
	sim.call("PATCH", "/phones/"+budi, fields{"hideNumber": true}, nil)
	sim.link(budi)
	told := a.awaitNotification("devices", 0)
	added := told.GetChildByTag("add")
	device := added.GetChildByTag("device")
	if jidAttribute(told, "from").Server != types.HiddenUserServer || told.Attrs["lid"] != nil ||
		jidAttribute(&device, "jid").Server != types.HiddenUserServer || device.Attrs["lid"] != nil {
		t.Fatalf("told as %s", told)
	}
}

func TestOwnDevicesAreToldTheWholeListByAccountSync(t *testing.T) {
	sim := startSimulation(t)
	first := sim.link(anna)
	sim.link(anna)
	told := first.awaitNotification("account_sync", 0)
	list := told.GetChildByTag("devices")
	var jids []types.JID
	for _, one := range list.GetChildrenByTag("device") {
		jids = append(jids, jidAttribute(&one, "jid"))
	}
	if jidAttribute(told, "from") != person(anna) || len(jids) != 3 || attribute(&list, "dhash") != deviceListHash(jids) {
		t.Fatalf("told as %s", told)
	}
	if len(first.notifications("devices")) != 0 {
		t.Fatalf("told as somebody else's devices too: %s", first.notifications("devices")[0])
	}
}

func TestANotificationOfDevicesWaitsForADeviceThatIsAway(t *testing.T) {
	sim := startSimulation(t)
	a := sim.link(anna)
	sim.phone(budi)
	a.send(person(budi), "3EB001", text("now a holds the list"))
	a.Disconnect()
	eventually(t, "a to be away", func() bool { return !sim.isConnected(anna) })
	sim.link(budi)
	a.connect()
	a.awaitNotification("devices", 0)
}

// The library keeps the list under the LID, so the notification changes nothing for it: the ack's hash does.
func TestADeviceThatAMessageMissedIsKnownByTheHashInItsAck(t *testing.T) {
	sim := startSimulation(t)
	a := sim.link(anna)
	sim.phone(budi)
	a.send(person(budi), "3EB001", text("to the phone alone"))
	b := sim.link(budi)
	a.send(person(budi), "3EB002", text("encrypted for an old list"))
	a.send(person(budi), "3EB003", text("to both"))
	b.awaitText("to both")
}

// ackOf sends a message and returns the network's acknowledgement.
func (c *client) ackOf(to types.JID, id string) *stanza {
	c.t.Helper()
	c.send(to, id, text(id))
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.acks[id]
}

func TestTheAckHashesTheDevicesThatThereAre(t *testing.T) {
	sim := startSimulation(t)
	a := sim.link(anna)
	sim.phone(budi)
	_, group := sim.group(anna, budi)
	if ack := a.ackOf(person(budi), "3EB001"); ack.Attrs["phash"] != nil {
		t.Fatalf("a right list is acknowledged with %s", ack)
	}
	own := a.DangerousInternals().GetOwnLID()
	everybody := func() string { return deviceListHash(append(a.devicesOf(budi), own.ToNonAD(), own)) }
	if ack := a.ackOf(group, "3EB002"); attribute(ack, "phash") != everybody() {
		t.Fatalf("in a group it is %s", ack)
	}
	sim.link(budi)
	if ack := a.ackOf(person(budi), "3EB003"); attribute(ack, "phash") != everybody() {
		t.Fatalf("a device that is missing is acknowledged with %s", ack)
	}
	a.send(person(budi), "3EB004", text("for the new list"))
	sim.call("POST", "/phones/"+budi+"/unlink", fields{}, nil)
	if ack := a.ackOf(person(budi), "3EB005"); attribute(ack, "phash") != everybody() {
		t.Fatalf("a device that is gone is acknowledged with %s", ack)
	}
}

func TestAPhoneThatIsSetUpAnewHasOtherKeysAndNoDevices(t *testing.T) {
	sim := startSimulation(t)
	a := sim.link(anna)
	b := sim.link(budi)
	a.send(person(budi), "3EB001", text("before"))
	b.awaitText("before")
	sim.call("POST", "/phones/"+budi+"/reinstall", fields{}, nil)
	awaited(b, "the end of the link", whichever[*events.LoggedOut])
	told := a.awaitNotification("encrypt", 0)
	if _, is := told.GetOptionalChildByTag("identity"); !is || jidAttribute(told, "lid").Server != types.HiddenUserServer {
		t.Fatalf("told as %s", told)
	}
	sim.kill()
	sim.restart()
	sim.reconnects(a)
	a.send(person(budi), "3EB002", text("after")) // for the former keys: the phone asks again
	if rows := sim.inboxOf(budi, 2); rows[1].Text != "after" {
		t.Fatalf("shown as %+v", rows)
	}
}
