// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"net/http"
	"testing"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types/events"
)

func (c *client) pairCode(number string) string {
	c.t.Helper()
	code, err := c.PairPhone(context.Background(), number, true, whatsmeow.PairClientChrome, "Chrome (Linux)")
	if err != nil {
		c.t.Fatal(err)
	}
	return code
}

func TestADeviceIsLinkedByPairingCode(t *testing.T) {
	sim := startSimulation(t)
	sim.phone(anna)
	c := sim.client()
	c.connect()
	awaited(c, "QR codes", whichever[*events.QR])
	var answer linked
	sim.call("POST", "/phones/"+anna+"/scan", fields{"pairCode": c.pairCode(anna)}, &answer)
	awaited(c, "connected", whichever[*events.Connected])
	if answer.JID != c.Store.ID.String() || answer.Device != 1 {
		t.Fatalf("linked %s, told %+v", c.Store.ID, answer)
	}
}

func TestAWrongPairingCodeLinksNothingAndARightOneStillDoes(t *testing.T) {
	sim := startSimulation(t)
	sim.phone(anna)
	c := sim.client()
	c.connect()
	awaited(c, "QR codes", whichever[*events.QR])
	c.pairCode(anna)
	if status, answer := sim.try("POST", "/phones/"+anna+"/scan", fields{"pairCode": "AAAA-AAAA"}); status != http.StatusConflict {
		t.Fatalf("%d %s", status, answer)
	}
	sim.call("POST", "/phones/"+anna+"/scan", fields{"pairCode": c.pairCode(anna)}, nil)
	awaited(c, "connected", whichever[*events.Connected])
}

func TestWhatCannotBeScannedIsRefused(t *testing.T) {
	sim := startSimulation(t)
	sim.phone(anna)
	c := sim.client()
	c.connect()
	code := awaited(c, "QR codes", whichever[*events.QR]).Codes[0]
	c.Disconnect()
	eventually(t, "the code is void", func() bool {
		status, _ := sim.try("POST", "/phones/"+anna+"/scan", fields{"qr": code})
		return status == http.StatusGone
	})
	for name, one := range map[string]struct {
		number string
		body   fields
		status int
	}{
		"no phone":    {budi, fields{"qr": code}, http.StatusNotFound},
		"no code":     {anna, fields{}, http.StatusBadRequest},
		"not a code":  {anna, fields{"qr": "hello"}, http.StatusBadRequest},
		"not a phone": {"12", fields{"qr": code}, http.StatusBadRequest},
		"not waiting": {anna, fields{"pairCode": "AAAA-AAAA"}, http.StatusConflict},
	} {
		if status, answer := sim.try("POST", "/phones/"+one.number+"/scan", one.body); status != one.status {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
}

func TestAnUnlinkedDeviceIsLoggedOut(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	sim.call("POST", "/phones/"+anna+"/unlink", nil, nil)
	out := awaited(c, "logged out", whichever[*events.LoggedOut])
	if out.OnConnect || out.Reason != events.ConnectFailureLoggedOut {
		t.Fatalf("told %+v", out)
	}
	if status, _ := sim.try("POST", "/phones/"+anna+"/unlink", nil); status != http.StatusNotFound {
		t.Fatalf("a second unlink is answered %d", status)
	}
}

func TestADeviceUnlinkedWhileAwayIsLoggedOutAtItsNextLogin(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	c.Disconnect()
	sim.call("POST", "/phones/"+anna+"/unlink", fields{"device": 1}, nil)
	again := sim.clientOf(c.kept)
	again.connect()
	if out := awaited(again, "logged out", whichever[*events.LoggedOut]); !out.OnConnect {
		t.Fatalf("told %+v", out)
	}
}

func TestADeviceThatLogsOutIsGone(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	if err := c.Logout(context.Background()); err != nil {
		t.Fatal(err)
	}
	var shown phoneView
	sim.call("GET", "/phones/"+anna, nil, &shown)
	if len(shown.Devices) != 0 {
		t.Fatalf("still linked: %+v", shown.Devices)
	}
}

func TestASecondLoginReplacesTheFirst(t *testing.T) {
	sim := startSimulation(t)
	first := sim.link(anna)
	second := sim.clientOf(first.kept)
	second.connect()
	awaited(second, "connected", whichever[*events.Connected])
	awaited(first, "replaced", whichever[*events.StreamReplaced])
}
