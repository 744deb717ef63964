// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"compress/zlib"
	"net/http"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

// historyOf is what a phone tells a linked device of the time before: the
// texts that it shows, by chat.
func (net *network) historyOf(p *phone) *waHistorySync.HistorySync {
	chats := map[string]*waHistorySync.Conversation{}
	told := &waHistorySync.HistorySync{SyncType: waHistorySync.HistorySync_INITIAL_BOOTSTRAP.Enum(), Progress: proto.Uint32(100)}
	for _, known := range p.messages {
		if known.Hidden || known.Type != "text" {
			continue
		}
		chat := chats[known.Chat]
		if chat == nil {
			chat = &waHistorySync.Conversation{ID: proto.String(net.chatJID(known.Chat).String())}
			chats[known.Chat] = chat
			told.Conversations = append(told.Conversations, chat)
		}
		chat.Messages = append(chat.Messages, &waHistorySync.HistorySyncMsg{Message: &waWeb.WebMessageInfo{
			Key:              &waCommon.MessageKey{RemoteJID: chat.ID, FromMe: proto.Bool(known.FromMe), ID: proto.String(known.ID)},
			Message:          &waE2E.Message{Conversation: proto.String(known.Text)},
			MessageTimestamp: proto.Uint64(uint64(known.At.Unix())),
		}})
	}
	return told
}

// chatJID is the JID of a chat that the control API names.
func (net *network) chatJID(chat string) types.JID {
	if p := net.phones[chat]; p != nil {
		return p.primary().lid()
	}
	jid, _ := types.ParseJID(chat)
	return jid
}

// shelveHistory puts a history where devices download it from.
func (net *network) shelveHistory(told *waHistorySync.HistorySync) (*waE2E.HistorySyncNotification, error) {
	raw, err := proto.Marshal(told)
	if err != nil {
		return nil, err
	}
	var packed bytes.Buffer
	writer := zlib.NewWriter(&packed)
	if _, err := writer.Write(raw); err != nil {
		return nil, err
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	file, err := net.media.upload(packed.Bytes(), whatsmeow.MediaHistory, "history")
	return &waE2E.HistorySyncNotification{
		FileSHA256: file.sum, FileLength: &file.length, MediaKey: file.key, FileEncSHA256: file.sealedSum,
		DirectPath: &file.directPath, SyncType: waE2E.HistorySyncType_INITIAL_BOOTSTRAP.Enum(), ChunkOrder: proto.Uint32(1),
	}, err
}

func (net *network) sendHistory(p *phone, target *device) error {
	notice, err := net.shelveHistory(net.historyOf(p))
	if err != nil {
		return err
	}
	return net.sendPeer(p, target, &waE2E.ProtocolMessage{
		Type: waE2E.ProtocolMessage_HISTORY_SYNC_NOTIFICATION.Enum(), HistorySyncNotification: notice,
	})
}

// sendPeer is talk between the devices of one account.
func (net *network) sendPeer(p *phone, target *device, told *waE2E.ProtocolMessage) error {
	plain, err := proto.Marshal(&waE2E.Message{ProtocolMessage: told})
	if err != nil {
		return err
	}
	sealed, err := net.encrypt(p, target, plain)
	if err != nil {
		return err
	}
	return net.deliver(target, stanza{
		Tag: "message",
		Attrs: attributes{
			"id": newMessageID(), "type": "text", "category": "peer", "from": p.primary().number(), "t": unixSeconds(now()), "notify": p.Name,
		},
		Content: []stanza{sealed},
	})
}

// postHistory lets a phone send its history, as it does after a link:
// POST /phones/{number}/history.
func (c *call) postHistory() (int, any, error) {
	_, _, err := c.withPhone(func(p *phone) (any, error) {
		for _, target := range p.allDevices() {
			if target.isPhone() {
				continue
			}
			if err := c.network.sendHistory(p, target); err != nil {
				return nil, err
			}
		}
		return nil, nil
	})
	return http.StatusNoContent, nil, err
}
