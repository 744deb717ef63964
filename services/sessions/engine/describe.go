// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"encoding/hex"
	"unicode/utf8"

	"github.com/vmihailenco/msgpack/v5"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// This file: what a message says, in the port's words.

const (
	longestID    = 256
	mostMentions = 1_100     // a group has up to 1,024 members
	longestWords = 65_536    // characters of a text, as we may send them ourselves
	largestVote  = 64 << 10  // bytes of the options that one vote chooses: a message keeps fifty votes
	largestBytes = 256 << 10 // of everything that one message says: what carries it on takes no more than 1 MB
)

// bounded cuts what nobody writes: a message must not be too large to be told, for it would come again for ever.
func bounded(told *messageEvent) {
	told.Text, told.Caption = cut(told.Text), cut(told.Caption)
	if len(*textOrEmpty(told.ReplyTo)) > longestID {
		told.ReplyTo = nil
	}
	if said(told) <= largestBytes {
		return
	}
	told.ContentClass, told.Media, told.Place, told.Card, told.Poll, told.Mentions = "other", nil, nil, nil, nil, []string{}
}

func cut(words *string) *string {
	if words == nil || utf8.RuneCountInString(*words) <= longestWords {
		return words
	}
	shorter := string([]rune(*words)[:longestWords])
	return &shorter
}

// said counts the bytes of all that a message says besides its words.
func said(told *messageEvent) (bytes int) {
	for _, mentioned := range told.Mentions {
		bytes += len(mentioned)
	}
	if told.Media != nil {
		bytes += len(told.Media.Ref) + len(told.Media.Mimetype) + len(*textOrEmpty(told.Media.FileName))
	}
	if told.Place != nil {
		bytes += len(*textOrEmpty(told.Place.Name)) + len(*textOrEmpty(told.Place.Address))
	}
	if told.Card != nil {
		bytes += len(told.Card.Name) + len(told.Card.VCard)
	}
	if told.Poll != nil {
		bytes += len(told.Poll.Question)
		for _, option := range told.Poll.Options {
			bytes += len(option)
		}
	}
	return bytes
}

// unwrapped takes off the envelopes that only say how to show what is inside. The library takes off one of each kind, in
// an order of its own.
func unwrapped(m *waE2E.Message) *waE2E.Message {
	for {
		inside := insideOf(m)
		if inside == nil {
			return m
		}
		m = inside
	}
}

func insideOf(m *waE2E.Message) *waE2E.Message {
	for _, envelope := range []*waE2E.FutureProofMessage{
		m.GetEphemeralMessage(), m.GetViewOnceMessage(), m.GetViewOnceMessageV2(), m.GetViewOnceMessageV2Extension(),
		m.GetDocumentWithCaptionMessage(), m.GetEditedMessage(), m.GetLottieStickerMessage(), m.GetGroupMentionedMessage(),
		m.GetBotInvokeMessage(), m.GetAssociatedChildMessage(), m.GetPollCreationMessageV4(),
	} {
		if envelope.GetMessage() != nil {
			return envelope.GetMessage()
		}
	}
	return m.GetDeviceSentMessage().GetMessage()
}

// Fields that carry keys and bookkeeping: a message that has only these is none.
var silentFields = map[protoreflect.Name]bool{
	"senderKeyDistributionMessage":               true,
	"fastRatchetKeySenderKeyDistributionMessage": true,
	"messageContextInfo":                         true,
	"protocolMessage":                            true,
	"deviceSentMessage":                          true,
	"pinInChatMessage":                           true,
	"keepInChatMessage":                          true,
}

func saysSomething(m *waE2E.Message) (says bool) {
	if m == nil {
		return false
	}
	m.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		says = !silentFields[field.Name()]
		return !says
	})
	return says
}

// mediaRef is all that a later download needs; to Python it is opaque.
type mediaRef struct {
	Kind       string `msgpack:"k"`
	URL        string `msgpack:"u"`
	DirectPath string `msgpack:"p"`
	MediaKey   []byte `msgpack:"m"`
	EncSHA256  []byte `msgpack:"e"`
	SHA256     []byte `msgpack:"s"`
	Length     uint64 `msgpack:"l"`
}

