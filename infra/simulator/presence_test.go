// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"testing"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
)

func TestTypingAndPresenceOfADeviceAreShown(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	sim.phone(budi)
	for _, one := range []struct {
		state types.ChatPresence
		media types.ChatPresenceMedia
	}{
		{types.ChatPresenceComposing, types.ChatPresenceMediaText},
		{types.ChatPresenceComposing, types.ChatPresenceMediaAudio},
		{types.ChatPresencePaused, types.ChatPresenceMediaText},
	} {
		if err := c.SendChatPresence(context.Background(), person(budi), one.state, one.media); err != nil {
			t.Fatal(err)
		}
	}
	c.Store.PushName = "Anna"
	if err := c.SendPresence(context.Background(), types.PresenceAvailable); err != nil {
		t.Fatal(err)
	}
	var seen struct {
		Devices []ownPresence
		Shown   []typing
	}
	eventually(t, "three states at the other phone", func() bool {
		sim.call("GET", "/phones/"+budi+"/presence", nil, &seen)
		return len(seen.Shown) == 3
	})
	for at, state := range []string{"composing", "recording", "paused"} {
		if one := seen.Shown[at]; one.State != state || one.From != anna || one.Chat != anna {
			t.Errorf("shown %+v, expected %s", one, state)
		}
	}
	eventually(t, "the own device is available", func() bool {
		sim.call("GET", "/phones/"+anna+"/presence", nil, &seen)
		return len(seen.Devices) == 1 && seen.Devices[0].Presence == "available" && seen.Devices[0].Device == 1
	})
}

func TestAPersonWhoTypesIsSeenByADevice(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	sim.phone(budi)
	sim.call("POST", "/phones/"+budi+"/presence", fields{"to": anna, "state": "recording"}, nil)
	told := awaited(c, "typing", whichever[*events.ChatPresence])
	if told.State != types.ChatPresenceComposing || told.Media != types.ChatPresenceMediaAudio || told.Sender.Server != types.HiddenUserServer {
		t.Fatalf("told %+v", told)
	}
	if status, _ := sim.try("POST", "/phones/"+budi+"/presence", fields{"to": anna, "state": "asleep"}); status != 400 {
		t.Fatalf("an unknown state is answered %d", status)
	}
}

func TestAPersonTypesNotADevice(t *testing.T) {
	sim := startSimulation(t)
	f := sim.foreign(sim.linkedFor(anna))
	f.active()
	b := sim.link(budi)
	_, group := sim.group(anna, budi)
	shows := func(to types.JID) *stanza {
		t.Helper()
		if err := b.SendChatPresence(context.Background(), to, types.ChatPresenceComposing, types.ChatPresenceMediaText); err != nil {
			t.Fatal(err)
		}
		return f.tagged("chatstate")
	}
	lid := b.Store.LID.ToNonAD()
	if told := shows(person(anna)); jidAttribute(told, "from") != person(budi) {
		t.Errorf("by number: %v", told.Attrs)
	}
	if told := shows(f.device.GetLID().ToNonAD()); jidAttribute(told, "from") != lid {
		t.Errorf("by LID: %v", told.Attrs)
	}
	if told := shows(group); jidAttribute(told, "from") != group || jidAttribute(told, "participant") != lid {
		t.Errorf("in a group: %v", told.Attrs)
	}
	sim.call("PATCH", "/phones/"+budi, fields{"hideNumber": true}, nil)
	if told := shows(person(anna)); jidAttribute(told, "from") != lid {
		t.Errorf("without a number: %v", told.Attrs)
	}
}
