// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"net/http"
	"sort"
	"strings"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"
)

// groupView is a group as the control API shows it.
type groupView struct {
	JID          string   `json:"jid"`
	Subject      string   `json:"subject"`
	Owner        string   `json:"owner"`
	Participants []string `json:"participants"`
	Admins       []string `json:"admins"`
}

func (g *group) view() groupView {
	return groupView{JID: g.jid().String(), Subject: g.Subject, Owner: g.Owner, Participants: g.Members, Admins: g.Admins}
}

func (c *call) postGroup() (int, any, error) {
	var wanted struct {
		Subject      string
		Participants []string
	}
	if err := c.read(&wanted); err != nil {
		return 0, nil, err
	}
	if wanted.Subject == "" || len(wanted.Participants) == 0 {
		return 0, nil, refusal{http.StatusBadRequest, "a group needs a subject and participants"}
	}
	var shown groupView
	err := c.network.change(func() error {
		var members []string
		for _, number := range wanted.Participants {
			p, err := c.existing(number)
			if err != nil {
				return err
			}
			members = append(members, p.Number)
		}
		g, err := c.network.makeGroup(wanted.Subject, members)
		if err == nil {
			shown = g.view()
		}
		return err
	})
	return http.StatusCreated, shown, err
}

func (c *call) getGroups() (int, any, error) {
	groups := []groupView{}
	err := c.network.change(func() error {
		for _, g := range c.network.groups {
			groups = append(groups, g.view())
		}
		return nil
	})
	sort.Slice(groups, func(i, j int) bool { return groups[i].JID < groups[j].JID })
	return http.StatusOK, map[string]any{"groups": groups}, err
}

// withGroup runs a step on the group in the path and answers the group.
func (c *call) withGroup(step func(*group) (any, error)) (int, any, error) {
	var body any
	err := c.network.change(func() (err error) {
		user, _, _ := strings.Cut(c.request.PathValue("group"), "@")
		g := c.network.groups[user]
		if g == nil {
			return refusal{http.StatusNotFound, "there is no such group"}
		}
		body, err = step(g)
		return err
	})
	return http.StatusOK, body, err
}

// actor is the member in whose name a group is changed: its owner unless named.
func (c *call) actor(g *group, number string) (*phone, error) {
	if number == "" {
		number = g.Owner
	}
	p, err := c.existing(number)
	if err == nil && !g.has(p.Number) {
		err = refusal{http.StatusForbidden, "who changes a group must be in it"}
	}
	return p, err
}

// patchGroup gives a group another name.
func (c *call) patchGroup() (int, any, error) {
	var wanted struct{ Subject, By string }
	if err := c.read(&wanted); err != nil {
		return 0, nil, err
	}
	if !isSubject(wanted.Subject) {
		return 0, nil, refusal{http.StatusBadRequest, "a subject has 1 to 100 characters"}
	}
	return c.withGroup(func(g *group) (any, error) {
		by, err := c.actor(g, wanted.By)
		if err == nil {
			err = c.network.renameGroup(g, by, wanted.Subject)
		}
		return g.view(), err
	})
}

// postParticipants changes who is in a group; the answer's codes are
// WhatsApp's, by number, of those for whom it was not done.
func (c *call) postParticipants() (int, any, error) {
	var wanted struct {
		Action, By   string
		Participants []string
	}
	if err := c.read(&wanted); err != nil {
		return 0, nil, err
	}
	return c.withGroup(func(g *group) (any, error) {
		by, err := c.actor(g, wanted.By)
		if err != nil {
			return nil, err
		}
		codes := map[string]int{}
		switch action := whatsmeow.ParticipantChange(wanted.Action); action {
		case "leave":
			err = c.network.leaveGroup(g, by)
		case whatsmeow.ParticipantChangeAdd, whatsmeow.ParticipantChangeRemove, whatsmeow.ParticipantChangePromote, whatsmeow.ParticipantChangeDemote:
			codes, err = c.changeMembers(g, by, action, wanted.Participants)
		default:
			err = refusal{http.StatusBadRequest, "action is add, remove, promote, demote or leave"}
		}
		return map[string]any{"group": g.view(), "codes": codes}, err
	})
}

func (c *call) changeMembers(g *group, by *phone, action whatsmeow.ParticipantChange, numbers []string) (map[string]int, error) {
	var people []types.JID
	for _, number := range numbers {
		plain, err := plainNumber(number)
		if err != nil {
			return nil, err
		}
		people = append(people, types.NewJID(plain, types.DefaultUserServer))
	}
	changes, err := c.network.changeMembers(g, by, action, people)
	codes := map[string]int{}
	for _, one := range changes {
		if one.code != 0 {
			codes[one.asked.User] = one.code
		}
	}
	return codes, err
}
