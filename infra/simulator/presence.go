// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"net/http"
	"time"

	"go.mau.fi/whatsmeow/types"
)

const mostTypings = 200

// ownPresence is what a linked device last said of itself: available or
// unavailable. Presence and typing are of the moment: a restart forgets them.
type ownPresence struct {
	Device   uint16    `json:"device"`
	Presence string    `json:"presence"`
	At       time.Time `json:"at"`
}

// typing is what a phone was shown of somebody in a chat.
type typing struct {
	From  string    `json:"from"`
	Chat  string    `json:"chat"`
	State string    `json:"state"` // composing, recording, paused
	At    time.Time `json:"at"`
}

const recording = "recording"

func (net *network) receivePresence(c *connection, presence *stanza) {
	switch kind := attribute(presence, "type"); kind {
	case string(types.PresenceAvailable), string(types.PresenceUnavailable):
		c.device.presence = &ownPresence{Device: c.device.ID, Presence: kind, At: now().UTC()}
	}
}

// receiveChatState shows the others of a chat that somebody types.
func (net *network) receiveChatState(c *connection, told *stanza) error {
	children := told.GetChildren()
	if len(children) != 1 {
		return nil
	}
	state := children[0].Tag
	if state == string(types.ChatPresenceComposing) && attribute(&children[0], "media") == string(types.ChatPresenceMediaAudio) {
		state = recording
	}
	return net.showTyping(c.phone, jidAttribute(told, "to"), state)
}

// showTyping tells the phones and the connected devices of a chat; nothing of
// it waits for those that are away. A person types, whichever device it is
// (source: oxidezap/whatsapp-rust, wacore/src/iq/chatstate.rs).
func (net *network) showTyping(author *phone, to types.JID, state string) error {
	shown := typing{From: author.Number, Chat: author.Number, State: state, At: now().UTC()}
	attrs := attributes{"from": author.nameFor(to.Server)}
	targets := []*device{}
	if to.Server == types.GroupServer {
		shown.Chat = to.String()
		attrs["from"], attrs["participant"], attrs["addressing_mode"] = to, author.nameFor(types.HiddenUserServer), byLID
		targets = net.groupDevices(to)
	} else if p := net.account(to); p != nil {
		targets = p.allDevices()
	}
	for _, target := range targets {
		switch {
		case target.phone == author:
		case target.isPhone() && target.phone.Online:
			target.phone.remember(shown)
		case target.connection != nil && target.connection.active:
			if err := net.tell(target.connection, stanza{Tag: "chatstate", Attrs: attrs, Content: []stanza{stateNode(state)}}); err != nil {
				return err
			}
		}
	}
	return nil
}

// nameFor is a person's JID in a chat that goes by numbers or by LIDs.
func (p *phone) nameFor(server string) types.JID {
	if p.HideNumber {
		server = types.HiddenUserServer
	}
	return p.primary().jid(server)
}

func stateNode(state string) stanza {
	if state == recording {
		return stanza{Tag: string(types.ChatPresenceComposing), Attrs: attributes{"media": string(types.ChatPresenceMediaAudio)}}
	}
	return stanza{Tag: state}
}

func (p *phone) remember(shown typing) {
	if len(p.typings) == mostTypings {
		p.typings = append([]typing{}, p.typings[1:]...)
	}
	p.typings = append(p.typings, shown)
}

// getPresence is GET /phones/{number}/presence.
func (c *call) getPresence() (int, any, error) {
	return c.withPhone(func(p *phone) (any, error) {
		devices := []ownPresence{}
		for _, d := range p.allDevices() {
			if d.presence != nil {
				devices = append(devices, *d.presence)
			}
		}
		return map[string]any{"devices": devices, "shown": append([]typing{}, p.typings...)}, nil
	})
}

// postPresence is a person who types: POST /phones/{number}/presence.
func (c *call) postPresence() (int, any, error) {
	var wanted struct{ To, State string }
	if err := c.read(&wanted); err != nil {
		return 0, nil, err
	}
	switch wanted.State {
	case string(types.ChatPresenceComposing), string(types.ChatPresencePaused), recording:
	default:
		return 0, nil, refusal{http.StatusBadRequest, "state is composing, recording or paused"}
	}
	_, _, err := c.withPhone(func(p *phone) (any, error) {
		to, err := c.recipient(p, wanted.To)
		if err != nil {
			return nil, err
		}
		return nil, c.network.showTyping(p, to, wanted.State)
	})
	return http.StatusNoContent, nil, err
}
