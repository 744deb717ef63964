// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	_ "image/gif"  // reads what customers send
	_ "image/jpeg" // reads what customers send
	_ "image/png"  // reads what customers send
)

const (
	thumbnailPixels = 16_000_000 // decoding more costs too much memory
	thumbnailScans  = 32         // encoders make about ten; a decoder goes through the whole picture for each
)

// picture is what a message tells of an image before it is loaded: its size, and a small copy where one can be made.
type picture struct {
	Width    uint32 `msgpack:"w"`
	Height   uint32 `msgpack:"h"`
	Small    []byte `msgpack:"t"` // JPEG
	Animated bool   `msgpack:"a"`
}

// pictureOf reads the head alone: it decodes nothing, and Small stays empty. nil for what is no JPEG, PNG, GIF or WebP.
func pictureOf(encoded []byte) *picture {
	if sticker := webpOf(encoded); sticker != nil {
		return sticker
	}
	config, _, err := image.DecodeConfig(bytes.NewReader(encoded))
	if err != nil || config.Width <= 0 || config.Height <= 0 {
		return nil
	}
	return &picture{Width: uint32(config.Width), Height: uint32(config.Height)}
}

// tooCostly says why a picture is not decoded for a thumbnail; empty when it may be.
func tooCostly(shape *picture, encoded []byte) string {
	if pixels := uint64(shape.Width) * uint64(shape.Height); pixels > thumbnailPixels {
		return fmt.Sprintf("it has %d pixels", pixels)
	}
	if scans := scansIn(encoded, thumbnailScans+1); scans > thumbnailScans {
		return fmt.Sprintf("it has more than %d scans", thumbnailScans)
	}
	return ""
}

func isWebP(encoded []byte) bool {
	return len(encoded) >= 30 && string(encoded[:4]) == "RIFF" && string(encoded[8:12]) == "WEBP"
}

// webpOf reads the size from the header of the three kinds of WebP (RFC 9649), and whether it moves.
func webpOf(encoded []byte) *picture {
	if !isWebP(encoded) {
		return nil
	}
	first := encoded[20:]
	switch string(encoded[12:16]) {
	case "VP8X":
		return &picture{
			Width: 1 + (uint32(first[4]) | uint32(first[5])<<8 | uint32(first[6])<<16), Animated: first[0]&2 != 0,
			Height: 1 + (uint32(first[7]) | uint32(first[8])<<8 | uint32(first[9])<<16),
		}
	case "VP8L":
		size := binary.LittleEndian.Uint32(first[1:])
		return &picture{Width: 1 + size&0x3fff, Height: 1 + size>>14&0x3fff}
	case "VP8 ":
		return &picture{
			Width: uint32(binary.LittleEndian.Uint16(first[6:]) & 0x3fff), Height: uint32(binary.LittleEndian.Uint16(first[8:]) & 0x3fff),
		}
	}
	return nil
}
