// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"go.mau.fi/util/random"
	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

// writing is what a person writes: the body of POST /phones/{number}/messages.
type writing struct {
	To         string        `json:"to"`
	Type       string        `json:"type"`
	Text       string        `json:"text"`
	Media      []byte        `json:"media"`
	Caption    string        `json:"caption"`
	FileName   string        `json:"fileName"`
	Mimetype   string        `json:"mimetype"`
	Latitude   float64       `json:"latitude"`
	Longitude  float64       `json:"longitude"`
	Name       string        `json:"name"`
	Address    string        `json:"address"`
	VCard      string        `json:"vcard"`
	Question   string        `json:"question"`
	Options    []string      `json:"options"`
	Selectable int           `json:"selectable"`
	Target     string        `json:"target"` // vote, reaction, edit, revoke: the id of a message
	Emoji      string        `json:"emoji"`
	ReplyTo    string        `json:"replyTo"`
	Mentions   []string      `json:"mentions"`
	Preview    *shownPreview `json:"preview"`
}

var errNoSuchMessage = refusal{404, "this phone knows no such message in that chat"}

// mediaKinds are the types of messages that are files.
var mediaKinds = map[string]struct {
	mediaType whatsmeow.MediaType
	mimetype  string
}{
	"image":    {whatsmeow.MediaImage, "image/jpeg"},
	"video":    {whatsmeow.MediaVideo, "video/mp4"},
	"audio":    {whatsmeow.MediaAudio, "audio/mpeg"},
	"voice":    {whatsmeow.MediaAudio, "audio/ogg; codecs=opus"},
	"document": {whatsmeow.MediaDocument, "application/octet-stream"},
	"sticker":  {whatsmeow.MediaImage, "image/webp"},
}

// attached uploads the file of what a person writes; nil when it has none.
func (net *network) attached(written *writing) (*uploadedFile, error) {
	kind, isFile := mediaKinds[written.Type]
	if !isFile {
		return nil, nil
	}
	if len(written.Media) == 0 {
		return nil, refusal{400, "media is the file as base64"}
	}
	if written.Mimetype == "" {
		written.Mimetype = kind.mimetype
	}
	file, err := net.media.upload(written.Media, kind.mediaType, written.Type)
	return &file, err
}

// compose makes the message of what a person writes.
func (net *network) compose(p *phone, to types.JID, written *writing, file *uploadedFile) (*waE2E.Message, error) {
	info, err := net.referring(p, to, written)
	if err != nil {
		return nil, err
	}
	if file != nil {
		return mediaMessage(written, file, info), nil
	}
	switch written.Type {
	case "", "text":
		return composeText(written, info)
	case "location":
		return &waE2E.Message{LocationMessage: &waE2E.LocationMessage{
			DegreesLatitude: &written.Latitude, DegreesLongitude: &written.Longitude,
			Name: orAbsent(written.Name), Address: orAbsent(written.Address), ContextInfo: info,
		}}, nil
	case "contact":
		if written.Name == "" || written.VCard == "" {
			return nil, refusal{400, "a contact needs name and vcard"}
		}
		return &waE2E.Message{ContactMessage: &waE2E.ContactMessage{
			DisplayName: &written.Name, Vcard: &written.VCard, ContextInfo: info,
		}}, nil
	case "poll":
		return composePoll(written, info)
	case "vote":
		return net.composeVote(p, to, written)
	case "reaction", "edit", "revoke":
		return net.composeChange(p, to, written)
	default:
		return nil, refusal{400, "type is text, image, video, audio, voice, document, sticker, location, contact, poll, vote, reaction, edit or revoke"}
	}
}

func orAbsent(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

func composeText(written *writing, info *waE2E.ContextInfo) (*waE2E.Message, error) {
	if written.Text == "" {
		return nil, refusal{400, "a text message needs a text"}
	}
	if info == nil && written.Preview == nil {
		return &waE2E.Message{Conversation: &written.Text}, nil
	}
	text := &waE2E.ExtendedTextMessage{Text: &written.Text, ContextInfo: info}
	if written.Preview != nil {
		text.MatchedText, text.Title = &written.Preview.URL, &written.Preview.Title
		text.Description = orAbsent(written.Preview.Description)
	}
	return &waE2E.Message{ExtendedTextMessage: text}, nil
}

func composePoll(written *writing, info *waE2E.ContextInfo) (*waE2E.Message, error) {
	if written.Question == "" || len(written.Options) < 2 {
		return nil, refusal{400, "a poll needs a question and two options"}
	}
	asked := &waE2E.PollCreationMessage{
		Name: &written.Question, SelectableOptionsCount: proto.Uint32(uint32(written.Selectable)), ContextInfo: info,
	}
	for _, option := range written.Options {
		asked.Options = append(asked.Options, &waE2E.PollCreationMessage_Option{OptionName: proto.String(option)})
	}
	message := &waE2E.Message{MessageContextInfo: &waE2E.MessageContextInfo{MessageSecret: random.Bytes(32)}}
	if written.Selectable == 1 { // as phones do it
		message.PollCreationMessageV3 = asked
	} else {
		message.PollCreationMessage = asked
	}
	return message, nil
}

// composeChange makes what is done to a message: a reaction, an edit, a revoke.
func (net *network) composeChange(p *phone, to types.JID, written *writing) (*waE2E.Message, error) {
	target := net.past(p, net.chatName(to.String()), written.Target)
	if target == nil {
		return nil, errNoSuchMessage
	}
	key := target.keyOf(p, to)
	switch written.Type {
	case "reaction":
		return &waE2E.Message{ReactionMessage: &waE2E.ReactionMessage{
			Key: key, Text: &written.Emoji, SenderTimestampMS: proto.Int64(now().UnixMilli()),
		}}, nil
	case "revoke":
		if target.author != p && !net.mayRevoke(p, to) {
			return nil, refusal{403, "only the author or an admin of the group deletes a message for everybody"}
		}
		return &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
			Type: waE2E.ProtocolMessage_REVOKE.Enum(), Key: key,
		}}, nil
	}
	if target.author != p {
		return nil, refusal{403, "only the author edits a message"}
	}
	if written.Text == "" {
		return nil, refusal{400, "an edit needs a text"}
	}
	return &waE2E.Message{EditedMessage: &waE2E.FutureProofMessage{Message: &waE2E.Message{
		ProtocolMessage: &waE2E.ProtocolMessage{
			Type: waE2E.ProtocolMessage_MESSAGE_EDIT.Enum(), Key: key,
			EditedMessage: target.withWords(written.Text), TimestampMS: proto.Int64(now().UnixMilli()),
		},
	}}}, nil
}

