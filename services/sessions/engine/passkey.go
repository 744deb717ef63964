// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
)

// This file: a link for which WhatsApp wants a passkey besides the code. The answer has to come from a page of WhatsApp's
// own, so a person brings it.

const (
	passkeyPatience = 10 * time.Minute
	passkeyLongest  = 30 * time.Minute
)

func (c *connection) toPasskey(e *events.PairPasskeyRequest) {
	challenge, err := json.Marshal(e.PublicKey)
	if err != nil || e.PublicKey == nil {
		c.tell(&passkeyFailedEvent{Message: "WhatsApp's challenge could not be read"})
		return
	}
	patience := min(max(passkeyPatience, time.Duration(e.PublicKey.Timeout)*time.Millisecond), passkeyLongest)
	c.mu.Lock()
	if c.phase == phaseDialing || c.phase == phaseScanning {
		c.phase = phasePasskey
	}
	c.codesEnd = time.Now().Add(patience)
	c.mu.Unlock()
	c.tell(&passkeyRequiredEvent{Challenge: string(challenge)})
}

func (s *session) answerPasskey(r *passkeyResponseRequest) told {
	answer := &types.WebAuthnResponse{}
	if err := json.Unmarshal([]byte(r.Response), answer); err != nil || len(answer.RawID) == 0 {
		return &failedReply{Code: "bad_request", Message: "the answer must be a WebAuthn assertion as JSON"}
	}
	return s.inPasskeyStep(func(ctx context.Context, c *connection) error {
		err := c.client.SendPasskeyResponse(ctx, answer)
		var refused *whatsmeow.IQError
		if errors.As(err, &refused) {
			c.tell(&passkeyFailedEvent{Message: scrub(refused.Text)})
		}
		return err
	})
}

func (s *session) confirmPasskey() told {
	return s.inPasskeyStep(func(ctx context.Context, c *connection) error { return c.client.SendPasskeyConfirmation(ctx) })
}

func (s *session) inPasskeyStep(do func(context.Context, *connection) error) told {
	c := s.live()
	if c == nil {
		return &failedReply{Code: "not_open", Message: "the session is not open"}
	}
	if c.at() != phasePasskey {
		return &failedReply{Code: "bad_request", Message: "WhatsApp did not ask for a passkey"}
	}
	ctx, cancel := context.WithTimeout(c.ctx, requestTimeout)
	defer cancel()
	if err := do(ctx, c); err != nil {
		return failure(err)
	}
	return &doneReply{}
}
