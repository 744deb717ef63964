// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"strings"
	"time"

	"github.com/vmihailenco/msgpack/v5"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
)

// This file: contacts, chat settings, and the map between phone numbers and LIDs. All of it is written late: what a crash
// loses is asked for again.

func (s *keyStore) contactID(user types.JID) string { return s.prefix + "contact/" + user.String() }

func (s *keyStore) contact(ctx context.Context, user types.JID) (types.ContactInfo, error) {
	var info types.ContactInfo
	plaintext, err := s.value(ctx, s.contactID(user))
	if err != nil || plaintext == nil {
		return info, err
	}
	if err = msgpack.Unmarshal(plaintext, &info); err != nil {
		return info, s.failed(ctx, err)
	}
	info.Found = true
	return info, nil
}

// amendContact queues a changed contact; apply returns false when nothing changed.
func (s *keyStore) amendContact(ctx context.Context, user types.JID, apply func(*types.ContactInfo) bool) error {
	info, err := s.contact(ctx, user)
	if err != nil || !apply(&info) {
		return err
	}
	info.Found = true
	plaintext, err := msgpack.Marshal(info)
	if err != nil {
		return s.failed(ctx, err)
	}
	return s.putLater(ctx, s.contactID(user), plaintext)
}

func (s *keyStore) PutPushName(ctx context.Context, user types.JID, name string) (changed bool, previous string, err error) {
	err = s.amendContact(ctx, user, func(info *types.ContactInfo) bool {
		changed, previous = info.PushName != name, info.PushName
		info.PushName = name
		return changed
	})
	return changed && err == nil, previous, err
}

func (s *keyStore) PutBusinessName(ctx context.Context, user types.JID, name string) (changed bool, previous string, err error) {
	err = s.amendContact(ctx, user, func(info *types.ContactInfo) bool {
		changed, previous = info.BusinessName != name, info.BusinessName
		info.BusinessName = name
		return changed
	})
	return changed && err == nil, previous, err
}

// PutContactName takes the first name first: the interface names its strings the other way round, the library's only
// caller passes them so.
func (s *keyStore) PutContactName(ctx context.Context, user types.JID, first, full string) error {
	return s.amendContact(ctx, user, func(info *types.ContactInfo) bool {
		changed := info.FirstName != first || info.FullName != full
		info.FirstName, info.FullName = first, full
		return changed
	})
}

func (s *keyStore) PutAllContactNames(ctx context.Context, contacts []store.ContactEntry) error {
	ids := make([]string, len(contacts))
	for i, contact := range contacts {
		ids[i] = s.contactID(contact.JID)
	}
	if _, err := s.valuesOf(ctx, ids...); err != nil { // one read instead of one for each
		return err
	}
	for _, contact := range contacts {
		if err := s.PutContactName(ctx, contact.JID, contact.FirstName, contact.FullName); err != nil {
			return err
		}
	}
	return nil
}

