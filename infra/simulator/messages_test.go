// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"reflect"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"
)

func TestAnImageAndADocumentAreShownAsTheSenderHadThem(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	sim.phone(budi)
	file := bytes.Repeat([]byte("merpati "), 40_000)
	sum := sha256.Sum256(file)

	image, err := c.Upload(context.Background(), file, whatsmeow.MediaImage)
	if err != nil {
		t.Fatal(err)
	}
	c.send(person(budi), "3EB001", &waE2E.Message{ImageMessage: &waE2E.ImageMessage{
		URL: &image.URL, DirectPath: &image.DirectPath, MediaKey: image.MediaKey, FileLength: &image.FileLength,
		FileEncSHA256: image.FileEncSHA256, FileSHA256: image.FileSHA256,
		Mimetype: proto.String("image/png"), Caption: proto.String("a bird"),
	}})
	document, err := c.Upload(context.Background(), file, whatsmeow.MediaDocument)
	if err != nil {
		t.Fatal(err)
	}
	c.send(person(budi), "3EB002", &waE2E.Message{DocumentWithCaptionMessage: &waE2E.FutureProofMessage{Message: &waE2E.Message{
		DocumentMessage: &waE2E.DocumentMessage{
			URL: &document.URL, DirectPath: &document.DirectPath, MediaKey: document.MediaKey, FileLength: &document.FileLength,
			FileEncSHA256: document.FileEncSHA256, FileSHA256: document.FileSHA256,
			Mimetype: proto.String("application/pdf"), FileName: proto.String("a.pdf"), Caption: proto.String("read me"),
		},
	}}})
	rows := sim.inboxOf(budi, 2)
	for at, want := range []shownContent{
		{Type: "image", Caption: "a bird", Mimetype: "image/png", SHA256: hex.EncodeToString(sum[:]), Bytes: len(file)},
		{Type: "document", Caption: "read me", Mimetype: "application/pdf", FileName: "a.pdf", SHA256: hex.EncodeToString(sum[:]), Bytes: len(file)},
	} {
		if !reflect.DeepEqual(rows[at].shownContent, want) {
			t.Errorf("shown as %+v, expected %+v", rows[at].shownContent, want)
		}
	}
}

func TestAFileThatIsNotTheOneSentIsSeenInTheInbox(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	sim.phone(budi)
	image, err := c.Upload(context.Background(), []byte("a file"), whatsmeow.MediaImage)
	if err != nil {
		t.Fatal(err)
	}
	c.send(person(budi), "3EB001", &waE2E.Message{ImageMessage: &waE2E.ImageMessage{
		URL: &image.URL, DirectPath: &image.DirectPath, MediaKey: image.MediaKey,
		FileEncSHA256: image.FileEncSHA256, FileSHA256: bytes.Repeat([]byte{1}, 32),
	}})
	if row := sim.inboxOf(budi, 1)[0]; row.MediaError == "" || row.SHA256 != "" {
		t.Fatalf("shown as %+v", row)
	}
}

func TestAFileComesIn(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	sim.phone(budi)
	file := []byte("%PDF-1.4 and so on")
	sim.call("POST", "/phones/"+budi+"/messages", fields{
		"to": anna, "type": "document", "media": file, "fileName": "b.pdf", "mimetype": "application/pdf", "caption": "for you",
	}, nil)
	message := awaited(c, "document", func(message *events.Message) bool { return message.Message.GetDocumentMessage() != nil })
	got, err := c.Download(context.Background(), message.Message.GetDocumentMessage())
	if err != nil || !bytes.Equal(got, file) || message.Message.GetDocumentMessage().GetFileName() != "b.pdf" {
		t.Fatalf("downloaded %q: %v", got, err)
	}
}

