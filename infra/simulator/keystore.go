// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"fmt"

	"go.mau.fi/libsignal/protocol"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/keys"
)

// signalRows are one phone's Signal sessions, prekeys and sender keys as rows
// of the journal. Its methods run under the network's lock, inside a change.
// Unused methods of the library's interfaces say so.
type signalRows struct {
	net    *network
	number string
}

func (net *network) signalRowsOf(p *phone) *signalRows {
	return &signalRows{net: net, number: p.Number}
}

func (net *network) signalDevice(p *phone) *store.Device {
	rows := net.signalRowsOf(p)
	identity := keyPair(p.Identity)
	return &store.Device{
		IdentityKey:    identity,
		SignedPreKey:   &keys.PreKey{KeyPair: *keyPair(p.SignedPreKey), KeyID: 1, Signature: (*[64]byte)(p.SignedSignature)},
		RegistrationID: p.Registration,
		Identities:     rows,
		Sessions:       rows,
		PreKeys:        rows,
		SenderKeys:     rows,
	}
}

func keyPair(private []byte) *keys.KeyPair {
	return keys.NewKeyPairFromPrivateKey([32]byte(private))
}

func (rows *signalRows) key(kind, name string) string {
	return fmt.Sprintf("signal/%s/%s/%s", rows.number, kind, name)
}

func (rows *signalRows) bytes(key string) ([]byte, error) {
	var value []byte
	_, err := rows.net.book.get(key, &value)
	return value, err
}

// A simulated phone trusts every identity: it is told of devices by the server
// it lives in.
func (rows *signalRows) PutIdentity(context.Context, string, [32]byte) error { return nil }

func (rows *signalRows) DeleteAllIdentities(context.Context, string) error { return nil }

func (rows *signalRows) DeleteIdentity(context.Context, string) error { return nil }

func (rows *signalRows) IsTrustedIdentity(context.Context, string, [32]byte) (bool, error) {
	return true, nil
}

func (rows *signalRows) GetSession(_ context.Context, address string) ([]byte, error) {
	return rows.bytes(rows.key("session", address))
}

func (rows *signalRows) HasSession(ctx context.Context, address string) (bool, error) {
	session, err := rows.GetSession(ctx, address)
	return session != nil, err
}

func (rows *signalRows) GetManySessions(ctx context.Context, addresses []string) (map[string][]byte, error) {
	sessions := make(map[string][]byte, len(addresses))
	for _, address := range addresses {
		session, err := rows.GetSession(ctx, address)
		if err != nil {
			return nil, err
		}
		sessions[address] = session
	}
	return sessions, nil
}

func (rows *signalRows) PutSession(ctx context.Context, address string, session []byte) error {
	before, err := rows.GetSession(ctx, address)
	if err != nil {
		return err
	}
	rows.net.book.put(rows.key("session", address), repaired(before, session))
	return nil
}

// rollBack puts a session back to what it was, as a client does that stores an
// older copy over a newer one.
func (rows *signalRows) rollBack(address *protocol.SignalAddress, session []byte) {
	rows.net.book.put(rows.key("session", address.String()), session)
}

func (rows *signalRows) PutManySessions(ctx context.Context, sessions map[string][]byte) error {
	for address, session := range sessions {
		if err := rows.PutSession(ctx, address, session); err != nil {
			return err
		}
	}
	return nil
}

func (rows *signalRows) DeleteSession(_ context.Context, address string) error {
	rows.net.book.remove(rows.key("session", address))
	return nil
}

func (rows *signalRows) DeleteAllSessions(context.Context, string) error {
	return errUnused("DeleteAllSessions")
}

func (rows *signalRows) MigratePNToLID(context.Context, types.JID, types.JID) error { return nil }

func (rows *signalRows) GetPreKey(_ context.Context, id uint32) (*keys.PreKey, error) {
	private, err := rows.bytes(rows.key("prekey", fmt.Sprint(id)))
	if err != nil || private == nil {
		return nil, err
	}
	return &keys.PreKey{KeyPair: *keyPair(private), KeyID: id}, nil
}

// GenOnePreKey makes the prekey that a bundle about to be handed out carries.
func (rows *signalRows) GenOnePreKey(context.Context) (*keys.PreKey, error) {
	p := rows.net.phones[rows.number]
	p.LastPreKey = p.LastPreKey%0xfffffe + 1
	rows.net.savePhone(p)
	made := keys.NewPreKey(p.LastPreKey)
	rows.net.book.put(rows.key("prekey", fmt.Sprint(made.KeyID)), made.Priv[:])
	return made, nil
}

func (rows *signalRows) RemovePreKey(_ context.Context, id uint32) error {
	rows.net.book.remove(rows.key("prekey", fmt.Sprint(id)))
	return nil
}

func (rows *signalRows) GetOrGenPreKeys(context.Context, uint32) ([]*keys.PreKey, error) {
	return nil, errUnused("GetOrGenPreKeys")
}

func (rows *signalRows) MarkPreKeysAsUploaded(context.Context, uint32) error {
	return errUnused("MarkPreKeysAsUploaded")
}

func (rows *signalRows) UploadedPreKeyCount(context.Context) (int, error) {
	return 0, errUnused("UploadedPreKeyCount")
}

func senderKeyKey(number, group, user string) string {
	return fmt.Sprintf("signal/%s/senderkey/%s/%s", number, group, user)
}

func (rows *signalRows) PutSenderKey(_ context.Context, group, user string, key []byte) error {
	rows.net.book.put(senderKeyKey(rows.number, group, user), key)
	return nil
}

func (rows *signalRows) GetSenderKey(_ context.Context, group, user string) ([]byte, error) {
	return rows.bytes(senderKeyKey(rows.number, group, user))
}

func errUnused(method string) error {
	return fmt.Errorf("a simulated phone does not use %s", method)
}
