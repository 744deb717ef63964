// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"crypto/sha1"
	"testing"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/keys"
)

// expectDigest checks the server's hash against the keys that the device has.
func (f *foreignClient) expectDigest(kept *clientStore, preKeys int) {
	f.t.Helper()
	answer := f.ask("get", "encrypt", stanza{Tag: "digest"})
	digest := answer.GetChildByTag("digest")
	sum := sha1.New()
	sum.Write(joined(f.device.IdentityKey.Pub[:], f.device.SignedPreKey.Pub[:], f.device.SignedPreKey.Signature[:]))
	ids := childrenOf(&digest, "list")
	for _, id := range ids {
		key := kept.preKeys[fromBigEndian(content(id))]
		if key == nil {
			f.t.Fatalf("the server keeps %x, which is no key of the device", content(id))
		}
		sum.Write(key.Pub[:])
	}
	if !bytes.Equal(content(digest.GetChildByTag("hash")), sum.Sum(nil)) || len(ids) != preKeys {
		f.t.Fatalf("told of %d keys with hash %x", len(ids), content(digest.GetChildByTag("hash")))
	}
	if fromBigEndian(content(digest.GetChildByTag("registration"))) != f.device.RegistrationID {
		f.t.Errorf("told %s", &digest)
	}
}

func TestADeviceComparesItsKeysWithTheServers(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	c.Disconnect()
	f := sim.foreign(c.Store)
	uploaded, _ := c.kept.UploadedPreKeyCount(t.Context())
	f.expectDigest(c.kept, uploaded-1) // the phone took one to share its key
	sim.phone(budi)
	sim.write(budi, fields{"to": anna, "text": "takes another"})
	f.expectDigest(c.kept, uploaded-2)
}

func TestADeviceWithoutKeysOnTheServerIsToldSo(t *testing.T) {
	net := bareNetwork(t)
	var answered *stanza
	err := net.change(func() error {
		p := net.makePhone(anna, "Anna")
		c := &connection{phone: p, device: &device{phone: p, deviceRecord: deviceRecord{ID: 1}}}
		query := &stanza{Tag: "iq", Attrs: attributes{"id": "1", "type": "get", "xmlns": "encrypt"}, Content: []stanza{{Tag: "digest"}}}
		if err := net.receiveQuery(c, query); err != nil {
			return err
		}
		var err error
		answered, err = parseFrame(net.untold[0].frame.frame)
		net.untold = nil
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if why := answered.GetChildByTag("error"); attribute(&why, "code") != "404" {
		t.Fatalf("answered %s", answered)
	}
}

func TestARotatedSignedPreKeyIsHandedOut(t *testing.T) {
	sim := startSimulation(t)
	f := sim.foreign(sim.linkedFor(anna))
	fresh := f.device.IdentityKey.CreateSignedPreKey(2)
	rotation := func(signed *keys.PreKey) stanza {
		return stanza{Tag: "rotate", Content: []stanza{{Tag: "skey", Content: []stanza{
			{Tag: "id", Content: bigEndian(signed.KeyID, 3)}, {Tag: "value", Content: signed.Pub[:]}, {Tag: "signature", Content: signed.Signature[:]},
		}}}}
	}
	if answer := f.ask("set", "encrypt", rotation(fresh)); attribute(answer, "type") != "result" {
		t.Fatalf("answered %s", answer)
	}
	user := stanza{Tag: "user", Attrs: attributes{"jid": f.device.GetJID()}}
	answer := f.ask("get", "encrypt", stanza{Tag: "key", Content: []stanza{user}})
	handed := answer.GetChildByTag("list", "user", "skey")
	if id := content(handed.GetChildByTag("id")); fromBigEndian(id) != 2 || !bytes.Equal(content(handed.GetChildByTag("value")), fresh.Pub[:]) {
		t.Fatalf("handed out %s", &handed)
	}
	if refused := f.ask("set", "encrypt", stanza{Tag: "rotate"}); attribute(refused, "type") != "error" {
		t.Errorf("no key is answered %s", refused)
	}
}

func TestTheServersPropsAreAnswered(t *testing.T) {
	sim := startSimulation(t)
	f := sim.foreign(sim.linkedFor(anna))
	answer := f.ask("get", "abt", stanza{Tag: "props", Attrs: attributes{"protocol": "1"}})
	if props := answer.GetChildByTag("props"); attribute(&props, "protocol") != "1" || attribute(&props, "hash") == "" {
		t.Fatalf("answered %s", answer)
	}
}

// lookUp asks usync for a number, and returns the user that it found.
func (f *foreignClient) lookUp(number string, query ...stanza) *stanza {
	f.t.Helper()
	user := stanza{Tag: "user", Content: []stanza{{Tag: "contact", Content: []byte(number)}}}
	answer := f.ask("get", "usync", stanza{
		Tag:   "usync",
		Attrs: attributes{"sid": "1", "mode": "query", "last": "true", "index": "0", "context": "interactive"},
		Content: []stanza{
			{Tag: "query", Content: query},
			{Tag: "list", Content: []stanza{user}},
		},
	})
	found := answer.GetChildByTag("usync", "list", "user")
	return &found
}

func TestAContactIsNamedByLIDToThoseWhoAskForIt(t *testing.T) {
	sim := startSimulation(t)
	sim.phone(budi)
	f := sim.foreign(sim.linkedFor(anna))
	byNumber := stanza{Tag: "contact"}
	found := f.lookUp("+"+budi, byNumber)
	state := found.GetChildByTag("contact")
	if jidAttribute(found, "jid") != person(budi) || attribute(&state, "type") != "in" || len(found.GetChildren()) != 1 {
		t.Errorf("by number: %s", found)
	}
	found = f.lookUp("+"+budi, byNumber, stanza{Tag: "lid"}, stanza{Tag: "devices", Attrs: attributes{"version": "2"}})
	lid := found.GetChildByTag("lid")
	if devices := found.GetChildByTag("devices", "device-list"); jidAttribute(&lid, "val").Server != types.HiddenUserServer || len(devices.GetChildren()) != 1 {
		t.Errorf("with LID and devices: %s", found)
	}
	found = f.lookUp("+"+budi+"@c.us", stanza{Tag: "contact", Attrs: attributes{"addressing_mode": "lid"}})
	if jidAttribute(found, "jid") != jidAttribute(&lid, "val") || jidAttribute(found, "pn_jid") != person(budi) {
		t.Errorf("by LID: %s", found)
	}
	found = f.lookUp("+6289999999999", byNumber, stanza{Tag: "lid"})
	if state := found.GetChildByTag("contact"); attribute(&state, "type") != "out" || len(found.GetChildren()) != 1 {
		t.Errorf("nobody: %s", found)
	}
}
