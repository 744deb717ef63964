// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"google.golang.org/protobuf/proto"
)

// outgoing is a message ready to be handed over.
type outgoing struct {
	message *waE2E.Message
	again   func() // forgets the upload that it uses again; nil when it uses none
}

// firstUploadWait is how long a message waits for its medium at once. Afterwards the others of its session go first, and the
// upload goes on.
const firstUploadWait = 5 * time.Second

// errContent says that a message cannot be made of what was asked; its text is told.
type errContent string

func (e errContent) Error() string { return string(e) }

var mediaKinds = map[string]whatsmeow.MediaType{
	"image": whatsmeow.MediaImage, "sticker": whatsmeow.MediaImage, "video": whatsmeow.MediaVideo,
	"audio": whatsmeow.MediaAudio, "voice": whatsmeow.MediaAudio, "document": whatsmeow.MediaDocument,
}

// compose makes the message; media are uploaded first. What it refuses has certainly not left.
func (s *session) compose(ctx context.Context, c *connection, r *sendRequest, to types.JID, uploadWait time.Duration) (*outgoing, told) {
	if kind, isMedia := mediaKinds[r.Content.Type]; isMedia {
		uploading, cancel := context.WithTimeout(ctx, uploadWait)
		defer cancel()
		return s.composeMedia(uploading, c, r, kind)
	}
	message, err := c.composePlain(ctx, r, to)
	if err != nil {
		return nil, c.contentRefusal(err)
	}
	return &outgoing{message: message}, nil
}

// errAsking says that WhatsApp did not answer what had to be asked to make the message.
type errAsking struct{ error }

func (e errAsking) Unwrap() error { return e.error }

// contentRefusal says why no message was made. An error other than errContent and errAsking is the key store's.
func (c *connection) contentRefusal(err error) told {
	var unfit errContent
	var asking errAsking
	switch {
	case errors.Is(err, whatsmeow.ErrGroupNotFound), errors.Is(err, whatsmeow.ErrNotInGroup):
		return &notSentReply{Reason: "group_unknown", Message: "that group does not exist, or this number is not in it"}
	case errors.As(err, &asking):
		return c.notReached(asking.error)
	case errors.As(err, &unfit):
		return &notSentReply{Reason: "content", Message: unfit.Error()}
	case errors.Is(err, errFenced):
		return &notSentReply{Reason: "fenced", Message: "a higher fence was seen"}
	}
	return &notSentReply{Reason: "store", Message: "the key store failed before the message left"}
}

func (s *session) composeMedia(ctx context.Context, c *connection, r *sendRequest, kind whatsmeow.MediaType) (*outgoing, told) {
	if r.Content.MediaID == "" {
		return nil, &notSentReply{Reason: "content", Message: "that content needs a medium"}
	}
	info, err := c.contextOf(ctx, r)
	if err != nil {
		return nil, c.contentRefusal(err)
	}
	at, again, err := s.uploads.of(ctx, c, r.Content.MediaID, kind)
	if err != nil {
		return nil, mediaRefusal(c, err)
	}
	made := &outgoing{message: mediaMessage(&r.Content, at, info)}
	if again {
		made.again = func() { c.store.forgetUpload(kind, r.Content.MediaID) }
	}
	return made, nil
}

// mediaRefusal says why a message without its medium did not leave.
func mediaRefusal(c *connection, err error) told {
	switch {
	case errors.Is(err, errFenced):
		return &notSentReply{Reason: "fenced", Message: "a higher fence was seen"}
	case errors.Is(err, errStore):
		return &notSentReply{Reason: "store", Message: "the key store failed before the message left"}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		if c.ctx.Err() != nil {
			return &notSentReply{Reason: "not_connected", Message: "the connection was lost before the message left"}
		}
		return &notSentReply{Reason: "uploading", Message: "the medium is still being uploaded"}
	}
	logEvent("warn", "a medium could not be uploaded", "session", c.session.name, "error", err)
	switch {
	case errors.Is(err, mongo.ErrFileNotFound):
		return &notSentReply{Reason: "media", Message: "the medium does not exist"}
	case errors.Is(err, errMediaTooLarge):
		return &notSentReply{Reason: "media_too_large", Message: errMediaTooLarge.Error()}
	}
	return &notSentReply{Reason: "upload", Message: "the medium could not be uploaded now"}
}

// composePlain makes what needs no file. An error other than errContent is the key store's.
func (c *connection) composePlain(ctx context.Context, r *sendRequest, to types.JID) (*waE2E.Message, error) {
	info, err := c.contextOf(ctx, r)
	if err != nil {
		return nil, err
	}
	what := &r.Content
	switch what.Type {
	case "text":
		return textMessage(what.Text, r.Preview, info)
	case "location":
		return &waE2E.Message{LocationMessage: &waE2E.LocationMessage{
			DegreesLatitude: &what.Latitude, DegreesLongitude: &what.Longitude, Name: what.Name, Address: what.Address, ContextInfo: info,
		}}, nil
	case "contact":
		if what.Name == nil || what.VCard == "" {
			return nil, errContent("a contact needs a name and a vcard")
		}
		return &waE2E.Message{ContactMessage: &waE2E.ContactMessage{
			DisplayName: what.Name, Vcard: &what.VCard, ContextInfo: info,
		}}, nil
	case "poll":
		return c.pollMessage(ctx, r, info)
	case "reaction", "revoke", "edit":
		return c.composeChange(ctx, what, to)
	}
	return nil, errContent("that content cannot be sent")
}

