// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"reflect"
	"slices"
	"testing"

	"go.mau.fi/libsignal/protocol"
	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"go.mau.fi/whatsmeow/util/keys"
)

const dewi = "6281200000004"

func (sim *simulation) group(members ...string) (groupView, types.JID) {
	sim.t.Helper()
	for _, number := range members {
		sim.phone(number)
	}
	var made groupView
	sim.call("POST", "/groups", fields{"subject": "Burung", "participants": members}, &made)
	jid, err := types.ParseJID(made.JID)
	if err != nil {
		sim.t.Fatal(err)
	}
	return made, jid
}

// members changes a group by the control API and returns the codes.
func (sim *simulation) members(group types.JID, action string, numbers ...string) map[string]int {
	sim.t.Helper()
	var answer struct{ Codes map[string]int }
	sim.call("POST", "/groups/"+group.String()+"/participants", fields{"action": action, "participants": numbers}, &answer)
	return answer.Codes
}

func TestAClientMakesAGroupAndChangesItPersonByPerson(t *testing.T) {
	sim := startSimulation(t)
	a, b := sim.link(anna), sim.link(budi)
	sim.phone(cici)
	sim.phone(dewi)
	sim.call("PATCH", "/phones/"+dewi, fields{"inviteOnly": true}, nil)
	made, err := a.CreateGroup(context.Background(), whatsmeow.ReqCreateGroup{Name: "Burung", Participants: []types.JID{person(budi), person(dewi)}})
	if err != nil {
		t.Fatal(err)
	}
	if codes := codesOf(made.Participants); !reflect.DeepEqual(codes, map[string]int{anna: 0, budi: 0, dewi: 403}) {
		t.Errorf("made with %v", codes)
	}
	if joined := awaited(b, "joined", whichever[*events.JoinedGroup]); joined.Type != "new" || joined.Name != "Burung" || joined.SenderPN.User != anna {
		t.Errorf("told %+v", joined)
	}
	for _, one := range []struct {
		action whatsmeow.ParticipantChange
		people []string
		codes  map[string]int
	}{
		{whatsmeow.ParticipantChangeAdd, []string{cici, dewi, budi, "6289999999999"}, map[string]int{cici: 0, dewi: 403, budi: 409, "6289999999999": 404}},
		{whatsmeow.ParticipantChangePromote, []string{cici, dewi}, map[string]int{cici: 0, dewi: 404}},
		{whatsmeow.ParticipantChangeDemote, []string{cici, anna}, map[string]int{cici: 0, anna: 405}},
		{whatsmeow.ParticipantChangeRemove, []string{cici, dewi}, map[string]int{cici: 0, dewi: 404}},
	} {
		var people []types.JID
		for _, number := range one.people {
			people = append(people, person(number))
		}
		changed, err := a.UpdateGroupParticipants(context.Background(), made.JID, people, one.action)
		if err != nil || !reflect.DeepEqual(codesOf(changed), one.codes) {
			t.Errorf("%s: %v, %v", one.action, codesOf(changed), err)
		}
		told := awaited(b, string(one.action), whichever[*events.GroupInfo])
		lists := map[whatsmeow.ParticipantChange][]types.JID{
			whatsmeow.ParticipantChangeAdd: told.Join, whatsmeow.ParticipantChangePromote: told.Promote,
			whatsmeow.ParticipantChangeDemote: told.Demote, whatsmeow.ParticipantChangeRemove: told.Leave,
		}
		if len(lists[one.action]) != 1 || told.SenderPN.User != anna {
			t.Errorf("%s was told as %+v", one.action, told)
		}
	}
}

// codesOf names people by number, and those that do not exist as asked.
func codesOf(people []types.GroupParticipant) map[string]int {
	codes := map[string]int{}
	for _, one := range people {
		name := one.JID.User
		if !one.PhoneNumber.IsEmpty() {
			name = one.PhoneNumber.User
		}
		codes[name] = one.Error
	}
	return codes
}

