// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
)

var (
	keyA, keyB = [32]byte{1}, [32]byte{2}
	hash1      = [32]byte{0xaa}
	hash2      = [32]byte{0xbb}
	served     = time.UnixMilli(1_700_000_000_000)
)

// decrypted is a decryption as the library does it: record, identity, prekey, and the message.
func decrypted(s *keyStore, address string, hash [32]byte, record, text string) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := s.PutIdentity(ctx, address, keyA); err != nil {
			return err
		}
		if err := s.PutSession(ctx, address, []byte(record)); err != nil {
			return err
		}
		return s.PutBufferedEvent(ctx, hash, []byte(text), served)
	}
}

func sessionOf(t *testing.T, s *keyStore, address string) string {
	t.Helper()
	found, err := s.GetManySessions(t.Context(), []string{address})
	must(t, err)
	return string(found[address])
}

func TestADecryptionIsWrittenWhollyOrNotAtAll(t *testing.T) {
	a := testArchive(t)
	s := testStore(t, a, 1)
	refused := errors.New("bad mac")

	err := s.DoDecryptionTxn(t.Context(), func(ctx context.Context) error {
		must(t, decrypted(s, "62:0", hash1, "one", "hello")(ctx))
		seen, err := s.GetSession(ctx, "62:0")
		must(t, err)
		if string(seen) != "one" {
			t.Errorf("inside, the session reads %q", seen)
		}
		return refused
	})
	if !errors.Is(err, refused) || errors.Is(err, context.Canceled) {
		t.Errorf("a decryption's own error must reach the library as it is: %v", err)
	}
	if got := sessionOf(t, s, "62:0"); got != "" {
		t.Errorf("a failed decryption left %q", got)
	}

	before := a.writes.Load()
	must(t, s.DoDecryptionTxn(t.Context(), decrypted(s, "62:0", hash1, "two", "hello")))
	if writes := a.writes.Load() - before; writes != 1 {
		t.Errorf("a decryption took %d writes", writes)
	}
	other := testStore(t, a, 1)
	if got := sessionOf(t, other, "62:0"); got != "two" {
		t.Errorf("another process reads %q", got)
	}
	event, err := other.GetBufferedEvent(t.Context(), hash1)
	must(t, err)
	if event == nil || string(event.Plaintext) != "hello" || !event.ServerTime.Equal(served) {
		t.Errorf("another process finds the message as %+v", event)
	}
}

func TestAPanicInADecryptionIsAnErrorOfIt(t *testing.T) {
	s := testStore(t, testArchive(t), 1)
	err := s.DoDecryptionTxn(t.Context(), func(context.Context) error { panic("malformed") })
	if err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	must(t, s.DoDecryptionTxn(t.Context(), decrypted(s, "62:0", hash1, "one", "x"))) // the lock is free again
}

func TestAHandledMessageIsRememberedWithoutItsText(t *testing.T) {
	a := testArchive(t)
	s := testStore(t, a, 1)
	must(t, s.DoDecryptionTxn(t.Context(), decrypted(s, "62:0", hash1, "one", "hello")))
	must(t, s.ClearBufferedEventPlaintext(t.Context(), hash1))
	s.flush(t)

	for name, reader := range map[string]*keyStore{"the same process": s, "another process": testStore(t, a, 1)} {
		event, err := reader.GetBufferedEvent(t.Context(), hash1)
		must(t, err)
		if event == nil || event.Plaintext != nil {
			t.Errorf("%s finds %+v", name, event)
		}
	}
	must(t, s.DoDecryptionTxn(t.Context(), decrypted(s, "62:0", hash2, "two", "next")))
	loaded, err := testStore(t, a, 1).load(t.Context(), s.addressID("62:0"))
	must(t, err)
	if events := loaded[s.addressID("62:0")].Events; len(events) != 1 || string(events[0].Plaintext) != "next" {
		t.Errorf("the handled message is still stored: %d events", len(events))
	}
}

