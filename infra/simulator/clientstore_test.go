// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"go.mau.fi/util/random"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/keys"
)

// clientStore is the store of a client under test: maps in memory. What a
// client works without comes from the library's store that does nothing.
type clientStore struct {
	*store.NoopStore

	mu      sync.Mutex
	ratchet sync.Mutex // one decryption at a time, as DoDecryptionTxn promises
	values  map[string][]byte
	preKeys map[uint32]*keys.PreKey
	marked  uint32
	lidOf   map[string]string
	numbers map[string]string
	device  *store.Device
}

func newClientStore() *clientStore {
	kept := &clientStore{
		NoopStore: &store.NoopStore{},
		values:    map[string][]byte{},
		preKeys:   map[uint32]*keys.PreKey{},
		lidOf:     map[string]string{},
		numbers:   map[string]string{},
	}
	identity := keys.NewKeyPair()
	kept.device = &store.Device{
		NoiseKey:       keys.NewKeyPair(),
		IdentityKey:    identity,
		SignedPreKey:   identity.CreateSignedPreKey(1),
		RegistrationID: fromBigEndian(random.Bytes(2)) + 1,
		AdvSecretKey:   random.Bytes(32),
	}
	kept.attach(kept.device)
	return kept
}

func (kept *clientStore) attach(d *store.Device) {
	d.SetAllStores(kept)
	d.LIDs, d.Container, d.Initialized = kept, kept, true
}

// reopened is the device as a new process would load it.
func (kept *clientStore) reopened() *store.Device {
	again := *kept.device
	kept.attach(&again)
	return &again
}

func (kept *clientStore) put(key string, value []byte) error {
	kept.mu.Lock()
	defer kept.mu.Unlock()
	kept.values[key] = value
	return nil
}

func (kept *clientStore) get(key string) ([]byte, error) {
	kept.mu.Lock()
	defer kept.mu.Unlock()
	return kept.values[key], nil
}

func (kept *clientStore) drop(key string) error {
	kept.mu.Lock()
	defer kept.mu.Unlock()
	delete(kept.values, key)
	return nil
}

func (kept *clientStore) dropAll(prefix string) error {
	kept.mu.Lock()
	defer kept.mu.Unlock()
	maps.DeleteFunc(kept.values, func(key string, _ []byte) bool { return strings.HasPrefix(key, prefix) })
	return nil
}

func (kept *clientStore) PutDevice(_ context.Context, d *store.Device) error {
	kept.mu.Lock()
	defer kept.mu.Unlock()
	copied := *d
	kept.device = &copied
	return nil
}

func (kept *clientStore) DeleteDevice(context.Context, *store.Device) error { return nil }

func (kept *clientStore) PutIdentity(_ context.Context, address string, key [32]byte) error {
	return kept.put("identity/"+address, key[:])
}

func (kept *clientStore) DeleteAllIdentities(_ context.Context, user string) error {
	return kept.dropAll("identity/" + user + ":")
}

func (kept *clientStore) DeleteIdentity(_ context.Context, address string) error {
	return kept.drop("identity/" + address)
}

func (kept *clientStore) IsTrustedIdentity(_ context.Context, address string, key [32]byte) (bool, error) {
	known, err := kept.get("identity/" + address)
	return known == nil || string(known) == string(key[:]), err
}

func (kept *clientStore) GetSession(_ context.Context, address string) ([]byte, error) {
	return kept.get("session/" + address)
}

func (kept *clientStore) HasSession(ctx context.Context, address string) (bool, error) {
	session, err := kept.GetSession(ctx, address)
	return session != nil, err
}

func (kept *clientStore) GetManySessions(ctx context.Context, addresses []string) (map[string][]byte, error) {
	sessions := map[string][]byte{}
	for _, address := range addresses {
		sessions[address], _ = kept.GetSession(ctx, address)
	}
	return sessions, nil
}

func (kept *clientStore) PutSession(_ context.Context, address string, session []byte) error {
	return kept.put("session/"+address, session)
}

func (kept *clientStore) PutManySessions(ctx context.Context, sessions map[string][]byte) error {
	for address, session := range sessions {
		_ = kept.PutSession(ctx, address, session)
	}
	return nil
}

func (kept *clientStore) DeleteAllSessions(_ context.Context, user string) error {
	return kept.dropAll("session/" + user + ":")
}

func (kept *clientStore) DeleteSession(_ context.Context, address string) error {
	return kept.drop("session/" + address)
}

func (kept *clientStore) MigratePNToLID(_ context.Context, number, lid types.JID) error {
	kept.mu.Lock()
	defer kept.mu.Unlock()
	for _, kind := range []string{"session/", "identity/"} {
		old := kind + number.SignalAddressUser() + ":"
		for key, value := range maps.Clone(kept.values) {
			if device, found := strings.CutPrefix(key, old); found {
				delete(kept.values, key)
				kept.values[kind+lid.SignalAddressUser()+":"+device] = value
			}
		}
	}
	return nil
}

func (kept *clientStore) GetOrGenPreKeys(_ context.Context, count uint32) ([]*keys.PreKey, error) {
	kept.mu.Lock()
	defer kept.mu.Unlock()
	var made []*keys.PreKey
	for range count {
		key := keys.NewPreKey(uint32(len(kept.preKeys)) + 1)
		kept.preKeys[key.KeyID] = key
		made = append(made, key)
	}
	return made, nil
}

