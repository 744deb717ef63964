// SPDX-License-Identifier: GPL-3.0-or-later

package main

import "reflect"

// This file: what the worker tells, mirroring replies.py and events.py of services/sessions/engines.

// --- replies ----------------------------------------------------------------------------------------------------------

// told is a reply or an event: named writes its type into it.
type told interface{ named() told }

// ownCopy is for each of several who wait for one reply: its type is written into it when it is told.
func ownCopy(r told) told {
	twin := reflect.New(reflect.TypeOf(r).Elem())
	twin.Elem().Set(reflect.ValueOf(r).Elem())
	return twin.Interface().(told)
}

type doneReply struct {
	Type string `msgpack:"type"`
}

type failedReply struct {
	Type    string `msgpack:"type"`
	Code    string `msgpack:"code"`
	Message string `msgpack:"message"`
	Status  int    `msgpack:"status,omitempty"` // WhatsApp's own code, of a refusal
}

type pairCodeReply struct {
	Type string `msgpack:"type"`
	Code string `msgpack:"code"`
}

type sentReply struct {
	Type string `msgpack:"type"`
	AtMS int64  `msgpack:"at_ms"`
	// To is where the message went when WhatsApp knows the recipient under another number than was asked for.
	To *string `msgpack:"to"`
}

type refusedReply struct {
	Type string `msgpack:"type"`
	Code int    `msgpack:"code"`
}

type unknownReply struct {
	Type   string `msgpack:"type"`
	Reason string `msgpack:"reason"`
}

type notSentReply struct {
	Type    string `msgpack:"type"`
	Reason  string `msgpack:"reason"`
	Message string `msgpack:"message"`
	Code    int    `msgpack:"code,omitempty"` // by which WhatsApp refused a question
}

type checkedReply struct {
	Type string             `msgpack:"type"`
	JIDs map[string]*string `msgpack:"jids"`
}

type groupMember struct {
	JID  string  `msgpack:"jid"`
	LID  *string `msgpack:"lid"`
	Role string  `msgpack:"role"`
}

type group struct {
	JID       string            `msgpack:"jid"`
	Subject   string            `msgpack:"subject"`
	Members   []groupMember     `msgpack:"members"`
	CreatedMS *int64            `msgpack:"created_ms"`
	Codes     map[string]*int   `msgpack:"codes,omitempty"`
	Invites   map[string]invite `msgpack:"invites,omitempty"`
}

// invite lets somebody who may not be added join by themselves.
type invite struct {
	Code      string `msgpack:"code"`
	ExpiresMS *int64 `msgpack:"expires_ms"`
}

type groupsReply struct {
	Type   string  `msgpack:"type"`
	Groups []group `msgpack:"groups"`
}

type participantsReply struct {
	Type    string            `msgpack:"type"`
	Codes   map[string]*int   `msgpack:"codes"`
	Invites map[string]invite `msgpack:"invites,omitempty"`
}

type downloadedReply struct {
	Type   string `msgpack:"type"`
	Bytes  int64  `msgpack:"bytes"`
	SHA256 string `msgpack:"sha256"`
}

type pongReply struct {
	Type         string `msgpack:"type"`
	OpenSessions int    `msgpack:"open_sessions"`
}

func (r *doneReply) named() told         { r.Type = "done"; return r }
func (r *failedReply) named() told       { r.Type = "failed"; return r }
func (r *pairCodeReply) named() told     { r.Type = "pair_code"; return r }
func (r *sentReply) named() told         { r.Type = "sent"; return r }
func (r *refusedReply) named() told      { r.Type = "refused"; return r }
func (r *unknownReply) named() told      { r.Type = "unknown"; return r }
func (r *notSentReply) named() told      { r.Type = "not_sent"; return r }
func (r *checkedReply) named() told      { r.Type = "checked"; return r }
func (r *groupsReply) named() told       { r.Type = "groups"; return r }
func (r *participantsReply) named() told { r.Type = "participants"; return r }
func (r *downloadedReply) named() told   { r.Type = "downloaded"; return r }
func (r *pongReply) named() told         { r.Type = "pong"; return r }

// --- events -----------------------------------------------------------------------------------------------------------

// origin stands in every event: whose it is, and of which connection.
type origin struct {
	Session    string `msgpack:"session"`
	Connection int    `msgpack:"connection"`
}