func TestTheSameMessageOfTwoLinksIsTwoMessages(t *testing.T) {
	a := testArchive(t)
	first := testStore(t, a, 1)
	second := newKeyStore(a, newWriteBehind(a), "s2", 1, tenure{fence: 1})
	must(t, first.DoDecryptionTxn(t.Context(), decrypted(first, "62:0", hash1, "one", "hello")))

	event, err := second.GetBufferedEvent(t.Context(), hash1)
	must(t, err)
	if event != nil {
		t.Error("another session's message was found")
	}
}

func TestAnAbsentSessionIsAnsweredWithNil(t *testing.T) {
	s := testStore(t, testArchive(t), 1)
	must(t, s.PutSession(t.Context(), "62:0", []byte("one")))

	found, err := s.GetManySessions(t.Context(), []string{"62:0", "62:1", "63:0"})
	must(t, err)

	if len(found) != 3 {
		t.Fatalf("%d of 3 addresses were answered", len(found))
	}
	if found["62:1"] != nil || found["63:0"] != nil || string(found["62:0"]) != "one" {
		t.Errorf("answered %q", found)
	}
	if has, err := s.HasSession(t.Context(), "62:1"); has || err != nil {
		t.Errorf("has: %v, %v", has, err)
	}
}

func TestOneSendWritesOnceAndUnchangedIdentitiesAreNotWritten(t *testing.T) {
	a := testArchive(t)
	s := testStore(t, a, 1)
	chat := types.NewJID("63", types.HiddenUserServer)
	send := func(record string) {
		ctx, release := s.forSending(t.Context())
		defer release()
		must(t, s.AddOutgoingEvent(ctx, chat, "3EB0"+record, "wa", []byte("text "+record)))
		_, err := s.GetManySessions(ctx, []string{"63_1:0", "63_1:2"})
		must(t, err)
		for _, address := range []string{"63_1:0", "63_1:2"} {
			must(t, s.PutIdentity(ctx, address, keyA))
			if trusted, err := s.IsTrustedIdentity(ctx, address, keyB); trusted || err != nil {
				t.Errorf("inside, another identity is trusted: %v, %v", trusted, err)
			}
		}
		must(t, s.PutManySessions(ctx, map[string][]byte{"63_1:0": []byte(record), "63_1:2": []byte(record)}))
	}

	for _, record := range []string{"one", "two"} {
		before := a.writes.Load()
		send(record)
		if writes := a.writes.Load() - before; writes != 1 {
			t.Errorf("the message %q took %d writes", record, writes)
		}
	}
	before := a.writes.Load()
	must(t, s.PutIdentity(t.Context(), "63_1:0", keyA))
	if a.writes.Load() != before {
		t.Error("an unchanged identity was written")
	}
	other := testStore(t, a, 1)
	if got := sessionOf(t, other, "63_1:2"); got != "two" {
		t.Errorf("another process reads %q", got)
	}
	format, kept, err := other.GetOutgoingEvent(t.Context(), types.NewJID("99", types.DefaultUserServer), chat, "3EB0one")
	if err != nil || format != "wa" || string(kept) != "text one" {
		t.Errorf("kept for retries: %q %q %v", format, kept, err)
	}
	if _, _, err := other.GetOutgoingEvent(t.Context(), chat, types.EmptyJID, "3EB0three"); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("an unknown message must be an error that is answered: %v", err)
	}
}

func TestADecryptionWaitsForASendInProgress(t *testing.T) {
	s := testStore(t, testArchive(t), 1)
	ctx, release := s.forSending(t.Context())
	_, err := s.GetManySessions(ctx, []string{"63:0"})
	must(t, err)
	decrypting := make(chan error, 1)
	go func() {
		decrypting <- s.DoDecryptionTxn(t.Context(), func(ctx context.Context) error {
			seen, err := s.GetSession(ctx, "63:0")
			if string(seen) != "sent" {
				t.Errorf("the decryption read %q", seen)
			}
			return errors.Join(err, decrypted(s, "63:0", hash1, "received", "x")(ctx))
		})
	}()

	select {
	case <-decrypting:
		t.Fatal("the decryption did not wait")
	case <-time.After(50 * time.Millisecond):
	}
	must(t, s.PutManySessions(ctx, map[string][]byte{"63:0": []byte("sent")}))
	release()
	must(t, <-decrypting)
}

