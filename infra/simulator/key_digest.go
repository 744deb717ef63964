// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"crypto/sha1"
	"net/http"

	"go.mau.fi/libsignal/ecc"
)

// receiveDigestQuery tells a device what the server keeps of its keys, with a
// SHA-1 over them that the device compares; 404 makes it upload them (source:
// oxidezap/whatsapp-rust, wacore/src/iq/prekeys.rs and src/prekeys.rs).
func (net *network) receiveDigestQuery(c *connection, query *stanza) error {
	d := c.device
	if d.PreKeyBatches == 0 {
		return net.refuse(c, query, http.StatusNotFound, "item-not-found")
	}
	left, err := net.preKeysOf(d)
	if err != nil {
		return err
	}
	sum := sha1.New()
	sum.Write(joined(d.Identity, d.SignedPreKey, d.SignedSignature))
	var ids []stanza
	for ; len(left) >= preKeyBytes; left = left[preKeyBytes:] {
		ids = append(ids, stanza{Tag: "id", Content: left[:3]})
		sum.Write(left[3:preKeyBytes])
	}
	return net.answer(c, query, stanza{Tag: "digest", Content: []stanza{
		{Tag: "registration", Content: bigEndian(d.Registration, 4)},
		{Tag: "type", Content: []byte{ecc.DjbType}},
		{Tag: "identity", Content: d.Identity},
		{Tag: "skey", Content: []stanza{
			{Tag: "id", Content: d.SignedID},
			{Tag: "value", Content: d.SignedPreKey},
			{Tag: "signature", Content: d.SignedSignature},
		}},
		{Tag: "list", Content: ids},
		{Tag: "hash", Content: sum.Sum(nil)},
	}})
}

// preKeysOf are the one-time prekeys of a device that nobody has taken.
func (net *network) preKeysOf(d *device) ([]byte, error) {
	var all []byte
	for number := 1; number <= d.PreKeyBatches; number++ {
		var batch []byte
		if _, err := net.book.get(preKeyKey(d, number), &batch); err != nil {
			return nil, err
		}
		all = append(all, batch...)
	}
	return all[min(d.PreKeysTaken*preKeyBytes, len(all)):], nil
}

// receiveRotation takes a new signed prekey (source: WhiskeySockets/Baileys,
// rotateSignedPreKey).
func (net *network) receiveRotation(c *connection, query *stanza) error {
	signed := query.GetChildByTag("rotate", "skey")
	if len(content(signed.GetChildByTag("value"))) != 32 || len(content(signed.GetChildByTag("signature"))) != 64 {
		return net.refuse(c, query, http.StatusBadRequest, "bad-request")
	}
	c.device.takeSignedPreKey(signed)
	net.saveDevice(c.device)
	return net.answer(c, query)
}
