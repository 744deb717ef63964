// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"encoding/json"
	"fmt"

	"go.mau.fi/util/random"
	"go.mau.fi/whatsmeow/util/keys"
)

// giveKeys makes the keys of a phone that is set up, for the first time or anew.
func (record *phoneRecord) giveKeys() {
	identity := keys.NewKeyPair()
	signed := identity.CreateSignedPreKey(1)
	record.Identity = identity.Priv[:]
	record.SignedPreKey, record.SignedSignature = signed.Priv[:], signed.Signature[:]
	record.Registration = fromBigEndian(random.Bytes(2))&0x3fff + 1
	record.RawID = fromBigEndian(random.Bytes(3))
}

// reinstall sets a phone up anew, as from a backup: it shows what it showed, but
// has other keys, no linked devices, and no Signal session with anybody.
func (net *network) reinstall(p *phone) error {
	for _, d := range p.allDevices() {
		if d.isPhone() {
			continue
		}
		if err := net.unlink(d); err != nil {
			return err
		}
	}
	if err := net.forgetSignal(p); err != nil {
		return err
	}
	p.giveKeys()
	p.signal = net.signalDevice(p)
	net.savePhone(p)
	return net.announceIdentity(p)
}

// forgetSignal removes a phone's Signal rows, and the sessions that other phones
// have with it.
func (net *network) forgetSignal(p *phone) error {
	var gone []string
	err := net.book.each(fmt.Sprintf("signal/%s/", p.Number), func(key string, _ json.RawMessage) error {
		gone = append(gone, key)
		return nil
	})
	for _, key := range gone {
		net.book.remove(key)
	}
	address := signalAddress(p.primary()).String()
	for _, other := range net.phones {
		_ = other.signal.Sessions.DeleteSession(background, address)
	}
	return err
}

// announceIdentity tells the clients that know an account's devices that its
// phone has another identity.
func (net *network) announceIdentity(p *phone) error {
	changed := stanza{
		Tag:     "notification",
		Attrs:   attributes{"from": p.primary().number(), "lid": p.primary().lid(), "type": "encrypt", "id": newStanzaID(), "t": unixSeconds(now())},
		Content: []stanza{{Tag: "identity"}},
	}
	if p.HideNumber {
		changed.Attrs["from"] = p.primary().lid()
	}
	for watcher := range p.watchers {
		if err := net.deliver(watcher, changed); err != nil {
			return err
		}
	}
	return nil
}
