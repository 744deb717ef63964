// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"

	"go.mau.fi/libsignal/ecc"
	"go.mau.fi/libsignal/keys/identity"
	"go.mau.fi/libsignal/keys/prekey"
	"go.mau.fi/libsignal/util/optional"
	"go.mau.fi/whatsmeow/types"
)

const fewPreKeys = 5

// bundle is what a sender needs to open a Signal session with a device. The
// one-time key is absent when the device has none left.
type bundle struct {
	registration uint32
	identity     []byte
	oneTimeID    []byte
	oneTime      []byte
	signedID     []byte
	signed       []byte
	signature    []byte
}

// takeBundle hands out a device's next one-time prekey with its other keys.
func (net *network) takeBundle(d *device) (bundle, error) {
	if d.isPhone() {
		return net.takePhoneBundle(d.phone)
	}
	taken := bundle{
		registration: d.Registration,
		identity:     d.Identity,
		signedID:     d.SignedID,
		signed:       d.SignedPreKey,
		signature:    d.SignedSignature,
	}
	if d.preKeysLeft() > 0 {
		next, err := net.preKeyAt(d, d.PreKeysTaken)
		if err != nil {
			return taken, err
		}
		taken.oneTimeID, taken.oneTime = next[:3], next[3:preKeyBytes]
		d.PreKeysTaken++
		net.saveDevice(d)
		return taken, net.warnOfFewPreKeys(d)
	}
	return taken, nil
}

// preKeyAt reads one of the keys that a device uploaded. They stay where they
// were written: a thousand devices have 812 thousand.
func (net *network) preKeyAt(d *device, index int) ([]byte, error) {
	for number := 1; number <= d.PreKeyBatches; number++ {
		var batch []byte
		if _, err := net.book.get(preKeyKey(d, number), &batch); err != nil {
			return nil, err
		}
		if at := index * preKeyBytes; at < len(batch) {
			return batch[at : at+preKeyBytes], nil
		}
		index -= len(batch) / preKeyBytes
	}
	return nil, errors.New("a one-time key that was never uploaded")
}

func (net *network) takePhoneBundle(p *phone) (bundle, error) {
	oneTime, err := p.signal.PreKeys.GenOnePreKey(context.Background())
	if err != nil {
		return bundle{}, err
	}
	return bundle{
		registration: p.Registration,
		identity:     p.signal.IdentityKey.Pub[:],
		oneTimeID:    bigEndian(oneTime.KeyID, 3),
		oneTime:      oneTime.Pub[:],
		signedID:     bigEndian(p.signal.SignedPreKey.KeyID, 3),
		signed:       p.signal.SignedPreKey.Pub[:],
		signature:    p.signal.SignedPreKey.Signature[:],
	}, nil
}

// warnOfFewPreKeys asks a connected device for more, once, at the mark where
// the client uploads again.
func (net *network) warnOfFewPreKeys(d *device) error {
	left := d.preKeysLeft()
	if left != fewPreKeys-1 || d.connection == nil {
		return nil
	}
	return net.tell(d.connection, stanza{
		Tag:     "notification",
		Attrs:   attributes{"from": types.ServerJID, "type": "encrypt", "id": newStanzaID(), "t": unixSeconds(now())},
		Content: []stanza{{Tag: "count", Attrs: attributes{"value": decimal(left)}}},
	})
}

// keyNodes are the bundle's keys as the wire names them.
func (taken bundle) keyNodes() []stanza {
	nodes := []stanza{
		{Tag: "type", Content: []byte{ecc.DjbType}},
		{Tag: "identity", Content: taken.identity},
	}
	if taken.oneTime != nil {
		nodes = append(nodes, stanza{Tag: "key", Content: []stanza{
			{Tag: "id", Content: taken.oneTimeID},
			{Tag: "value", Content: taken.oneTime},
		}})
	}
	return append(nodes, stanza{Tag: "skey", Content: []stanza{
		{Tag: "id", Content: taken.signedID},
		{Tag: "value", Content: taken.signed},
		{Tag: "signature", Content: taken.signature},
	}})
}

func (taken bundle) registrationNode() stanza {
	return stanza{Tag: "registration", Content: bigEndian(taken.registration, 4)}
}

