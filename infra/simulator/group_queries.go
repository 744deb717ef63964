// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"net/http"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"
)

const longestSubject = 100

// receiveGroupQuery answers a client's queries and changes of groups.
func (net *network) receiveGroupQuery(c *connection, query *stanza, subject string) error {
	switch subject {
	case "participating":
		var mine []stanza
		for _, g := range net.groupsOf(c.phone.Number) {
			mine = append(mine, net.groupNode(g))
		}
		return net.answer(c, query, stanza{Tag: "groups", Content: mine})
	case "create":
		return net.receiveGroupCreation(c, query)
	case "leave":
		return net.receiveLeaving(c, query)
	}
	g := net.groups[jidAttribute(query, "to").User]
	if g == nil {
		return net.refuse(c, query, http.StatusNotFound, "item-not-found")
	}
	if !g.has(c.phone.Number) {
		return net.refuse(c, query, http.StatusForbidden, "forbidden")
	}
	return net.receiveGroupStep(c, query, subject, g)
}

// receiveGroupStep is what a member asks of a group. Everybody adds people,
// admins do the rest.
func (net *network) receiveGroupStep(c *connection, query *stanza, subject string, g *group) error {
	switch subject {
	case "query":
		return net.answer(c, query, net.groupNode(g))
	case "add":
		return net.receiveMemberChange(c, query, g, whatsmeow.ParticipantChangeAdd)
	case "remove", "promote", "demote":
		if !g.isAdmin(c.phone.Number) {
			return net.refuse(c, query, http.StatusUnauthorized, "not-authorized")
		}
		return net.receiveMemberChange(c, query, g, whatsmeow.ParticipantChange(subject))
	case "subject":
		name := string(content(query.GetChildByTag("subject")))
		if !g.isAdmin(c.phone.Number) {
			return net.refuse(c, query, http.StatusUnauthorized, "not-authorized")
		}
		if !isSubject(name) {
			return net.refuse(c, query, http.StatusNotAcceptable, "not-acceptable")
		}
		if err := net.answer(c, query); err != nil {
			return err
		}
		return net.renameGroup(g, c.phone, name)
	default:
		return net.refuse(c, query, http.StatusNotImplemented, "feature-not-implemented")
	}
}

func isSubject(name string) bool { return name != "" && len([]rune(name)) <= longestSubject }

func peopleIn(list stanza) []types.JID {
	var people []types.JID
	for _, participant := range list.GetChildrenByTag("participant") {
		people = append(people, jidAttribute(&participant, "jid"))
	}
	return people
}

func (net *network) receiveMemberChange(c *connection, query *stanza, g *group, action whatsmeow.ParticipantChange) error {
	people := peopleIn(query.GetChildByTag(string(action)))
	changes, err := net.changeMembers(g, c.phone, action, people)
	if err != nil {
		return err
	}
	var told []stanza
	for _, one := range changes {
		told = append(told, one.node())
	}
	return net.answer(c, query, stanza{Tag: string(action), Content: told})
}

// node names a person by LID, as groups do; one who does not exist as asked.
func (change memberChange) node() stanza {
	node := stanza{Tag: "participant", Attrs: attributes{"jid": change.asked}}
	if change.person != nil {
		node = personNode(change.person)
	}
	if change.code != 0 {
		node.Attrs["error"] = decimal(change.code)
	}
	if change.code == codeInviteOnly {
		invitation := attributes{"code": newStanzaID(), "expiration": unixSeconds(now().AddDate(0, 0, 3))}
		node.Content = []stanza{{Tag: "add_request", Attrs: invitation}}
	}
	return node
}

// receiveGroupCreation makes a group of the people that can be in it; the
// others are named in the answer with their codes.
func (net *network) receiveGroupCreation(c *connection, query *stanza) error {
	wanted := query.GetChildByTag("create")
	if !isSubject(attribute(&wanted, "subject")) {
		return net.refuse(c, query, http.StatusNotAcceptable, "not-acceptable")
	}
	future := &group{Members: []string{c.phone.Number}}
	var refused []stanza
	for _, jid := range peopleIn(wanted) {
		one := memberChange{asked: jid, person: net.account(jid)}
		one.code = future.codeOf(whatsmeow.ParticipantChangeAdd, one.person)
		switch {
		case one.code == 0:
			future.apply(whatsmeow.ParticipantChangeAdd, one.person.Number)
		case one.code != codeIsMember:
			refused = append(refused, one.node())
		}
	}
	g, err := net.makeGroup(attribute(&wanted, "subject"), future.Members)
	if err != nil {
		return err
	}
	node := net.groupNode(g)
	node.Content = append(node.GetChildren(), refused...)
	return net.answer(c, query, node)
}

func (net *network) receiveLeaving(c *connection, query *stanza) error {
	list := query.GetChildByTag("leave")
	for _, named := range list.GetChildrenByTag("group") {
		g := net.groups[jidAttribute(&named, "id").User]
		if g == nil || !g.has(c.phone.Number) {
			return net.refuse(c, query, http.StatusNotFound, "item-not-found")
		}
		if err := net.leaveGroup(g, c.phone); err != nil {
			return err
		}
	}
	return net.answer(c, query, stanza{Tag: "leave"})
}
