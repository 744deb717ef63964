// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"fmt"
	"reflect"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/socket"
)

func TestAnOutcomeIsNamedByWhatMayHaveLeft(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	lost := fmt.Errorf("failed to save cached sessions: %w", storeFailure(fmt.Errorf("away")))
	for name, c := range map[string]struct {
		err    error
		broken bool
		want   told
	}{
		"acknowledged":     {nil, false, &sentReply{AtMS: 1_700_000_000_000}},
		"nack":             {fmt.Errorf("%w 463", whatsmeow.ErrServerReturnedError), false, &refusedReply{Code: 463}},
		"nack unreadable":  {fmt.Errorf("%w soon", whatsmeow.ErrServerReturnedError), false, &unknownReply{Reason: "sending failed"}},
		"timed out":        {whatsmeow.ErrMessageTimedOut, false, &unknownReply{Reason: "WhatsApp's answer did not come in time"}},
		"deadline":         {context.DeadlineExceeded, false, &unknownReply{Reason: "WhatsApp's answer did not come in time"}},
		"socket lost":      {&whatsmeow.DisconnectedError{Action: "message send"}, false, &unknownReply{Reason: "the connection was lost while sending"}},
		"not connected":    {whatsmeow.ErrNotConnected, false, &unknownReply{Reason: "the connection was lost while sending"}},
		"store broken":     {lost, true, &notSentReply{Reason: "store", Message: "the key store failed before the message left"}},
		"closed meanwhile": {storeFailure(context.Canceled), false, &unknownReply{Reason: "the connection was lost while sending"}},
		"fenced":           {storeFailure(errFenced), true, &notSentReply{Reason: "fenced", Message: "a higher fence was seen"}},
		"not logged in":    {whatsmeow.ErrNotLoggedIn, false, &notSentReply{Reason: "not_connected", Message: "the session is not logged in"}},
		"unknown group":    {fmt.Errorf("failed to get group members: %w", whatsmeow.ErrGroupNotFound), false, &notSentReply{Reason: "group_unknown", Message: "that group does not exist, or this number is not in it"}},
		"not in the group": {whatsmeow.ErrNotInGroup, false, &notSentReply{Reason: "group_unknown", Message: "that group does not exist, or this number is not in it"}},
		"no such server":   {whatsmeow.ErrUnknownServer, false, &notSentReply{Reason: "recipient", Message: "that recipient cannot get messages"}},
		"anything else":    {fmt.Errorf("what is this"), false, &unknownReply{Reason: "sending failed"}},
	} {
		if got := outcome(now, c.err, c.broken); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, not %+v", name, got, c.want)
		}
	}
}

func TestWhatDidNotLeaveIsNamedByItsReason(t *testing.T) {
	in := func(err error) error { return fmt.Errorf("failed to get device list: %w", err) }
	for name, c := range map[string]struct {
		err          error
		broken, over bool
		want         string
	}{
		"fenced":                 {storeFailure(errFenced), true, true, "fenced"},
		"store":                  {storeFailure(fmt.Errorf("away")), true, true, "store"},
		"the connection ended":   {context.Canceled, false, true, "not_connected"},
		"the socket is gone":     {in(&whatsmeow.DisconnectedError{Action: "info query"}), false, false, "not_connected"},
		"no socket":              {in(whatsmeow.ErrNotConnected), false, false, "not_connected"},
		"a socket that is shut":  {in(socket.ErrSocketClosed), false, false, "not_connected"},
		"not logged in":          {whatsmeow.ErrNotLoggedIn, false, false, "not_connected"},
		"no group":               {in(whatsmeow.ErrGroupNotFound), false, false, "group_unknown"},
		"not in the group":       {in(whatsmeow.ErrNotInGroup), false, false, "group_unknown"},
		"no such server":         {fmt.Errorf("%w x", whatsmeow.ErrUnknownServer), false, false, "recipient"},
		"a broadcast list":       {in(whatsmeow.ErrBroadcastListUnsupported), false, false, "recipient"},
		"asked too often":        {in(whatsmeow.ErrIQRateOverLimit), false, false, "limited"},
		"too much":               {in(whatsmeow.ErrIQResourceLimit), false, false, "limited"},
		"forbidden":              {in(whatsmeow.ErrIQForbidden), false, false, "lookup"},
		"a server's error":       {in(whatsmeow.ErrIQInternalServerError), false, false, "lookup"},
		"no answer":              {in(whatsmeow.ErrIQTimedOut), false, false, "lookup"},
		"out of time":            {context.DeadlineExceeded, false, false, "lookup"},
		"given up":               {context.Canceled, false, false, "lookup"},
		"an answer without list": {in(&whatsmeow.ElementMissingError{Tag: "list", In: "usync"}), false, false, "lookup"},
		"no LID":                 {fmt.Errorf("no LID found for 62@s.whatsapp.net from server"), false, false, "lookup"},
		"no session":             {in(whatsmeow.ErrNoSession), false, false, "lookup"},
	} {
		if got := reasonOf(notLeft(c.err, c.broken, c.over)); got != c.want {
			t.Errorf("%s: %s, not %s", name, got, c.want)
		}
	}
}

func TestAFrameThatIsTooLargeHasNotLeft(t *testing.T) {
	err := fmt.Errorf("failed to send message node: %w (got 2 bytes, max 1 bytes)", socket.ErrFrameTooLarge)
	if got := reasonOf(outcome(time.Time{}, err, false)); got != "content" {
		t.Errorf("it is %s", got)
	}
}