func textMessage(text string, card *preview, info *waE2E.ContextInfo) (*waE2E.Message, error) {
	if text == "" {
		return nil, errContent("a text needs words")
	}
	if info == nil && card == nil {
		return &waE2E.Message{Conversation: &text}, nil
	}
	extended := &waE2E.ExtendedTextMessage{Text: &text, ContextInfo: info}
	if card != nil {
		extended.MatchedText, extended.Title, extended.Description = &card.URL, &card.Title, card.Description
		extended.PreviewType = waE2E.ExtendedTextMessage_NONE.Enum()
	}
	return &waE2E.Message{ExtendedTextMessage: extended}, nil
}

// composeChange makes what happens to a message that exists.
func (c *connection) composeChange(ctx context.Context, what *content, to types.JID) (*waE2E.Message, error) {
	if what.Target == "" {
		return nil, errContent("the message that is meant needs its id")
	}
	chat := c.asAddressed(ctx, to)
	author, err := c.author(ctx, what.Sender)
	if err != nil {
		return nil, err
	}
	switch what.Type {
	case "reaction":
		return c.client.BuildReaction(chat, author, what.Target, what.Emoji), nil
	case "revoke":
		return c.client.BuildRevoke(chat, author, what.Target), nil
	}
	if what.Text == "" {
		return nil, errContent("an edit needs words")
	}
	changed, err := c.withWords(ctx, chat, to, what.Target, what.Text)
	if err != nil {
		return nil, err
	}
	return c.client.BuildEdit(chat, what.Target, changed), nil
}

// author is the person who wrote a message, as the chat addresses them; empty when that is ourselves.
func (c *connection) author(ctx context.Context, sender *string) (types.JID, error) {
	if sender == nil {
		return types.JID{}, nil
	}
	jid, err := types.ParseJID(*sender)
	if err != nil || !isPerson(jid) {
		return types.JID{}, errContent("the author of the message that is meant must be the JID of a person")
	}
	return c.asAddressed(ctx, jid.ToNonAD()), nil
}

func isPerson(jid types.JID) bool {
	return jid.User != "" && (jid.Server == types.DefaultUserServer || jid.Server == types.HiddenUserServer)
}

// withWords is our message with new words: its caption when it was a file, else its text. What we sent longer ago than
// retries are kept was a text, for all we know; WhatsApp takes no edits that late.
func (c *connection) withWords(ctx context.Context, chat, alternative types.JID, id, words string) (*waE2E.Message, error) {
	_, sealed, err := c.store.GetOutgoingEvent(ctx, chat, alternative, id)
	if errors.Is(err, errUnknownOutgoing) {
		return &waE2E.Message{Conversation: &words}, nil
	} else if err != nil {
		return nil, err
	}
	sent := &waE2E.Message{}
	if err = proto.Unmarshal(sealed, sent); err != nil {
		return nil, err
	}
	switch {
	case sent.ImageMessage != nil:
		sent.ImageMessage.Caption = &words
	case sent.VideoMessage != nil:
		sent.VideoMessage.Caption = &words
	case sent.DocumentMessage != nil:
		sent.DocumentMessage.Caption = &words
	case sent.ExtendedTextMessage != nil: // what it answers and whom it mentions stays; the card of a link may not fit any more
		return textMessage(words, nil, sent.ExtendedTextMessage.GetContextInfo())
	default:
		return &waE2E.Message{Conversation: &words}, nil
	}
	sent.MessageContextInfo = nil
	return sent, nil
}

// contextOf is what a message refers to besides what it says; nil without a quote and mentions.
func (c *connection) contextOf(ctx context.Context, r *sendRequest) (*waE2E.ContextInfo, error) {
	if r.Quote == nil && len(r.Mentions) == 0 && !r.MentionAll {
		return nil, nil
	}
	info := &waE2E.ContextInfo{}
	if r.MentionAll {
		everybody, err := c.everybodyIn(ctx, r.To)
		if err != nil {
			return nil, err
		}
		info.MentionedJID = everybody
	}
	for _, mentioned := range r.Mentions {
		jid, err := types.ParseJID(mentioned)
		if err != nil || !isPerson(jid) {
			return nil, errContent("those mentioned must be JIDs of persons")
		}
		info.MentionedJID = append(info.MentionedJID, jid.ToNonAD().String())
	}
	if r.Quote == nil {
		return info, nil
	}
	author, err := c.author(ctx, r.Quote.Sender)
	if err != nil {
		return nil, err
	}
	if author.IsEmpty() {
		author = c.ourselves()
	}
	info.StanzaID, info.Participant = &r.Quote.Target, proto.String(author.String())
	info.QuotedMessage = &waE2E.Message{Conversation: textOrEmpty(r.Quote.Text)}
	return info, nil
}

