// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.mau.fi/util/random"
	"go.mau.fi/whatsmeow/proto/waAdv"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

const (
	referencesPerLink = 6
	firstReference    = 60 * time.Second
	nextReference     = 20 * time.Second
	referenceGrace    = 5 * time.Second
	linkingLimit      = 15 * time.Second
	passkeyLimit      = 2 * time.Minute
	pairSuccessID     = "pair-success"
	highestDevice     = 99
	selfRemovalPause  = 2 * time.Second
)

// Prefixes of what is signed with a link (ADV).
var (
	accountSignaturePrefix = []byte{6, 0}
	deviceListPrefix       = []byte{6, 2}
)

// reference is one code of an offer, until its time is over.
type reference struct {
	connection *connection
	expires    time.Time
}

// linking is a scan that waits for the device's signature. Its outcome comes
// once.
type linking struct {
	phone       *phone
	id          uint16
	outcome     chan error
	withPasskey bool
}

// limit is how long a scan waits for the device; a person with a passkey has
// more to do.
func (l *linking) limit() time.Duration {
	if l.withPasskey {
		return passkeyLimit
	}
	return linkingLimit
}

func (l *linking) end(err error) {
	select {
	case l.outcome <- err:
	default:
	}
}

// offerCodes sends six references: the first is shown for 60 s, the others for
// 20 s each.
func (net *network) offerCodes(c *connection) error {
	var refs []stanza
	shownUntil := now().Add(firstReference)
	for range referencesPerLink {
		text := "2@" + base64.StdEncoding.EncodeToString(random.Bytes(64))
		net.references[text] = &reference{connection: c, expires: shownUntil.Add(referenceGrace)}
		refs = append(refs, stanza{Tag: "ref", Content: []byte(text)})
		shownUntil = shownUntil.Add(nextReference)
	}
	return net.tell(c, stanza{
		Tag:     "iq",
		Attrs:   attributes{"from": types.ServerJID, "type": "set", "id": "pair-device", "xmlns": "md"},
		Content: []stanza{{Tag: "pair-device", Content: refs}},
	})
}

// scannedCode is what a QR code says.
type scannedCode struct {
	reference string
	identity  []byte
	advSecret []byte
}

// parseCode reads "<address>#ref,noise key,identity key,ADV secret,client".
func parseCode(text string) (scannedCode, error) {
	if at := strings.Index(text, "#"); at >= 0 {
		text = text[at+1:]
	}
	parts := strings.Split(text, ",")
	if len(parts) < 4 {
		return scannedCode{}, errors.New("this is no WhatsApp QR code")
	}
	identity, identityErr := base64.StdEncoding.DecodeString(parts[2])
	secret, secretErr := base64.StdEncoding.DecodeString(parts[3])
	if identityErr != nil || secretErr != nil || len(identity) != 32 || len(secret) != 32 {
		return scannedCode{}, errors.New("this WhatsApp QR code is damaged")
	}
	return scannedCode{reference: parts[0], identity: identity, advSecret: secret}, nil
}

// scan links the device that shows a QR code and returns what to wait for.
func (net *network) scan(p *phone, code scannedCode) (*linking, error) {
	ref := net.references[code.reference]
	if ref == nil || now().After(ref.expires) {
		return nil, refusal{410, "this QR code is not valid any more"}
	}
	c := ref.connection
	if c.link != nil {
		return nil, refusal{409, "a device with this QR code is being linked already"}
	}
	if net.faults.passkeyDemanded(p.Number) {
		return net.demandPasskey(c, p)
	}
	return net.sendPairSuccess(c, p, code.identity, code.advSecret)
}

