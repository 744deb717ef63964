// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"time"

	"github.com/vmihailenco/msgpack/v5"
	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// This file: polls, ours and others', and the votes on them. A vote names options by their hashes only, so the options of
// every poll are kept; they must be on disk before the poll can be voted on.

// keptPoll is what reading votes on a poll takes. Of a poll that came in the library keeps the secret.
type keptPoll struct {
	Options []string `msgpack:"o"`
	Secret  []byte   `msgpack:"s"`
}

func (s *keyStore) pollID(id types.MessageID) string { return s.prefix + "poll/" + id }

// keepPoll keeps the first poll of this id and returns when it is on disk.
func (s *keyStore) keepPoll(ctx context.Context, id types.MessageID, p *keptPoll) error {
	plaintext, err := msgpack.Marshal(p)
	if err != nil {
		return s.failed(ctx, err)
	}
	key := s.pollID(id)
	return s.putOnce(ctx, key, plaintext, bson.E{Key: "exp", Value: time.Now().Add(secretLife)})
}

// pollOf returns a kept poll, or nil.
func (s *keyStore) pollOf(ctx context.Context, id types.MessageID) (*keptPoll, error) {
	plaintext, err := s.value(ctx, s.pollID(id))
	if err != nil || plaintext == nil {
		return nil, err
	}
	p := &keptPoll{}
	if err = msgpack.Unmarshal(plaintext, p); err != nil {
		return nil, s.failed(ctx, err)
	}
	return p, nil
}

// pollMessage makes a poll. A repeat carries the secret of the first try: that one may be what the recipient has.
func (c *connection) pollMessage(ctx context.Context, r *sendRequest, info *waE2E.ContextInfo) (*waE2E.Message, error) {
	what := &r.Content
	if what.Question == "" || len(what.Options) < 2 {
		return nil, errContent("a poll needs a question and two options")
	}
	message := c.client.BuildPollCreation(what.Question, what.Options, what.Selectable)
	message.PollCreationMessage.ContextInfo = info
	fresh := &keptPoll{what.Options, message.MessageContextInfo.MessageSecret}
	if err := c.store.keepPoll(ctx, r.MessageID, fresh); err != nil {
		return nil, err
	}
	kept, err := c.store.pollOf(ctx, r.MessageID)
	if err == nil && kept == nil {
		err = errors.New("a poll that was kept is gone")
	}
	if err == nil {
		message.MessageContextInfo.MessageSecret = kept.Secret
	}
	return message, err
}

// pollIn is the poll of a message in whichever of its versions, or nil.
func pollIn(m *waE2E.Message) *waE2E.PollCreationMessage {
	for _, version := range []*waE2E.PollCreationMessage{
		m.GetPollCreationMessage(), m.GetPollCreationMessageV2(), m.GetPollCreationMessageV3(), m.GetPollCreationMessageV5(),
	} {
		if version != nil {
			return version
		}
	}
	return nil
}

func optionsOf(asked *waE2E.PollCreationMessage) []string {
	options := make([]string, len(asked.GetOptions()))
	for i, option := range asked.GetOptions() {
		options[i] = option.GetOptionName()
	}
	return options
}

// onVote tells a vote. One that cannot be read, or is on a poll that we do not know, will never be: it is let go.
func (c *connection) onVote(e *events.Message, of about) bool {
	kept, err := c.store.pollOf(c.ctx, of.Target)
	if err != nil {
		return false
	}
	if kept == nil {
		logEvent("info", "a vote on an unknown poll was let go", "session", c.session.name)
		return true
	}
	vote, err := c.openVote(e, kept, of.Target)
	if err != nil {
		return c.letGo(err, "a vote could not be read")
	}
	return c.confirmed(&votedEvent{about: of, Options: kept.chosen(vote.GetSelectedOptions())})
}

// openVote tries both names of the voter: which of them went into the key is not told.
func (c *connection) openVote(e *events.Message, kept *keptPoll, id types.MessageID) (*waE2E.PollVoteMessage, error) {
	if len(kept.Secret) > 0 { // the library keeps it too, but only soon after the poll has left
		for _, us := range []types.JID{c.client.Store.GetLID(), c.client.Store.GetJID()} {
			if err := c.store.PutMessageSecret(c.ctx, e.Info.Chat, us, id, kept.Secret); err != nil {
				return nil, err
			}
		}
	}
	vote, err := c.client.DecryptPollVote(c.ctx, e)
	if err == nil || errors.Is(err, errStore) {
		return vote, err
	}
	names, storeErr := c.forms(c.ctx, e.Info.Sender, e.Info.SenderAlt)
	if storeErr != nil {
		return nil, storeErr
	}
	for _, name := range []types.JID{names.pn, names.lid} {
		if name.IsEmpty() || name == e.Info.Sender.ToNonAD() {
			continue
		}
		twin := *e
		twin.Info.Sender = name
		if vote, otherErr := c.client.DecryptPollVote(c.ctx, &twin); otherErr == nil {
			return vote, nil
		}
	}
	return nil, err
}

// chosen finds the options by their hashes, in the poll's order, as many as fit.
func (p *keptPoll) chosen(hashes [][]byte) []string {
	voted := make(map[string]bool, len(hashes)) // poll and vote are strangers', of any length
	for _, hash := range hashes {
		voted[string(hash)] = true
	}
	chosen, bytes := []string{}, 0
	for i, hash := range whatsmeow.HashPollOptions(p.Options) {
		if !voted[string(hash)] {
			continue
		}
		if bytes += len(p.Options[i]); bytes > largestVote {
			break
		}
		chosen = append(chosen, p.Options[i])
	}
	return chosen
}
