// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"go.mau.fi/util/random"
	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/gcmutil"
	"go.mau.fi/whatsmeow/util/hkdfutil"
	"google.golang.org/protobuf/proto"
)

// poll is what a phone must keep of one to open and to cast votes: it stays
// when the inbox is emptied.
type poll struct {
	Secret     []byte   `json:"secret"`
	Options    []string `json:"options"`
	Selectable int      `json:"selectable"` // 0: any number
	author     *phone
}

// pollIn is the poll of a message in whichever of its versions, or nil.
func pollIn(message *waE2E.Message) *waE2E.PollCreationMessage {
	for _, version := range []*waE2E.PollCreationMessage{
		message.GetPollCreationMessage(), message.GetPollCreationMessageV2(), message.GetPollCreationMessageV3(),
	} {
		if version != nil {
			return version
		}
	}
	return nil
}

func describePoll(asked *waE2E.PollCreationMessage) shownContent {
	selectable := int(asked.GetSelectableOptionsCount())
	return shownContent{Type: "poll", Question: asked.GetName(), Options: optionsOf(asked), Selectable: &selectable}
}

func optionsOf(asked *waE2E.PollCreationMessage) []string {
	options := []string{}
	for _, option := range asked.GetOptions() {
		options = append(options, option.GetOptionName())
	}
	return options
}

// keptPoll is the poll of a message with the secret that came along, or nil.
func keptPoll(message, outer *waE2E.Message) *poll {
	asked := pollIn(unwrapped(message))
	if asked == nil {
		return nil
	}
	secret := message.GetMessageContextInfo().GetMessageSecret()
	if len(secret) == 0 {
		secret = outer.GetMessageContextInfo().GetMessageSecret()
	}
	return &poll{Secret: secret, Options: optionsOf(asked), Selectable: int(asked.GetSelectableOptionsCount())}
}

// pollOf finds a poll that a phone wrote or received, or nil.
func (net *network) pollOf(p *phone, id string) *poll {
	if written := p.sent[id]; written != nil {
		message := &waE2E.Message{}
		if proto.Unmarshal(written.Plain, message) != nil {
			return nil
		}
		if found := keptPoll(message, message); found != nil {
			found.author = p
			return found
		}
	}
	for _, known := range p.messages {
		if known.ID == id && known.Poll != nil {
			found := *known.Poll
			found.author = net.phones[known.From]
			return &found
		}
	}
	return nil
}

// voteKey derives the key of one person's votes on one poll, and what is
// authenticated with them. Both people enter by one of their two names.
func voteKey(secret []byte, id string, author, voter types.JID) (key, authenticated []byte) {
	use := id + author.String() + voter.String() + string(whatsmeow.EncSecretPollVote)
	return hkdfutil.SHA256(secret, nil, []byte(use), 32), fmt.Appendf(nil, "%s\x00%s", id, voter)
}

// withVote opens a vote: what does not open is seen in the inbox.
func (net *network) withVote(shown shownContent, p, voter *phone, message *waE2E.Message) shownContent {
	update := unwrapped(message).GetPollUpdateMessage()
	if update == nil || voter == nil {
		return shown
	}
	voted := net.pollOf(p, shown.Target)
	if voted == nil {
		shown.VoteError = "this phone knows no such poll"
		return shown
	}
	chosen, err := voted.open(shown.Target, voter, update.GetVote())
	if err != nil {
		shown.VoteError = err.Error()
		return shown
	}
	shown.Options = chosen
	return shown
}

// open tries the two names of both people: which ones a sender took is not
// told.
func (voted *poll) open(id string, voter *phone, sealed *waE2E.PollEncValue) ([]string, error) {
	for _, author := range voted.author.names() {
		for _, by := range voter.names() {
			key, authenticated := voteKey(voted.Secret, id, author, by)
			plain, err := gcmutil.Decrypt(key, sealed.GetEncIV(), sealed.GetEncPayload(), authenticated)
			if err != nil {
				continue
			}
			var vote waE2E.PollVoteMessage
			if err := proto.Unmarshal(plain, &vote); err != nil {
				return nil, err
			}
			return voted.chosen(vote.GetSelectedOptions())
		}
	}
	return nil, errors.New("the vote does not open with the secret of the poll")
}

func (p *phone) names() []types.JID { return []types.JID{p.primary().lid(), p.primary().number()} }

// chosen finds the options by their hashes.
func (voted *poll) chosen(hashes [][]byte) ([]string, error) {
	found := []string{}
	for _, hash := range hashes {
		at := slices.IndexFunc(voted.Options, func(option string) bool {
			sum := sha256.Sum256([]byte(option))
			return bytes.Equal(sum[:], hash)
		})
		if at < 0 {
			return nil, errors.New("the vote is for an option that the poll does not have")
		}
		found = append(found, voted.Options[at])
	}
	return found, nil
}

// composeVote seals what a person chooses.
func (net *network) composeVote(p *phone, to types.JID, written *writing) (*waE2E.Message, error) {
	asked, voted := net.past(p, net.chatName(to.String()), written.Target), net.pollOf(p, written.Target)
	if asked == nil || voted == nil {
		return nil, refusal{404, "this phone knows no such poll in that chat"}
	}
	if voted.Selectable > 0 && len(written.Options) > voted.Selectable {
		return nil, refusal{400, fmt.Sprintf("one may choose %d options of this poll", voted.Selectable)}
	}
	for _, option := range written.Options {
		if !slices.Contains(voted.Options, option) {
			return nil, refusal{400, "the poll has no such option"}
		}
	}
	plain, err := proto.Marshal(&waE2E.PollVoteMessage{SelectedOptions: whatsmeow.HashPollOptions(written.Options)})
	if err != nil {
		return nil, err
	}
	key, authenticated := voteKey(voted.Secret, written.Target, voted.author.nameIn(to, p), p.nameIn(to, p))
	nonce := random.Bytes(12)
	sealed, err := gcmutil.Encrypt(key, nonce, plain, authenticated)
	if err != nil {
		return nil, err
	}
	return &waE2E.Message{PollUpdateMessage: &waE2E.PollUpdateMessage{
		PollCreationMessageKey: asked.keyOf(p, to),
		Vote:                   &waE2E.PollEncValue{EncPayload: sealed, EncIV: nonce},
		SenderTimestampMS:      proto.Int64(now().UnixMilli()),
	}}, nil
}