// everybodyIn asks who is in the group now, and names them as the group does.
func (c *connection) everybodyIn(ctx context.Context, to string) ([]string, error) {
	group, err := types.ParseJID(to)
	if err != nil || group.Server != types.GroupServer {
		return nil, errContent("all are mentioned only in a group")
	}
	ctx, cancel := context.WithTimeout(ctx, lookUpPatience)
	defer cancel()
	info, err := c.client.GetGroupInfo(ctx, group)
	if err != nil {
		return nil, errAsking{err}
	}
	device, everybody := c.client.Store, []string{}
	for _, participant := range info.Participants {
		jid := participant.JID.ToNonAD()
		if jid != device.GetJID().ToNonAD() && jid != device.GetLID().ToNonAD() {
			everybody = append(everybody, jid.String())
		}
	}
	return everybody, nil
}

// ourselves is the JID by which chats address us.
func (c *connection) ourselves() types.JID {
	if lid := c.client.Store.GetLID(); !lid.IsEmpty() {
		return lid.ToNonAD()
	}
	return c.client.Store.GetJID().ToNonAD()
}

func mediaMessage(what *content, at *uploaded, info *waE2E.ContextInfo) *waE2E.Message {
	switch what.Type {
	case "image":
		image := &waE2E.ImageMessage{
			URL: &at.URL, DirectPath: &at.DirectPath, MediaKey: at.MediaKey, FileEncSHA256: at.EncSHA256, FileSHA256: at.SHA256,
			FileLength: &at.Length, Mimetype: &what.Mimetype, Caption: what.Caption, ContextInfo: info,
		}
		if shape := at.Picture; shape != nil {
			image.Width, image.Height, image.JPEGThumbnail = &shape.Width, &shape.Height, shape.Small
		}
		return &waE2E.Message{ImageMessage: image}
	case "sticker":
		sticker := &waE2E.StickerMessage{
			URL: &at.URL, DirectPath: &at.DirectPath, MediaKey: at.MediaKey, FileEncSHA256: at.EncSHA256, FileSHA256: at.SHA256,
			FileLength: &at.Length, Mimetype: &what.Mimetype, ContextInfo: info,
		}
		if shape := at.Picture; shape != nil {
			sticker.Width, sticker.Height, sticker.IsAnimated = &shape.Width, &shape.Height, &shape.Animated
		}
		return &waE2E.Message{StickerMessage: sticker}
	case "video":
		return &waE2E.Message{VideoMessage: &waE2E.VideoMessage{
			URL: &at.URL, DirectPath: &at.DirectPath, MediaKey: at.MediaKey, FileEncSHA256: at.EncSHA256, FileSHA256: at.SHA256,
			FileLength: &at.Length, Mimetype: &what.Mimetype, Caption: what.Caption, ContextInfo: info,
		}}
	case "audio", "voice":
		return &waE2E.Message{AudioMessage: audioMessage(what, at, info)}
	}
	return &waE2E.Message{DocumentMessage: &waE2E.DocumentMessage{
		URL: &at.URL, DirectPath: &at.DirectPath, MediaKey: at.MediaKey, FileEncSHA256: at.EncSHA256, FileSHA256: at.SHA256,
		FileLength: &at.Length, Mimetype: &what.Mimetype, Caption: what.Caption,
		FileName: &what.FileName, Title: &what.FileName, ContextInfo: info,
	}}
}

// audioMessage is an audio file, or a voice note: phones show and play that only as Opus in Ogg.
func audioMessage(what *content, at *uploaded, info *waE2E.ContextInfo) *waE2E.AudioMessage {
	audio := &waE2E.AudioMessage{
		URL: &at.URL, DirectPath: &at.DirectPath, MediaKey: at.MediaKey, FileEncSHA256: at.EncSHA256, FileSHA256: at.SHA256,
		FileLength: &at.Length, Mimetype: &what.Mimetype, ContextInfo: info,
	}
	heard := at.Sound
	if what.Seconds != nil && len(what.Waveform) == waveformBars {
		heard = &sound{Seconds: *what.Seconds, Waveform: what.Waveform} // measured by decoding, better than what sizes tell
	}
	if heard != nil {
		audio.Seconds = &heard.Seconds
	}
	if what.Type == "voice" {
		audio.PTT = proto.Bool(true)
		if heard != nil {
			audio.Waveform = heard.Waveform
		}
		if strings.EqualFold(what.Mimetype, "audio/ogg") {
			audio.Mimetype = proto.String("audio/ogg; codecs=opus")
		}
	}
	return audio
}
