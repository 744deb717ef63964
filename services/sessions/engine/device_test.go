// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"go.mau.fi/whatsmeow/types"
)

func TestPreKeysOfOneUploadAreOneDocument(t *testing.T) {
	a := testArchive(t)
	s := testStore(t, a, 1)

	made, err := s.GetOrGenPreKeys(t.Context(), 812)
	must(t, err)
	if len(made) != 812 || made[0].KeyID != 1 || made[811].KeyID != 812 || len(rows(t, a)) != 1 {
		t.Fatalf("%d keys in %d documents", len(made), len(rows(t, a)))
	}
	again, err := testStore(t, a, 1).GetOrGenPreKeys(t.Context(), 50)
	must(t, err)
	if len(again) != 50 || again[0].KeyID != 1 || *again[49].Priv != *made[49].Priv {
		t.Error("keys that were not uploaded must be offered first")
	}
	must(t, s.MarkPreKeysAsUploaded(t.Context(), 812))
	if count, err := s.UploadedPreKeyCount(t.Context()); err != nil || count != 812 {
		t.Errorf("uploaded: %d, %v", count, err)
	}

	found, err := s.GetPreKey(t.Context(), 500)
	must(t, err)
	if found == nil || *found.Priv != *made[499].Priv {
		t.Error("key 500 is not the one that was made")
	}
	must(t, s.RemovePreKey(t.Context(), 500))
	s.flush(t)
	for _, reader := range []*keyStore{s, testStore(t, a, 1)} {
		gone, err := reader.GetPreKey(t.Context(), 500)
		must(t, err)
		count, err := reader.UploadedPreKeyCount(t.Context())
		must(t, err)
		if gone != nil || count != 811 {
			t.Errorf("after its use the key is %v and %d are left", gone, count)
		}
	}
	next, err := s.GetOrGenPreKeys(t.Context(), 50)
	must(t, err)
	one, err := s.GenOnePreKey(t.Context())
	must(t, err)
	if next[0].KeyID != 813 || one.KeyID != 863 {
		t.Errorf("the next keys are %d and %d", next[0].KeyID, one.KeyID)
	}
	if unknown, err := s.GetPreKey(t.Context(), 9999); unknown != nil || err != nil {
		t.Errorf("an unknown key is %v, %v", unknown, err)
	}
}

func TestAUsedPreKeyComesBackWhenItsDecryptionFails(t *testing.T) {
	s := testStore(t, testArchive(t), 1)
	_, err := s.GetOrGenPreKeys(t.Context(), 5)
	must(t, err)
	_ = s.DoDecryptionTxn(t.Context(), func(ctx context.Context) error {
		must(t, s.RemovePreKey(ctx, 3))
		return errors.New("bad mac")
	})
	if key, err := s.GetPreKey(t.Context(), 3); key == nil || err != nil {
		t.Errorf("the key is gone: %v", err)
	}
}

func TestADeviceIsReadAsItWasStored(t *testing.T) {
	a := testArchive(t)
	s := testStore(t, a, 1)
	device, ended, err := s.openDevice(t.Context())
	must(t, err)
	if device.ID != nil || ended != 0 {
		t.Fatal("a new link has a device already")
	}
	jid, err := types.ParseJID("6281:3@s.whatsapp.net")
	must(t, err)
	device.ID, device.LID, device.PushName, device.Platform = &jid, types.NewJID("777", types.HiddenUserServer), "Toko", "android"
	must(t, device.Save(t.Context()))
	device.PushName = "Toko Kopi"
	must(t, device.Save(t.Context()))

	read, _, err := testStore(t, a, 1).openDevice(t.Context())
	must(t, err)

	if *read.ID != jid || read.LID != device.LID || read.PushName != "Toko Kopi" || read.Platform != "android" ||
		read.RegistrationID != device.RegistrationID || !bytes.Equal(read.AdvSecretKey, device.AdvSecretKey) ||
		*read.NoiseKey.Priv != *device.NoiseKey.Priv || *read.IdentityKey.Pub != *device.IdentityKey.Pub ||
		*read.SignedPreKey.Signature != *device.SignedPreKey.Signature {
		t.Errorf("read %+v", read)
	}
	s.ending(403)
	must(t, s.DeleteDevice(t.Context(), device))
	if kept, ended, err := testStore(t, a, 1).openDevice(t.Context()); err != nil || ended != 403 || kept.ID == nil {
		t.Errorf("an ended link must be marked, not deleted: %d, %v", ended, err)
	}
}

func TestAPairingThatWasNeverFinishedIsUndone(t *testing.T) {
	a := testArchive(t)
	s := testStore(t, a, 1)
	device, _, err := s.openDevice(t.Context())
	must(t, err)
	s.pairing(true)
	jid := types.NewJID("6281", types.DefaultUserServer)
	device.ID = &jid
	must(t, device.Save(t.Context()))

	must(t, s.DeleteDevice(t.Context(), device))

	if again, ended, err := testStore(t, a, 1).openDevice(t.Context()); err != nil || ended != 0 || again.ID != nil {
		t.Errorf("the half-made device is left: %d, %v", ended, err)
	}
}
