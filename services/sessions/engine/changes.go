// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
)

// This file: what happens to messages that exist: edits, revokes, reactions, votes.

// changeIn tells whether a message only says what happens to another one: then how to tell it, and of what.
func (c *connection) changeIn(e *events.Message, m *waE2E.Message, chat, sender both) (of about, change func(about) bool) {
	of = about{
		ID: e.Info.ID, Chat: chat.main(), Sender: sender.main(), ChatLID: chat.lidOrNil(), SenderLID: sender.lidOrNil(),
		FromMe: e.Info.IsFromMe, AtMS: e.Info.Timestamp.UnixMilli(),
	}
	var key *waCommon.MessageKey
	switch protocol := m.GetProtocolMessage(); {
	case protocol.GetType() == waE2E.ProtocolMessage_MESSAGE_EDIT && protocol.GetEditedMessage() != nil:
		key = protocol.GetKey()
		change = func(of about) bool { return c.onEdit(protocol.GetEditedMessage(), of) }
	case protocol != nil && protocol.GetType() == waE2E.ProtocolMessage_REVOKE && protocol.GetKey() != nil:
		key = protocol.GetKey()
		byAdmin := e.Info.Edit == types.EditAttributeAdminRevoke
		change = func(of about) bool { return c.confirmed(&revokedEvent{about: of, ByAdmin: byAdmin}) }
	case m.GetReactionMessage() != nil:
		key = m.GetReactionMessage().GetKey()
		change = func(of about) bool {
			return c.confirmed(&reactedEvent{about: of, Emoji: m.GetReactionMessage().GetText()})
		}
	case m.GetSecretEncryptedMessage().GetSecretEncType() == waE2E.SecretEncryptedMessage_MESSAGE_EDIT:
		key = m.GetSecretEncryptedMessage().GetTargetMessageKey()
		change = func(of about) bool { return c.onSealedEdit(e, of) }
	case m.GetEncReactionMessage() != nil: // in announcement groups
		key = m.GetEncReactionMessage().GetTargetMessageKey()
		change = func(of about) bool { return c.onSealedReaction(e, of) }
	case m.GetPollUpdateMessage() != nil:
		key = m.GetPollUpdateMessage().GetPollCreationMessageKey()
		change = func(of about) bool { return c.onVote(e, of) }
	}
	of.Target = key.GetID()
	if change != nil && (len(of.Target) > longestID || len(m.GetReactionMessage().GetText()) > longestID) {
		change = func(about) bool { return true } // nothing of WhatsApp's: too large to be told
	}
	return of, change
}

// onEdit tells the new words; an edit that has none changes nothing that we tell.
func (c *connection) onEdit(edited *waE2E.Message, of about) bool {
	said := &messageEvent{}
	info := describe(said, unwrapped(edited))
	if err := c.refer(said, info); err != nil {
		return false
	}
	words := said.Text
	if words == nil {
		words = said.Caption
	}
	if words == nil && said.Media == nil {
		return true
	}
	return c.confirmed(&editedEvent{about: of, Text: *textOrEmpty(words)})
}

func (c *connection) onSealedEdit(e *events.Message, of about) bool {
	opened, err := c.client.DecryptSecretEncryptedMessage(c.ctx, e)
	if err != nil {
		return c.letGo(err, "a sealed edit could not be read")
	}
	opened = unwrapped(opened)
	if inner := opened.GetProtocolMessage().GetEditedMessage(); inner != nil {
		opened = inner
	}
	return c.onEdit(opened, of)
}

func (c *connection) onSealedReaction(e *events.Message, of about) bool {
	reaction, err := c.client.DecryptReaction(c.ctx, e)
	if err != nil {
		return c.letGo(err, "a sealed reaction could not be read")
	}
	return c.confirmed(&reactedEvent{about: of, Emoji: reaction.GetText()})
}

// letGo acknowledges what can never be read, unless only the key store failed.
func (c *connection) letGo(err error, sentence string) bool {
	if errors.Is(err, errStore) || errors.Is(err, context.Canceled) {
		return false
	}
	logEvent("warn", sentence, "session", c.session.name, "error", err)
	return true
}
