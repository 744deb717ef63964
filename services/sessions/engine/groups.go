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
		return c.groupMade(ctx, people, own, made)
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

func (c *connection) groupsTold(ctx context.Context, infos ...*types.GroupInfo) (*groupsReply, error) {
	reply := &groupsReply{Groups: []group{}}
	for _, info := range infos {
		if info == nil {
			continue
		}
		members, err := c.membersOf(ctx, info)
		if err != nil {
			return nil, err
		}
		found := group{JID: info.JID.String(), Subject: info.Name, Members: members, CreatedMS: momentOrNil(info.GroupCreated)}
		reply.Groups = append(reply.Groups, found)
	}
	return reply, nil
}

// groupMade also tells, of each who was asked for, what WhatsApp said.
func (c *connection) groupMade(ctx context.Context, asked, own []types.JID, made *types.GroupInfo) (told, error) {
	reply, err := c.groupsTold(ctx, made)
	if err != nil {
		return nil, err
	}
	said, err := c.codesTold(ctx, asked, own, made.Participants)
	if err != nil {
		return nil, err
	}
	found := &reply.Groups[0]
	found.Codes, found.Invites = said.Codes, said.Invites
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

// codesTold finds, for each JID that was asked about, what WhatsApp said of its own number: null when it was done. Those of
// whom it said nothing are left out. The answers may come in the other form.
func (c *connection) codesTold(ctx context.Context, asked, own []types.JID, changed []types.GroupParticipant) (*participantsReply, error) {
	said := map[types.JID]types.GroupParticipant{}
	for _, participant := range changed {
		person, err := c.personOf(ctx, participant)
		if err != nil {
			return nil, err
		}
		said[person.pn], said[person.lid] = participant, participant
	}
	reply := &participantsReply{Codes: map[string]*int{}, Invites: map[string]invite{}}
	for i, jid := range asked {
		participant, known := said[own[i]]
		switch {
		case !known:
		case participant.Error == 0:
			reply.Codes[jid.String()] = nil
		default:
			reply.Codes[jid.String()] = &participant.Error
			if request := participant.AddRequest; request != nil && request.Code != "" {
				reply.Invites[jid.String()] = invite{request.Code, momentOrNil(request.Expiration)}
			}
		}
	}
	return reply, nil
}
