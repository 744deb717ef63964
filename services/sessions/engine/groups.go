// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"
)

func (s *session) listGroups() told {
	return s.whileOnline(func(ctx context.Context, c *connection) (told, error) {
		joined, err := c.client.GetJoinedGroups(ctx)
		if err != nil {
			return nil, err
		}
		return c.groupsTold(ctx, joined...)
	})
}

func (s *session) createGroup(r *createGroupRequest) told {
	people, refused := persons(r.Participants)
	if refused != nil {
		return refused
	}
	if r.Subject == "" {
		return &failedReply{Code: "bad_request", Message: "a group needs a subject"}
	}
	return s.whileOnline(func(ctx context.Context, c *connection) (told, error) {
		own, err := c.ownNumbers(ctx, people)
		if err != nil {
			return nil, err
		}
		made, err := c.client.CreateGroup(ctx, whatsmeow.ReqCreateGroup{Name: r.Subject, Participants: own})
		if err != nil {
			return nil, err
		}
		return c.groupsTold(ctx, made)
	})
}

var participantChanges = map[string]whatsmeow.ParticipantChange{
	"add": whatsmeow.ParticipantChangeAdd, "remove": whatsmeow.ParticipantChangeRemove,
	"promote": whatsmeow.ParticipantChangePromote, "demote": whatsmeow.ParticipantChangeDemote,
}

func (s *session) changeParticipants(r *changeParticipantsRequest) told {
	people, refused := persons(r.Participants)
	if refused != nil {
		return refused
	}
	group, err := types.ParseJID(r.Group)
	change, known := participantChanges[r.Action]
	if err != nil || group.Server != types.GroupServer || !known {
		return &failedReply{Code: "bad_request", Message: "a group's JID is needed, and one of add, remove, promote and demote"}
	}
	return s.whileOnline(func(ctx context.Context, c *connection) (told, error) {
		own, err := c.ownNumbers(ctx, people)
		if err != nil {
			return nil, err
		}
		changed, err := c.client.UpdateGroupParticipants(ctx, group, own, change)
		if err != nil {
			return nil, err
		}
		return c.codesTold(ctx, people, own, changed)
	})
}

// persons reads JIDs of people.
func persons(jids []string) ([]types.JID, *failedReply) {
	people := make([]types.JID, len(jids))
	for i, text := range jids {
		jid, err := types.ParseJID(text)
		if err != nil || !isPerson(jid) {
			return nil, &failedReply{Code: "bad_request", Message: "participants must be JIDs of persons"}
		}
		people[i] = jid.ToNonAD()
	}
	if len(people) == 0 {
		return nil, &failedReply{Code: "bad_request", Message: "there must be a participant"}
	}
	return people, nil
}

func (c *connection) groupsTold(ctx context.Context, infos ...*types.GroupInfo) (told, error) {
	reply := &groupsReply{Groups: []group{}}
	for _, info := range infos {
		if info == nil {
			continue
		}
		members, err := c.membersOf(ctx, info)
		if err != nil {
			return nil, err
		}
		reply.Groups = append(reply.Groups, group{info.JID.String(), info.Name, members, momentOrNil(info.GroupCreated)})
	}
	return reply, nil
}

func (c *connection) membersOf(ctx context.Context, info *types.GroupInfo) ([]groupMember, error) {
	members := []groupMember{}
	for _, participant := range info.Participants {
		if participant.Error != 0 { // could not be added when the group was made
			continue
		}
		person, err := c.personOf(ctx, participant)
		if err != nil {
			return nil, err
		}
		role := "member"
		switch {
		case participant.IsSuperAdmin:
			role = "owner"
		case participant.IsAdmin:
			role = "admin"
		}
		members = append(members, groupMember{person.main(), person.lidOrNil(), role})
	}
	return members, nil
}

// personOf takes both forms of a participant: what the group told, else what the key store knows.
func (c *connection) personOf(ctx context.Context, participant types.GroupParticipant) (both, error) {
	other := participant.PhoneNumber
	if participant.JID.Server == types.DefaultUserServer {
		other = participant.LID
	}
	return c.forms(ctx, participant.JID, other)
}

// codesTold finds, for each JID that was asked about, what WhatsApp said of its own number; the answers may come in the
// other form.
func (c *connection) codesTold(ctx context.Context, asked, own []types.JID, changed []types.GroupParticipant) (told, error) {
	said := map[types.JID]int{}
	for _, participant := range changed {
		person, err := c.personOf(ctx, participant)
		if err != nil {
			return nil, err
		}
		said[person.pn], said[person.lid] = participant.Error, participant.Error
	}
	codes := make(map[string]*int, len(asked))
	for i, jid := range asked {
		codes[jid.String()] = nil
		if code := said[own[i]]; code != 0 {
			codes[jid.String()] = &code
		}
	}
	return &participantsReply{Codes: codes}, nil
}
