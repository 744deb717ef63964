// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"go.mau.fi/whatsmeow"
)

// outcome names what SendMessage answered. Whatever may have left is unknown, and is sent again with the same id.
func outcome(at time.Time, err error, storeBroken bool) told {
	if err == nil {
		return &sentReply{AtMS: momentOf(at)}
	}
	if code, nacked := nackCode(err); nacked {
		return &refusedReply{Code: code}
	}
	var gone *whatsmeow.DisconnectedError
	switch {
	case errors.Is(err, errFenced):
		return &notSentReply{Reason: "fenced", Message: "a higher fence was seen"}
	case errors.Is(err, errStore) && storeBroken: // the library stores before it sends
		return &notSentReply{Reason: "store", Message: "the key store failed before the message left"}
	case errors.Is(err, whatsmeow.ErrNotLoggedIn):
		return &notSentReply{Reason: "not_connected", Message: "the session is not logged in"}
	case errors.Is(err, whatsmeow.ErrGroupNotFound), errors.Is(err, whatsmeow.ErrNotInGroup): // asked before anything leaves
		return &notSentReply{Reason: "content", Message: "that group does not exist, or this number is not in it"}
	case errors.Is(err, whatsmeow.ErrUnknownServer), errors.Is(err, whatsmeow.ErrRecipientADJID):
		return &notSentReply{Reason: "content", Message: "that recipient cannot get messages"}
	case errors.Is(err, whatsmeow.ErrMessageTimedOut), errors.Is(err, context.DeadlineExceeded):
		return &unknownReply{Reason: "WhatsApp's answer did not come in time"}
	case errors.As(err, &gone), errors.Is(err, context.Canceled), errors.Is(err, whatsmeow.ErrNotConnected):
		// ErrNotConnected too: the library returns it also after the frame has left, when it fails to send it again.
		return &unknownReply{Reason: "the connection was lost while sending"}
	}
	return &unknownReply{Reason: "sending failed"}
}

// nackCode reads the server's error code, which the library has only as text behind ErrServerReturnedError.
func nackCode(err error) (code int, nacked bool) {
	if !errors.Is(err, whatsmeow.ErrServerReturnedError) {
		return 0, false
	}
	code, parseErr := strconv.Atoi(strings.TrimPrefix(err.Error(), whatsmeow.ErrServerReturnedError.Error()+" "))
	return code, parseErr == nil
}