func TestAMessageSentAgainWithItsIDIsShownOnce(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	sim.phone(budi)
	for range 2 {
		c.send(person(budi), "3EB001", text("once"))
		c.awaitReceipt("3EB001", types.ReceiptTypeDelivered)
	}
	if row := sim.inboxOf(budi, 1)[0]; row.Copies != 2 {
		t.Fatalf("it came %d times", row.Copies)
	}
	sim.call("DELETE", "/phones/"+budi+"/inbox", nil, nil)
	c.send(person(budi), "3EB001", text("once"))
	c.awaitReceipt("3EB001", types.ReceiptTypeDelivered)
	if rows := sim.inbox(budi); len(rows) != 0 {
		t.Fatalf("shown again: %+v", rows)
	}
}

func TestAWithheldAckLeavesTheOutcomeUnknownAndTheRepeatIsAcknowledged(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	sim.phone(budi)
	sim.fault(fields{"kind": "withholdAck", "phone": anna, "count": 1})
	if _, err := c.trySend(person(budi), "3EB001", text("lost ack")); !errors.Is(err, whatsmeow.ErrMessageTimedOut) {
		t.Fatalf("the send ended with %v", err)
	}
	if row := sim.inboxOf(budi, 1)[0]; row.Copies != 1 {
		t.Fatalf("it came %d times", row.Copies)
	}
	c.send(person(budi), "3EB001", text("lost ack"))
	eventually(t, "the second copy", func() bool { return sim.inbox(budi)[0].Copies == 2 })
}

func TestARefusedMessageArrivesNowhere(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	sim.phone(budi)
	sim.phone(cici)
	sim.fault(fields{"kind": "nack", "code": 463, "to": budi})
	_, err := c.trySend(person(budi), "3EB001", text("refused"))
	if !errors.Is(err, whatsmeow.ErrServerReturnedError) || err.Error() != whatsmeow.ErrServerReturnedError.Error()+" 463" {
		t.Fatalf("the send ended with %v", err)
	}
	c.send(person(cici), "3EB002", text("another contact"))
	sim.inboxOf(cici, 1)
	if rows := sim.inbox(budi); len(rows) != 0 {
		t.Fatalf("shown: %+v", rows)
	}
}

func TestTwoLinkedDevicesWriteToEachOther(t *testing.T) {
	sim := startSimulation(t)
	a := sim.link(anna)
	b := sim.link(budi)
	a.send(person(budi), "3EB00A", text("from a"))
	got := b.awaitText("from a")
	a.awaitReceipt("3EB00A", types.ReceiptTypeDelivered) // of the phone
	a.awaitReceipt("3EB00A", types.ReceiptTypeInactive)  // of the linked device
	if err := b.MarkRead(context.Background(), []string{"3EB00A"}, time.Now(), got.Info.Chat, got.Info.Sender); err != nil {
		t.Fatal(err)
	}
	a.awaitReceipt("3EB00A", types.ReceiptTypeRead)
	b.send(person(anna), "3EB00B", text("from b"))
	a.awaitText("from b")
	sim.inboxOf(anna, 2)
	sim.inboxOf(budi, 2)
}

func TestAnotherDeviceOfTheSenderSeesWhatWasSent(t *testing.T) {
	sim := startSimulation(t)
	first := sim.link(anna)
	sim.phone(budi)
	first.send(person(budi), "3EB001", text("before the second device"))
	second := sim.link(anna)
	first.send(person(budi), "3EB002", text("seen everywhere"))
	seen := second.awaitText("seen everywhere")
	if !seen.Info.IsFromMe || seen.Info.ID != "3EB002" || seen.Info.RecipientAlt.User != budi {
		t.Fatalf("seen as %+v", seen.Info)
	}
	sim.call("POST", "/phones/"+anna+"/messages", fields{"to": budi, "text": "from the phone"}, nil)
	first.awaitText("from the phone")
	second.awaitText("from the phone")
}