func TestAGroupIsAskedForAndChangedByThoseWhoMay(t *testing.T) {
	sim := startSimulation(t)
	a, b := sim.link(anna), sim.link(budi)
	_, group := sim.group(anna, budi, cici)
	_, other := sim.group(cici)
	found, err := b.GetJoinedGroups(context.Background())
	if err != nil || len(found) != 1 || found[0].JID != group || len(found[0].Participants) != 3 || !found[0].Participants[0].IsSuperAdmin {
		t.Fatalf("found %+v: %v", found, err)
	}
	if _, err := b.GetGroupInfo(context.Background(), other); !errors.Is(err, whatsmeow.ErrNotInGroup) {
		t.Errorf("another's group is answered %v", err)
	}
	if _, err := b.UpdateGroupParticipants(context.Background(), group, []types.JID{person(cici)}, whatsmeow.ParticipantChangeRemove); !errors.Is(err, whatsmeow.ErrIQNotAuthorized) {
		t.Errorf("a member without rights is answered %v", err)
	}
	if err := a.SetGroupName(context.Background(), group, "Merpati"); err != nil {
		t.Fatal(err)
	}
	awaited(b, "the new name", func(told *events.GroupInfo) bool { return told.Name != nil && told.Name.Name == "Merpati" })
	if err := a.LeaveGroup(context.Background(), group); err != nil {
		t.Fatal(err)
	}
	awaited(b, "somebody left", func(told *events.GroupInfo) bool { return len(told.Leave) == 1 })
	left, err := b.GetGroupInfo(context.Background(), group)
	if err != nil || len(left.Participants) != 2 || left.OwnerJID.User != b.Store.LID.User {
		t.Errorf("left with %+v: %v", left, err)
	}
}

func TestWhoLeavesAGroupSeesNothingMoreAndWhoJoinsSeesTheNext(t *testing.T) {
	sim := startSimulation(t)
	a, b := sim.link(anna), sim.link(budi)
	_, group := sim.group(anna, budi, cici)
	sim.phone(dewi)
	a.send(group, "3EB001", text("to three"))
	b.awaitText("to three")
	sim.write(cici, fields{"to": group.String(), "text": "from cici"})
	a.awaitText("from cici")

	sim.members(group, "remove", cici, budi)
	sim.members(group, "add", dewi)
	awaited(a, "the change", func(told *events.GroupInfo) bool { return len(told.Join) == 1 })
	a.send(group, "3EB002", text("to two"))
	if row := sim.inboxOf(dewi, 1)[0]; row.Text != "to two" || row.From != anna || row.Chat != group.String() {
		t.Errorf("the newcomer shows %+v", row)
	}
	if status, _ := sim.try("POST", "/phones/"+cici+"/messages", fields{"to": group.String(), "text": "still here"}); status != 403 {
		t.Errorf("who left writes: %d", status)
	}
	if _, err := b.trySend(group, "3EB003", text("still here")); err == nil {
		t.Error("a device that left wrote to the group")
	}
	sim.members(group, "add", budi)
	awaited(b, "joined again", func(joined *events.JoinedGroup) bool { return joined.Type == "" })
	sim.write(dewi, fields{"to": group.String(), "text": "from dewi"})
	a.awaitText("from dewi")
	b.awaitText("from dewi")
	b.send(group, "3EB004", text("back again"))
	a.awaitText("back again")
	if rows := sim.inbox(cici); len(rows) != 1 || rows[0].Text != "to three" {
		t.Errorf("who left shows %+v", rows)
	}
	if count(b, func(message *events.Message) bool { return message.Message.GetConversation() == "to two" }) != 0 {
		t.Error("a device that was out saw the message")
	}
	if stats := sim.stats(); stats.Undecryptable != 0 {
		t.Errorf("%d arrivals did not open", stats.Undecryptable)
	}
}

