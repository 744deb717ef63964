// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"strconv"

	"go.mau.fi/whatsmeow/types"
)

// welcome answers the end of the handshake: codes to scan for a device that is
// not linked, success or a failure for one that says it is.
func (net *network) welcome(c *connection) error {
	if c.payload.GetDevicePairingData() != nil {
		return net.offerCodes(c)
	}
	d := net.find(types.JID{
		User:   strconv.FormatUint(c.payload.GetUsername(), 10),
		Device: uint16(c.payload.GetDevice()),
		Server: types.DefaultUserServer,
	})
	if d == nil || d.isPhone() || !bytes.Equal(d.NoiseKey, c.staticKey) {
		return net.refuseLogin(c, attributes{"reason": "401"})
	}
	c.identify(d)
	if failure := net.faults.loginFailure(c); failure != nil {
		return net.refuseLogin(c, failure)
	}
	if net.faults.refusesLogin(c) {
		c.abort()
		return errSocketEnded
	}
	return net.logIn(c, d)
}

func (net *network) refuseLogin(c *connection, failure attributes) error {
	failure["t"] = unixSeconds(now())
	if err := net.tell(c, stanza{Tag: "failure", Attrs: failure}); err != nil {
		return err
	}
	net.hangUp(c, politePause)
	net.log.Info("login refused", "reason", failure["reason"])
	return nil
}

// logIn makes the connection the device's only one.
func (net *network) logIn(c *connection, d *device) error {
	if previous := d.connection; previous != nil {
		conflict := stanza{Tag: "conflict", Attrs: attributes{"type": "replaced"}}
		if err := net.endStream(previous, attributes{}, conflict); err != nil {
			return err
		}
	}
	c.phone, c.device = d.phone, d
	d.connection = c
	net.log.Info("device logged in", "phone", masked(d.phone.Number), "device", d.ID)
	return net.tell(c, stanza{Tag: "success", Attrs: attributes{
		"t":        unixSeconds(now()),
		"lid":      d.lid(),
		"location": "sim",
	}})
}

// endStream tells a client why its stream ends, waits a little and closes it.
func (net *network) endStream(c *connection, attrs attributes, children ...stanza) error {
	c.active, c.ended = false, true
	err := net.tell(c, stanza{Tag: "stream:error", Attrs: attrs, Content: children})
	net.hangUp(c, net.faults.pauseBeforeClose(c))
	return err
}

// unlink removes a linked device: its client is told at once, or by the
// failure of its next login.
func (net *network) unlink(d *device) error {
	p := d.phone
	delete(p.devices, d.ID)
	net.forgetDevice(d)
	var err error
	if d.connection != nil {
		removed := stanza{Tag: "conflict", Attrs: attributes{"type": "device_removed"}}
		err = net.endStream(d.connection, attributes{"code": "401"}, removed)
		d.connection = nil
	}
	net.log.Info("device unlinked", "phone", masked(p.Number), "device", d.ID)
	if err != nil {
		return err
	}
	return net.announceDevice(d, deviceRemoved)
}

// forgetDevice removes the rows of a device, and the sessions with it that
// phones hold: its number may be given to another device.
func (net *network) forgetDevice(d *device) {
	net.book.remove(deviceKey(d))
	for batch := 1; batch <= d.PreKeyBatches; batch++ {
		net.book.remove(preKeyKey(d, batch))
	}
	for _, waiting := range d.mailbox {
		net.book.remove(waiting.key)
	}
	address := signalAddress(d).String()
	for _, p := range net.phones {
		delete(p.watchers, d)
		_ = p.signal.Sessions.DeleteSession(background, address)
	}
}