func TestALoneEncryptionHoldsTheLockFromItsLoadToItsStore(t *testing.T) {
	s := testStore(t, testArchive(t), 1)
	_, err := s.GetSession(t.Context(), "63:0") // as for the answer to a retry receipt
	must(t, err)
	decrypting := make(chan error, 1)
	go func() {
		decrypting <- s.DoDecryptionTxn(t.Context(), decrypted(s, "63:0", hash1, "received", "x"))
	}()
	select {
	case <-decrypting:
		t.Fatal("the decryption did not wait")
	case <-time.After(50 * time.Millisecond):
	}
	must(t, s.PutSession(t.Context(), "63:0", []byte("sent")))
	must(t, <-decrypting)

	_, err = s.GetSession(t.Context(), "63:0") // and one that never stores lets go by itself
	must(t, err)
	must(t, s.DoDecryptionTxn(t.Context(), decrypted(s, "63:0", hash2, "again", "y")))
}

func TestSessionsMoveFromANumberToItsLID(t *testing.T) {
	a := testArchive(t)
	s := testStore(t, a, 1)
	pn, lid := types.NewJID("6281", types.DefaultUserServer), types.NewJID("777", types.HiddenUserServer)
	must(t, s.PutSession(t.Context(), "6281:0", []byte("zero")))
	must(t, s.PutIdentity(t.Context(), "6281:0", keyA))
	must(t, s.PutSession(t.Context(), "6281:12", []byte("twelve")))
	must(t, s.PutSession(t.Context(), "62810:0", []byte("somebody else")))
	must(t, s.PutSenderKey(t.Context(), "g@g.us", "6281:0", []byte("sender")))

	must(t, s.MigratePNToLID(t.Context(), pn, lid))

	for _, reader := range []*keyStore{s, testStore(t, a, 1)} {
		for address, want := range map[string]string{
			"777_1:0": "zero", "777_1:12": "twelve", "6281:0": "", "6281:12": "", "62810:0": "somebody else",
		} {
			if got := sessionOf(t, reader, address); got != want {
				t.Errorf("%s: %q, not %q", address, got, want)
			}
		}
		if trusted, err := reader.IsTrustedIdentity(t.Context(), "777_1:0", keyB); trusted || err != nil {
			t.Errorf("the identity did not move: %v, %v", trusted, err)
		}
		if key, err := reader.GetSenderKey(t.Context(), "g@g.us", "777_1:0"); err != nil || string(key) != "sender" {
			t.Errorf("the sender key did not move: %q, %v", key, err)
		}
	}
}

func TestIdentitiesAndSessionsOfAUserAreDeletedTogether(t *testing.T) {
	s := testStore(t, testArchive(t), 1)
	for _, address := range []string{"63:0", "63:7", "633:0"} {
		must(t, s.PutSession(t.Context(), address, []byte("x")))
		must(t, s.PutIdentity(t.Context(), address, keyA))
	}

	must(t, s.DeleteAllSessions(t.Context(), "63"))
	must(t, s.DeleteAllIdentities(t.Context(), "63"))

	if sessionOf(t, s, "63:0") != "" || sessionOf(t, s, "63:7") != "" || sessionOf(t, s, "633:0") != "x" {
		t.Error("the wrong sessions were deleted")
	}
	if trusted, err := s.IsTrustedIdentity(t.Context(), "63:7", keyB); !trusted || err != nil {
		t.Errorf("an identity is left: %v, %v", trusted, err)
	}
}