func (o *origin) from(session string, connection int) { o.Session, o.Connection = session, connection }

// event is what a connection tells Python.
type event interface {
	told
	from(session string, connection int)
}

type qrEvent struct {
	Type   string `msgpack:"type"`
	origin `msgpack:",inline"`
	Codes  []string `msgpack:"codes"`
}

type qrEndedEvent struct {
	Type   string `msgpack:"type"`
	origin `msgpack:",inline"`
	Reason string `msgpack:"reason"`
}

type passkeyRequiredEvent struct {
	Type      string `msgpack:"type"`
	origin    `msgpack:",inline"`
	Challenge string `msgpack:"challenge"`
}

type passkeyConfirmationEvent struct {
	Type   string `msgpack:"type"`
	origin `msgpack:",inline"`
	Code   string `msgpack:"code"`
	Skip   bool   `msgpack:"skip"`
}

type passkeyFailedEvent struct {
	Type    string `msgpack:"type"`
	origin  `msgpack:",inline"`
	Message string `msgpack:"message"`
}

type pairedEvent struct {
	Type   string `msgpack:"type"`
	origin `msgpack:",inline"`
	JID    string `msgpack:"jid"`
	LID    string `msgpack:"lid"`
	Name   string `msgpack:"name"`
}

type connectedEvent struct {
	Type   string `msgpack:"type"`
	origin `msgpack:",inline"`
	JID    string `msgpack:"jid"`
	LID    string `msgpack:"lid"`
}

type disconnectedEvent struct {
	Type   string `msgpack:"type"`
	origin `msgpack:",inline"`
	Reason string `msgpack:"reason"`
	Cause  string `msgpack:"cause,omitempty"`
}

type loggedOutEvent struct {
	Type   string `msgpack:"type"`
	origin `msgpack:",inline"`
	Code   int `msgpack:"code"`
}

type replacedEvent struct {
	Type   string `msgpack:"type"`
	origin `msgpack:",inline"`
}

type bannedEvent struct {
	Type    string `msgpack:"type"`
	origin  `msgpack:",inline"`
	Code    int    `msgpack:"code"`
	UntilMS *int64 `msgpack:"until_ms"`
}

type restrictedEvent struct {
	Type    string `msgpack:"type"`
	origin  `msgpack:",inline"`
	Kind    string `msgpack:"kind"`
	Active  bool   `msgpack:"active"`
	UntilMS *int64 `msgpack:"until_ms"`
}

type outdatedEvent struct {
	Type   string `msgpack:"type"`
	origin `msgpack:",inline"`
}

type keepaliveLostEvent struct {
	Type   string `msgpack:"type"`
	origin `msgpack:",inline"`
	Count  int `msgpack:"count"`
}

type keepaliveRestoredEvent struct {
	Type   string `msgpack:"type"`
	origin `msgpack:",inline"`
}

type receiptEvent struct {
	Type       string `msgpack:"type"`
	origin     `msgpack:",inline"`
	MessageIDs []string `msgpack:"message_ids"`
	Kind       string   `msgpack:"kind"`
	Chat       string   `msgpack:"chat"`
	Sender     string   `msgpack:"sender"`
	AtMS       int64    `msgpack:"at_ms"`
}

type incomingMedia struct {
	Mimetype string  `msgpack:"mimetype"`
	Bytes    int64   `msgpack:"bytes"`
	SHA256   string  `msgpack:"sha256"`
	Ref      []byte  `msgpack:"ref"`
	FileName *string `msgpack:"file_name"`
}

type messageEvent struct {
	Type         string `msgpack:"type"`
	origin       `msgpack:",inline"`
	ID           string         `msgpack:"id"`
	Chat         string         `msgpack:"chat"`
	Sender       string         `msgpack:"sender"`
	ChatLID      *string        `msgpack:"chat_lid"`
	SenderLID    *string        `msgpack:"sender_lid"`
	FromMe       bool           `msgpack:"from_me"`
	PushName     string         `msgpack:"push_name"`
	ContentClass string         `msgpack:"content_class"`
	Text         *string        `msgpack:"text"`
	Caption      *string        `msgpack:"caption"`
	Media        *incomingMedia `msgpack:"media"`
	ReplyTo      *string        `msgpack:"reply_to"`
	AtMS         int64          `msgpack:"at_ms"`
	Mentions     []string       `msgpack:"mentions"`
	Place        *place         `msgpack:"place"`
	Card         *card          `msgpack:"card"`
	Poll         *poll          `msgpack:"poll"`
}

