// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sort"
	"strings"
	"time"

	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
)

// phoneRecord is what the journal keeps of a person's phone.
type phoneRecord struct {
	Number          string `json:"number"`
	Name            string `json:"name"`
	LID             string `json:"lid"`
	Identity        []byte `json:"identity"` // private, as the next
	SignedPreKey    []byte `json:"signedPreKey"`
	SignedSignature []byte `json:"signedSignature"`
	Registration    uint32 `json:"registration"`
	RawID           uint32 `json:"rawId"`
	LastDevice      uint16 `json:"lastDevice"`
	LastPreKey      uint32 `json:"lastPreKey"`

	behaviour
}

// behaviour is what PATCH /phones/{number} changes.
type behaviour struct {
	Deliver     bool   `json:"deliver"`     // sends delivery receipts
	ReadAfterMS *int   `json:"readAfterMs"` // reads what arrived; nil: never
	Online      bool   `json:"online"`      // receives at all
	OnWhatsApp  bool   `json:"onWhatsApp"`  // exists for others
	Addressing  string `json:"addressing"`  // how it names itself to devices: lid or pn
	HideNumber  bool   `json:"hideNumber"`  // known to others by LID alone
	InviteOnly  bool   `json:"inviteOnly"`  // is not added to groups

	Aliases []string `json:"aliases,omitempty"` // other spellings of its number, known to look-ups alone
}

const (
	byLID    = "lid"
	byNumber = "pn"
)

// phone is a person with the primary device of an account. Its Signal side is
// the library's own store.Device over rows of the journal.
type phone struct {
	phoneRecord
	signal   *store.Device
	devices  map[uint16]*device // 0 is the phone itself
	messages []*shownMessage
	arrivals map[string]*shownMessage
	sent     map[string]*sentMessage
	typings  []typing            // what it was shown lately
	watchers map[*device]bool    // devices that asked for this account's device list
	state    map[string][][]byte // app state: the patches of each collection, from version 1
}

// deviceRecord is what the server keeps of a linked device.
type deviceRecord struct {
	ID              uint16    `json:"id"`
	NoiseKey        []byte    `json:"noiseKey,omitempty"`
	Identity        []byte    `json:"identity,omitempty"`
	SignedID        []byte    `json:"signedId,omitempty"`
	SignedPreKey    []byte    `json:"signedPreKey,omitempty"`
	SignedSignature []byte    `json:"signedSignature,omitempty"`
	Registration    uint32    `json:"registration,omitempty"`
	SignedIdentity  []byte    `json:"signedIdentity,omitempty"` // ADV, as the device signed it
	LinkedAt        time.Time `json:"linkedAt,omitzero"`
	PreKeysTaken    int       `json:"preKeysTaken,omitempty"`
	PreKeyBatches   int       `json:"preKeyBatches,omitempty"`
	HasStateKey     bool      `json:"hasStateKey,omitempty"` // the phone shared it
}

type device struct {
	deviceRecord
	phone      *phone
	preKeys    int // how many were uploaded; they lie in the journal
	mailbox    []*letter
	connection *connection
	presence   *ownPresence
}

const preKeyBytes = 3 + 32

func (d *device) preKeysLeft() int {
	return d.preKeys - d.PreKeysTaken
}

func (d *device) isPhone() bool { return d.ID == 0 }

func (d *device) isConnected() bool { return d.connection != nil && d.connection.open() }

// jid returns the device's name on the given server: by number or by LID.
func (d *device) jid(server string) types.JID {
	user := d.phone.Number
	if server == types.HiddenUserServer {
		user = d.phone.LID
	} else {
		server = types.DefaultUserServer
	}
	return types.JID{User: user, Device: d.ID, Server: server}
}

func (d *device) lid() types.JID    { return d.jid(types.HiddenUserServer) }
func (d *device) number() types.JID { return d.jid(types.DefaultUserServer) }

func (p *phone) primary() *device { return p.devices[0] }

// allDevices returns them in order, the phone first.
func (p *phone) allDevices() []*device {
	found := make([]*device, 0, len(p.devices))
	for _, one := range p.devices {
		found = append(found, one)
	}
	sort.Slice(found, func(i, j int) bool { return found[i].ID < found[j].ID })
	return found
}

func phoneKey(number string) string { return "phone/" + number }
func deviceKey(d *device) string    { return fmt.Sprintf("device/%s/%d", d.phone.Number, d.ID) }
func preKeyKey(d *device, batch int) string {
	return fmt.Sprintf("prekeys/%s/%d/%06d", d.phone.Number, d.ID, batch)
}

func (net *network) savePhone(p *phone)   { net.book.put(phoneKey(p.Number), p.phoneRecord) }
func (net *network) saveDevice(d *device) { net.book.put(deviceKey(d), d.deviceRecord) }

