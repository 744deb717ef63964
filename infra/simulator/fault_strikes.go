// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"time"
)

// strike adds a fault and does at once what it does to open connections.
func (net *network) strike(one *fault) error {
	net.faults.add(one)
	switch {
	case one.Kind == faultTimelock:
		return net.lockReach(one)
	case one.Kind == faultServerKey:
		return net.replaceServerKey()
	case !faultKinds[one.Kind].atOnce:
		return nil
	case one.EveryMS > 0:
		net.strikeAgain(one)
	}
	return net.strikeConnections(one)
}

// strikeAgain is a storm: the fault strikes whoever came back meanwhile, until
// its time is over or it is deleted.
func (net *network) strikeAgain(one *fault) {
	time.AfterFunc(time.Duration(one.EveryMS)*time.Millisecond, func() {
		_ = net.change(func() error {
			if !net.faults.holds(one) {
				return nil
			}
			net.strikeAgain(one)
			return net.strikeConnections(one)
		})
	})
}

func (net *network) strikeConnections(one *fault) error {
	for c := range net.connections {
		if !one.concerns(c.name.Load()) || c.life.Err() != nil || (c.ended && one.Kind == faultStreamError) {
			continue
		}
		net.faults.hit(one)
		if err := net.strikeConnection(one, c); err != nil {
			return err
		}
	}
	return nil
}

func (net *network) strikeConnection(one *fault, c *connection) error {
	switch one.Kind {
	case faultDrop:
		c.abort()
	case faultClose:
		net.untold = append(net.untold, telling{c, outgoing{closes: true, polite: true}})
	case faultStreamError:
		var reason []stanza
		if one.Conflict != "" {
			reason = append(reason, stanza{Tag: "conflict", Attrs: attributes{"type": one.Conflict}})
		}
		return net.endStream(c, attributes{"code": decimal(one.Code)}, reason...)
	}
	return nil
}

// garbled is a message as a bad line would leave it: one bit of its first part
// is another, at three quarters: before that stand keys, behind it numbers that
// no MAC covers. The sender's own copy stays whole.
func garbled(message stanza) stanza {
	parts := append([]stanza(nil), message.GetChildren()...)
	for at, part := range parts {
		if raw := content(part); part.Tag == "enc" && len(raw) > 0 {
			damaged := append([]byte(nil), raw...)
			damaged[len(damaged)*3/4] ^= 1
			parts[at].Content = damaged
			break
		}
	}
	message.Content = parts
	return message
}
