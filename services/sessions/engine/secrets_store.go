// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"time"

	"github.com/vmihailenco/msgpack/v5"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// This file: message secrets (for polls and edits), privacy tokens, and the salt of contact tokens.

// secretLife is how long a message's secret is kept: as long as messages are.
const secretLife = 90 * 24 * time.Hour

func (s *keyStore) secretID(chat, sender types.JID, id types.MessageID) string {
	return s.prefix + "secret/" + chat.ToNonAD().String() + "/" + sender.ToNonAD().String() + "/" + id
}

// PutMessageSecret keeps the first secret of a message.
func (s *keyStore) PutMessageSecret(ctx context.Context, chat, sender types.JID, id types.MessageID, secret []byte) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	key := s.secretID(chat, sender, id)
	if _, waiting := s.queue.peek(key); waiting {
		return nil
	}
	s.mu.Lock()
	s.values.drop(key) // it may be remembered as absent
	s.mu.Unlock()
	fields := append(s.sealed(key, secret), bson.E{Key: "exp", Value: time.Now().Add(secretLife)})
	s.queue.add(key, upsert(key, "$setOnInsert", fields), secret)
	return nil
}

func (s *keyStore) PutMessageSecrets(ctx context.Context, secrets []store.MessageSecretInsert) error {
	for _, secret := range secrets {
		if err := s.PutMessageSecret(ctx, secret.Chat, secret.Sender, secret.ID, secret.Secret); err != nil {
			return err
		}
	}
	return nil
}

// GetMessageSecret tries chat and sender in both forms, and returns the sender's form under which the secret lies.
func (s *keyStore) GetMessageSecret(ctx context.Context, chat, sender types.JID, id types.MessageID) ([]byte, types.JID, error) {
	chats, err := s.bothForms(ctx, chat)
	if err != nil {
		return nil, types.JID{}, err
	}
	senders, err := s.bothForms(ctx, sender)
	if err != nil {
		return nil, types.JID{}, err
	}
	for _, c := range chats {
		for _, who := range senders {
			secret, err := s.value(ctx, s.secretID(c, who, id))
			if err != nil || secret != nil {
				return secret, who.ToNonAD(), err
			}
		}
	}
	return nil, types.JID{}, nil
}

// bothForms returns a JID and, when it is known, its other form: phone number or LID.
func (s *keyStore) bothForms(ctx context.Context, jid types.JID) ([]types.JID, error) {
	other, err := s.GetPNForLID(ctx, jid)
	if err == nil && other.IsEmpty() {
		other, err = s.GetLIDForPN(ctx, jid)
	}
	if err != nil || other.IsEmpty() {
		return []types.JID{jid}, err
	}
	return []types.JID{jid, other}, nil
}

type privacyToken struct {
	Token    []byte `msgpack:"k"`
	At       int64  `msgpack:"t"` // s
	SenderAt int64  `msgpack:"s"` // s; 0 when never sent
}

func (s *keyStore) tokenID(user types.JID) string {
	return s.prefix + "token/" + user.ToNonAD().String()
}

func (s *keyStore) privacyToken(ctx context.Context, user types.JID) (*privacyToken, error) {
	plaintext, err := s.value(ctx, s.tokenID(user))
	if err != nil || plaintext == nil {
		return nil, err
	}
	token := &privacyToken{}
	if err := msgpack.Unmarshal(plaintext, token); err != nil {
		return nil, s.failed(ctx, err)
	}
	return token, nil
}

// PutPrivacyTokens keeps the newer token, and the time it was last sent when the new one tells none.
func (s *keyStore) PutPrivacyTokens(ctx context.Context, tokens ...store.PrivacyToken) error {
	for _, token := range tokens {
		next := privacyToken{Token: token.Token, At: token.Timestamp.Unix()}
		if !token.SenderTimestamp.IsZero() {
			next.SenderAt = token.SenderTimestamp.Unix()
		}
		known, err := s.privacyToken(ctx, token.User)
		if err != nil {
			return err
		}
		if known != nil && known.At > next.At {
			continue
		}
		if known != nil && next.SenderAt == 0 {
			next.SenderAt = known.SenderAt
		}
		plaintext, err := msgpack.Marshal(next)
		if err != nil {
			return s.failed(ctx, err)
		}
		if err := s.putLater(ctx, s.tokenID(token.User), plaintext, bson.E{Key: "at", Value: next.At}); err != nil {
			return err
		}
	}
	return nil
}

// GetPrivacyToken returns the newer of the tokens under both forms of a user.
func (s *keyStore) GetPrivacyToken(ctx context.Context, user types.JID) (*store.PrivacyToken, error) {
	forms, err := s.bothForms(ctx, user.ToNonAD())
	if err != nil {
		return nil, err
	}
	var newest *privacyToken
	for _, form := range forms {
		token, err := s.privacyToken(ctx, form)
		if err != nil {
			return nil, err
		}
		if token != nil && (newest == nil || token.At > newest.At) {
			newest = token
		}
	}
	if newest == nil {
		return nil, nil
	}
	told := &store.PrivacyToken{User: user.ToNonAD(), Token: newest.Token, Timestamp: time.Unix(newest.At, 0)}
	if newest.SenderAt > 0 {
		told.SenderTimestamp = time.Unix(newest.SenderAt, 0)
	}
	return told, nil
}

func (s *keyStore) DeleteExpiredPrivacyTokens(ctx context.Context, cutoff time.Time) (int64, error) {
	if err := s.ready(ctx); err != nil {
		return 0, err
	}
	filter := append(below(s.prefix+"token/"), bson.E{Key: "at", Value: bson.D{{Key: "$lt", Value: cutoff.Unix()}}})
	var deleted int64
	err := s.archive.patiently(ctx, func(ctx context.Context) error {
		result, err := s.archive.rows.DeleteMany(ctx, filter)
		if err == nil {
			deleted = result.DeletedCount
		}
		return err
	})
	return deleted, s.failed(ctx, err)
}

func (s *keyStore) saltID() string { return s.prefix + "salt" }

func (s *keyStore) PutNCTSalt(ctx context.Context, salt []byte) error {
	return s.putNow(ctx, map[string][]byte{s.saltID(): salt})
}

func (s *keyStore) GetNCTSalt(ctx context.Context) ([]byte, error) { return s.value(ctx, s.saltID()) }

func (s *keyStore) DeleteNCTSalt(ctx context.Context) error { return s.deleteNow(ctx, s.saltID()) }
