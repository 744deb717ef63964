// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"strings"

	"github.com/vmihailenco/msgpack/v5"
	"go.mau.fi/whatsmeow/store"
)

// This file: keys and state of WhatsApp's app-state sync (contacts, mutes, pins between the devices of one account).

const macBatch = 1_000

func (s *keyStore) syncKeyID(id []byte) string { return s.prefix + "synckey/" + hex.EncodeToString(id) }

func (s *keyStore) stateID(name string) string { return s.prefix + "state/" + name }

func (s *keyStore) macID(name string, index []byte) string {
	return s.prefix + "mac/" + name + "/" + hex.EncodeToString(index)
}

type syncKey struct {
	Data        []byte `msgpack:"d"`
	Fingerprint []byte `msgpack:"f"`
	Timestamp   int64  `msgpack:"t"`
}

// PutAppStateSyncKey keeps the newer of two keys with one id.
func (s *keyStore) PutAppStateSyncKey(ctx context.Context, id []byte, key store.AppStateSyncKey) error {
	known, err := s.GetAppStateSyncKey(ctx, id)
	if err != nil || (known != nil && known.Timestamp >= key.Timestamp) {
		return err
	}
	plaintext, err := msgpack.Marshal(syncKey(key))
	if err != nil {
		return s.failed(ctx, err)
	}
	return s.putNow(ctx, map[string][]byte{s.syncKeyID(id): plaintext})
}

func (s *keyStore) GetAppStateSyncKey(ctx context.Context, id []byte) (*store.AppStateSyncKey, error) {
	plaintext, err := s.value(ctx, s.syncKeyID(id))
	if err != nil || plaintext == nil {
		return nil, err
	}
	var key syncKey
	if err = msgpack.Unmarshal(plaintext, &key); err != nil {
		return nil, s.failed(ctx, err)
	}
	return (*store.AppStateSyncKey)(&key), nil
}

// syncKeys reads every key by its id in hex.
func (s *keyStore) syncKeys(ctx context.Context) (map[string]*store.AppStateSyncKey, error) {
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	rows, err := s.archive.read(ctx, below(s.prefix+"synckey/"))
	if err != nil {
		return nil, s.failed(ctx, err)
	}
	out := make(map[string]*store.AppStateSyncKey, len(rows))
	for id, row := range rows {
		var key syncKey
		plaintext, err := s.openValue(row)
		if err == nil {
			err = msgpack.Unmarshal(plaintext, &key)
		}
		if err != nil {
			return nil, s.failed(ctx, err)
		}
		out[strings.TrimPrefix(id, s.prefix+"synckey/")] = (*store.AppStateSyncKey)(&key)
	}
	return out, nil
}

func (s *keyStore) GetLatestAppStateSyncKeyID(ctx context.Context) ([]byte, error) {
	all, err := s.syncKeys(ctx)
	if err != nil {
		return nil, err
	}
	var latest []byte
	newest := int64(-1)
	for encoded, key := range all {
		id, err := hex.DecodeString(encoded)
		if err != nil {
			return nil, s.failed(ctx, err)
		}
		if key.Timestamp > newest || (key.Timestamp == newest && bytes.Compare(id, latest) > 0) {
			newest, latest = key.Timestamp, id
		}
	}
	return latest, nil
}

func (s *keyStore) GetAllAppStateSyncKeys(ctx context.Context) ([]*store.AppStateSyncKey, error) {
	all, err := s.syncKeys(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]*store.AppStateSyncKey, 0, len(all))
	for _, key := range all {
		out = append(out, key)
	}
	return out, nil
}

type stateVersion struct {
	Version uint64 `msgpack:"v"`
	Hash    []byte `msgpack:"h"`
}

func (s *keyStore) PutAppStateVersion(ctx context.Context, name string, version uint64, hash [128]byte) error {
	plaintext, err := msgpack.Marshal(stateVersion{version, hash[:]})
	if err != nil {
		return s.failed(ctx, err)
	}
	return s.putNow(ctx, map[string][]byte{s.stateID(name): plaintext})
}

func (s *keyStore) GetAppStateVersion(ctx context.Context, name string) (version uint64, hash [128]byte, err error) {
	plaintext, err := s.value(ctx, s.stateID(name))
	if err != nil || plaintext == nil {
		return 0, hash, err
	}
	var known stateVersion
	if err = msgpack.Unmarshal(plaintext, &known); err != nil {
		return 0, hash, s.failed(ctx, err)
	}
	copy(hash[:], known.Hash)
	return known.Version, hash, nil
}

func (s *keyStore) DeleteAppStateVersion(ctx context.Context, name string) error {
	return s.deleteNow(ctx, s.stateID(name))
}

func (s *keyStore) PutAppStateMutationMACs(ctx context.Context, name string, _ uint64, mutations []store.AppStateMutationMAC) error {
	for len(mutations) > 0 {
		batch := mutations[:min(macBatch, len(mutations))]
		mutations = mutations[len(batch):]
		values := make(map[string][]byte, len(batch))
		for _, mutation := range batch {
			values[s.macID(name, mutation.IndexMAC)] = mutation.ValueMAC
		}
		if err := s.putNow(ctx, values); err != nil {
			return err
		}
	}
	return nil
}

func (s *keyStore) DeleteAppStateMutationMACs(ctx context.Context, name string, indexMACs [][]byte) error {
	if len(indexMACs) == 0 {
		return nil
	}
	ids := make([]string, len(indexMACs))
	for i, index := range indexMACs {
		ids[i] = s.macID(name, index)
	}
	return s.deleteNow(ctx, ids...)
}

func (s *keyStore) GetAppStateMutationMAC(ctx context.Context, name string, indexMAC []byte) ([]byte, error) {
	return s.value(ctx, s.macID(name, indexMAC))
}
