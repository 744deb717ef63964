// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"sort"
	"strings"
	"time"

	"go.mau.fi/whatsmeow/types"
)

// phoneView is a phone as the control API shows it.
type phoneView struct {
	Number  string       `json:"number"`
	Name    string       `json:"name"`
	LID     string       `json:"lid"`
	Devices []deviceView `json:"devices"`
	behaviour
}

type deviceView struct {
	Device    uint16 `json:"device"`
	JID       string `json:"jid"`
	Connected bool   `json:"connected"`
	Pending   int    `json:"pending"`
}

func (p *phone) view() phoneView {
	shown := phoneView{Number: p.Number, Name: p.Name, LID: p.LID, Devices: []deviceView{}, behaviour: p.behaviour}
	for _, d := range p.allDevices() {
		if !d.isPhone() {
			shown.Devices = append(shown.Devices, deviceView{
				Device: d.ID, JID: d.number().String(), Connected: d.isConnected(), Pending: len(d.mailbox),
			})
		}
	}
	return shown
}

func (c *call) postPhone() (int, any, error) {
	var wanted struct{ Number, Name string }
	if err := c.read(&wanted); err != nil {
		return 0, nil, err
	}
	number, err := plainNumber(wanted.Number)
	if err != nil {
		return 0, nil, err
	}
	status, shown := http.StatusOK, phoneView{}
	err = c.network.change(func() error {
		p := c.network.phones[number]
		if p == nil {
			status = http.StatusCreated
			p = c.network.makePhone(number, wanted.Name)
		}
		shown = p.view()
		return nil
	})
	return status, shown, err
}

func (c *call) getPhones() (int, any, error) {
	phones := []phoneView{}
	err := c.network.change(func() error {
		for _, p := range c.network.phones {
			phones = append(phones, p.view())
		}
		return nil
	})
	sort.Slice(phones, func(i, j int) bool { return phones[i].Number < phones[j].Number })
	return http.StatusOK, map[string]any{"phones": phones}, err
}

// withPhone runs a step on the phone in the path and answers 200 with the body
// that the step gives.
func (c *call) withPhone(step func(*phone) (any, error)) (int, any, error) {
	var body any
	err := c.network.change(func() error {
		p, err := c.phone()
		if err == nil {
			body, err = step(p)
		}
		return err
	})
	return http.StatusOK, body, err
}

func (c *call) getPhone() (int, any, error) {
	return c.withPhone(func(p *phone) (any, error) { return p.view(), nil })
}

// patchPhone changes the behaviour that the body names. A phone that is switched
// on takes what waited; one that delivers again confirms what it held back.
func (c *call) patchPhone() (int, any, error) {
	var body json.RawMessage
	if err := c.read(&body); err != nil {
		return 0, nil, err
	}
	return c.withPhone(func(p *phone) (any, error) {
		wanted, err := p.behaviour.changed(body)
		if err != nil {
			return nil, err
		}
		if wanted.Addressing != byLID && wanted.Addressing != byNumber {
			return nil, refusal{http.StatusBadRequest, "addressing is lid or pn"}
		}
		if wanted.Aliases, err = c.network.plainAliases(p, wanted.Aliases); err != nil {
			return nil, err
		}
		before := p.behaviour
		p.behaviour = wanted
		c.network.noteAliases(p)
		c.network.savePhone(p)
		if wanted.Online && !before.Online {
			if err := c.network.emptyMailbox(p); err != nil {
				return nil, err
			}
		}
		if wanted.Deliver && !before.Deliver {
			if err := c.network.deliverWithheld(p); err != nil {
				return nil, err
			}
		}
		c.network.resumeReadingOf(p)
		return p.view(), nil
	})
}

// changed is a copy with what the body names put in.
func (kept behaviour) changed(body json.RawMessage) (behaviour, error) {
	if kept.ReadAfterMS != nil {
		after := *kept.ReadAfterMS
		kept.ReadAfterMS = &after
	}
	kept.Aliases = slices.Clone(kept.Aliases)
	if len(body) == 0 {
		return kept, nil
	}
	if err := json.Unmarshal(body, &kept); err != nil {
		return kept, refusal{http.StatusBadRequest, "the body is not a phone's behaviour: " + err.Error()}
	}
	return kept, nil
}

// linked is the answer to a scan.
type linked struct {
	JID    string `json:"jid"`
	Device uint16 `json:"device"`
}

func (c *call) postScan() (int, any, error) {
	var wanted struct {
		QR, PairCode string
		Wait         *bool
	}
	if err := c.read(&wanted); err != nil {
		return 0, nil, err
	}
	waiting, err := c.startLink(wanted.QR, wanted.PairCode)
	if err != nil {
		return 0, nil, err
	}
	if wanted.Wait != nil && !*wanted.Wait {
		return http.StatusAccepted, map[string]any{}, nil
	}
	ctx, cancel := context.WithTimeout(c.request.Context(), waiting.limit())
	defer cancel()
	select {
	case err := <-waiting.outcome:
		future := &device{phone: waiting.phone, deviceRecord: deviceRecord{ID: waiting.id}}
		return http.StatusOK, linked{JID: future.number().String(), Device: waiting.id}, err
	case <-ctx.Done():
		return 0, nil, refusal{http.StatusRequestTimeout, "the device did not confirm the link in time"}
	}
}

func (c *call) startLink(qr, pairCode string) (*linking, error) {
	switch {
	case qr != "":
		return c.scanCode(qr)
	case pairCode != "":
		return c.typeCode(pairCode)
	default:
		return nil, refusal{http.StatusBadRequest, "a scan needs qr or pairCode"}
	}
}