// forSignal is the bundle as libsignal wants it.
func (taken bundle) forSignal(deviceID uint16) (*prekey.Bundle, error) {
	if len(taken.identity) != 32 || len(taken.signed) != 32 || len(taken.signature) != 64 {
		return nil, errors.New("a key bundle of wrong sizes")
	}
	oneTimeID, oneTime := optional.NewEmptyUint32(), ecc.ECPublicKeyable(nil)
	if len(taken.oneTime) == 32 {
		oneTimeID = optional.NewOptionalUint32(fromBigEndian(taken.oneTimeID))
		oneTime = ecc.NewDjbECPublicKey([32]byte(taken.oneTime))
	}
	return prekey.NewBundle(
		taken.registration, uint32(deviceID),
		oneTimeID, fromBigEndian(taken.signedID),
		oneTime, ecc.NewDjbECPublicKey([32]byte(taken.signed)), [64]byte(taken.signature),
		identity.NewKey(ecc.NewDjbECPublicKey([32]byte(taken.identity))),
	), nil
}

// bundleFrom reads the keys that a retry receipt carries; false without any.
func bundleFrom(receipt *stanza) (bundle, bool) {
	list, carried := receipt.GetOptionalChildByTag("keys")
	if !carried {
		return bundle{}, false
	}
	return bundle{
		registration: fromBigEndian(content(receipt.GetChildByTag("registration"))),
		identity:     content(list.GetChildByTag("identity")),
		oneTimeID:    content(list.GetChildByTag("key", "id")),
		oneTime:      content(list.GetChildByTag("key", "value")),
		signedID:     content(list.GetChildByTag("skey", "id")),
		signed:       content(list.GetChildByTag("skey", "value")),
		signature:    content(list.GetChildByTag("skey", "signature")),
	}, true
}

// receiveBundleQuery answers <key>: the keys of each asked device.
func (net *network) receiveBundleQuery(c *connection, query *stanza) error {
	list := query.GetChildByTag("key")
	var users []stanza
	for _, user := range list.GetChildren() {
		node, err := net.bundleNode(jidAttribute(&user, "jid"))
		if err != nil {
			return err
		}
		users = append(users, node)
	}
	return net.answer(c, query, stanza{Tag: "list", Content: users})
}

func (net *network) bundleNode(jid types.JID) (stanza, error) {
	d := net.find(jid)
	if d == nil || !d.phone.OnWhatsApp {
		refusal := stanza{Tag: "error", Attrs: attributes{"code": "406", "text": "not-acceptable"}}
		return stanza{Tag: "user", Attrs: attributes{"jid": jid}, Content: []stanza{refusal}}, nil
	}
	taken, err := net.takeBundle(d)
	if err != nil {
		return stanza{}, err
	}
	keyed := append([]stanza{taken.registrationNode()}, taken.keyNodes()...)
	if d.SignedIdentity != nil {
		keyed = append(keyed, stanza{Tag: "device-identity", Content: d.SignedIdentity})
	}
	return stanza{Tag: "user", Attrs: attributes{"jid": jid}, Content: keyed}, nil
}

// receivePreKeys keeps a batch of one-time prekeys and the signed one.
func (net *network) receivePreKeys(c *connection, query *stanza) error {
	d := c.device
	var batch []byte
	for _, key := range childrenOf(query, "list") {
		id, public := content(key.GetChildByTag("id")), content(key.GetChildByTag("value"))
		if len(id) != 3 || len(public) != 32 {
			return net.refuse(c, query, 400, "bad-request")
		}
		batch = append(append(batch, id...), public...)
	}
	d.preKeys += len(batch) / preKeyBytes
	d.PreKeyBatches++
	net.book.put(preKeyKey(d, d.PreKeyBatches), batch)
	if signed, carried := query.GetOptionalChildByTag("skey"); carried {
		d.takeSignedPreKey(signed)
	}
	net.saveDevice(d)
	return net.answer(c, query)
}

func (d *device) takeSignedPreKey(signed stanza) {
	d.SignedID = content(signed.GetChildByTag("id"))
	d.SignedPreKey = content(signed.GetChildByTag("value"))
	d.SignedSignature = content(signed.GetChildByTag("signature"))
}