func (kept *clientStore) GenOnePreKey(ctx context.Context) (*keys.PreKey, error) {
	made, err := kept.GetOrGenPreKeys(ctx, 1)
	return made[0], err
}

func (kept *clientStore) GetPreKey(_ context.Context, id uint32) (*keys.PreKey, error) {
	kept.mu.Lock()
	defer kept.mu.Unlock()
	return kept.preKeys[id], nil
}

func (kept *clientStore) RemovePreKey(_ context.Context, id uint32) error {
	kept.mu.Lock()
	defer kept.mu.Unlock()
	kept.preKeys[id] = nil // keeps the count, so ids stay new
	return nil
}

func (kept *clientStore) MarkPreKeysAsUploaded(_ context.Context, upTo uint32) error {
	kept.mu.Lock()
	defer kept.mu.Unlock()
	kept.marked = upTo
	return nil
}

func (kept *clientStore) UploadedPreKeyCount(context.Context) (int, error) {
	kept.mu.Lock()
	defer kept.mu.Unlock()
	return int(kept.marked), nil
}

func (kept *clientStore) PutSenderKey(_ context.Context, group, user string, key []byte) error {
	return kept.put("senderkey/"+group+"/"+user, key)
}

func (kept *clientStore) GetSenderKey(_ context.Context, group, user string) ([]byte, error) {
	return kept.get("senderkey/" + group + "/" + user)
}

func (kept *clientStore) GetBufferedEvent(_ context.Context, hash [32]byte) (*store.BufferedEvent, error) {
	plain, err := kept.get(fmt.Sprintf("event/%x", hash))
	if plain == nil {
		return nil, err
	}
	if len(plain) == 0 {
		plain = nil
	}
	return &store.BufferedEvent{Plaintext: plain}, err
}

func (kept *clientStore) PutBufferedEvent(_ context.Context, hash [32]byte, plain []byte, _ time.Time) error {
	return kept.put(fmt.Sprintf("event/%x", hash), plain)
}

func (kept *clientStore) ClearBufferedEventPlaintext(_ context.Context, hash [32]byte) error {
	return kept.put(fmt.Sprintf("event/%x", hash), []byte{})
}

func (kept *clientStore) DoDecryptionTxn(ctx context.Context, step func(context.Context) error) error {
	kept.ratchet.Lock()
	defer kept.ratchet.Unlock()
	return step(ctx)
}

func (kept *clientStore) PutMessageSecret(_ context.Context, _, sender types.JID, id types.MessageID, secret []byte) error {
	if known, _ := kept.get("secret/" + id); known != nil {
		return nil
	}
	_ = kept.put("secretof/"+id, []byte(sender.ToNonAD().String()))
	return kept.put("secret/"+id, secret)
}

func (kept *clientStore) GetMessageSecret(_ context.Context, _, _ types.JID, id types.MessageID) ([]byte, types.JID, error) {
	secret, _ := kept.get("secret/" + id)
	if secret == nil {
		return nil, types.EmptyJID, nil
	}
	sender, _ := kept.get("secretof/" + id)
	jid, err := types.ParseJID(string(sender))
	return secret, jid, err
}

func (kept *clientStore) PutManyLIDMappings(ctx context.Context, mappings []store.LIDMapping) error {
	for _, one := range mappings {
		_ = kept.PutLIDMapping(ctx, one.LID, one.PN)
	}
	return nil
}

func (kept *clientStore) PutLIDMapping(_ context.Context, lid, number types.JID) error {
	kept.mu.Lock()
	defer kept.mu.Unlock()
	kept.lidOf[number.User], kept.numbers[lid.User] = lid.User, number.User
	return nil
}

func (kept *clientStore) GetPNForLID(_ context.Context, lid types.JID) (types.JID, error) {
	kept.mu.Lock()
	defer kept.mu.Unlock()
	return named(kept.numbers[lid.User], lid.Device, types.DefaultUserServer), nil
}

func (kept *clientStore) GetLIDForPN(_ context.Context, number types.JID) (types.JID, error) {
	kept.mu.Lock()
	defer kept.mu.Unlock()
	return named(kept.lidOf[number.User], number.Device, types.HiddenUserServer), nil
}

func (kept *clientStore) GetManyLIDsForPNs(ctx context.Context, numbers []types.JID) (map[types.JID]types.JID, error) {
	found := map[types.JID]types.JID{}
	for _, number := range numbers {
		if lid, _ := kept.GetLIDForPN(ctx, number); !lid.IsEmpty() {
			found[number] = lid
		}
	}
	return found, nil
}

func named(user string, device uint16, server string) types.JID {
	if user == "" {
		return types.EmptyJID
	}
	return types.JID{User: user, Device: device, Server: server}
}

// copyOf and restore are a store that loses its last writes.
func (kept *clientStore) copyOf(prefix string) map[string][]byte {
	kept.mu.Lock()
	defer kept.mu.Unlock()
	copied := map[string][]byte{}
	for key, value := range kept.values {
		if strings.HasPrefix(key, prefix) {
			copied[key] = value
		}
	}
	return copied
}

func (kept *clientStore) restore(copied map[string][]byte) {
	kept.mu.Lock()
	defer kept.mu.Unlock()
	maps.Copy(kept.values, copied)
}
