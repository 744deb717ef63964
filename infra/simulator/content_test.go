// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"reflect"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"
)

func (c *client) uploaded(file []byte, kind whatsmeow.MediaType) *whatsmeow.UploadResponse {
	c.t.Helper()
	up, err := c.Upload(context.Background(), file, kind)
	if err != nil {
		c.t.Fatal(err)
	}
	return &up
}

// everyContent is one message of each type with what a phone shows of it.
func everyContent(c *client) []struct {
	message *waE2E.Message
	shown   shownContent
} {
	file := []byte("the bytes of a file")
	sum := sha256.Sum256(file)
	sha := hex.EncodeToString(sum[:])
	image, video := c.uploaded(file, whatsmeow.MediaImage), c.uploaded(file, whatsmeow.MediaVideo)
	audio := c.uploaded(file, whatsmeow.MediaAudio)
	return []struct {
		message *waE2E.Message
		shown   shownContent
	}{
		{&waE2E.Message{VideoMessage: &waE2E.VideoMessage{
			URL: &video.URL, DirectPath: &video.DirectPath, MediaKey: video.MediaKey, FileLength: &video.FileLength,
			FileEncSHA256: video.FileEncSHA256, FileSHA256: video.FileSHA256, Mimetype: proto.String("video/mp4"), Caption: proto.String("flies"),
		}}, shownContent{Type: "video", Caption: "flies", Mimetype: "video/mp4", SHA256: sha, Bytes: len(file)}},
		{&waE2E.Message{AudioMessage: &waE2E.AudioMessage{
			URL: &audio.URL, DirectPath: &audio.DirectPath, MediaKey: audio.MediaKey, FileLength: &audio.FileLength,
			FileEncSHA256: audio.FileEncSHA256, FileSHA256: audio.FileSHA256, Mimetype: proto.String("audio/mpeg"),
		}}, shownContent{Type: "audio", Mimetype: "audio/mpeg", SHA256: sha, Bytes: len(file)}},
		{&waE2E.Message{AudioMessage: &waE2E.AudioMessage{
			URL: &audio.URL, DirectPath: &audio.DirectPath, MediaKey: audio.MediaKey, FileLength: &audio.FileLength,
			FileEncSHA256: audio.FileEncSHA256, FileSHA256: audio.FileSHA256, Mimetype: proto.String("audio/ogg; codecs=opus"), PTT: proto.Bool(true),
		}}, shownContent{Type: "voice", Mimetype: "audio/ogg; codecs=opus", SHA256: sha, Bytes: len(file)}},
		{&waE2E.Message{StickerMessage: &waE2E.StickerMessage{
			URL: &image.URL, DirectPath: &image.DirectPath, MediaKey: image.MediaKey, FileLength: &image.FileLength,
			FileEncSHA256: image.FileEncSHA256, FileSHA256: image.FileSHA256, Mimetype: proto.String("image/webp"),
		}}, shownContent{Type: "sticker", Mimetype: "image/webp", SHA256: sha, Bytes: len(file)}},
		{&waE2E.Message{LocationMessage: &waE2E.LocationMessage{
			DegreesLatitude: proto.Float64(-6.2), DegreesLongitude: proto.Float64(0), Name: proto.String("Monas"), Address: proto.String("Jakarta"),
		}}, shownContent{Type: "location", Latitude: proto.Float64(-6.2), Longitude: proto.Float64(0), Name: "Monas", Address: "Jakarta"}},
		{&waE2E.Message{ContactMessage: &waE2E.ContactMessage{DisplayName: proto.String("Dewi"), Vcard: proto.String("BEGIN:VCARD")}},
			shownContent{Type: "contact", Name: "Dewi", VCard: "BEGIN:VCARD"}},
		{c.BuildPollCreation("when?", []string{"now", "later"}, 1),
			shownContent{Type: "poll", Question: "when?", Options: []string{"now", "later"}, Selectable: new(int)}},
		{&waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{
			Text: proto.String("see https://a.id, @" + cici), MatchedText: proto.String("https://a.id"), Title: proto.String("A"), Description: proto.String("a site"),
			ContextInfo: &waE2E.ContextInfo{
				StanzaID: proto.String("3EB0Q"), Participant: proto.String(person(budi).String()),
				QuotedMessage: text("what is it?"), MentionedJID: []string{person(cici).String()},
			},
		}}, shownContent{
			Type: "text", Text: "see https://a.id, @" + cici, ReplyTo: "3EB0Q", Quoted: "what is it?", QuotedFrom: budi, Mentions: []string{cici},
			Preview: &shownPreview{URL: "https://a.id", Title: "A", Description: "a site"},
		}},
	}
}