// makePhone creates an account: a person whose phone scanned nothing yet.
func (net *network) makePhone(number, name string) *phone {
	record := phoneRecord{
		Number:    number,
		Name:      name,
		LID:       fmt.Sprint(100_000_000_000_001 + len(net.phones)),
		behaviour: behaviour{Deliver: true, Online: true, OnWhatsApp: true, Addressing: byLID},
	}
	record.giveKeys()
	p := net.addPhone(record)
	net.savePhone(p)
	return p
}

func (net *network) addPhone(record phoneRecord) *phone {
	p := &phone{
		phoneRecord: record,
		devices:     map[uint16]*device{},
		arrivals:    map[string]*shownMessage{},
		sent:        map[string]*sentMessage{},
		watchers:    map[*device]bool{},
		state:       map[string][][]byte{},
	}
	p.devices[0] = &device{phone: p}
	p.signal = net.signalDevice(p)
	net.phones[p.Number], net.byLID[p.LID] = p, p
	net.noteAliases(p)
	return p
}

func (net *network) loadPhones() error {
	return net.book.each("phone/", func(_ string, raw json.RawMessage) error {
		var record phoneRecord
		if err := json.Unmarshal(raw, &record); err != nil {
			return err
		}
		net.addPhone(record)
		return nil
	})
}

func (net *network) loadDevices() error {
	err := net.book.each("device/", func(key string, raw json.RawMessage) error {
		p, err := net.ownerOf(key)
		if err != nil {
			return err
		}
		d := &device{phone: p}
		if err := json.Unmarshal(raw, &d.deviceRecord); err != nil {
			return err
		}
		p.devices[d.ID] = d
		return nil
	})
	if err != nil {
		return err
	}
	return net.book.each("prekeys/", func(key string, raw json.RawMessage) error {
		d, err := net.deviceOf(key)
		if err != nil {
			return err
		}
		var batch []byte
		if err := json.Unmarshal(raw, &batch); err != nil {
			return err
		}
		d.preKeys += len(batch) / preKeyBytes
		return nil
	})
}

// ownerOf finds the phone that a row's key names in its second part.
func (net *network) ownerOf(key string) (*phone, error) {
	parts := strings.Split(key, "/")
	if len(parts) < 2 || net.phones[parts[1]] == nil {
		return nil, fmt.Errorf("a row of no phone")
	}
	return net.phones[parts[1]], nil
}

// deviceOf finds the device that a row's key names in its second and third part.
func (net *network) deviceOf(key string) (*device, error) {
	p, err := net.ownerOf(key)
	if err != nil {
		return nil, err
	}
	var id uint16
	if parts := strings.Split(key, "/"); len(parts) > 2 {
		if _, err := fmt.Sscanf(parts[2], "%d", &id); err == nil && p.devices[id] != nil {
			return p.devices[id], nil
		}
	}
	return nil, fmt.Errorf("a row of no device")
}

// account finds the phone behind a person's JID of either form, or nil.
func (net *network) account(jid types.JID) *phone {
	switch jid.Server {
	case types.HiddenUserServer:
		return net.byLID[jid.User]
	case types.DefaultUserServer, types.LegacyUserServer:
		return net.phones[jid.User]
	default:
		return nil
	}
}

// lookedUp finds the phone that a look-up of a number answers with, or nil: a number may be dialled in several spellings,
// of which WhatsApp knows one (Brazil's ninth digit).
func (net *network) lookedUp(number string) *phone {
	if p := net.phones[number]; p != nil {
		return p
	}
	return net.byAlias[number]
}

func (net *network) noteAliases(p *phone) {
	for alias, owner := range net.byAlias {
		if owner == p {
			delete(net.byAlias, alias)
		}
	}
	for _, alias := range p.Aliases {
		net.byAlias[alias] = p
	}
}

// plainAliases reads other spellings of a phone's number; none may be another's.
func (net *network) plainAliases(p *phone, written []string) ([]string, error) {
	var aliases []string
	for _, each := range written {
		alias, err := plainNumber(each)
		if err != nil {
			return nil, err
		}
		if taken := net.lookedUp(alias); taken != nil && taken != p || alias == p.Number {
			return nil, refusal{http.StatusConflict, "an alias is the number of a phone already"}
		}
		aliases = append(aliases, alias)
	}
	return aliases, nil
}

// find returns the device that a JID names, or nil.
func (net *network) find(jid types.JID) *device {
	if p := net.account(jid); p != nil {
		return p.devices[jid.Device]
	}
	return nil
}

// masked hides all of a number but its end, for logs.
func masked(number string) string {
	if len(number) <= 4 {
		return "***"
	}
	return "***" + number[len(number)-4:]
}
