// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"strings"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"
)

// both is one JID in both forms: a phone number's and a LID; either may be empty.
type both struct{ pn, lid types.JID }

// main is the phone number's JID whenever it is known.
func (b both) main() string {
	if !b.pn.IsEmpty() {
		return b.pn.String()
	}
	return b.lid.String()
}

func (b both) lidOrNil() *string { return textOrNil(b.lid.String()) }

// forms finds the other form of a JID: in what came with the message, else in the store's map.
func (c *connection) forms(ctx context.Context, jid, alternative types.JID) (both, error) {
	jid, alternative = jid.ToNonAD(), alternative.ToNonAD()
	switch jid.Server {
	case types.HiddenUserServer:
		found := both{lid: jid, pn: alternative}
		if found.pn.Server != types.DefaultUserServer {
			pn, err := c.store.GetPNForLID(ctx, jid)
			if err != nil {
				return both{}, err
			}
			found.pn = pn
		}
		return found, nil
	case types.DefaultUserServer:
		found := both{pn: jid, lid: alternative}
		if found.lid.Server != types.HiddenUserServer {
			lid, err := c.store.GetLIDForPN(ctx, jid)
			if err != nil {
				return both{}, err
			}
			found.lid = lid
		}
		return found, nil
	}
	return both{pn: jid}, nil
}

// asAddressed returns the LID of a contact when it is known: it is how WhatsApp addresses the chat.
func (c *connection) asAddressed(ctx context.Context, jid types.JID) types.JID {
	if lid, err := c.store.GetLIDForPN(ctx, jid); err == nil && !lid.IsEmpty() {
		return lid
	}
	return jid
}

// sides finds chat and sender of what came in. In a direct chat the sender's other form is the chat's too, unless we wrote.
func (c *connection) sides(source types.MessageSource) (chat, sender both, err error) {
	chatAlternative := source.RecipientAlt
	if !source.IsFromMe && !source.IsGroup {
		chatAlternative = source.SenderAlt
	}
	if chat, err = c.forms(c.ctx, source.Chat, chatAlternative); err != nil {
		return chat, sender, err
	}
	sender, err = c.forms(c.ctx, source.Sender, source.SenderAlt)
	return chat, sender, err
}

// onMessage tells what came in: a message, or what happened to one.
func (c *connection) onMessage(e *events.Message) bool {
	content := unwrapped(e.Message)
	if isBroadcast(e.Info.Chat) {
		return true
	}
	chat, sender, err := c.sides(e.Info.MessageSource)
	if err != nil {
		return false
	}
	if of, change := c.changeIn(e, content, chat, sender); change != nil {
		return change(of)
	}
	if !saysSomething(content) {
		return true
	}
	if asked := pollIn(content); asked != nil && c.store.keepPoll(c.ctx, e.Info.ID, &keptPoll{Options: optionsOf(asked)}) != nil {
		return false
	}
	told := &messageEvent{
		ID: e.Info.ID, Chat: chat.main(), Sender: sender.main(), ChatLID: chat.lidOrNil(), SenderLID: sender.lidOrNil(),
		FromMe: e.Info.IsFromMe, PushName: e.Info.PushName, AtMS: e.Info.Timestamp.UnixMilli(),
	}
	if err = c.refer(told, describe(told, content)); err != nil {
		return false
	}
	return c.confirmed(told)
}

// refer fills in what a message answers and whom it mentions. Its words name people by the LID when the chat does; here
// they get the number that stands in mentions.
func (c *connection) refer(told *messageEvent, info *waE2E.ContextInfo) error {
	told.ReplyTo, told.Mentions = textOrNil(info.GetStanzaID()), []string{}
	mentions, named := info.GetMentionedJID(), []string{}
	for _, mentioned := range mentions[:min(len(mentions), mostMentions)] {
		jid, err := types.ParseJID(mentioned)
		if err != nil {
			continue
		}
		person, err := c.forms(c.ctx, jid, types.JID{})
		if err != nil {
			return err
		}
		told.Mentions = append(told.Mentions, person.main())
		if !person.pn.IsEmpty() && person.pn.User != jid.User {
			named = append(named, "@"+jid.User, "@"+person.pn.User)
		}
	}
	told.Text, told.Caption = renamed(told.Text, named), renamed(told.Caption, named)
	bounded(told)
	return nil
}

// renamed replaces all names in one walk over the words, however many people are mentioned; named are pairs of old and new.
func renamed(words *string, named []string) *string {
	if words == nil || len(named) == 0 {
		return words
	}
	return proto.String(strings.NewReplacer(named...).Replace(*cut(words)))
}

// isBroadcast tells status updates and channel posts from messages to us.
func isBroadcast(chat types.JID) bool {
	return chat == types.StatusBroadcastJID || chat.Server == types.NewsletterServer
}

// onUndecryptable leaves out what its sender says is not worth a word, such as a reaction, and what the phone tells its
// devices alone.
func (c *connection) onUndecryptable(e *events.UndecryptableMessage) bool {
	if isBroadcast(e.Info.Chat) || e.DecryptFailMode == events.DecryptFailHide || e.Info.Category == "peer" {
		return true
	}
	chat, sender, err := c.sides(e.Info.MessageSource)
	if err != nil {
		return false
	}
	return c.confirmed(&undecryptableEvent{
		ID: e.Info.ID, Chat: chat.main(), Sender: sender.main(), AtMS: e.Info.Timestamp.UnixMilli(),
	})
}

// receiptKinds are the receipts that say how far a message of ours came. `inactive` is a phone whose app is closed.
var receiptKinds = map[types.ReceiptType]string{
	types.ReceiptTypeDelivered: "delivered",
	types.ReceiptTypeInactive:  "delivered",
	types.ReceiptTypeRead:      "read",
	types.ReceiptTypePlayed:    "played",
}

func (c *connection) onReceipt(e *events.Receipt) bool {
	kind, counts := receiptKinds[e.Type]
	if !counts || e.IsFromMe { // our own phone has its copy: that is not the recipient's
		return true
	}
	chat, sender, err := c.sides(e.MessageSource)
	if err != nil {
		return false
	}
	return c.confirmed(&receiptEvent{
		MessageIDs: e.MessageIDs, Kind: kind, Chat: chat.main(), Sender: sender.main(), AtMS: momentOf(e.Timestamp),
	})
}

func momentOf(t time.Time) int64 {
	if t.IsZero() || t.Unix() <= 0 {
		t = time.Now()
	}
	return t.UnixMilli()
}
