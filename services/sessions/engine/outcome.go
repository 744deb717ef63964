// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/socket"
)

// outcome names what SendMessage answered of a message that may have left: then it is unknown, and sent again with the
// same id, unless the error itself tells more.
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
		return &notSentReply{Reason: "group_unknown", Message: "that group does not exist, or this number is not in it"}
	case errors.Is(err, whatsmeow.ErrUnknownServer), errors.Is(err, whatsmeow.ErrRecipientADJID):
		return &notSentReply{Reason: "recipient", Message: "that recipient cannot get messages"}
	case errors.Is(err, socket.ErrFrameTooLarge): // found before the first byte is written
		return &notSentReply{Reason: "content", Message: "the message is too large"}
	case errors.Is(err, whatsmeow.ErrMessageTimedOut), errors.Is(err, context.DeadlineExceeded):
		return &unknownReply{Reason: "WhatsApp's answer did not come in time"}
	case errors.As(err, &gone), errors.Is(err, context.Canceled), errors.Is(err, whatsmeow.ErrNotConnected):
		// ErrNotConnected too: the library returns it also after the frame has left, when it fails to send it again.
		return &unknownReply{Reason: "the connection was lost while sending"}
	}
	return &unknownReply{Reason: "sending failed"}
}

// answered tells whether an answer of SendMessage proves that the message had left.
func answered(err error) bool {
	return err == nil || errors.Is(err, whatsmeow.ErrServerReturnedError) || errors.Is(err, whatsmeow.ErrMessageTimedOut)
}

// notLeft says why a message did not leave, from the error of what the library asks, reads and encrypts before; over tells
// that the connection has ended.
func notLeft(err error, storeBroken, over bool) told {
	var gone *whatsmeow.DisconnectedError
	var refused *whatsmeow.IQError
	switch {
	case errors.Is(err, errFenced):
		return &notSentReply{Reason: "fenced", Message: "a higher fence was seen"}
	case storeBroken:
		return &notSentReply{Reason: "store", Message: "the key store failed before the message left"}
	case over, errors.As(err, &gone), errors.Is(err, whatsmeow.ErrNotConnected), errors.Is(err, socket.ErrSocketClosed):
		return &notSentReply{Reason: "not_connected", Message: "the connection was lost before the message left"}
	case errors.Is(err, whatsmeow.ErrNotLoggedIn):
		return &notSentReply{Reason: "not_connected", Message: "the session is not logged in"}
	case errors.Is(err, whatsmeow.ErrGroupNotFound), errors.Is(err, whatsmeow.ErrNotInGroup):
		return &notSentReply{Reason: "group_unknown", Message: "that group does not exist, or this number is not in it"}
	case errors.Is(err, whatsmeow.ErrUnknownServer), errors.Is(err, whatsmeow.ErrRecipientADJID),
		errors.Is(err, whatsmeow.ErrBroadcastListUnsupported):
		return &notSentReply{Reason: "recipient", Message: "that recipient cannot get messages"}
	case errors.Is(err, whatsmeow.ErrIQTimedOut), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return &notSentReply{Reason: "lookup", Message: "WhatsApp did not answer a question about the recipient in time"}
	case errors.As(err, &refused) && limited[refused.Code]:
		return &notSentReply{Reason: "limited", Message: "WhatsApp limits questions about recipients", Code: refused.Code}
	case errors.As(err, &refused):
		return &notSentReply{Reason: "lookup", Message: "WhatsApp refused a question about the recipient", Code: refused.Code}
	}
	return &notSentReply{Reason: "lookup", Message: "the message could not be made ready for the recipient"}
}

// Codes by which WhatsApp refuses a question because too many were asked.
var limited = map[int]bool{419: true, 429: true}

// nackCode reads the server's error code, which the library has only as text behind ErrServerReturnedError.
func nackCode(err error) (code int, nacked bool) {
	if !errors.Is(err, whatsmeow.ErrServerReturnedError) {
		return 0, false
	}
	code, parseErr := strconv.Atoi(strings.TrimPrefix(err.Error(), whatsmeow.ErrServerReturnedError.Error()+" "))
	return code, parseErr == nil
}