func TestWhatMayBeLateIsReadBackBeforeAndAfterItIsWritten(t *testing.T) {
	a := testArchive(t)
	s := testStore(t, a, 1)
	ctx := t.Context()
	pn, lid := types.NewJID("6281", types.DefaultUserServer), types.NewJID("777", types.HiddenUserServer)
	withDevice := types.JID{User: "6281", Device: 4, Server: types.DefaultUserServer}
	must(t, s.PutLIDMapping(ctx, lid, pn))
	changed, previous, err := s.PutPushName(ctx, pn, "Ani")
	if !changed || previous != "" || err != nil {
		t.Errorf("first name: %v %q %v", changed, previous, err)
	}
	changed, previous, err = s.PutPushName(ctx, pn, "Ani W")
	if !changed || previous != "Ani" || err != nil {
		t.Errorf("second name: %v %q %v", changed, previous, err)
	}
	must(t, s.PutContactName(ctx, pn, "Ani", "Ani Wijaya"))
	must(t, s.PutMutedUntil(ctx, pn, store.MutedForever))
	must(t, s.PutPinned(ctx, pn, true))
	must(t, s.PutMessageSecret(ctx, pn, pn, "m1", []byte("first")))
	must(t, s.PutMessageSecret(ctx, pn, pn, "m1", []byte("second")))
	must(t, s.PutPrivacyTokens(ctx, store.PrivacyToken{User: lid, Token: []byte("tok"), Timestamp: served, SenderTimestamp: served}))
	must(t, s.PutPrivacyTokens(ctx, store.PrivacyToken{User: lid, Token: []byte("older"), Timestamp: served.Add(-time.Hour)}))

	check := func(s *keyStore) {
		t.Helper()
		if found, err := s.GetLIDForPN(ctx, withDevice); err != nil || found.User != "777" || found.Device != 4 {
			t.Errorf("LID: %v %v", found, err)
		}
		if found, err := s.GetPNForLID(ctx, lid); err != nil || found != pn {
			t.Errorf("number: %v %v", found, err)
		}
		if found, err := s.GetLIDForPN(ctx, types.NewJID("1", types.DefaultUserServer)); err != nil || !found.IsEmpty() {
			t.Errorf("an unknown number has the LID %v, %v", found, err)
		}
		if many, err := s.GetManyLIDsForPNs(ctx, []types.JID{withDevice, types.NewJID("1", types.DefaultUserServer)}); err != nil || len(many) != 1 || many[withDevice].Device != 4 {
			t.Errorf("many: %v %v", many, err)
		}
		if contact, err := s.GetContact(ctx, pn); err != nil || !contact.Found || contact.PushName != "Ani W" || contact.FirstName != "Ani" || contact.FullName != "Ani Wijaya" {
			t.Errorf("contact: %+v %v", contact, err)
		}
		if settings, err := s.GetChatSettings(ctx, pn); err != nil || !settings.Found || !settings.Pinned || settings.Archived || !settings.MutedUntil.Equal(store.MutedForever) {
			t.Errorf("settings: %+v %v", settings, err)
		}
		if secret, sender, err := s.GetMessageSecret(ctx, lid, lid, "m1"); err != nil || string(secret) != "first" || sender != pn {
			t.Errorf("secret: %q of %v, %v", secret, sender, err)
		}
		if token, err := s.GetPrivacyToken(ctx, pn); err != nil || token == nil || string(token.Token) != "tok" || !token.SenderTimestamp.Equal(served) {
			t.Errorf("token: %+v %v", token, err)
		}
	}
	check(s)
	s.flush(t)
	check(s)
	check(testStore(t, a, 1))
	all, err := testStore(t, a, 1).GetAllContacts(ctx)
	if err != nil || all[pn].PushName != "Ani W" {
		t.Errorf("all contacts: %v %v", all, err)
	}
	if deleted, err := s.DeleteExpiredPrivacyTokens(ctx, served.Add(time.Hour)); err != nil || deleted != 1 {
		t.Errorf("expired tokens: %d %v", deleted, err)
	}
}