// downloadable is what all media messages have in common.
type downloadable interface {
	GetURL() string
	GetDirectPath() string
	GetMediaKey() []byte
	GetFileEncSHA256() []byte
	GetFileSHA256() []byte
	GetFileLength() uint64
	GetMimetype() string
	GetContextInfo() *waE2E.ContextInfo
}

func mediaOf(kind string, m downloadable, fileName string) *incomingMedia {
	ref, err := msgpack.Marshal(mediaRef{
		kind, m.GetURL(), m.GetDirectPath(), m.GetMediaKey(), m.GetFileEncSHA256(), m.GetFileSHA256(), m.GetFileLength(),
	})
	if err != nil {
		return nil
	}
	return &incomingMedia{
		Mimetype: m.GetMimetype(), Bytes: int64(m.GetFileLength()), SHA256: hex.EncodeToString(m.GetFileSHA256()),
		Ref: ref, FileName: textOrNil(fileName),
	}
}

// describe fills in what a message says, and returns what it refers to.
func describe(told *messageEvent, m *waE2E.Message) *waE2E.ContextInfo {
	media := func(class string, d downloadable, caption, fileName string) *waE2E.ContextInfo {
		told.ContentClass, told.Caption, told.Media = class, textOrNil(caption), mediaOf(class, d, fileName)
		return d.GetContextInfo()
	}
	switch {
	case m.Conversation != nil:
		told.ContentClass, told.Text = "text", m.Conversation
		return nil
	case m.ExtendedTextMessage != nil:
		told.ContentClass, told.Text = "text", textOrEmpty(m.ExtendedTextMessage.Text)
		return m.ExtendedTextMessage.GetContextInfo()
	case m.ImageMessage != nil:
		return media("image", m.ImageMessage, m.ImageMessage.GetCaption(), "")
	case m.VideoMessage != nil:
		return media("video", m.VideoMessage, m.VideoMessage.GetCaption(), "")
	case m.PtvMessage != nil: // a round video note
		return media("video", m.PtvMessage, m.PtvMessage.GetCaption(), "")
	case m.AudioMessage != nil && m.AudioMessage.GetPTT():
		return media("voice", m.AudioMessage, "", "")
	case m.AudioMessage != nil:
		return media("audio", m.AudioMessage, "", "")
	case m.StickerMessage != nil:
		return media("sticker", m.StickerMessage, "", "")
	case m.DocumentMessage != nil:
		return media("document", m.DocumentMessage, m.DocumentMessage.GetCaption(), m.DocumentMessage.GetFileName())
	}
	return describeFacts(told, m)
}

// describeFacts is for what is neither words nor a file.
func describeFacts(told *messageEvent, m *waE2E.Message) *waE2E.ContextInfo {
	switch {
	case m.LocationMessage != nil:
		at := m.LocationMessage
		told.ContentClass, told.Caption = "location", textOrNil(at.GetComment())
		told.Place = &place{"location", at.GetDegreesLatitude(), at.GetDegreesLongitude(), textOrNil(at.GetName()), textOrNil(at.GetAddress())}
		return at.GetContextInfo()
	case m.LiveLocationMessage != nil:
		at := m.LiveLocationMessage
		told.ContentClass, told.Caption = "location", textOrNil(at.GetCaption())
		told.Place = &place{Type: "location", Latitude: at.GetDegreesLatitude(), Longitude: at.GetDegreesLongitude()}
		return at.GetContextInfo()
	case m.ContactMessage != nil:
		told.ContentClass, told.Card = "contact", cardOf(m.ContactMessage)
		return m.ContactMessage.GetContextInfo()
	case len(m.GetContactsArrayMessage().GetContacts()) > 0:
		told.ContentClass, told.Card = "contact", cardOf(m.ContactsArrayMessage.Contacts[0])
		return m.ContactsArrayMessage.GetContextInfo()
	case pollIn(m) != nil:
		asked := pollIn(m)
		told.ContentClass = "poll"
		told.Poll = &poll{"poll", asked.GetName(), optionsOf(asked), int(asked.GetSelectableOptionsCount())}
		return asked.GetContextInfo()
	}
	told.ContentClass = "other"
	return nil
}

func cardOf(m *waE2E.ContactMessage) *card {
	return &card{"contact", m.GetDisplayName(), m.GetVcard()}
}

func textOrEmpty(text *string) *string {
	if text == nil {
		return new(string)
	}
	return text
}