func TestWhoIsNotOnWhatsAppIsSaid(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	sim.phone(budi)
	sim.phone(cici)
	sim.call("PATCH", "/phones/"+cici, fields{"onWhatsApp": false}, nil)
	answers, err := c.IsOnWhatsApp(context.Background(), []string{"+" + budi, "+" + cici, "+6289999999999"})
	if err != nil || len(answers) != 3 {
		t.Fatalf("%+v: %v", answers, err)
	}
	for at, in := range []bool{true, false, false} {
		if answers[at].IsIn != in {
			t.Errorf("%s: %v", answers[at].Query, answers[at].IsIn)
		}
	}
	if answers[0].PhoneNumber.User != budi || answers[0].JID.Server != types.HiddenUserServer {
		t.Errorf("found as %+v", answers[0])
	}
	if _, err := c.trySend(person("6289999999999"), "3EB001", text("nobody")); err == nil {
		t.Error("a message to nobody was sent")
	}
}

func TestALookUpOfAnotherSpellingAnswersWithTheAccountsOwnNumber(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	sim.phone(budi)
	const dialled = "5511987654321"
	sim.call("PATCH", "/phones/"+budi, fields{"aliases": []string{"+" + dialled}}, nil)
	sim.kill()
	awaited(c, "disconnected", whichever[*events.Disconnected])
	sim.restart()
	sim.reconnects(c)
	answers, err := c.IsOnWhatsApp(context.Background(), []string{"+" + dialled})
	if err != nil || len(answers) != 1 || !answers[0].IsIn || answers[0].PhoneNumber.User != budi || answers[0].Query != "+"+dialled {
		t.Fatalf("%+v: %v", answers, err)
	}
	if _, err := c.trySend(person(dialled), "3EB001", text("nobody's own number")); err == nil {
		t.Error("a message went to a number that is nobody's own")
	}
	sim.call("PATCH", "/phones/"+budi, fields{"aliases": nil}, nil)
	if answers, err = c.IsOnWhatsApp(context.Background(), []string{"+" + dialled}); err != nil || answers[0].IsIn {
		t.Errorf("an alias that was taken away is answered: %+v: %v", answers, err)
	}
}

func TestPhonesBehaveAsTold(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	sim.phone(budi)
	sim.call("PATCH", "/phones/"+budi, fields{"deliver": false}, nil)
	c.send(person(budi), "3EB001", text("quiet"))
	sim.inboxOf(budi, 1)
	if count(c, whichever[*events.Receipt]) != 0 {
		t.Fatal("a receipt came")
	}
	sim.call("PATCH", "/phones/"+budi, fields{"deliver": true, "readAfterMs": 20}, nil)
	c.awaitReceipt("3EB001", types.ReceiptTypeDelivered)
	c.awaitReceipt("3EB001", types.ReceiptTypeRead)
	c.send(person(budi), "3EB002", text("read soon"))
	c.awaitReceipt("3EB002", types.ReceiptTypeRead)

	sim.call("PATCH", "/phones/"+budi, fields{"online": false, "readAfterMs": nil}, nil)
	c.send(person(budi), "3EB003", text("waits"))
	if rows := sim.inbox(budi); len(rows) != 2 {
		t.Fatalf("a phone that is off shows %d", len(rows))
	}
	sim.call("PATCH", "/phones/"+budi, fields{"online": true}, nil)
	c.awaitReceipt("3EB003", types.ReceiptTypeDelivered)
	sim.inboxOf(budi, 3)
}

func TestAPhoneAsksAgainForWhatItCannotOpen(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	sim.phone(budi)
	c.send(person(budi), "3EB001", text("first"))
	before := c.kept.copyOf("session/")
	c.send(person(budi), "3EB002", text("second"))
	c.kept.restore(before) // a store that forgot: the keys of the second message are used again
	c.send(person(budi), "3EB003", text("third"))
	rows := sim.inboxOf(budi, 3)
	if rows[2].Text != "third" || rows[2].Copies < 2 {
		t.Fatalf("shown as %+v", rows[2])
	}
	if sim.stats().Undecryptable == 0 {
		t.Fatal("nothing was undecryptable: the test shows nothing")
	}
	c.send(person(budi), "3EB004", text("fourth"))
	sim.inboxOf(budi, 4)
}

