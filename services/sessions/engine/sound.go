// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"encoding/binary"
)

const (
	opusPerSecond = 48_000 // granules of Opus in Ogg, whatever the sound was recorded with (RFC 7845)
	waveformBars  = 64
	waveformTop   = 100
	oggHeader     = 27
	mostPackets   = 1 << 20 // of 20 ms: almost six hours
)

// sound is what a message tells of an audio file before it is played.
type sound struct {
	Seconds  uint32 `msgpack:"s"`
	Waveform []byte `msgpack:"w"` // 64 bars of 0 to 100
}

// soundOf measures Opus in Ogg; nil for anything else. The length is the last page's granule; the bars follow the sizes
// of the packets, which grow with what is to be heard: near enough for a picture, and nothing is decoded.
func soundOf(file []byte) *sound {
	var packets []int
	var granules, skipped uint64
	isOpus := false
	for packet := 0; len(file) >= oggHeader && len(packets) < mostPackets && bytes.HasPrefix(file, []byte("OggS")); {
		segments := int(file[oggHeader-1])
		if len(file) < oggHeader+segments {
			break
		}
		if granule := binary.LittleEndian.Uint64(file[6:]); granule != ^uint64(0) { // no packet ends on that page
			granules = max(granules, granule)
		}
		body := file[oggHeader+segments:]
		if bytes.HasPrefix(body, []byte("OpusHead")) && len(body) >= 12 {
			isOpus, skipped = true, uint64(binary.LittleEndian.Uint16(body[10:]))
		}
		length := 0
		for _, lacing := range file[oggHeader : oggHeader+segments] {
			length, packet = length+int(lacing), packet+int(lacing)
			if lacing < 255 {
				packets, packet = append(packets, packet), 0
			}
		}
		file = body[min(length, len(body)):]
	}
	if !isOpus || len(packets) < 3 || granules <= skipped {
		return nil
	}
	seconds := (granules - skipped + opusPerSecond/2) / opusPerSecond
	return &sound{Seconds: max(1, uint32(seconds)), Waveform: bars(packets[2:])} // behind the two headers
}

// bars draws sizes as bars of 0 to 100.
func bars(sizes []int) []byte {
	largest := 1
	for _, size := range sizes {
		largest = max(largest, size)
	}
	drawn := make([]byte, waveformBars)
	for bar := range drawn {
		from := bar * len(sizes) / waveformBars
		to := max(from+1, (bar+1)*len(sizes)/waveformBars)
		sum := 0
		for _, size := range sizes[from:to] {
			sum += size
		}
		drawn[bar] = byte(sum * waveformTop / (to - from) / largest)
	}
	return drawn
}
