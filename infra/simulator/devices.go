// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"sort"
	"strings"

	"go.mau.fi/whatsmeow/proto/waAdv"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

// This file: the list of an account's devices, who gets a notification when
// it changes, and the hash by which both sides compare what a message was
// encrypted for.

// What becomes of a device, as the notification about it is called.
const (
	deviceAdded   = "add"
	deviceRemoved = "remove"
)

// deviceListNode lists an account's devices with the list its phone signed.
func deviceListNode(p *phone) (stanza, error) {
	var list []stanza
	for _, d := range p.allDevices() {
		one := stanza{Tag: "device", Attrs: attributes{"id": decimal(int(d.ID))}}
		nameKeyIndex(one.Attrs, d)
		list = append(list, one)
	}
	signed, err := keyIndexListNode(p)
	return stanza{Tag: "devices", Content: []stanza{{Tag: "device-list", Content: list}, signed}}, err
}

// nameKeyIndex adds the index of a linked device; a phone has none.
func nameKeyIndex(attrs attributes, d *device) {
	if !d.isPhone() {
		attrs["key-index"] = decimal(int(d.ID))
	}
}

// keyIndexListNode is the list of devices as the phone signed it.
func keyIndexListNode(p *phone) (stanza, error) {
	var valid []uint32
	for _, d := range p.allDevices() {
		valid = append(valid, uint32(d.ID))
	}
	details, err := proto.Marshal(&waAdv.ADVKeyIndexList{
		RawID:        proto.Uint32(p.RawID),
		Timestamp:    proto.Uint64(uint64(now().Unix())),
		CurrentIndex: proto.Uint32(uint32(p.LastDevice)),
		ValidIndexes: valid,
	})
	if err != nil {
		return stanza{}, err
	}
	signed, err := proto.Marshal(&waAdv.ADVSignedKeyIndexList{
		Details:             details,
		AccountSignatureKey: p.signal.IdentityKey.Pub[:],
		AccountSignature:    sign(p.signal.IdentityKey, deviceListPrefix, details),
	})
	return stanza{Tag: "key-index-list", Attrs: attributes{"ts": unixSeconds(now())}, Content: signed}, err
}

// announceDevice tells of a device that came or went: the account's other
// devices get the whole list, everybody else who asked for it gets the change.
func (net *network) announceDevice(d *device, change string) error {
	if net.faults.withholdsChange(d) {
		return nil
	}
	own, err := ownDevicesNotification(d.phone)
	if err != nil {
		return err
	}
	for _, other := range d.phone.allDevices() {
		if other.isPhone() || other == d {
			continue
		}
		if err := net.deliver(other, own); err != nil {
			return err
		}
	}
	changed, err := deviceNotification(d, change)
	if err != nil {
		return err
	}
	for watcher := range d.phone.watchers {
		if watcher.phone == d.phone {
			continue
		}
		if err := net.deliver(watcher, changed); err != nil {
			return err
		}
	}
	return nil
}

// ownDevicesNotification is the stanza that an account's own devices get.
func ownDevicesNotification(p *phone) (stanza, error) {
	var list []stanza
	for _, d := range p.allDevices() {
		one := stanza{Tag: "device", Attrs: attributes{"jid": d.number()}}
		nameKeyIndex(one.Attrs, d)
		list = append(list, one)
	}
	signed, err := keyIndexListNode(p)
	return stanza{
		Tag:   "notification",
		Attrs: attributes{"from": p.primary().number(), "type": "account_sync", "id": newStanzaID(), "t": unixSeconds(now())},
		Content: []stanza{{
			Tag:     "devices",
			Attrs:   attributes{"dhash": deviceListHash(jidsOf(p.allDevices(), types.DefaultUserServer))},
			Content: append(list, signed),
		}},
	}, err
}

// deviceNotification is the stanza that others get: one change of one device under
// both of its names, or by LID alone for somebody whose number nobody may know.
func deviceNotification(d *device, change string) (stanza, error) {
	p := d.phone
	server := types.DefaultUserServer
	if p.HideNumber {
		server = types.HiddenUserServer
	}
	notification := attributes{"from": p.primary().jid(server), "type": "devices", "id": newStanzaID(), "t": unixSeconds(now())}
	named := attributes{"jid": d.jid(server)}
	hashes := attributes{"device_hash": deviceListHash(jidsOf(p.allDevices(), server))}
	if !p.HideNumber {
		notification["lid"], named["lid"] = p.primary().lid(), d.lid()
		hashes["device_lid_hash"] = deviceListHash(jidsOf(p.allDevices(), types.HiddenUserServer))
	}
	nameKeyIndex(named, d)
	signed, err := keyIndexListNode(p)
	if change == deviceRemoved {
		signed.Content = nil // the notification carries its time alone
	}
	return stanza{
		Tag:   "notification",
		Attrs: notification,
		Content: []stanza{{Tag: change, Attrs: hashes, Content: []stanza{
			{Tag: "device", Attrs: named}, signed,
		}}},
	}, err
}

// deviceHash is the "phash" of an acknowledgement, over the devices that there
// are: a group's always, a person's when the message was encrypted for others.
// The answer to a retry receipt, which is for one device, gets none.
func (net *network) deviceHash(sender *device, message *stanza) attributes {
	to := jidAttribute(message, "to")
	if net.faults.hashesWrongly(sender) {
		return attributes{"phash": deviceListHash(nil)}
	}
	if to.Server == types.GroupServer {
		if attribute(message, "participant") != "" {
			return nil
		}
		reached := slices.DeleteFunc(net.groupDevices(to), func(d *device) bool { return !d.phone.OnWhatsApp })
		return attributes{"phash": deviceListHash(jidsOf(reached, types.HiddenUserServer))}
	}
	participants, listed := message.GetOptionalChildByTag("participants")
	recipient := net.account(to)
	if !listed || recipient == nil || !recipient.OnWhatsApp {
		return nil
	}
	devices := recipient.allDevices()
	if recipient != sender.phone {
		devices = append(devices, sender.phone.allDevices()...)
	}
	if net.namesExactly(participants.GetChildren(), sender, devices) {
		return nil
	}
	return attributes{"phash": deviceListHash(jidsOf(devices, to.Server))}
}

// namesExactly asks whether a message names all of these devices but its sender,
// and no other.
func (net *network) namesExactly(participants []stanza, sender *device, devices []*device) bool {
	named := map[*device]bool{sender: true}
	for _, one := range participants {
		named[net.find(jidAttribute(&one, "jid"))] = true // nil: one that is gone
	}
	for _, d := range devices {
		if !named[d] {
			return false
		}
	}
	return len(named) == len(devices)
}

func jidsOf(devices []*device, server string) []types.JID {
	var jids []types.JID
	for _, d := range devices {
		jids = append(jids, d.jid(server))
	}
	return jids
}

// deviceListHash is WhatsApp's hash of a list of devices (phash v2).
func deviceListHash(jids []types.JID) string {
	var names []string
	for _, jid := range jids {
		names = append(names, jid.ADString())
	}
	sort.Strings(names)
	sum := sha256.Sum256([]byte(strings.Join(names, "")))
	return fmt.Sprintf("2:%s", base64.RawStdEncoding.EncodeToString(sum[:6]))
}