func (c *call) scanCode(qr string) (*linking, error) {
	code, err := parseCode(qr)
	if err != nil {
		return nil, refusal{http.StatusBadRequest, err.Error()}
	}
	var waiting *linking
	err = c.network.change(func() error {
		p, err := c.phoneThatLinks()
		if err == nil {
			waiting, err = c.network.scan(p, code)
		}
		return err
	})
	return waiting, err
}

func (c *call) phoneThatLinks() (*phone, error) {
	p, err := c.phone()
	if err == nil && !p.Online {
		err = refusal{http.StatusConflict, "this phone is switched off"}
	}
	return p, err
}

func (c *call) typeCode(code string) (*linking, error) {
	var p *phone
	var pairing *codePairing
	err := c.network.change(func() (err error) {
		if p, err = c.phoneThatLinks(); err == nil {
			pairing, err = c.network.waitingForCode(p)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	typed, err := typeCode(pairing, code)
	if err != nil {
		return nil, err
	}
	var waiting *linking
	err = c.network.change(func() error {
		waiting, err = c.network.sendTypedCode(p, typed)
		return err
	})
	return waiting, err
}

func (c *call) postUnlink() (int, any, error) {
	var wanted struct{ Device uint16 }
	if err := c.read(&wanted); err != nil {
		return 0, nil, err
	}
	return c.withPhone(func(p *phone) (any, error) {
		removed := []uint16{}
		for _, d := range p.allDevices() {
			if d.isPhone() || (wanted.Device != 0 && d.ID != wanted.Device) {
				continue
			}
			if err := c.network.unlink(d); err != nil {
				return nil, err
			}
			removed = append(removed, d.ID)
		}
		if len(removed) == 0 {
			return nil, refusal{http.StatusNotFound, "this phone has no such linked device"}
		}
		return map[string]any{"devices": removed}, nil
	})
}

func (c *call) postReinstall() (int, any, error) {
	return c.withPhone(func(p *phone) (any, error) { return p.view(), c.network.reinstall(p) })
}

func (c *call) postMessage() (int, any, error) {
	var written writing
	if err := c.read(&written); err != nil {
		return 0, nil, err
	}
	file, err := c.network.attached(&written) // encrypted outside the lock
	if err != nil {
		return 0, nil, err
	}
	return c.withPhone(func(p *phone) (any, error) {
		if !p.Online {
			return nil, refusal{http.StatusConflict, "this phone is switched off"}
		}
		to, err := c.recipient(p, written.To)
		if err != nil {
			return nil, err
		}
		message, err := c.network.compose(p, to, &written, file)
		if err != nil {
			return nil, err
		}
		id, err := c.network.send(p, to, message)
		return map[string]string{"id": id}, err
	})
}

// recipient is the JID that a person means by a number or a group's JID.
func (c *call) recipient(p *phone, to string) (types.JID, error) {
	if strings.HasSuffix(to, "@"+types.GroupServer) {
		jid, err := types.ParseJID(to)
		if err != nil || c.network.groups[jid.User] == nil {
			return types.EmptyJID, refusal{http.StatusNotFound, "there is no such group"}
		}
		if !c.network.groups[jid.User].has(p.Number) {
			return types.EmptyJID, refusal{http.StatusForbidden, "this phone is not in that group"}
		}
		return jid, nil
	}
	recipient, err := c.existing(to)
	if err != nil {
		return types.EmptyJID, err
	}
	if !recipient.OnWhatsApp {
		return types.EmptyJID, refusal{http.StatusNotFound, "this number is not on WhatsApp"}
	}
	if p.Addressing == byNumber {
		return recipient.primary().number(), nil
	}
	return recipient.primary().lid(), nil
}

// sentView is a message that the person wrote, and how far it came.
type sentView struct {
	ID     string    `json:"id"`
	To     string    `json:"to"`
	At     time.Time `json:"at"`
	Status string    `json:"status"`
}

func (c *call) getMessages() (int, any, error) {
	return c.withPhone(func(p *phone) (any, error) {
		sent := []sentView{}
		for _, one := range p.sent {
			sent = append(sent, sentView{ID: one.ID, To: c.network.chatName(one.To), At: one.At, Status: one.Status})
		}
		sort.Slice(sent, func(i, j int) bool { return sent[i].At.Before(sent[j].At) })
		return map[string]any{"messages": sent}, nil
	})
}

func (c *call) postRead() (int, any, error) {
	var wanted struct {
		Chat, ID string
		Played   bool
	}
	if err := c.read(&wanted); err != nil {
		return 0, nil, err
	}
	chat := wanted.Chat
	if !strings.HasSuffix(chat, "@"+types.GroupServer) {
		number, err := plainNumber(chat)
		if err != nil {
			return 0, nil, err
		}
		chat = number
	}
	return c.withPhone(func(p *phone) (any, error) {
		ids, err := c.network.read(p, chat, wanted.ID)
		if err == nil && wanted.ID != "" && !p.shows(chat, wanted.ID) {
			err = refusal{http.StatusNotFound, "this phone shows no such message in that chat"}
		}
		if err == nil && wanted.Played {
			ids, err = c.network.play(p, chat, wanted.ID)
		}
		return map[string]any{"ids": ids}, err
	})
}

func (p *phone) shows(chat, id string) bool {
	for _, known := range p.messages {
		if known.Chat == chat && known.ID == id && known.Shown {
			return true
		}
	}
	return false
}

func (c *call) getInbox() (int, any, error) {
	return c.withPhone(func(p *phone) (any, error) {
		return map[string]any{"messages": p.inbox()}, nil
	})
}

func (c *call) deleteInbox() (int, any, error) {
	_, _, err := c.withPhone(func(p *phone) (any, error) {
		c.network.emptyInbox(p)
		return nil, nil
	})
	return http.StatusNoContent, nil, err
}
