// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"go.mau.fi/whatsmeow/types"
)

// group is a chat of several accounts; its members are addressed by LID.
type group struct {
	ID        string    `json:"id"` // the user part of its JID
	Subject   string    `json:"subject"`
	Owner     string    `json:"owner"`   // all people by number
	Members   []string  `json:"members"` // in the order in which they came
	Admins    []string  `json:"admins"`  // the owner among them
	CreatedAt time.Time `json:"createdAt"`
}

func (g *group) jid() types.JID { return types.NewJID(g.ID, types.GroupServer) }

func (g *group) has(number string) bool { return slices.Contains(g.Members, number) }

func (g *group) isAdmin(number string) bool { return slices.Contains(g.Admins, number) }

func (net *network) saveGroup(g *group) { net.book.put("group/"+g.ID, g) }

func (net *network) loadGroups() error {
	return net.book.each("group/", func(_ string, raw json.RawMessage) error {
		var g group
		if err := json.Unmarshal(raw, &g); err != nil {
			return err
		}
		if g.Owner == "" && len(g.Members) > 0 { // kept before groups had admins
			g.Owner, g.Admins = g.Members[0], g.Members[:1:1]
		}
		net.groups[g.ID] = &g
		return nil
	})
}

// makeGroup makes a group of its first member and tells everybody's devices.
func (net *network) makeGroup(subject string, members []string) (*group, error) {
	g := &group{
		ID:        "120363" + newStanzaID(),
		Subject:   subject,
		Owner:     members[0],
		Members:   members,
		Admins:    members[:1:1],
		CreatedAt: now().UTC(),
	}
	net.groups[g.ID] = g
	net.saveGroup(g)
	made := stanza{Tag: "create", Attrs: attributes{"type": "new"}, Content: []stanza{net.groupNode(g)}}
	return g, net.tellPeople(g, net.phones[g.Owner], g.Members, made)
}

// groupDevices are all devices of all members.
func (net *network) groupDevices(jid types.JID) []*device {
	g := net.groups[jid.User]
	if g == nil {
		return nil
	}
	var found []*device
	for _, number := range g.Members {
		found = append(found, net.phones[number].allDevices()...)
	}
	return found
}

// groupsOf are the groups that a number is in, in the order of their making.
func (net *network) groupsOf(number string) []*group {
	var found []*group
	for _, g := range net.groups {
		if g.has(number) {
			found = append(found, g)
		}
	}
	slices.SortFunc(found, func(a, b *group) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return found
}

// groupNode is a group as the protocol writes it.
func (net *network) groupNode(g *group) stanza {
	owner := net.phones[g.Owner]
	attrs := attributes{
		"id": g.ID, "subject": g.Subject, "addressing_mode": byLID, "size": decimal(len(g.Members)),
		"creation": unixSeconds(g.CreatedAt), "s_t": unixSeconds(g.CreatedAt), "creator": owner.primary().lid(),
	}
	nameNumber(attrs, "creator_pn", owner)
	var members []stanza
	for _, number := range g.Members {
		members = append(members, net.memberNode(g, number))
	}
	return stanza{Tag: "group", Attrs: attrs, Content: members}
}

func (net *network) memberNode(g *group, number string) stanza {
	node := personNode(net.phones[number])
	switch {
	case number == g.Owner:
		node.Attrs["type"] = "superadmin"
	case g.isAdmin(number):
		node.Attrs["type"] = "admin"
	}
	return node
}

func personNode(p *phone) stanza {
	attrs := attributes{"jid": p.primary().lid()}
	nameNumber(attrs, "phone_number", p)
	if p.HideNumber {
		attrs["display_name"] = p.redactedNumber()
	}
	return stanza{Tag: "participant", Attrs: attrs}
}

// nameNumber adds a person's number to a stanza, unless nobody may learn it.
func nameNumber(attrs attributes, name string, p *phone) {
	if !p.HideNumber {
		attrs[name] = p.primary().number()
	}
}

func (p *phone) redactedNumber() string {
	hidden := max(len(p.Number)-4, 0)
	return "+" + p.Number[:2] + strings.Repeat("∙", max(hidden-2, 0)) + p.Number[hidden:]
}

// tellPeople sends a change of a group to the linked devices of some people,
// the one who made the change included.
func (net *network) tellPeople(g *group, by *phone, people []string, change stanza) error {
	for _, number := range people {
		for _, target := range net.phones[number].allDevices() {
			if target.isPhone() {
				continue
			}
			attrs := attributes{
				"from": g.jid(), "type": "w:gp2", "id": newStanzaID(), "t": unixSeconds(now()), "notify": by.Name,
				"participant": by.primary().lid(), "addressing_mode": byLID,
			}
			nameNumber(attrs, "participant_pn", by)
			told := change
			told.Attrs = maps.Clone(change.Attrs)
			if err := net.deliver(target, stanza{Tag: "notification", Attrs: attrs, Content: []stanza{told}}); err != nil {
				return err
			}
		}
	}
	return nil
}
