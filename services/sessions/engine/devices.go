// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// This file: the lists of devices that the library encrypts for, one for each account, and when it asks for them anew.

// stanzaSent sees every stanza that goes out, before the socket gets it.
func (c *connection) stanzaSent(node *waBinary.Node) {
	c.stanzas.saw(node)
	if node.Tag == "message" {
		c.fanout.left(node)
	}
}

// stanzaReceived sees every stanza that comes in, before the library handles it. It runs where the library reads its
// socket, so it waits for nothing.
func (c *connection) stanzaReceived(node *waBinary.Node) {
	switch node.Tag {
	case "ack":
		c.fanout.acknowledged(node)
	case "receipt":
		c.stanzas.received(node)
	case "stream:error":
		c.streamEnd.Store(node)
	case "notification":
		_, newIdentity := node.GetOptionalChildByTag("identity")
		switch kind := node.Attrs["type"]; {
		case kind == "devices":
			c.work.start(func() { c.devicesChanged(node) })
		case kind == "encrypt" && newIdentity:
			c.work.start(func() { c.identityChanged(node) })
		}
	}
}

// accountOf is whom a notification is about, under both names: the library looks only for the one that it is from, and
// keeps lists and sessions under the LID.
func (c *connection) accountOf(node *waBinary.Node) (both, error) {
	attrs := node.AttrGetter()
	return c.forms(c.ctx, attrs.JID("from"), attrs.OptionalJIDOrEmpty("lid"))
}

// devicesChanged drops the list of an account that linked or removed a device. A failing key store ends the connection,
// and the lists with it.
func (c *connection) devicesChanged(node *waBinary.Node) {
	if account, err := c.accountOf(node); err == nil {
		c.dropDevices(account.pn, account.lid)
	}
}

// identityChanged drops what was agreed with an account whose phone was set up anew: it could not open the next message,
// and would have to ask for it again.
func (c *connection) identityChanged(node *waBinary.Node) {
	account, err := c.accountOf(node)
	if err != nil {
		return
	}
	c.dropDevices(account.pn, account.lid)
	if c.store.ratchets.acquire(c.ctx) != nil {
		return
	}
	defer c.store.ratchets.release()
	for _, name := range []types.JID{account.pn, account.lid} {
		if name.IsEmpty() {
			continue
		}
		user := name.SignalAddressUser()
		if err := errors.Join(c.store.DeleteAllSessions(c.ctx, user), c.store.DeleteAllIdentities(c.ctx, user)); err != nil {
			return
		}
	}
}

// dropDevices makes the library ask for device lists anew: it drops one when it is told of an update.
func (c *connection) dropDevices(accounts ...types.JID) {
	for _, account := range accounts {
		if !account.IsEmpty() {
			c.client.DangerousInternals().HandleDeviceNotification(c.ctx, &waBinary.Node{
				Tag:     "notification",
				Attrs:   waBinary.Attrs{"from": account},
				Content: []waBinary.Node{{Tag: "update", Attrs: waBinary.Attrs{"device_hash": ""}}},
			})
		}
	}
}

// covers tells whether these devices are those that WhatsApp's hash stands for. Ours, which nothing is encrypted for,
// counts in what the library hashes; other clients leave it out.
func (c *connection) covers(devices []types.JID, phash string) bool {
	others, own := c.withoutOurs(devices)
	return deviceHash(others) == phash || slices.ContainsFunc(own, func(name types.JID) bool {
		return deviceHash(append(slices.Clip(others), name)) == phash
	})
}

// withoutOurs leaves out this very device, and returns its names.
func (c *connection) withoutOurs(devices []types.JID) (others, own []types.JID) {
	internals := c.client.DangerousInternals()
	own = []types.JID{internals.GetOwnLID(), internals.GetOwnID()}
	return slices.DeleteFunc(slices.Clone(devices), func(one types.JID) bool { return slices.Contains(own, one) }), own
}

// deviceHash is WhatsApp's hash of a list of devices (phash v2).
func deviceHash(devices []types.JID) string {
	names := make([]string, 0, len(devices))
	for _, device := range devices {
		names = append(names, device.ADString())
	}
	slices.Sort(names)
	sum := sha256.Sum256([]byte(strings.Join(slices.Compact(names), "")))
	return "2:" + base64.RawStdEncoding.EncodeToString(sum[:6])
}

// currentDevices asks for as little as explains WhatsApp's hash: the library has dropped what it doubts itself, the
// recipient's list or a group's members.
func (c *connection) currentDevices(ctx context.Context, chat types.JID, phash string) ([]types.JID, error) {
	people, err := c.peopleIn(ctx, chat)
	if err != nil {
		return nil, err
	}
	devices, err := c.client.GetUserDevices(ctx, people)
	if err != nil || c.covers(devices, phash) {
		return devices, err
	}
	c.dropDevices(people...)
	return c.client.GetUserDevices(ctx, people)
}

func (c *connection) peopleIn(ctx context.Context, chat types.JID) ([]types.JID, error) {
	if chat.Server == types.GroupServer {
		group, err := c.client.DangerousInternals().GetCachedGroupData(ctx, chat)
		if err != nil {
			return nil, err
		}
		return group.Members, nil
	}
	own := c.client.DangerousInternals().GetOwnLID().ToNonAD()
	if chat.Server == types.DefaultUserServer {
		own = c.client.DangerousInternals().GetOwnID().ToNonAD()
	}
	return slices.Compact([]types.JID{chat, own}), nil
}