func (s *keyStore) PutManyRedactedPhones(ctx context.Context, entries []store.RedactedPhoneEntry) error {
	for _, entry := range entries {
		err := s.amendContact(ctx, entry.JID, func(info *types.ContactInfo) bool {
			changed := info.RedactedPhone != entry.RedactedPhone
			info.RedactedPhone = entry.RedactedPhone
			return changed
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *keyStore) GetContact(ctx context.Context, user types.JID) (types.ContactInfo, error) {
	return s.contact(ctx, user)
}

func (s *keyStore) GetAllContacts(ctx context.Context) (map[types.JID]types.ContactInfo, error) {
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	rows, err := s.archive.read(ctx, below(s.prefix+"contact/"))
	if err != nil {
		return nil, s.failed(ctx, err)
	}
	contacts := make(map[types.JID]types.ContactInfo, len(rows))
	for id := range rows {
		user, err := types.ParseJID(strings.TrimPrefix(id, s.prefix+"contact/"))
		if err != nil {
			continue
		}
		if contacts[user], err = s.contact(ctx, user); err != nil {
			return nil, err
		}
	}
	return contacts, nil
}

// --- chat settings ----------------------------------------------------------------------------------------------------

type chatSettings struct {
	MutedUntil int64 `msgpack:"m"` // s; -1 for ever
	Pinned     bool  `msgpack:"p"`
	Archived   bool  `msgpack:"a"`
}

func (s *keyStore) chatID(chat types.JID) string { return s.prefix + "chat/" + chat.String() }

func (s *keyStore) chatSettings(ctx context.Context, chat types.JID) (settings chatSettings, found bool, err error) {
	plaintext, err := s.value(ctx, s.chatID(chat))
	if err != nil || plaintext == nil {
		return settings, false, err
	}
	if err = msgpack.Unmarshal(plaintext, &settings); err != nil {
		return settings, false, s.failed(ctx, err)
	}
	return settings, true, nil
}

func (s *keyStore) amendChat(ctx context.Context, chat types.JID, apply func(*chatSettings)) error {
	settings, _, err := s.chatSettings(ctx, chat)
	if err != nil {
		return err
	}
	apply(&settings)
	plaintext, err := msgpack.Marshal(settings)
	if err != nil {
		return s.failed(ctx, err)
	}
	return s.putLater(ctx, s.chatID(chat), plaintext)
}

func (s *keyStore) PutMutedUntil(ctx context.Context, chat types.JID, until time.Time) error {
	return s.amendChat(ctx, chat, func(settings *chatSettings) {
		switch {
		case until.Equal(store.MutedForever):
			settings.MutedUntil = -1
		case until.IsZero():
			settings.MutedUntil = 0
		default:
			settings.MutedUntil = until.Unix()
		}
	})
}

func (s *keyStore) PutPinned(ctx context.Context, chat types.JID, pinned bool) error {
	return s.amendChat(ctx, chat, func(settings *chatSettings) { settings.Pinned = pinned })
}

func (s *keyStore) PutArchived(ctx context.Context, chat types.JID, archived bool) error {
	return s.amendChat(ctx, chat, func(settings *chatSettings) { settings.Archived = archived })
}

func (s *keyStore) GetChatSettings(ctx context.Context, chat types.JID) (types.LocalChatSettings, error) {
	settings, found, err := s.chatSettings(ctx, chat)
	told := types.LocalChatSettings{Found: found, Pinned: settings.Pinned, Archived: settings.Archived}
	if settings.MutedUntil < 0 {
		told.MutedUntil = store.MutedForever
	} else if settings.MutedUntil > 0 {
		told.MutedUntil = time.Unix(settings.MutedUntil, 0)
	}
	return told, err
}

// --- phone numbers and LIDs -------------------------------------------------------------------------------------------

func (s *keyStore) lidOfID(pn string) string { return s.prefix + "lidof/" + pn }

func (s *keyStore) pnOfID(lid string) string { return s.prefix + "pnof/" + lid }

func (s *keyStore) PutLIDMapping(ctx context.Context, lid, pn types.JID) error {
	return s.PutManyLIDMappings(ctx, []store.LIDMapping{{LID: lid, PN: pn}})
}

func (s *keyStore) PutManyLIDMappings(ctx context.Context, mappings []store.LIDMapping) error {
	ids := make([]string, 0, 2*len(mappings))
	for _, m := range mappings {
		ids = append(ids, s.lidOfID(m.PN.User), s.pnOfID(m.LID.User))
	}
	known, err := s.valuesOf(ctx, ids...)
	if err != nil {
		return err
	}
	for _, m := range mappings {
		if m.LID.Server != types.HiddenUserServer || m.PN.Server != types.DefaultUserServer {
			continue
		}
		for id, user := range map[string]string{s.lidOfID(m.PN.User): m.LID.User, s.pnOfID(m.LID.User): m.PN.User} {
			if string(known[id]) == user {
				continue
			}
			if err := s.putLater(ctx, id, []byte(user)); err != nil {
				return err
			}
		}
	}
	return nil
}

// putSpelling remembers whose another spelling of a number is; the account's own number stays what it is.
func (s *keyStore) putSpelling(ctx context.Context, pn, lid types.JID) error {
	return s.putLater(ctx, s.lidOfID(pn.User), []byte(lid.User))
}

// GetPNForLID keeps the device of the question; the answer is empty when the number is not known.
func (s *keyStore) GetPNForLID(ctx context.Context, lid types.JID) (types.JID, error) {
	if lid.Server != types.HiddenUserServer {
		return types.JID{}, nil
	}
	user, err := s.value(ctx, s.pnOfID(lid.User))
	if err != nil || user == nil {
		return types.JID{}, err
	}
	return types.JID{User: string(user), Device: lid.Device, Server: types.DefaultUserServer}, nil
}

// GetLIDForPN keeps the device of the question; the answer is empty when the LID is not known.
func (s *keyStore) GetLIDForPN(ctx context.Context, pn types.JID) (types.JID, error) {
	if pn.Server != types.DefaultUserServer {
		return types.JID{}, nil
	}
	user, err := s.value(ctx, s.lidOfID(pn.User))
	if err != nil || user == nil {
		return types.JID{}, err
	}
	return types.JID{User: string(user), Device: pn.Device, Server: types.HiddenUserServer}, nil
}

func (s *keyStore) GetManyLIDsForPNs(ctx context.Context, pns []types.JID) (map[types.JID]types.JID, error) {
	ids := make([]string, len(pns))
	for i, pn := range pns {
		ids[i] = s.lidOfID(pn.User)
	}
	known, err := s.valuesOf(ctx, ids...)
	if err != nil {
		return nil, err
	}
	lids := make(map[types.JID]types.JID, len(pns))
	for i, pn := range pns {
		if user, ok := known[ids[i]]; ok && pn.Server == types.DefaultUserServer {
			lids[pn] = types.JID{User: string(user), Device: pn.Device, Server: types.HiddenUserServer}
		}
	}
	return lids, nil
}
