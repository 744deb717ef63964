// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"time"

	"go.mau.fi/util/random"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// Attributes made here are strings or JIDs only, as they are after a trip over
// the wire, so that a stanza reads the same before and after one.
type (
	stanza     = waBinary.Node
	attributes = waBinary.Attrs
)

func attribute(node *stanza, name string) string {
	switch value := node.Attrs[name].(type) {
	case nil:
		return ""
	case string:
		return value
	default:
		return fmt.Sprint(value)
	}
}

// jidAttribute returns the empty JID when the attribute is absent or no JID.
func jidAttribute(node *stanza, name string) types.JID {
	switch value := node.Attrs[name].(type) {
	case types.JID:
		return value
	case string:
		parsed, err := types.ParseJID(value)
		if err == nil {
			return parsed
		}
	}
	return types.EmptyJID
}

func content(node stanza) []byte {
	switch value := node.Content.(type) {
	case []byte:
		return value
	case string:
		return []byte(value)
	default:
		return nil
	}
}

// copyAttributes takes those of the named attributes that exist.
func copyAttributes(from *stanza, into attributes, names ...string) {
	for _, name := range names {
		if value, exists := from.Attrs[name]; exists {
			into[name] = value
		}
	}
}

// parseFrame turns an opened frame into its stanza.
func parseFrame(frame []byte) (*stanza, error) {
	if len(frame) == 0 {
		return nil, fmt.Errorf("an empty frame")
	}
	unpacked, err := waBinary.Unpack(frame)
	if err != nil {
		return nil, err
	}
	return waBinary.Unmarshal(unpacked)
}

func unixSeconds(at time.Time) string {
	return strconv.FormatInt(at.Unix(), 10)
}

// bigEndian writes a number in as many bytes as the protocol gives it.
func bigEndian(number uint32, size int) []byte {
	var whole [4]byte
	binary.BigEndian.PutUint32(whole[:], number)
	return append([]byte(nil), whole[4-size:]...)
}

func fromBigEndian(raw []byte) uint32 {
	var number uint32
	for _, digit := range raw {
		number = number<<8 | uint32(digit)
	}
	return number
}

// padded and unpadded follow WhatsApp: n bytes of value n at the end.
func padded(plaintext []byte) []byte {
	return append(append([]byte(nil), plaintext...), 1)
}

func unpadded(plaintext []byte) ([]byte, error) {
	if len(plaintext) == 0 {
		return nil, fmt.Errorf("an empty plaintext")
	}
	padding := int(plaintext[len(plaintext)-1])
	if padding == 0 || padding > len(plaintext) {
		return nil, fmt.Errorf("wrong padding")
	}
	return plaintext[:len(plaintext)-padding], nil
}

func childrenOf(node *stanza, tag string) []stanza {
	child := node.GetChildByTag(tag)
	return child.GetChildren()
}

func decimal(number int) string { return strconv.Itoa(number) }

func now() time.Time { return time.Now() }

// newStanzaID names a notification of the server.
func newStanzaID() string {
	return strconv.FormatUint(uint64(fromBigEndian(random.Bytes(4)))<<16|uint64(fromBigEndian(random.Bytes(2))), 10)
}