func TestAppStateIsReadBack(t *testing.T) {
	a := testArchive(t)
	s := testStore(t, a, 1)
	ctx := t.Context()
	must(t, s.PutAppStateSyncKey(ctx, []byte{1}, store.AppStateSyncKey{Data: []byte("one"), Timestamp: 10}))
	must(t, s.PutAppStateSyncKey(ctx, []byte{2}, store.AppStateSyncKey{Data: []byte("two"), Timestamp: 20}))
	must(t, s.PutAppStateSyncKey(ctx, []byte{2}, store.AppStateSyncKey{Data: []byte("older"), Timestamp: 5}))
	must(t, s.PutAppStateVersion(ctx, "regular", 7, [128]byte{9}))
	must(t, s.PutAppStateMutationMACs(ctx, "regular", 7, []store.AppStateMutationMAC{{IndexMAC: []byte{1}, ValueMAC: []byte("a")}, {IndexMAC: []byte{2}, ValueMAC: []byte("b")}}))
	must(t, s.DeleteAppStateMutationMACs(ctx, "regular", [][]byte{{2}}))
	must(t, s.PutNCTSalt(ctx, []byte("salt")))

	for _, reader := range []*keyStore{s, testStore(t, a, 1)} {
		if key, err := reader.GetAppStateSyncKey(ctx, []byte{2}); err != nil || string(key.Data) != "two" {
			t.Errorf("key: %+v %v", key, err)
		}
		if key, err := reader.GetAppStateSyncKey(ctx, []byte{3}); err != nil || key != nil {
			t.Errorf("unknown key: %+v %v", key, err)
		}
		if latest, err := reader.GetLatestAppStateSyncKeyID(ctx); err != nil || !slices.Equal(latest, []byte{2}) {
			t.Errorf("latest: %v %v", latest, err)
		}
		if all, err := reader.GetAllAppStateSyncKeys(ctx); err != nil || len(all) != 2 {
			t.Errorf("all: %v %v", all, err)
		}
		if version, hash, err := reader.GetAppStateVersion(ctx, "regular"); err != nil || version != 7 || hash != [128]byte{9} {
			t.Errorf("version: %d %v", version, err)
		}
		if version, _, err := reader.GetAppStateVersion(ctx, "critical"); err != nil || version != 0 {
			t.Errorf("unknown version: %d %v", version, err)
		}
		first, err := reader.GetAppStateMutationMAC(ctx, "regular", []byte{1})
		must(t, err)
		second, err := reader.GetAppStateMutationMAC(ctx, "regular", []byte{2})
		must(t, err)
		if string(first) != "a" || second != nil {
			t.Errorf("MACs: %q %q", first, second)
		}
		if salt, err := reader.GetNCTSalt(ctx); err != nil || string(salt) != "salt" {
			t.Errorf("salt: %q %v", salt, err)
		}
	}
}

func TestNoKeyLiesReadableInTheCollection(t *testing.T) {
	a := testArchive(t)
	s := testStore(t, a, 1)
	ctx := t.Context()
	device, _, err := s.openDevice(ctx)
	must(t, err)
	jid := types.NewJID("6281", types.DefaultUserServer)
	device.ID = &jid
	must(t, device.Save(ctx))
	made, err := s.GetOrGenPreKeys(ctx, 3)
	must(t, err)
	must(t, s.DoDecryptionTxn(ctx, decrypted(s, "62:0", hash1, "the session's record", "the message's text")))
	must(t, s.PutSenderKey(ctx, "g@g.us", "62:0", []byte("the group's key")))
	must(t, s.PutMessageSecret(ctx, jid, jid, "m1", []byte("the message's secret")))
	s.flush(t)

	var everything strings.Builder
	for _, row := range rows(t, a) {
		for _, value := range row {
			if binary, ok := value.(interface{ GetData() []byte }); ok {
				everything.Write(binary.GetData())
			}
		}
		raw, err := bsonBytes(row)
		must(t, err)
		everything.Write(raw)
	}
	for name, secret := range map[string][]byte{
		"noise key": device.NoiseKey.Priv[:], "identity key": device.IdentityKey.Priv[:], "adv secret": device.AdvSecretKey,
		"prekey": made[1].Priv[:], "session": []byte("the session's record"), "text": []byte("the message's text"),
		"sender key": []byte("the group's key"), "secret": []byte("the message's secret"), "ciphertext hash": hash1[:],
	} {
		if strings.Contains(everything.String(), string(secret)) {
			t.Errorf("the %s lies readable in the collection", name)
		}
	}
}