// sendPairSuccess signs the device into the account and asks for its signature.
func (net *network) sendPairSuccess(c *connection, p *phone, identity, advSecret []byte) (*linking, error) {
	if c.link == nil {
		c.link = &linking{phone: p, outcome: make(chan error, 1)}
	}
	c.link.id = net.nextDevice(p)
	signed, err := net.signDevice(p, c.link.id, identity)
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, advSecret)
	mac.Write(signed)
	container, err := proto.Marshal(&waAdv.ADVSignedDeviceIdentityHMAC{Details: signed, HMAC: mac.Sum(nil)})
	if err != nil {
		return nil, err
	}
	future := &device{phone: p, deviceRecord: deviceRecord{ID: c.link.id}}
	return c.link, net.tell(c, stanza{
		Tag:   "iq",
		Attrs: attributes{"from": types.ServerJID, "type": "set", "id": pairSuccessID, "xmlns": "md", "t": unixSeconds(now())},
		Content: []stanza{{Tag: "pair-success", Content: []stanza{
			{Tag: "device-identity", Content: container},
			{Tag: "platform", Attrs: attributes{"name": "android"}},
			{Tag: "device", Attrs: attributes{"jid": future.number(), "lid": future.lid()}},
		}}},
	})
}

// nextDevice numbers devices 1 to 99, as WhatsApp does, and reuses the free
// ones after that.
func (net *network) nextDevice(p *phone) uint16 {
	for range highestDevice {
		p.LastDevice = p.LastDevice%highestDevice + 1
		if p.devices[p.LastDevice] == nil {
			break
		}
	}
	net.savePhone(p)
	return p.LastDevice
}

func (net *network) signDevice(p *phone, id uint16, identity []byte) ([]byte, error) {
	details, err := proto.Marshal(&waAdv.ADVDeviceIdentity{
		RawID:     proto.Uint32(p.RawID),
		Timestamp: proto.Uint64(uint64(now().Unix())),
		KeyIndex:  proto.Uint32(uint32(id)),
	})
	if err != nil {
		return nil, err
	}
	return proto.Marshal(&waAdv.ADVSignedDeviceIdentity{
		Details:             details,
		AccountSignatureKey: p.signal.IdentityKey.Pub[:],
		AccountSignature:    sign(p.signal.IdentityKey, accountSignaturePrefix, details, identity),
	})
}

// receivePairResult keeps the device once it has signed, and sends it to its
// first login.
func (net *network) receivePairResult(c *connection, result *stanza) error {
	if c.link == nil || attribute(result, "id") != pairSuccessID {
		return nil
	}
	if attribute(result, "type") == "error" {
		refused := result.GetChildByTag("error")
		c.link.end(refusal{409, "the device refused the link: " + attribute(&refused, "text")})
		c.link = nil
		return nil
	}
	signed := result.GetChildByTag("pair-device-sign", "device-identity")
	if len(content(signed)) == 0 {
		return fmt.Errorf("a pairing result without a signature")
	}
	d := net.keepDevice(c, content(signed))
	if err := net.announceDevice(d, deviceAdded); err != nil {
		return err
	}
	c.identify(d)
	c.link.end(nil)
	c.link = nil
	net.log.Info("device linked", "phone", masked(d.phone.Number), "device", d.ID)
	return net.endStream(c, attributes{"code": "515"})
}

func (net *network) keepDevice(c *connection, signedIdentity []byte) *device {
	registration := c.payload.GetDevicePairingData()
	d := &device{phone: c.link.phone, deviceRecord: deviceRecord{
		ID:              c.link.id,
		NoiseKey:        c.staticKey,
		Identity:        registration.GetEIdent(),
		SignedID:        registration.GetESkeyID(),
		SignedPreKey:    registration.GetESkeyVal(),
		SignedSignature: registration.GetESkeySig(),
		Registration:    fromBigEndian(registration.GetERegid()),
		SignedIdentity:  signedIdentity,
		LinkedAt:        now().UTC(),
	}}
	d.phone.devices[d.ID] = d
	net.saveDevice(d)
	return d
}

// receiveRemoval is a device that logs itself out.
func (net *network) receiveRemoval(c *connection, query *stanza) error {
	if err := net.answer(c, query); err != nil {
		return err
	}
	d := c.device
	d.connection, c.ended = nil, true
	net.hangUp(c, selfRemovalPause) // it closes by itself, behind the answer
	return net.unlink(d)
}
