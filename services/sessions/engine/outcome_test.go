// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"fmt"
	"reflect"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
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
		"anything else":    {fmt.Errorf("what is this"), false, &unknownReply{Reason: "sending failed"}},
	} {
		if got := outcome(now, c.err, c.broken); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, not %+v", name, got, c.want)
		}
	}
}
