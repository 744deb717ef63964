// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"strings"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

// contextIn is what a message refers to besides what it says, or nil.
func contextIn(message *waE2E.Message) *waE2E.ContextInfo {
	message = unwrapped(message)
	for _, part := range []interface{ GetContextInfo() *waE2E.ContextInfo }{
		message.GetExtendedTextMessage(), message.GetImageMessage(), message.GetVideoMessage(),
		message.GetAudioMessage(), message.GetDocumentMessage(), message.GetStickerMessage(),
		message.GetLocationMessage(), message.GetContactMessage(), pollIn(message),
	} {
		if found := part.GetContextInfo(); found != nil {
			return found
		}
	}
	return nil
}

// withContext adds the quote and the people that a message mentions.
func (net *network) withContext(shown shownContent, message *waE2E.Message) shownContent {
	info := contextIn(message)
	if info.GetStanzaID() != "" {
		quoted, _ := describe(info.GetQuotedMessage())
		shown.ReplyTo, shown.Quoted = info.GetStanzaID(), quoted.words()
		if author, err := types.ParseJID(info.GetParticipant()); err == nil {
			shown.QuotedFrom = net.numberOf(author)
		}
	}
	for _, mentioned := range info.GetMentionedJID() {
		if jid, err := types.ParseJID(mentioned); err == nil {
			shown.Mentions = append(shown.Mentions, net.numberOf(jid))
		}
	}
	return shown
}

// pastMessage is a message that a phone knows, for those that refer to it.
type pastMessage struct {
	id     string
	author *phone
	chat   string         // a number or a group's JID
	shown  shownContent   // words for a quote
	plain  *waE2E.Message // only of what was written on this phone
}

// past finds a message that a phone wrote or shows, in a chat; nil when there
// is none.
func (net *network) past(p *phone, chat, id string) *pastMessage {
	if written := p.sent[id]; written != nil && net.chatName(written.To) == chat {
		plain := &waE2E.Message{}
		if proto.Unmarshal(written.Plain, plain) != nil {
			return nil
		}
		shown, _ := describe(plain)
		return &pastMessage{id: id, author: p, chat: chat, shown: shown, plain: plain}
	}
	for _, known := range p.messages {
		if known.ID == id && known.Chat == chat && known.Shown {
			return &pastMessage{id: id, author: net.phones[known.From], chat: chat, shown: known.shownContent}
		}
	}
	return nil
}

// chatName is a chat as the control API names it: a number or a group's JID.
func (net *network) chatName(jid string) string {
	parsed, err := types.ParseJID(jid)
	if err != nil || parsed.Server == types.GroupServer {
		return jid
	}
	return net.numberOf(parsed)
}

// keyOf names a message in a chat the way the phone p sees it.
func (past *pastMessage) keyOf(p *phone, to types.JID) *waCommon.MessageKey {
	key := &waCommon.MessageKey{
		RemoteJID: proto.String(to.String()),
		FromMe:    proto.Bool(past.author == p),
		ID:        proto.String(past.id),
	}
	if to.Server == types.GroupServer {
		key.Participant = proto.String(past.author.nameIn(to, p).String())
	}
	return key
}

// nameIn is a person's JID in a chat of the phone p: groups use LIDs, others
// what p addresses by.
func (author *phone) nameIn(to types.JID, p *phone) types.JID {
	if to.Server == types.GroupServer {
		return author.primary().lid()
	}
	return author.primary().jid(to.Server)
}

// referring makes the context of what a person writes: nil without a quote or
// mentions.
func (net *network) referring(p *phone, to types.JID, written *writing) (*waE2E.ContextInfo, error) {
	if written.ReplyTo == "" && len(written.Mentions) == 0 {
		return nil, nil
	}
	info := &waE2E.ContextInfo{}
	if written.ReplyTo != "" {
		quoted := net.past(p, net.chatName(to.String()), written.ReplyTo)
		if quoted == nil {
			return nil, errNoSuchMessage
		}
		info.StanzaID = proto.String(quoted.id)
		info.Participant = proto.String(quoted.author.nameIn(to, p).String())
		info.QuotedMessage = quoted.plain
		if info.QuotedMessage == nil {
			info.QuotedMessage = &waE2E.Message{Conversation: proto.String(quoted.shown.words())}
		}
	}
	for _, number := range written.Mentions {
		number, err := plainNumber(number)
		if err != nil {
			return nil, err
		}
		person := net.phones[number]
		if person == nil {
			return nil, refusal{404, "there is no phone of a number that is mentioned"}
		}
		jid := person.nameIn(to, p)
		info.MentionedJID = append(info.MentionedJID, jid.String())
		written.Text = strings.ReplaceAll(written.Text, "@"+number, "@"+jid.User)
		written.Caption = strings.ReplaceAll(written.Caption, "@"+number, "@"+jid.User)
	}
	return info, nil
}
