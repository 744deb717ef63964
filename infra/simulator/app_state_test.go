// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waServerSync"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"
)

// The app state of a client under test, beside the rest of its store.

func (kept *clientStore) PutAppStateSyncKey(_ context.Context, id []byte, key store.AppStateSyncKey) error {
	_ = kept.put("statekeyid", id)
	return kept.put(fmt.Sprintf("statekey/%x", id), key.Data)
}

func (kept *clientStore) GetAppStateSyncKey(_ context.Context, id []byte) (*store.AppStateSyncKey, error) {
	data, err := kept.get(fmt.Sprintf("statekey/%x", id))
	if data == nil {
		return nil, err
	}
	return &store.AppStateSyncKey{Data: data}, err
}

func (kept *clientStore) GetLatestAppStateSyncKeyID(context.Context) ([]byte, error) {
	return kept.get("statekeyid")
}

func (kept *clientStore) PutAppStateVersion(_ context.Context, name string, version uint64, hash [128]byte) error {
	return kept.put("stateversion/"+name, append(binary.BigEndian.AppendUint64(nil, version), hash[:]...))
}

func (kept *clientStore) GetAppStateVersion(_ context.Context, name string) (uint64, [128]byte, error) {
	row, err := kept.get("stateversion/" + name)
	if row == nil {
		return 0, [128]byte{}, err
	}
	return binary.BigEndian.Uint64(row), [128]byte(row[8:]), err
}

func (kept *clientStore) DeleteAppStateVersion(_ context.Context, name string) error {
	return kept.drop("stateversion/" + name)
}

func (kept *clientStore) PutAppStateMutationMACs(_ context.Context, name string, _ uint64, mutations []store.AppStateMutationMAC) error {
	for _, one := range mutations {
		_ = kept.put(fmt.Sprintf("statemac/%s/%x", name, one.IndexMAC), one.ValueMAC)
	}
	return nil
}

func (kept *clientStore) GetAppStateMutationMAC(_ context.Context, name string, index []byte) ([]byte, error) {
	return kept.get(fmt.Sprintf("statemac/%s/%x", name, index))
}

func (c *client) awaitKey() {
	c.t.Helper()
	eventually(c.t, "the key is kept", func() bool {
		id, _ := c.kept.GetLatestAppStateSyncKeyID(context.Background())
		return id != nil
	})
}

func TestThePhoneSharesItsAppStateKeyOnceAfterALinkAndWhenAsked(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna) // waits for the key
	c.awaitKey()
	sim.kill()
	awaited(c, "disconnected", whichever[*events.Disconnected])
	sim.restart()
	sim.reconnects(c)
	sim.phone(budi)
	sim.write(budi, fields{"to": anna, "text": "behind what a login brings"})
	c.awaitText("behind what a login brings")
	if again := count(c, isKeyShare); again != 0 {
		t.Errorf("shared %d times more", again)
	}
	_, err := c.SendPeerMessage(context.Background(), &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
		Type:                   waE2E.ProtocolMessage_APP_STATE_SYNC_KEY_REQUEST.Enum(),
		AppStateSyncKeyRequest: &waE2E.AppStateSyncKeyRequest{},
	}})
	if err != nil {
		t.Fatal(err)
	}
	awaited(c, "the key again", isKeyShare)
}

func TestAPhoneThatIsOffSharesItsKeyLater(t *testing.T) {
	sim := startSimulation(t)
	sim.phone(anna)
	c := sim.client()
	c.connect()
	code := awaited(c, "QR codes", whichever[*events.QR]).Codes[0]
	sim.call("POST", "/phones/"+anna+"/scan", fields{"qr": code}, nil)
	sim.call("PATCH", "/phones/"+anna, fields{"online": false}, nil)
	awaited(c, "connected", whichever[*events.Connected])
	sim.call("PATCH", "/phones/"+anna, fields{"online": true}, nil)
	c.Disconnect()
	sim.reconnects(c)
	awaited(c, "the key", isKeyShare)
}

func TestAChangeOfAppStateReachesTheOtherDevicesAndSurvivesAKill(t *testing.T) {
	sim := startSimulation(t)
	first, second := sim.link(anna), sim.link(anna)
	first.awaitKey()
	second.awaitKey()
	second.EmitAppStateEventsOnFullSync = true // the first change is the whole state
	if err := first.SendAppState(context.Background(), appstate.BuildMute(person(budi), true, time.Hour)); err != nil {
		t.Fatal(err)
	}
	if muted := awaited(second, "the change", whichever[*events.Mute]); muted.JID != person(budi) || !muted.Action.GetMuted() {
		t.Errorf("told %+v", muted)
	}
	sim.kill()
	awaited(second, "disconnected", whichever[*events.Disconnected])
	sim.restart()
	sim.reconnects(second)
	if err := second.SendAppState(context.Background(), appstate.BuildMute(person(budi), false, 0)); err != nil {
		t.Fatal(err)
	}
	third := sim.link(anna)
	third.awaitKey()
	eventually(t, "a new device has both changes", func() bool {
		version, _, _ := third.kept.GetAppStateVersion(context.Background(), string(appstate.WAPatchRegularHigh))
		return version == 2
	})
}

func (f *foreignClient) syncs(attrs attributes, content ...stanza) *stanza {
	f.t.Helper()
	attrs["name"] = "regular"
	answer := f.ask("set", "w:sync:app:state", stanza{Tag: "sync", Content: []stanza{{Tag: "collection", Attrs: attrs, Content: content}}})
	collection := answer.GetChildByTag("sync", "collection")
	return &collection
}

func TestAPatchThatIsNotTheNextOneIsRefused(t *testing.T) {
	sim := startSimulation(t)
	f := sim.foreign(sim.linkedFor(anna))
	if empty := f.syncs(attributes{"return_snapshot": "true"}); attribute(empty, "version") != "0" || len(childrenOf(empty, "patches")) != 0 {
		t.Fatalf("at first %s", empty)
	}
	raw, _ := proto.Marshal(&waServerSync.SyncdPatch{SnapshotMAC: []byte("mac")})
	patch := stanza{Tag: "patch", Content: raw}
	if kept := f.syncs(attributes{"version": "0"}, patch); attribute(kept, "version") != "1" || attribute(kept, "type") == "error" {
		t.Fatalf("the first is answered %s", kept)
	}
	conflict := f.syncs(attributes{"version": "0"}, patch)
	why := conflict.GetChildByTag("error")
	if attribute(conflict, "type") != "error" || attribute(&why, "code") != "409" {
		t.Fatalf("a second first is answered %s", conflict)
	}
	var missed waServerSync.SyncdPatch
	if lacking := childrenOf(conflict, "patches"); len(lacking) != 1 || proto.Unmarshal(content(lacking[0]), &missed) != nil || missed.GetVersion().GetVersion() != 1 {
		t.Errorf("what it lacks is %s", conflict)
	}
	for name, wrong := range map[string]*stanza{
		"a version that is not there": f.syncs(attributes{"version": "7"}),
		"no patch":                    f.syncs(attributes{"version": "1"}, stanza{Tag: "patch", Content: []byte{0xff}}),
	} {
		why := wrong.GetChildByTag("error")
		if attribute(&why, "code") != "400" {
			t.Errorf("%s is answered %s", name, wrong)
		}
	}
}
