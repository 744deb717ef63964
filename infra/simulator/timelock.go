// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"encoding/json"
	"time"

	"go.mau.fi/whatsmeow/types"
)

// codeTimelocked refuses a first message to somebody: the contact's doing, or
// that of a timelock on the number.
const codeTimelocked = 463

// timelockOperation names the notice; clients that go by it do not look at what
// it holds (source: WhiskeySockets/Baileys, handleMexNotification).
const timelockOperation = "NotificationUserReachoutTimelockUpdate"

// timelockNotice tells a number that it may write to nobody new, and until
// when; without a time that it may again.
func timelockNotice(until time.Time) (stanza, error) {
	lock := map[string]any{"enforcement_type": "DEFAULT", "is_active": !until.IsZero()}
	if !until.IsZero() {
		lock["time_enforcement_ends"] = unixSeconds(until)
	}
	told, err := json.Marshal(map[string]any{"data": map[string]any{"xwa2_notify_account_reachout_timelock": lock}})
	return stanza{
		Tag:     "notification",
		Attrs:   attributes{"from": types.ServerJID, "type": "mex", "id": newStanzaID(), "t": unixSeconds(now())},
		Content: []stanza{{Tag: "update", Attrs: attributes{"op_name": timelockOperation}, Content: told}},
	}, err
}

// lockReach tells the linked devices of the phones that a timelock concerns;
// it waits for those that are away.
func (net *network) lockReach(one *fault) error {
	var until time.Time
	if one.ExpireS > 0 {
		until = one.until
	}
	for _, p := range net.phones {
		for _, d := range p.allDevices() {
			if d.isPhone() || !one.concerns(&deviceName{number: p.Number, id: d.ID}) {
				continue
			}
			notice, err := timelockNotice(until)
			if err != nil {
				return err
			}
			if err := net.deliver(d, notice); err != nil {
				return err
			}
			net.faults.hit(one)
		}
	}
	return nil
}

// outOfReach asks whether a timelock keeps a device from writing to a person:
// one with whom this account has no chat yet.
func (net *network) outOfReach(c *connection, to types.JID) bool {
	p := net.account(to)
	if p == nil || p == c.phone || net.faults.timelocked(c) == nil {
		return false
	}
	for _, known := range c.phone.messages {
		if known.Chat == p.Number {
			return false
		}
	}
	for _, written := range c.phone.sent {
		if net.chatName(written.To) == p.Number {
			return false
		}
	}
	return true
}
