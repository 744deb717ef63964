// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"time"

	"go.mau.fi/whatsmeow/types"
)

// typingLife is how long phones show that somebody types, unless it is said again; pauseLife is how long we stay online
// after a pause.
var typingLife, pauseLife = 25 * time.Second, 5 * time.Second

var chatStates = map[string]struct {
	state types.ChatPresence
	media types.ChatPresenceMedia
}{
	"composing": {types.ChatPresenceComposing, types.ChatPresenceMediaText},
	"recording": {types.ChatPresenceComposing, types.ChatPresenceMediaAudio},
	"paused":    {types.ChatPresencePaused, types.ChatPresenceMediaText},
}

func (s *session) presence(r *presenceRequest) told {
	chat, err := types.ParseJID(r.Chat)
	shown, known := chatStates[r.State]
	if err != nil || !sendable(chat) || !known {
		return &failedReply{Code: "bad_request", Message: "a chat's JID is needed, and one of composing, recording and paused"}
	}
	return s.whileOnline(func(ctx context.Context, c *connection) (told, error) {
		if err := c.appear(ctx, shown.state == types.ChatPresenceComposing); err != nil {
			return nil, err
		}
		return &doneReply{}, c.client.SendChatPresence(ctx, c.asAddressed(ctx, chat), shown.state, shown.media)
	})
}

// appear shows us online while we type: phones show nobody typing who is not. Only then: while one of its devices is
// online, WhatsApp does not notify the phone. Without a name WhatsApp takes no presence.
func (c *connection) appear(ctx context.Context, typing bool) error {
	if c.client.Store.PushName == "" {
		return nil
	}
	c.mu.Lock()
	online := c.typing != nil
	if online {
		c.typing.Stop()
	}
	if typing || online {
		c.typing = time.AfterFunc(stayFor(typing), c.disappear)
	}
	c.mu.Unlock()
	if typing {
		return c.client.SendPresence(ctx, types.PresenceAvailable)
	}
	return nil
}

func stayFor(typing bool) time.Duration {
	if typing {
		return typingLife
	}
	return pauseLife
}

// disappear runs when nothing was typed for a while.
func (c *connection) disappear() {
	c.mu.Lock()
	c.typing = nil
	ended := c.ended
	c.mu.Unlock()
	if ended {
		return
	}
	if err := c.client.SendPresence(c.ctx, types.PresenceUnavailable); err != nil {
		logEvent("warn", "the end of being online could not be told", "session", c.session.name, "error", err)
	}
}
