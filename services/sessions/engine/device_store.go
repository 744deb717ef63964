// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"

	"github.com/vmihailenco/msgpack/v5"
	"go.mau.fi/whatsmeow/proto/waAdv"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/keys"
	"go.mongodb.org/mongo-driver/v2/bson"
	"google.golang.org/protobuf/proto"
)

// This file: the device itself, that is what makes us one of a phone's linked devices.

// loggedOutCode stands for an end that came without a code.
const loggedOutCode = 401

type deviceRecord struct {
	NoisePrivate          []byte `msgpack:"noise"`
	IdentityPrivate       []byte `msgpack:"identity"`
	SignedPreKeyPrivate   []byte `msgpack:"signed"`
	SignedPreKeyID        uint32 `msgpack:"signed_id"`
	SignedPreKeySignature []byte `msgpack:"signature"`
	RegistrationID        uint32 `msgpack:"registration"`
	AdvSecret             []byte `msgpack:"adv"`
	JID                   string `msgpack:"jid"`
	LID                   string `msgpack:"lid"`
	Account               []byte `msgpack:"account"`
	Platform              string `msgpack:"platform"`
	BusinessName          string `msgpack:"business"`
	PushName              string `msgpack:"push"`
	LIDMigrated           int64  `msgpack:"migrated"`
	MetaNonce             string `msgpack:"nonce"`
}

func (s *keyStore) deviceID() string { return s.prefix + "device" }

// openDevice claims the device document. It returns the linked device, or a new one that is stored when it is paired;
// endedCode is not 0 when WhatsApp has ended the link.
func (s *keyStore) openDevice(ctx context.Context) (device *store.Device, endedCode int, err error) {
	docs, err := s.archive.claim(ctx, s.tenure, []string{s.deviceID()})
	if err != nil {
		return nil, 0, err
	}
	doc := docs[s.deviceID()]
	s.deviceLock.Lock()
	s.device = doc.Version
	s.deviceLock.Unlock()
	plaintext, err := s.openValue(doc)
	if err != nil {
		return nil, 0, err
	}
	if plaintext == nil {
		device = newDevice()
	} else if device, err = decodeDevice(plaintext); err != nil {
		return nil, 0, err
	}
	device.SetAllStores(s)
	device.LIDs, device.Container, device.Initialized = s, s, true
	return device, doc.Ended, nil
}

func newDevice() *store.Device {
	random := make([]byte, 36)
	_, _ = rand.Read(random)
	device := &store.Device{
		NoiseKey: keys.NewKeyPair(), IdentityKey: keys.NewKeyPair(), AdvSecretKey: random[:32],
		RegistrationID: binary.BigEndian.Uint32(random[32:]),
	}
	device.SignedPreKey = device.IdentityKey.CreateSignedPreKey(1)
	return device
}

func decodeDevice(plaintext []byte) (*store.Device, error) {
	var r deviceRecord
	if err := msgpack.Unmarshal(plaintext, &r); err != nil {
		return nil, err
	}
	jid, err := types.ParseJID(r.JID)
	if err != nil {
		return nil, err
	}
	var lid types.JID
	if r.LID != "" {
		if lid, err = types.ParseJID(r.LID); err != nil {
			return nil, err
		}
	}
	account := &waAdv.ADVSignedDeviceIdentity{}
	if err = proto.Unmarshal(r.Account, account); err != nil {
		return nil, err
	}
	signature := [64]byte(r.SignedPreKeySignature)
	return &store.Device{
		NoiseKey:    keys.NewKeyPairFromPrivateKey([32]byte(r.NoisePrivate)),
		IdentityKey: keys.NewKeyPairFromPrivateKey([32]byte(r.IdentityPrivate)),
		SignedPreKey: &keys.PreKey{
			KeyPair: *keys.NewKeyPairFromPrivateKey([32]byte(r.SignedPreKeyPrivate)), KeyID: r.SignedPreKeyID, Signature: &signature,
		},
		RegistrationID: r.RegistrationID, AdvSecretKey: r.AdvSecret, ID: &jid, LID: lid, Account: account,
		Platform: r.Platform, BusinessName: r.BusinessName, PushName: r.PushName,
		LIDMigrationTimestamp: r.LIDMigrated, CompanionMetaNonce: r.MetaNonce,
	}, nil
}

// PutDevice returns when the device is on disk: the signature that completes a pairing leaves afterwards.
func (s *keyStore) PutDevice(ctx context.Context, d *store.Device) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	account, err := proto.Marshal(d.Account)
	if err != nil {
		return s.failed(ctx, err)
	}
	plaintext, err := msgpack.Marshal(deviceRecord{
		d.NoiseKey.Priv[:], d.IdentityKey.Priv[:], d.SignedPreKey.Priv[:], d.SignedPreKey.KeyID, d.SignedPreKey.Signature[:],
		d.RegistrationID, d.AdvSecretKey, d.GetJID().String(), d.LID.String(), account,
		d.Platform, d.BusinessName, d.PushName, d.LIDMigrationTimestamp, d.CompanionMetaNonce,
	})
	if err != nil {
		return s.failed(ctx, err)
	}
	return s.changeDevice(ctx, &change{set: s.sealed(s.deviceID(), plaintext)})
}

// DeleteDevice marks the link as ended by WhatsApp; Python decides when its keys go. A pairing that was never finished
// is undone instead.
func (s *keyStore) DeleteDevice(ctx context.Context, _ *store.Device) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	unpaired, code := s.unpaired, s.endedCode
	s.mu.Unlock()
	if unpaired {
		s.mu.Lock()
		s.emptied = true
		s.mu.Unlock()
		return s.failed(ctx, s.archive.forget(ctx, s.tenure, s.prefix))
	}
	if code == 0 {
		code = loggedOutCode
	}
	return s.changeDevice(ctx, &change{set: bson.D{{Key: "ended", Value: code}}})
}

func (s *keyStore) changeDevice(ctx context.Context, c *change) error {
	s.deviceLock.Lock()
	defer s.deviceLock.Unlock()
	c.id, c.version = s.deviceID(), s.device
	if err := s.archive.commit(context.WithoutCancel(ctx), s.tenure, []*change{c}); err != nil {
		s.breakWith(err)
		return storeFailure(err)
	}
	s.device = c.next
	return nil
}

// ending notes the code of an end before the library deletes the device.
func (s *keyStore) ending(code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endedCode = code
}

// pairing tells whether a deletion of the device would undo a pairing.
func (s *keyStore) pairing(unfinished bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unpaired = unfinished
}