// place, card and poll are the contents `location`, `contact` and `poll` of requests.py.
type place struct {
	Type      string  `msgpack:"type"`
	Latitude  float64 `msgpack:"latitude"`
	Longitude float64 `msgpack:"longitude"`
	Name      *string `msgpack:"name"`
	Address   *string `msgpack:"address"`
}

type card struct {
	Type  string `msgpack:"type"`
	Name  string `msgpack:"name"`
	VCard string `msgpack:"vcard"`
}

type poll struct {
	Type       string   `msgpack:"type"`
	Question   string   `msgpack:"question"`
	Options    []string `msgpack:"options"`
	Selectable int      `msgpack:"selectable"`
}

// about stands in every event of what happens to a message that exists.
type about struct {
	ID        string  `msgpack:"id"`
	Target    string  `msgpack:"target"`
	Chat      string  `msgpack:"chat"`
	Sender    string  `msgpack:"sender"`
	ChatLID   *string `msgpack:"chat_lid"`
	SenderLID *string `msgpack:"sender_lid"`
	FromMe    bool    `msgpack:"from_me"`
	AtMS      int64   `msgpack:"at_ms"`
}

type editedEvent struct {
	Type   string `msgpack:"type"`
	origin `msgpack:",inline"`
	about  `msgpack:",inline"`
	Text   string `msgpack:"text"`
}

type revokedEvent struct {
	Type    string `msgpack:"type"`
	origin  `msgpack:",inline"`
	about   `msgpack:",inline"`
	ByAdmin bool `msgpack:"by_admin,omitempty"`
}

type reactedEvent struct {
	Type   string `msgpack:"type"`
	origin `msgpack:",inline"`
	about  `msgpack:",inline"`
	Emoji  string `msgpack:"emoji"`
}

type votedEvent struct {
	Type    string `msgpack:"type"`
	origin  `msgpack:",inline"`
	about   `msgpack:",inline"`
	Options []string `msgpack:"options"`
}

type undecryptableEvent struct {
	Type   string `msgpack:"type"`
	origin `msgpack:",inline"`
	ID     string `msgpack:"id"`
	Chat   string `msgpack:"chat"`
	Sender string `msgpack:"sender"`
	AtMS   int64  `msgpack:"at_ms"`
}

func (e *qrEvent) named() told                  { e.Type = "qr"; return e }
func (e *qrEndedEvent) named() told             { e.Type = "qr_ended"; return e }
func (e *passkeyRequiredEvent) named() told     { e.Type = "passkey_required"; return e }
func (e *passkeyConfirmationEvent) named() told { e.Type = "passkey_confirmation"; return e }
func (e *passkeyFailedEvent) named() told       { e.Type = "passkey_failed"; return e }
func (e *editedEvent) named() told              { e.Type = "edited"; return e }
func (e *revokedEvent) named() told             { e.Type = "revoked"; return e }
func (e *reactedEvent) named() told             { e.Type = "reacted"; return e }
func (e *votedEvent) named() told               { e.Type = "voted"; return e }
func (e *pairedEvent) named() told              { e.Type = "paired"; return e }
func (e *connectedEvent) named() told           { e.Type = "connected"; return e }
func (e *disconnectedEvent) named() told        { e.Type = "disconnected"; return e }
func (e *loggedOutEvent) named() told           { e.Type = "logged_out"; return e }
func (e *replacedEvent) named() told            { e.Type = "replaced"; return e }
func (e *bannedEvent) named() told              { e.Type = "banned"; return e }
func (e *restrictedEvent) named() told          { e.Type = "restricted"; return e }
func (e *outdatedEvent) named() told            { e.Type = "outdated"; return e }
func (e *keepaliveLostEvent) named() told       { e.Type = "keepalive_lost"; return e }
func (e *keepaliveRestoredEvent) named() told   { e.Type = "keepalive_restored"; return e }
func (e *receiptEvent) named() told             { e.Type = "receipt"; return e }
func (e *messageEvent) named() told             { e.Type = "message"; return e }
func (e *undecryptableEvent) named() told       { e.Type = "undecryptable"; return e }
