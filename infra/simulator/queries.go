// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"strings"

	"go.mau.fi/whatsmeow/types"
)

// receiveQuery answers an iq; what nobody here knows gets an empty result.
func (net *network) receiveQuery(c *connection, query *stanza) error {
	kind := attribute(query, "type")
	if kind == "result" || kind == "error" {
		return net.receivePairResult(c, query)
	}
	subject := ""
	if children := query.GetChildren(); len(children) > 0 {
		subject = children[0].Tag
	}
	if c.device == nil {
		return net.receiveUnlinkedQuery(c, query, subject)
	}
	if code := net.faults.queryCode(c, attribute(query, "xmlns")); code != 0 {
		return net.refuse(c, query, code, refusalTexts[code])
	}
	if kind := attribute(query, "xmlns"); kind == "usync" || kind == "w:g2" {
		net.counts.lookUps++
	}
	switch attribute(query, "xmlns") + " " + subject {
	case "encrypt count":
		count := stanza{Tag: "count", Attrs: attributes{"value": decimal(c.device.preKeysLeft())}}
		return net.answer(c, query, count)
	case "encrypt key":
		return net.receiveBundleQuery(c, query)
	case "encrypt registration":
		return net.receivePreKeys(c, query)
	case "encrypt digest":
		return net.receiveDigestQuery(c, query)
	case "encrypt rotate":
		return net.receiveRotation(c, query)
	case "passive active":
		return net.receiveActive(c, query)
	case "usync usync":
		return net.receiveUserQuery(c, query)
	case "md remove-companion-device":
		return net.receiveRemoval(c, query)
	case "w:m media_conn":
		return net.receiveMediaQuery(c, query)
	case "privacy privacy":
		return net.receivePrivacyQuery(c, query)
	case "w:sync:app:state sync":
		return net.receiveStateSync(c, query)
	case "abt props":
		return net.answer(c, query, serverProps)
	}
	if attribute(query, "xmlns") == "w:g2" {
		return net.receiveGroupQuery(c, query, subject)
	}
	return net.answer(c, query)
}

func (net *network) receiveUnlinkedQuery(c *connection, query *stanza, subject string) error {
	switch subject {
	case "link_code_companion_reg":
		return net.receiveCodeStage(c, query)
	case "ref", "passkey_prologue", "companion_nonce", "encrypted_pairing_request":
		return net.receivePasskeyStep(c, query, subject)
	default:
		return net.answer(c, query)
	}
}

func (net *network) answer(c *connection, query *stanza, children ...stanza) error {
	return net.tell(c, stanza{
		Tag:     "iq",
		Attrs:   attributes{"from": answeredFrom(query), "type": "result", "id": attribute(query, "id")},
		Content: children,
	})
}

// refusalTexts are WhatsApp's words for its codes: the library compares both.
var refusalTexts = map[int]string{
	400: "bad-request", 401: "not-authorized", 403: "forbidden", 404: "item-not-found", 405: "not-allowed",
	406: "not-acceptable", 410: "gone", 419: "resource-limit", 423: "locked", 429: "rate-overlimit",
	500: "internal-server-error", 503: "service-unavailable", 530: "partial-server-error",
}

func (net *network) refuse(c *connection, query *stanza, code int, text string) error {
	return net.tell(c, stanza{
		Tag:     "iq",
		Attrs:   attributes{"from": answeredFrom(query), "type": "error", "id": attribute(query, "id")},
		Content: []stanza{{Tag: "error", Attrs: attributes{"code": decimal(code), "text": text}}},
	})
}

func answeredFrom(query *stanza) types.JID {
	if to := jidAttribute(query, "to"); !to.IsEmpty() {
		return to
	}
	return types.ServerJID
}

// receivePrivacyQuery answers the settings the client asks before a read
// receipt: everything is open.
func (net *network) receivePrivacyQuery(c *connection, query *stanza) error {
	var categories []stanza
	for _, name := range []string{"readreceipts", "last", "online", "profile", "status", "groupadd", "calladd"} {
		categories = append(categories, stanza{Tag: "category", Attrs: attributes{"name": name, "value": "all"}})
	}
	return net.answer(c, query, stanza{Tag: "privacy", Content: categories})
}