// A network without a server, for what cannot be seen from outside.
func bareNetwork(t *testing.T) *network {
	t.Helper()
	net, err := openNetwork(t.TempDir(), keys.NewKeyPair(), slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(net.close)
	return net
}

func TestAPhoneTakesANewSenderKeyWhenSomebodyLeft(t *testing.T) {
	net := bareNetwork(t)
	err := net.change(func() error {
		p := net.makePhone(anna, "Anna")
		net.makePhone(budi, "Budi")
		g, err := net.makeGroup("Burung", []string{anna, budi})
		if err != nil {
			return err
		}
		var ids []uint32
		for round := range 3 {
			if round == 2 {
				if _, err := net.changeMembers(g, p, whatsmeow.ParticipantChangeRemove, []types.JID{person(budi)}); err != nil {
					return err
				}
			}
			_, sealed, err := encryptForGroup(p, g.jid(), []byte("text"))
			if err != nil {
				return err
			}
			message, err := protocol.NewSenderKeyMessageFromBytes(content(sealed), serializer.SenderKeyMessage)
			if err != nil {
				return err
			}
			ids = append(ids, message.KeyID())
		}
		if ids[0] != ids[1] || slices.Contains(ids[:2], ids[2]) {
			t.Errorf("the keys are %v", ids)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAContactWithoutANumberIsKnownByLIDAlone(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	sim.phone(budi)
	sim.call("PATCH", "/phones/"+budi, fields{"hideNumber": true}, nil)
	first := c.awaitID(sim.write(budi, fields{"to": anna, "text": "who am I?"}))
	if first.Info.Chat.Server != types.HiddenUserServer || !first.Info.SenderAlt.IsEmpty() {
		t.Fatalf("came as %+v", first.Info)
	}
	c.send(first.Info.Chat, "3EB001", text("a stranger"))
	c.awaitReceipt("3EB001", types.ReceiptTypeDelivered)
	if row := sim.inboxOf(budi, 1)[0]; row.Text != "a stranger" {
		t.Fatalf("shown as %+v", row)
	}
	_, group := sim.group(anna, budi)
	found, err := c.GetGroupInfo(context.Background(), group)
	if err != nil || !found.Participants[1].PhoneNumber.IsEmpty() || found.Participants[1].DisplayName == "" {
		t.Fatalf("in the group as %+v: %v", found.Participants, err)
	}
	again := c.awaitID(sim.write(budi, fields{"to": group.String(), "text": "to all"}))
	if !again.Info.SenderAlt.IsEmpty() {
		t.Fatalf("came as %+v", again.Info)
	}
	if number, _ := c.kept.GetPNForLID(context.Background(), first.Info.Chat); !number.IsEmpty() {
		t.Fatal("the client learned the number")
	}
}

func TestInAGroupMessagesAreNamedWithTheirAuthor(t *testing.T) {
	sim := startSimulation(t)
	a := sim.link(anna)
	_, group := sim.group(anna, budi, cici)
	a.send(group, "3EB001", a.BuildPollCreation("when?", []string{"now", "later"}, 1))
	sim.inboxOf(budi, 1)
	a.expectVote(a.awaitID(sim.write(budi, fields{"to": group.String(), "type": "vote", "target": "3EB001", "options": []string{"now"}})), "now")
	if row := sim.inboxOf(cici, 2)[1]; row.Type != "vote" || row.From != budi || !reflect.DeepEqual(row.Options, []string{"now"}) {
		t.Errorf("a third person is shown %+v", row)
	}

	asked := a.awaitID(sim.write(budi, fields{"to": group.String(), "type": "poll", "question": "who?", "options": []string{"me", "you"}, "selectable": 1}))
	vote, err := a.BuildPollVote(context.Background(), &asked.Info, []string{"me"})
	if err != nil {
		t.Fatal(err)
	}
	a.send(group, "3EB002", vote)
	for number, rows := range map[string]int{budi: 2, cici: 4} {
		if row := sim.inboxOf(number, rows)[rows-1]; row.Target != asked.Info.ID || !reflect.DeepEqual(row.Options, []string{"me"}) {
			t.Errorf("%s is shown %+v", number, row)
		}
	}

	reply := a.awaitID(sim.write(cici, fields{"to": group.String(), "text": "@" + budi + " why?", "replyTo": asked.Info.ID, "mentions": []string{budi}}))
	about := reply.Message.GetExtendedTextMessage().GetContextInfo()
	if about.GetParticipant() != asked.Info.Sender.ToNonAD().String() || about.GetMentionedJID()[0] != asked.Info.Sender.ToNonAD().String() || about.GetQuotedMessage() == nil {
		t.Errorf("the reply is about %+v", about)
	}
	key := a.awaitID(sim.write(cici, fields{"to": group.String(), "type": "reaction", "target": "3EB001", "emoji": "🐦"})).Message.GetReactionMessage().GetKey()
	if key.GetFromMe() || key.GetParticipant() != a.Store.LID.ToNonAD().String() || key.GetRemoteJID() != group.String() {
		t.Errorf("the reaction is to %+v", key)
	}
	if status, _ := sim.try("POST", "/phones/"+cici+"/messages", fields{"to": group.String(), "type": "revoke", "target": asked.Info.ID}); status != 403 {
		t.Errorf("a member deleted another's message: %d", status)
	}
	sim.members(group, "promote", cici)
	revoke := a.awaitID(sim.write(cici, fields{"to": group.String(), "type": "revoke", "target": asked.Info.ID}))
	if key := revoke.Message.GetProtocolMessage().GetKey(); revoke.Info.Edit != types.EditAttributeAdminRevoke || key.GetParticipant() != asked.Info.Sender.ToNonAD().String() {
		t.Errorf("the revoke came as %+v", revoke.Info)
	}
}
