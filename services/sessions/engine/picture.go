// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	_ "image/gif" // decodes what customers send
	"image/jpeg"
	_ "image/png" // decodes what customers send
)

const (
	thumbnailSide   = 72
	thumbnailPixels = 16_000_000 // larger pictures go without: decoding them costs too much memory
)

// picture is what a message tells of an image before it is loaded: its size, and a small copy where one can be made.
type picture struct {
	Width    uint32 `msgpack:"w"`
	Height   uint32 `msgpack:"h"`
	Small    []byte `msgpack:"t"` // JPEG
	Animated bool   `msgpack:"a"`
}

// pictureOf returns nil for what is no JPEG, PNG, GIF or WebP, and for pictures too large to decode.
func pictureOf(encoded []byte) *picture {
	if sticker := webpOf(encoded); sticker != nil {
		return sticker
	}
	config, _, err := image.DecodeConfig(bytes.NewReader(encoded))
	if err != nil || config.Width*config.Height > thumbnailPixels || config.Width*config.Height == 0 {
		return nil
	}
	decoded, _, err := image.Decode(bytes.NewReader(encoded))
	if err != nil {
		return nil
	}
	var out bytes.Buffer
	if jpeg.Encode(&out, shrunk(decoded), &jpeg.Options{Quality: 60}) != nil {
		return nil
	}
	return &picture{Width: uint32(config.Width), Height: uint32(config.Height), Small: out.Bytes()}
}

// webpOf reads the size from the header of the three kinds of WebP (RFC 9649), and whether it moves.
func webpOf(encoded []byte) *picture {
	if len(encoded) < 30 || string(encoded[:4]) != "RIFF" || string(encoded[8:12]) != "WEBP" {
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

// shrunk scales a picture into a square of thumbnailSide by picking the nearest pixels.
func shrunk(picture image.Image) image.Image {
	from := picture.Bounds()
	longest := max(from.Dx(), from.Dy())
	width, height := max(1, from.Dx()*thumbnailSide/longest), max(1, from.Dy()*thumbnailSide/longest)
	small := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			small.Set(x, y, color.RGBAModel.Convert(picture.At(from.Min.X+x*from.Dx()/width, from.Min.Y+y*from.Dy()/height)))
		}
	}
	return small
}