// serverProps are the settings by which WhatsApp tries out features on a client:
// there are none, so that a client keeps its own (source:
// oxidezap/whatsapp-rust, wacore/src/iq/props.rs).
var serverProps = stanza{Tag: "props", Attrs: attributes{
	"protocol": "1", "ab_key": "simulator", "hash": "simulator", "refresh": "86400", "refresh_id": "1",
}}

// usyncQuestion is what a usync query asks of each user.
type usyncQuestion struct {
	lid, devices bool
	contactByLID bool // asked by addressing_mode; by number else
}

func questionOf(query []stanza) usyncQuestion {
	var asked usyncQuestion
	for _, what := range query {
		switch what.Tag {
		case "lid":
			asked.lid = true
		case "devices":
			asked.devices = true
		case "contact":
			asked.contactByLID = attribute(&what, "addressing_mode") == byLID
		}
	}
	return asked
}

// receiveUserQuery answers usync: who exists, under which LID, with which
// devices.
func (net *network) receiveUserQuery(c *connection, query *stanza) error {
	sync := query.GetChildByTag("usync")
	asked := questionOf(childrenOf(&sync, "query"))
	var users []stanza
	for _, user := range childrenOf(&sync, "list") {
		found, err := net.userNode(c, &user, asked)
		if err != nil {
			return err
		}
		users = append(users, found)
	}
	return net.answer(c, query, stanza{
		Tag:     "usync",
		Attrs:   attributes{"sid": attribute(&sync, "sid"), "mode": attribute(&sync, "mode"), "index": "0", "last": "true"},
		Content: []stanza{{Tag: "list", Content: users}},
	})
}

func (net *network) userNode(c *connection, user *stanza, asked usyncQuestion) (stanza, error) {
	if contact, byNumber := user.GetOptionalChildByTag("contact"); byNumber && len(content(contact)) > 0 {
		return net.contactNode(c, contact, asked)
	}
	jid := jidAttribute(user, "jid")
	node := stanza{Tag: "user", Attrs: attributes{"jid": jid}}
	p := net.account(jid)
	if p == nil || !p.OnWhatsApp {
		return node, nil
	}
	known, err := net.knownOf(c, p, asked)
	node.Content = known
	return node, err
}

// knownOf is what a client asked of an account that exists.
func (net *network) knownOf(c *connection, p *phone, asked usyncQuestion) ([]stanza, error) {
	var known []stanza
	if asked.lid {
		known = append(known, stanza{Tag: "lid", Attrs: attributes{"val": p.primary().lid()}})
	}
	if asked.devices {
		devices, err := deviceListNode(p)
		if err != nil {
			return nil, err
		}
		known = append(known, devices)
		p.watchers[c.device] = true
	}
	return known, nil
}

// contactNode says whether a number, written "+62..." with or without "@c.us",
// is on WhatsApp. The account is named by number, and by LID to those who ask
// for it (sources: tulir/whatsmeow, IsOnWhatsApp; oxidezap/whatsapp-rust,
// wacore/src/iq/usync.rs).
func (net *network) contactNode(c *connection, contact stanza, asked usyncQuestion) (stanza, error) {
	spelled := string(content(contact))
	number, _, _ := strings.Cut(spelled, "@")
	number = strings.TrimPrefix(number, "+")
	state := stanza{Tag: "contact", Attrs: attributes{"type": "out"}, Content: []byte(spelled)}
	attrs := attributes{"jid": types.NewJID(number, types.DefaultUserServer)}
	p := net.lookedUp(number)
	if p == nil || !p.OnWhatsApp {
		return stanza{Tag: "user", Attrs: attrs, Content: []stanza{state}}, nil
	}
	state.Attrs["type"] = "in"
	attrs = attributes{"jid": p.primary().number(), "pn_jid": p.primary().number()}
	if asked.contactByLID {
		attrs["jid"] = p.primary().lid()
	}
	known, err := net.knownOf(c, p, asked)
	return stanza{Tag: "user", Attrs: attrs, Content: append([]stanza{state}, known...)}, err
}
