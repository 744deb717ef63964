// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"encoding/hex"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
)

// shownContent is what a person sees of a message. Zero and absent differ
// where a pointer says so: a reaction without an emoji takes the former back.
type shownContent struct {
	Type       string        `json:"type"`
	Text       string        `json:"text,omitempty"`
	Caption    string        `json:"caption,omitempty"`
	FileName   string        `json:"fileName,omitempty"`
	Mimetype   string        `json:"mimetype,omitempty"`
	SHA256     string        `json:"sha256,omitempty"` // of the file as the sender had it
	Bytes      int           `json:"bytes,omitempty"`
	Latitude   *float64      `json:"latitude,omitempty"`
	Longitude  *float64      `json:"longitude,omitempty"`
	Name       string        `json:"name,omitempty"` // of a place or a contact
	Address    string        `json:"address,omitempty"`
	VCard      string        `json:"vcard,omitempty"`
	Question   string        `json:"question,omitempty"`
	Options    []string      `json:"options,omitzero"` // of a poll; of a vote: those that were chosen
	Selectable *int          `json:"selectable,omitempty"`
	Emoji      *string       `json:"emoji,omitempty"`
	EditOf     string        `json:"editOf,omitempty"` // id of the message that this one changes
	Target     string        `json:"target,omitempty"` // id of the message reacted to, voted on or revoked
	ReplyTo    string        `json:"replyTo,omitempty"`
	Quoted     string        `json:"quoted,omitempty"` // the excerpt of it that the sender gave
	QuotedFrom string        `json:"quotedFrom,omitempty"`
	Mentions   []string      `json:"mentions,omitempty"` // numbers
	Preview    *shownPreview `json:"preview,omitempty"`
	MediaError string        `json:"mediaError,omitempty"`
	VoteError  string        `json:"voteError,omitempty"`
}

// shownPreview is the card under a text with a link.
type shownPreview struct {
	URL         string `json:"url"`
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
}

// unwrapped takes the envelopes off that only say how to show what is inside.
func unwrapped(message *waE2E.Message) *waE2E.Message {
	for {
		var inside *waE2E.Message
		for _, wrapper := range []*waE2E.FutureProofMessage{
			message.GetEphemeralMessage(),
			message.GetViewOnceMessage(),
			message.GetViewOnceMessageV2(),
			message.GetDocumentWithCaptionMessage(),
			message.GetEditedMessage(),
		} {
			if wrapper.GetMessage() != nil {
				inside = wrapper.GetMessage()
			}
		}
		if inside == nil {
			return message
		}
		message = inside
	}
}

// describe says what a message shows; false when it shows nothing by itself.
func describe(message *waE2E.Message) (shownContent, bool) {
	message = unwrapped(message)
	switch {
	case message.GetProtocolMessage() != nil:
		return describeProtocol(message.GetProtocolMessage())
	case message.GetReactionMessage() != nil:
		reaction := message.GetReactionMessage()
		emoji := reaction.GetText()
		return shownContent{Type: "reaction", Emoji: &emoji, Target: reaction.GetKey().GetID()}, true
	case message.Conversation != nil:
		return shownContent{Type: "text", Text: message.GetConversation()}, true
	case message.GetExtendedTextMessage() != nil:
		return describeText(message.GetExtendedTextMessage()), true
	case message.GetLocationMessage() != nil:
		place := message.GetLocationMessage()
		latitude, longitude := place.GetDegreesLatitude(), place.GetDegreesLongitude()
		return shownContent{
			Type: "location", Latitude: &latitude, Longitude: &longitude, Name: place.GetName(), Address: place.GetAddress(),
		}, true
	case message.GetContactMessage() != nil:
		card := message.GetContactMessage()
		return shownContent{Type: "contact", Name: card.GetDisplayName(), VCard: card.GetVcard()}, true
	case pollIn(message) != nil:
		return describePoll(pollIn(message)), true
	case message.GetPollUpdateMessage() != nil:
		return shownContent{Type: "vote", Target: message.GetPollUpdateMessage().GetPollCreationMessageKey().GetID()}, true
	default:
		return describeMedia(message)
	}
}

func describeText(text *waE2E.ExtendedTextMessage) shownContent {
	shown := shownContent{Type: "text", Text: text.GetText()}
	if text.GetTitle() != "" {
		shown.Preview = &shownPreview{URL: text.GetMatchedText(), Title: text.GetTitle(), Description: text.GetDescription()}
	}
	return shown
}

func describeProtocol(protocol *waE2E.ProtocolMessage) (shownContent, bool) {
	switch protocol.GetType() {
	case waE2E.ProtocolMessage_MESSAGE_EDIT:
		shown, visible := describe(protocol.GetEditedMessage())
		shown.EditOf = protocol.GetKey().GetID()
		return shown, visible
	case waE2E.ProtocolMessage_REVOKE:
		if protocol.GetKey().GetID() != "" {
			return shownContent{Type: "revoke", Target: protocol.GetKey().GetID()}, true
		}
	}
	return shownContent{}, false
}

func describeMedia(message *waE2E.Message) (shownContent, bool) {
	switch {
	case message.GetImageMessage() != nil:
		image := message.GetImageMessage()
		return shownContent{Type: "image", Caption: image.GetCaption(), Mimetype: image.GetMimetype()}, true
	case message.GetVideoMessage() != nil:
		video := message.GetVideoMessage()
		return shownContent{Type: "video", Caption: video.GetCaption(), Mimetype: video.GetMimetype()}, true
	case message.GetAudioMessage() != nil:
		shown := shownContent{Type: "audio", Mimetype: message.GetAudioMessage().GetMimetype()}
		if message.GetAudioMessage().GetPTT() {
			shown.Type = "voice"
		}
		return shown, true
	case message.GetStickerMessage() != nil:
		return shownContent{Type: "sticker", Mimetype: message.GetStickerMessage().GetMimetype()}, true
	case message.GetDocumentMessage() != nil:
		document := message.GetDocumentMessage()
		return shownContent{
			Type: "document", Caption: document.GetCaption(),
			FileName: document.GetFileName(), Mimetype: document.GetMimetype(),
		}, true
	default:
		return shownContent{}, false
	}
}

// words are the excerpt by which a message is quoted.
func (shown shownContent) words() string {
	for _, words := range []string{shown.Text, shown.Caption, shown.Question, shown.Name, shown.FileName} {
		if words != "" {
			return words
		}
	}
	return ""
}

// attachment is the file that a message refers to, or nil.
func attachment(message *waE2E.Message) whatsmeow.DownloadableMessage {
	message = unwrapped(message)
	switch {
	case message.GetImageMessage() != nil:
		return message.GetImageMessage()
	case message.GetVideoMessage() != nil:
		return message.GetVideoMessage()
	case message.GetAudioMessage() != nil:
		return message.GetAudioMessage()
	case message.GetStickerMessage() != nil:
		return message.GetStickerMessage()
	case message.GetDocumentMessage() != nil:
		return message.GetDocumentMessage()
	default:
		return nil
	}
}

// withMedia downloads and decrypts the file of a message and adds what it is:
// a file that does not open is seen in the inbox, not taken on trust.
func (net *network) withMedia(shown shownContent, message *waE2E.Message) shownContent {
	file := attachment(message)
	if file == nil {
		return shown
	}
	plain, err := net.media.open(file)
	if err != nil {
		shown.MediaError = err.Error()
		return shown
	}
	shown.SHA256, shown.Bytes = hex.EncodeToString(file.GetFileSHA256()), len(plain)
	return shown
}
