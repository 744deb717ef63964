// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"slices"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
)

func TestEnvelopesAreTakenOffWhateverTheirOrder(t *testing.T) {
	inside := func(m *waE2E.Message) *waE2E.FutureProofMessage { return &waE2E.FutureProofMessage{Message: m} }
	document := &waE2E.Message{DocumentMessage: &waE2E.DocumentMessage{Caption: proto.String("yours"), FileName: proto.String("a.pdf")}}
	for name, m := range map[string]*waE2E.Message{
		"none":                {DocumentMessage: document.DocumentMessage},
		"caption":             {DocumentWithCaptionMessage: inside(document)},
		"ephemeral":           {EphemeralMessage: inside(&waE2E.Message{DocumentWithCaptionMessage: inside(document)})},
		"view once":           {ViewOnceMessageV2: inside(document)},
		"ephemeral view once": {ViewOnceMessageV2Extension: inside(&waE2E.Message{EphemeralMessage: inside(document)})},
		"from our phone": {DeviceSentMessage: &waE2E.DeviceSentMessage{
			Message: &waE2E.Message{DocumentWithCaptionMessage: inside(document)},
		}},
	} {
		told := &messageEvent{}
		describe(told, unwrapped(m))
		if told.ContentClass != "document" || told.Caption == nil || *told.Caption != "yours" || *told.Media.FileName != "a.pdf" {
			t.Errorf("%s: %+v", name, told)
		}
	}
}

func TestTheFirstOfSeveralCardsIsTold(t *testing.T) {
	told := &messageEvent{}
	describe(told, &waE2E.Message{ContactsArrayMessage: &waE2E.ContactsArrayMessage{Contacts: []*waE2E.ContactMessage{
		{DisplayName: proto.String("Ani"), Vcard: proto.String("A")}, {DisplayName: proto.String("Budi"), Vcard: proto.String("B")},
	}}})
	if told.ContentClass != "contact" || *told.Card != (card{"contact", "Ani", "A"}) {
		t.Errorf("told was %+v", told)
	}
}

func TestEveryVersionOfAPollIsOne(t *testing.T) {
	asked := &waE2E.PollCreationMessage{Name: proto.String("Kapan?"), Options: []*waE2E.PollCreationMessage_Option{{OptionName: proto.String("A")}}}
	for name, m := range map[string]*waE2E.Message{
		"1": {PollCreationMessage: asked}, "2": {PollCreationMessageV2: asked}, "3": {PollCreationMessageV3: asked},
		"4": {PollCreationMessageV4: &waE2E.FutureProofMessage{Message: &waE2E.Message{PollCreationMessage: asked}}},
	} {
		told := &messageEvent{}
		describe(told, unwrapped(m))
		if told.ContentClass != "poll" || told.Poll.Question != "Kapan?" || len(told.Poll.Options) != 1 {
			t.Errorf("version %s: %+v", name, told)
		}
	}
}

func TestWhatOnlyCarriesKeysOrPinsSaysNothing(t *testing.T) {
	for name, m := range map[string]*waE2E.Message{
		"keys": {SenderKeyDistributionMessage: &waE2E.SenderKeyDistributionMessage{}, MessageContextInfo: &waE2E.MessageContextInfo{}},
		"pin":  {PinInChatMessage: &waE2E.PinInChatMessage{}},
		"none": nil,
	} {
		if saysSomething(m) {
			t.Errorf("%s says something", name)
		}
	}
	if !saysSomething(&waE2E.Message{OrderMessage: &waE2E.OrderMessage{}}) {
		t.Error("an order says nothing")
	}
}

func TestNoMessageIsTooLargeToBeTold(t *testing.T) {
	huge := strings.Repeat("ö", 9<<20)
	context := &waE2E.ContextInfo{StanzaID: &huge}
	for name, m := range map[string]*waE2E.Message{
		"text":     {Conversation: &huge},
		"caption":  {ImageMessage: &waE2E.ImageMessage{Caption: &huge}},
		"file":     {DocumentMessage: &waE2E.DocumentMessage{FileName: &huge}},
		"path":     {ImageMessage: &waE2E.ImageMessage{DirectPath: &huge}},
		"card":     {ContactMessage: &waE2E.ContactMessage{DisplayName: proto.String("x"), Vcard: &huge}},
		"place":    {LocationMessage: &waE2E.LocationMessage{Address: &huge}},
		"poll":     {PollCreationMessage: &waE2E.PollCreationMessage{Options: []*waE2E.PollCreationMessage_Option{{OptionName: &huge}}}},
		"reply":    {ExtendedTextMessage: &waE2E.ExtendedTextMessage{Text: proto.String("x"), ContextInfo: context}},
		"mentions": {ExtendedTextMessage: &waE2E.ExtendedTextMessage{Text: proto.String("x"), ContextInfo: &waE2E.ContextInfo{MentionedJID: slices.Repeat([]string{"1@lid"}, 1<<20)}}},
	} {
		told := &messageEvent{}
		info := describe(told, m)
		told.ReplyTo = textOrNil(info.GetStanzaID())
		told.Mentions = info.GetMentionedJID()
		bounded(told)
		if size := len(packed(t, told)); size > 700<<10 {
			t.Errorf("%s: %d bytes", name, size)
		}
	}
}