func TestAPhoneSendsAgainWhatADeviceCannotOpen(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	sim.phone(budi)
	sim.call("POST", "/phones/"+budi+"/messages", fields{"to": anna, "text": "first"}, nil)
	c.awaitText("first")
	if err := c.kept.dropAll("session/"); err != nil {
		t.Fatal(err)
	}
	sim.call("POST", "/phones/"+budi+"/messages", fields{"to": anna, "text": "second"}, nil)
	awaited(c, "undecryptable", whichever[*events.UndecryptableMessage])
	if again := c.awaitText("second"); again.RetryCount == 0 {
		t.Fatalf("came as %+v", again.Info)
	}
	if stats := sim.stats(); stats.RetryReceipts == 0 || stats.Undecryptable != 0 {
		t.Fatalf("counted as %+v", stats)
	}
}

func TestAnEditAndAReactionNameTheirMessage(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	sim.phone(budi)
	c.send(person(budi), "3EB001", text("helo"))
	c.send(person(budi), "3EB002", c.BuildEdit(person(budi), "3EB001", text("hello")))
	c.send(person(budi), "3EB003", c.BuildReaction(person(budi), *c.Store.ID, "3EB001", "🐦"))
	c.send(person(budi), "3EB004", c.BuildRevoke(person(budi), types.EmptyJID, "3EB001"))
	rows := sim.inboxOf(budi, 4)
	for at, want := range []shownContent{
		{Type: "text", Text: "helo"},
		{Type: "text", Text: "hello", EditOf: "3EB001"},
		{Type: "reaction", Emoji: proto.String("🐦"), Target: "3EB001"},
		{Type: "revoke", Target: "3EB001"},
	} {
		if !reflect.DeepEqual(rows[at].shownContent, want) {
			t.Errorf("shown as %+v, expected %+v", rows[at].shownContent, want)
		}
	}
}

func TestAMessageThatADeviceReadsIsReadAtThePersonsPhone(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	sim.phone(budi)
	sim.call("PATCH", "/phones/"+budi, fields{"addressing": "pn"}, nil)
	var answer struct{ ID string }
	sim.call("POST", "/phones/"+budi+"/messages", fields{"to": anna, "text": "read me"}, &answer)
	message := c.awaitText("read me")
	if message.Info.Chat != person(budi) {
		t.Fatalf("the phone named itself %s", message.Info.Chat)
	}
	sim.awaitSent(budi, answer.ID, "delivered")
	if err := c.MarkRead(context.Background(), []string{answer.ID}, time.Now(), message.Info.Chat, message.Info.Sender); err != nil {
		t.Fatal(err)
	}
	sim.awaitSent(budi, answer.ID, "read")
}

func TestAGroupTalksBothWays(t *testing.T) {
	sim := startSimulation(t)
	a, b := sim.link(anna), sim.link(budi)
	sim.phone(cici)
	var made groupView
	sim.call("POST", "/groups", fields{"subject": "Burung", "participants": []string{anna, budi, cici}}, &made)
	awaited(a, "joined", whichever[*events.JoinedGroup])
	group, err := types.ParseJID(made.JID)
	if err != nil {
		t.Fatal(err)
	}
	a.send(group, "3EB001", text("to all"))
	if got := b.awaitText("to all"); got.Info.Chat != group || got.Info.SenderAlt.User != anna {
		t.Fatalf("came as %+v", got.Info)
	}
	if row := sim.inboxOf(cici, 1)[0]; row.Chat != made.JID || row.From != anna || row.Text != "to all" {
		t.Fatalf("shown as %+v", row)
	}
	if receipt := a.awaitReceipt("3EB001", types.ReceiptTypeDelivered); receipt.Chat != group {
		t.Fatalf("confirmed as %+v", receipt)
	}
	a.send(group, "3EB002", text("with the key it has"))
	b.awaitText("with the key it has")
	sim.call("POST", "/phones/"+cici+"/messages", fields{"to": made.JID, "text": "from cici"}, nil)
	a.awaitText("from cici")
	b.awaitText("from cici")
	sim.call("POST", "/phones/"+cici+"/read", fields{"chat": made.JID}, nil)
	a.awaitReceipt("3EB002", types.ReceiptTypeRead)
}