func TestEveryTypeIsShownWithItsFields(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	sim.phone(budi)
	sim.phone(cici)
	sent := everyContent(c)
	*sent[6].shown.Selectable = 1
	for _, one := range sent {
		c.send(person(budi), c.GenerateMessageID(), one.message)
	}
	rows := sim.inboxOf(budi, len(sent))
	for at, one := range sent {
		if !reflect.DeepEqual(rows[at].shownContent, one.shown) {
			t.Errorf("shown as %+v, expected %+v", rows[at].shownContent, one.shown)
		}
	}
}

// write lets a person write and returns the id.
func (sim *simulation) write(number string, body fields) string {
	sim.t.Helper()
	var answer struct{ ID string }
	sim.call("POST", "/phones/"+number+"/messages", body, &answer)
	return answer.ID
}

// awaitID leaves out the event that only carries a sender key: it has the id of
// the message that it came with.
func (c *client) awaitID(id string) *events.Message {
	c.t.Helper()
	return awaited(c, "message "+id, func(message *events.Message) bool {
		_, visible := describe(message.Message)
		return visible && message.Info.ID == id
	})
}

func TestAPersonWritesEveryType(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	sim.phone(budi)
	file := []byte("the bytes of a file")
	for _, kind := range []string{"image", "video", "audio", "voice", "document", "sticker"} {
		got := c.awaitID(sim.write(budi, fields{"to": anna, "type": kind, "media": file}))
		shown, _ := describe(got.Message)
		if plain, err := c.Download(context.Background(), attachment(got.Message)); err != nil || string(plain) != string(file) || shown.Type != kind {
			t.Errorf("%s came as %s with %q: %v", kind, shown.Type, plain, err)
		}
	}
	place := c.awaitID(sim.write(budi, fields{"to": anna, "type": "location", "latitude": -6.2, "longitude": 106.8, "name": "Monas"})).Message.GetLocationMessage()
	if place.GetDegreesLatitude() != -6.2 || place.GetDegreesLongitude() != 106.8 || place.GetName() != "Monas" {
		t.Errorf("the place came as %+v", place)
	}
	card := c.awaitID(sim.write(budi, fields{"to": anna, "type": "contact", "name": "Dewi", "vcard": "BEGIN:VCARD"})).Message.GetContactMessage()
	if card.GetDisplayName() != "Dewi" || card.GetVcard() != "BEGIN:VCARD" {
		t.Errorf("the contact came as %+v", card)
	}
}