// withWords is a message with another text, or with another caption when it is
// a file.
func (past *pastMessage) withWords(text string) *waE2E.Message {
	changed, _ := proto.Clone(past.plain).(*waE2E.Message)
	switch {
	case changed.GetImageMessage() != nil:
		changed.ImageMessage.Caption = &text
	case changed.GetVideoMessage() != nil:
		changed.VideoMessage.Caption = &text
	case changed.GetDocumentMessage() != nil:
		changed.DocumentMessage.Caption = &text
	default:
		return &waE2E.Message{Conversation: &text}
	}
	return changed
}

func mediaMessage(written *writing, file *uploadedFile, info *waE2E.ContextInfo) *waE2E.Message {
	mimetype, length := &written.Mimetype, &file.length
	url, directPath, caption := &file.url, &file.directPath, orAbsent(written.Caption)
	switch written.Type {
	case "image":
		return &waE2E.Message{ImageMessage: &waE2E.ImageMessage{
			URL: url, DirectPath: directPath, MediaKey: file.key, FileSHA256: file.sum, FileEncSHA256: file.sealedSum,
			FileLength: length, Mimetype: mimetype, Caption: caption, ContextInfo: info,
		}}
	case "video":
		return &waE2E.Message{VideoMessage: &waE2E.VideoMessage{
			URL: url, DirectPath: directPath, MediaKey: file.key, FileSHA256: file.sum, FileEncSHA256: file.sealedSum,
			FileLength: length, Mimetype: mimetype, Caption: caption, ContextInfo: info,
		}}
	case "audio", "voice":
		return &waE2E.Message{AudioMessage: &waE2E.AudioMessage{
			URL: url, DirectPath: directPath, MediaKey: file.key, FileSHA256: file.sum, FileEncSHA256: file.sealedSum,
			FileLength: length, Mimetype: mimetype, PTT: proto.Bool(written.Type == "voice"), ContextInfo: info,
		}}
	case "sticker":
		return &waE2E.Message{StickerMessage: &waE2E.StickerMessage{
			URL: url, DirectPath: directPath, MediaKey: file.key, FileSHA256: file.sum, FileEncSHA256: file.sealedSum,
			FileLength: length, Mimetype: mimetype, ContextInfo: info,
		}}
	default:
		return &waE2E.Message{DocumentMessage: &waE2E.DocumentMessage{
			URL: url, DirectPath: directPath, MediaKey: file.key, FileSHA256: file.sum, FileEncSHA256: file.sealedSum,
			FileLength: length, Mimetype: mimetype, Caption: caption, FileName: &written.FileName, ContextInfo: info,
		}}
	}
}

// typeOf is a message's kind as the stanza names it.
func typeOf(message *waE2E.Message) string {
	if sentByOwn := message.GetDeviceSentMessage(); sentByOwn != nil {
		message = sentByOwn.GetMessage()
	}
	switch {
	case message.GetReactionMessage() != nil:
		return "reaction"
	case pollIn(message) != nil, message.GetPollUpdateMessage() != nil:
		return "poll"
	case attachment(message) != nil, message.GetLocationMessage() != nil, message.GetContactMessage() != nil:
		return "media"
	default:
		return "text"
	}
}

// editOf is what a stanza says of a message that changes another one.
func editOf(message *waE2E.Message) types.EditAttribute {
	if sentByOwn := message.GetDeviceSentMessage(); sentByOwn != nil {
		message = sentByOwn.GetMessage()
	}
	protocol := unwrapped(message).GetProtocolMessage()
	switch {
	case message.GetReactionMessage() != nil && message.GetReactionMessage().GetText() == "":
		return types.EditAttributeSenderRevoke
	case protocol == nil:
		return types.EditAttributeEmpty
	case protocol.GetType() == waE2E.ProtocolMessage_MESSAGE_EDIT:
		return types.EditAttributeMessageEdit
	case protocol.GetType() == waE2E.ProtocolMessage_REVOKE && protocol.GetKey().GetFromMe():
		return types.EditAttributeSenderRevoke
	case protocol.GetType() == waE2E.ProtocolMessage_REVOKE:
		return types.EditAttributeAdminRevoke
	default:
		return types.EditAttributeEmpty
	}
}

// mayRevoke asks whether a person may delete what others wrote in a chat.
func (net *network) mayRevoke(p *phone, to types.JID) bool {
	g := net.groups[to.User]
	return to.Server == types.GroupServer && g != nil && g.isAdmin(p.Number)
}
