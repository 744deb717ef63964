// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"

	"go.mau.fi/whatsmeow/types"
)

// This file: under which number WhatsApp knows an account. People dial some numbers in several spellings (Brazil's ninth
// digit, Argentina's 9, Mexico's 1); a look-up of each answers with the account's own one, and only that gets messages.

// ownNumber is the JID under which WhatsApp knows whoever has this one, as far as was ever told.
func (c *connection) ownNumber(ctx context.Context, jid types.JID) (types.JID, error) {
	lid, err := c.store.GetLIDForPN(ctx, jid)
	if err != nil || lid.IsEmpty() {
		return jid, err
	}
	pn, err := c.store.GetPNForLID(ctx, lid)
	if err != nil || pn.IsEmpty() {
		return jid, err
	}
	return pn.ToNonAD(), nil
}

// ownNumbers is the same of several, in their order.
func (c *connection) ownNumbers(ctx context.Context, jids []types.JID) ([]types.JID, error) {
	own := make([]types.JID, len(jids))
	for i, jid := range jids {
		var err error
		if own[i], err = c.ownNumber(ctx, jid); err != nil {
			return nil, err
		}
	}
	return own, nil
}

// learnNumber takes the account's own number from the answer to a look-up of these digits. A LID that is known for a
// spelling answers for it from then on: nobody is asked again.
func (c *connection) learnNumber(ctx context.Context, digits string, answer types.IsOnWhatsAppResponse) (types.JID, error) {
	asked, own := types.NewJID(digits, types.DefaultUserServer), answer.PhoneNumber.ToNonAD()
	if own.IsEmpty() {
		own = answer.JID.ToNonAD()
	}
	if own.Server != types.DefaultUserServer || own == asked { // a hidden number is written to as it was asked for
		return asked, nil
	}
	if answer.JID.Server != types.HiddenUserServer {
		return own, nil
	}
	return own, c.store.putSpelling(ctx, asked, answer.JID.ToNonAD())
}

// namingOwn adds to an answer that the message went to another number than was asked for.
func namingOwn(reply told, asked, own types.JID) told {
	if sent, left := reply.(*sentReply); left && own != asked {
		sent.To = textOrNil(own.String())
	}
	return reply
}