func TestWhatAPersonWritesNamesTheMessageItIsAbout(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	sim.phone(budi)
	c.send(person(budi), "3EB001", text("from the device"))
	sim.inboxOf(budi, 1)
	own := sim.write(budi, fields{"to": anna, "text": "helo"})
	c.awaitID(own)

	reaction := c.awaitID(sim.write(budi, fields{"to": anna, "type": "reaction", "target": "3EB001", "emoji": "🐦"})).Message.GetReactionMessage()
	if reaction.GetText() != "🐦" || reaction.GetKey().GetID() != "3EB001" || reaction.GetKey().GetFromMe() {
		t.Errorf("the reaction came as %+v", reaction)
	}
	edit := c.awaitID(sim.write(budi, fields{"to": anna, "type": "edit", "target": own, "text": "hello"}))
	if protocol := edit.Message.GetProtocolMessage(); !edit.IsEdit || protocol.GetKey().GetID() != own || protocol.GetEditedMessage().GetConversation() != "hello" || edit.Info.Edit != types.EditAttributeMessageEdit {
		t.Errorf("the edit came as %+v %+v", edit.Info, edit.Message)
	}
	revoke := c.awaitID(sim.write(budi, fields{"to": anna, "type": "revoke", "target": own}))
	if protocol := revoke.Message.GetProtocolMessage(); protocol.GetType() != waE2E.ProtocolMessage_REVOKE || protocol.GetKey().GetID() != own || revoke.Info.Edit != types.EditAttributeSenderRevoke {
		t.Errorf("the revoke came as %+v", protocol)
	}
	reply := c.awaitID(sim.write(budi, fields{"to": anna, "text": "yes, @" + anna, "replyTo": "3EB001", "mentions": []string{anna}})).Message.GetExtendedTextMessage()
	if reply.GetContextInfo().GetStanzaID() != "3EB001" || reply.GetContextInfo().GetQuotedMessage().GetConversation() != "from the device" ||
		reply.GetContextInfo().GetMentionedJID()[0] != c.Store.LID.ToNonAD().String() || reply.GetText() != "yes, @"+c.Store.LID.User {
		t.Errorf("the reply came as %+v", reply)
	}
	for name, body := range map[string]fields{
		"an unknown target": {"to": anna, "type": "reaction", "target": "3EB0FF", "emoji": "x"},
		"another's message": {"to": anna, "type": "edit", "target": "3EB001", "text": "x"},
		"another's revoke":  {"to": anna, "type": "revoke", "target": "3EB001"},
		"an unknown type":   {"to": anna, "type": "dance"},
		"half a poll":       {"to": anna, "type": "poll", "question": "?", "options": []string{"one"}},
	} {
		if status, answer := sim.try("POST", "/phones/"+budi+"/messages", body); status < 400 || status > 499 {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
}

func TestVotesAreOpenedWithThePollsSecretBothWays(t *testing.T) {
	for _, addressing := range []string{byLID, byNumber} {
		t.Run(addressing, func(t *testing.T) {
			sim := startSimulation(t)
			c := sim.link(anna)
			sim.phone(budi)
			sim.call("PATCH", "/phones/"+budi, fields{"addressing": addressing}, nil)

			c.send(person(budi), "3EB001", c.BuildPollCreation("when?", []string{"now", "later"}, 1))
			sim.inboxOf(budi, 1)
			vote := c.awaitID(sim.write(budi, fields{"to": anna, "type": "vote", "target": "3EB001", "options": []string{"later"}}))
			c.expectVote(vote, "later")
			if status, _ := sim.try("POST", "/phones/"+budi+"/messages", fields{"to": anna, "type": "vote", "target": "3EB001", "options": []string{"now", "later"}}); status != 400 {
				t.Errorf("two options were taken for one: %d", status)
			}

			asked := c.awaitID(sim.write(budi, fields{"to": anna, "type": "poll", "question": "who?", "options": []string{"me", "you"}, "selectable": 2}))
			answer, err := c.BuildPollVote(context.Background(), &asked.Info, []string{"you", "me"})
			if err != nil {
				t.Fatal(err)
			}
			c.send(asked.Info.Chat, "3EB002", answer)
			row := sim.inboxOf(budi, 2)[1]
			if row.Type != "vote" || row.Target != asked.Info.ID || !reflect.DeepEqual(row.Options, []string{"you", "me"}) || row.VoteError != "" {
				t.Errorf("the vote is shown as %+v", row)
			}
			own := sim.inboxOf(anna, 4) // the poll, the vote on it, the other poll, the own vote
			if !reflect.DeepEqual(own[1].Options, []string{"later"}) || !reflect.DeepEqual(own[3].Options, []string{"you", "me"}) {
				t.Errorf("the owner's phone shows %+v", own)
			}
		})
	}
}

func (c *client) expectVote(vote *events.Message, options ...string) {
	c.t.Helper()
	opened, err := c.DecryptPollVote(context.Background(), vote)
	if err != nil {
		c.t.Fatal(err)
	}
	if !reflect.DeepEqual(opened.GetSelectedOptions(), whatsmeow.HashPollOptions(options)) {
		c.t.Fatalf("voted %x", opened.GetSelectedOptions())
	}
}

func TestAVoteWithAnotherSecretIsSeen(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	sim.phone(budi)
	asked := c.awaitID(sim.write(budi, fields{"to": anna, "type": "poll", "question": "who?", "options": []string{"me", "you"}, "selectable": 1}))
	vote, err := c.BuildPollVote(context.Background(), &asked.Info, []string{"you"})
	if err != nil {
		t.Fatal(err)
	}
	vote.PollUpdateMessage.Vote.EncPayload[0] ^= 1
	c.send(asked.Info.Chat, "3EB001", vote)
	if row := sim.inboxOf(budi, 1)[0]; row.VoteError == "" || row.Options != nil {
		t.Fatalf("shown as %+v", row)
	}
}

func TestWhatTheOwnerWritesReachesTheOwnDeviceAsOwn(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	sim.phone(budi)
	id := sim.write(anna, fields{"to": budi, "type": "poll", "question": "who?", "options": []string{"me", "you"}})
	poll := c.awaitID(id)
	if !poll.Info.IsFromMe || poll.Info.RecipientAlt.User != budi || pollIn(poll.Message).GetName() != "who?" {
		t.Fatalf("came as %+v", poll.Info)
	}
	c.expectVote(c.awaitID(sim.write(anna, fields{"to": budi, "type": "vote", "target": id, "options": []string{"me"}})), "me")
	sim.inboxOf(budi, 2)
	note := c.awaitID(sim.write(anna, fields{"to": anna, "text": "a note to myself"}))
	if !note.Info.IsFromMe || note.Info.Chat != c.Store.LID.ToNonAD() {
		t.Fatalf("the note came as %+v", note.Info)
	}
	c.send(person(anna), "3EB001", text("from the device to myself"))
	if row := sim.inboxOf(anna, 1)[0]; row.Chat != anna || !row.FromMe || row.Copies != 1 {
		t.Fatalf("shown as %+v", row)
	}
}

func TestAVoiceNoteIsPlayedBothWays(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	sim.phone(budi)
	c.send(person(budi), "3EB001", everyContent(c)[2].message)
	sim.call("POST", "/phones/"+budi+"/read", fields{"chat": anna, "id": "3EB001", "played": true}, nil)
	c.awaitReceipt("3EB001", types.ReceiptTypeRead)
	c.awaitReceipt("3EB001", types.ReceiptTypePlayed)
	id := sim.write(budi, fields{"to": anna, "type": "voice", "media": []byte("a voice")})
	got := c.awaitID(id)
	err := c.MarkRead(context.Background(), []string{id}, time.Now(), got.Info.Chat, got.Info.Sender, types.ReceiptTypePlayed)
	if err != nil {
		t.Fatal(err)
	}
	sim.awaitSent(budi, id, "played")
}

func TestAPhoneSendsItsHistory(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	sim.phone(budi)
	sim.write(budi, fields{"to": anna, "text": "long ago"})
	c.awaitText("long ago")
	sim.call("POST", "/phones/"+anna+"/history", nil, nil)
	told := awaited(c, "history", whichever[*events.HistorySync]).Data.GetConversations()
	if len(told) != 1 || len(told[0].GetMessages()) != 1 || told[0].GetMessages()[0].GetMessage().GetMessage().GetConversation() != "long ago" {
		t.Fatalf("told %+v", told)
	}
	eventually(t, "nothing waits any more", func() bool { return sim.stats().Pending == 0 })
	sim.write(budi, fields{"to": anna, "text": "and now"})
	c.awaitText("and now")
}

func TestTheOwnerChangesOnThePhoneWhatTheDeviceSent(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	sim.phone(budi)
	c.send(person(budi), "3EB001", text("helo"))
	sim.inboxOf(budi, 1)
	for _, one := range []struct {
		body  fields
		shown shownContent
	}{
		{fields{"type": "edit", "text": "hello"}, shownContent{Type: "text", Text: "hello", EditOf: "3EB001"}},
		{fields{"type": "reaction", "emoji": ""}, shownContent{Type: "reaction", Emoji: new(string), Target: "3EB001"}},
		{fields{"type": "revoke"}, shownContent{Type: "revoke", Target: "3EB001"}},
	} {
		one.body["to"], one.body["target"] = budi, "3EB001"
		id := sim.write(anna, one.body)
		got := c.awaitID(id)
		if shown, _ := describe(got.Message); !got.Info.IsFromMe || !reflect.DeepEqual(shown, one.shown) {
			t.Errorf("the device got %+v of %+v", shown, got.Info)
		}
		rows := sim.inbox(budi)
		if last := rows[len(rows)-1]; last.ID != id || !reflect.DeepEqual(last.shownContent, one.shown) {
			t.Errorf("shown as %+v, expected %+v", last, one.shown)
		}
	}
}
