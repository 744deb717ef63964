// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"slices"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"
)

// What WhatsApp says of one person that could not be changed.
const (
	codeNotFound   = 404 // not on WhatsApp, or not in the group
	codeInviteOnly = 403 // joins groups by invitation only
	codeNotAllowed = 405 // the owner stays
	codeIsMember   = 409
)

// memberChange is what came of a change for one person.
type memberChange struct {
	asked  types.JID
	person *phone
	code   int // 0: done
}

// codeOf says why a person cannot be added, removed, promoted or demoted.
func (g *group) codeOf(action whatsmeow.ParticipantChange, p *phone) int {
	switch {
	case p == nil || !p.OnWhatsApp:
		return codeNotFound
	case action == whatsmeow.ParticipantChangeAdd && g.has(p.Number):
		return codeIsMember
	case action == whatsmeow.ParticipantChangeAdd && p.InviteOnly:
		return codeInviteOnly
	case action == whatsmeow.ParticipantChangeAdd:
		return 0
	case !g.has(p.Number):
		return codeNotFound
	case p.Number == g.Owner && action != whatsmeow.ParticipantChangePromote:
		return codeNotAllowed
	default:
		return 0
	}
}

// changeMembers does what can be done and tells everybody concerned.
func (net *network) changeMembers(g *group, by *phone, action whatsmeow.ParticipantChange, people []types.JID) ([]memberChange, error) {
	var changes []memberChange
	var done []string
	for _, jid := range people {
		one := memberChange{asked: jid, person: net.account(jid)}
		if one.code = g.codeOf(action, one.person); one.code == 0 {
			done = append(done, one.person.Number)
			g.apply(action, one.person.Number)
		}
		changes = append(changes, one)
	}
	if len(done) == 0 {
		return changes, nil
	}
	net.saveGroup(g)
	return changes, net.tellChange(g, by, action, done)
}

func (g *group) apply(action whatsmeow.ParticipantChange, number string) {
	without := func(list []string) []string {
		return slices.DeleteFunc(slices.Clone(list), func(one string) bool { return one == number })
	}
	switch action {
	case whatsmeow.ParticipantChangeAdd:
		g.Members = append(slices.Clone(g.Members), number)
	case whatsmeow.ParticipantChangeRemove:
		g.Members, g.Admins = without(g.Members), without(g.Admins)
	case whatsmeow.ParticipantChangePromote:
		g.Admins = append(without(g.Admins), number)
	case whatsmeow.ParticipantChangeDemote:
		g.Admins = without(g.Admins)
	}
}

// tellChange: who was added gets the whole group, who was removed the last
// word of it, the others what changed.
func (net *network) tellChange(g *group, by *phone, action whatsmeow.ParticipantChange, people []string) error {
	change := stanza{Tag: string(action), Attrs: attributes{}}
	var named []stanza
	for _, number := range people {
		named = append(named, personNode(net.phones[number]))
	}
	change.Content = named
	audience := slices.Clone(g.Members)
	switch action {
	case whatsmeow.ParticipantChangeRemove:
		audience = append(audience, people...)
		net.renewSenderKeys(g, people)
	case whatsmeow.ParticipantChangeAdd:
		audience = slices.DeleteFunc(audience, func(number string) bool { return slices.Contains(people, number) })
		whole := stanza{Tag: "create", Attrs: attributes{}, Content: []stanza{net.groupNode(g)}}
		if err := net.tellPeople(g, by, people, whole); err != nil {
			return err
		}
	}
	return net.tellPeople(g, by, audience, change)
}

// renewSenderKeys makes every phone forget its own key of a group that
// somebody left: what is written from now on is not for them.
func (net *network) renewSenderKeys(g *group, left []string) {
	for _, number := range append(slices.Clone(g.Members), left...) {
		p := net.phones[number]
		net.book.remove(senderKeyKey(number, g.jid().String(), signalAddress(p.primary()).String()))
	}
}

// leaveGroup: the next admin, else the oldest member, owns a group whose owner
// left.
func (net *network) leaveGroup(g *group, p *phone) error {
	g.apply(whatsmeow.ParticipantChangeRemove, p.Number)
	if g.Owner == p.Number && len(g.Members) > 0 {
		heir := g.Members[0]
		if len(g.Admins) > 0 {
			heir = g.Admins[0]
		}
		g.Owner = heir
		g.apply(whatsmeow.ParticipantChangePromote, heir)
	}
	net.saveGroup(g)
	return net.tellChange(g, p, whatsmeow.ParticipantChangeRemove, []string{p.Number})
}

func (net *network) renameGroup(g *group, by *phone, subject string) error {
	g.Subject = subject
	net.saveGroup(g)
	attrs := attributes{"subject": subject, "s_t": unixSeconds(now()), "s_o": by.primary().lid()}
	nameNumber(attrs, "s_o_pn", by)
	return net.tellPeople(g, by, g.Members, stanza{Tag: "subject", Attrs: attrs})
}
