// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"encoding/json"
	"fmt"
	"path"
	"strconv"
	"strings"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waServerSync"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/hkdfutil"
	"google.golang.org/protobuf/proto"
)

// App state is what the devices of one account know together: names of
// contacts, what is muted or pinned. The server keeps it as numbered patches,
// sealed with a key that the phone shares with each device (sources:
// tulir/whatsmeow, appstate.go; WhiskeySockets/Baileys, resyncAppState).

// codeConflict refuses a patch that is not the next one.
const codeConflict = 409

func patchKey(p *phone, collection string, version int) string {
	return fmt.Sprintf("state/%s/%s/%08d", p.Number, collection, version)
}

func (net *network) loadState() error {
	return net.book.each("state/", func(key string, raw json.RawMessage) error {
		p, err := net.ownerOf(key)
		if err != nil {
			return err
		}
		var patch []byte
		if err := json.Unmarshal(raw, &patch); err != nil {
			return err
		}
		collection := path.Base(path.Dir(key))
		p.state[collection] = append(p.state[collection], patch)
		return nil
	})
}

// receiveStateSync answers for each collection with what the device lacks, and
// takes the patches that it brings.
func (net *network) receiveStateSync(c *connection, query *stanza) error {
	var told []stanza
	for _, asked := range childrenOf(query, "sync") {
		node, err := net.syncCollection(c.device, &asked)
		if err != nil {
			return err
		}
		told = append(told, node)
	}
	return net.answer(c, query, stanza{Tag: "sync", Content: told})
}

func (net *network) syncCollection(d *device, asked *stanza) (stanza, error) {
	name := attribute(asked, "name")
	node := stanza{Tag: "collection", Attrs: attributes{"name": name}}
	kept := d.phone.state[name]
	version, _ := strconv.Atoi(attribute(asked, "version")) // absent from who knows nothing
	patch, brought := asked.GetOptionalChildByTag("patch")
	switch {
	case name == "" || strings.Contains(name, "/") || version < 0 || version > len(kept):
		refuseCollection(&node, 400, "bad-request")
	case brought && version < len(kept):
		refuseCollection(&node, codeConflict, "conflict")
		node.Content = append(node.GetChildren(), patchesNode(kept[version:]))
	case brought:
		return node, net.keepPatch(d, &node, content(patch))
	default:
		node.Attrs["version"] = decimal(len(kept))
		node.Content = []stanza{patchesNode(kept[version:])}
	}
	return node, nil
}

func refuseCollection(node *stanza, code int, text string) {
	node.Attrs["type"] = "error"
	node.Content = []stanza{{Tag: "error", Attrs: attributes{"code": decimal(code), "text": text}}}
}

func patchesNode(patches [][]byte) stanza {
	var list []stanza
	for _, patch := range patches {
		list = append(list, stanza{Tag: "patch", Content: patch})
	}
	return stanza{Tag: "patches", Content: list}
}

// keepPatch numbers a patch, and tells the account's other devices of it.
func (net *network) keepPatch(d *device, node *stanza, raw []byte) error {
	name := attribute(node, "name")
	version := len(d.phone.state[name]) + 1
	var patch waServerSync.SyncdPatch
	if err := proto.Unmarshal(raw, &patch); err != nil {
		refuseCollection(node, 400, "bad-request")
		return nil
	}
	patch.Version = &waServerSync.SyncdVersion{Version: proto.Uint64(uint64(version))}
	numbered, err := proto.Marshal(&patch)
	if err != nil {
		return err
	}
	d.phone.state[name] = append(d.phone.state[name], numbered)
	net.book.put(patchKey(d.phone, name, version), numbered)
	node.Attrs["version"] = decimal(version)
	return net.tellOfState(d, name, version)
}

func (net *network) tellOfState(author *device, collection string, version int) error {
	for _, target := range author.phone.allDevices() {
		if target.isPhone() || target == author {
			continue
		}
		err := net.deliver(target, stanza{
			Tag:     "notification",
			Attrs:   attributes{"from": types.ServerJID, "type": "server_sync", "id": newStanzaID(), "t": unixSeconds(now())},
			Content: []stanza{{Tag: "collection", Attrs: attributes{"name": collection, "version": decimal(version)}}},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// stateKeyID is the device that made the key, the phone, and how many it made.
var stateKeyID = []byte{0, 0, 0, 0, 0, 1}

// shareStateKeyOnce is what a phone does after a link.
func (net *network) shareStateKeyOnce(d *device) error {
	if d.HasStateKey || !d.phone.Online {
		return nil
	}
	if err := net.shareStateKey(d); err != nil {
		return err
	}
	d.HasStateKey = true
	net.saveDevice(d)
	return nil
}

func (net *network) shareStateKey(d *device) error {
	p := d.phone
	var devices []uint32
	for _, one := range p.allDevices() {
		devices = append(devices, uint32(one.ID))
	}
	return net.sendPeer(p, d, &waE2E.ProtocolMessage{
		Type: waE2E.ProtocolMessage_APP_STATE_SYNC_KEY_SHARE.Enum(),
		AppStateSyncKeyShare: &waE2E.AppStateSyncKeyShare{Keys: []*waE2E.AppStateSyncKey{{
			KeyID: &waE2E.AppStateSyncKeyId{KeyID: stateKeyID},
			KeyData: &waE2E.AppStateSyncKeyData{
				KeyData:     hkdfutil.SHA256(p.Identity, nil, []byte("simulated app state"), 32),
				Fingerprint: &waE2E.AppStateSyncKeyFingerprint{RawID: &p.RawID, CurrentIndex: proto.Uint32(uint32(p.LastDevice)), DeviceIndexes: devices},
				Timestamp:   proto.Int64(now().UnixMilli()),
			},
		}}},
	})
}

// phoneTakesPeerMessage answers a device that asks its phone for the key.
func (net *network) phoneTakesPeerMessage(p *phone, sender *device, plain *waE2E.Message) error {
	if sender.phone != p || plain.GetProtocolMessage().GetAppStateSyncKeyRequest() == nil {
		return nil
	}
	return net.shareStateKey(sender)
}
