// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/png"
	"testing"
)

// oggPage is one page of a stream; every packet is shorter than 255 bytes.
func oggPage(granule uint64, packets ...[]byte) []byte {
	page := append([]byte("OggS\x00\x00"), binary.LittleEndian.AppendUint64(nil, granule)...)
	page = append(page, make([]byte, 12)...) // serial, sequence, checksum
	page = append(page, byte(len(packets)))
	for _, packet := range packets {
		page = append(page, byte(len(packet)))
	}
	return append(page, bytes.Join(packets, nil)...)
}

func opusFile(seconds uint64, skipped uint16, packets ...[]byte) []byte {
	head := append([]byte("OpusHead\x01\x01"), binary.LittleEndian.AppendUint16(nil, skipped)...)
	head = append(head, make([]byte, 7)...)
	file := append(oggPage(0, head), oggPage(0, []byte("OpusTags"))...)
	return append(file, oggPage(seconds*opusPerSecond+uint64(skipped), packets...)...)
}

func TestTheLengthOfAVoiceNoteIsItsLastGranule(t *testing.T) {
	file := opusFile(7, 312, make([]byte, 10), make([]byte, 200))

	heard := soundOf(file)

	if heard == nil || heard.Seconds != 7 || len(heard.Waveform) != waveformBars {
		t.Fatalf("heard was %+v", heard)
	}
	if first, last := heard.Waveform[0], heard.Waveform[waveformBars-1]; first != 5 || last != 100 {
		t.Errorf("the bars go from %d to %d", first, last)
	}
}

func TestWhatWasMeasuredBeforeWinsOverWhatSizesTell(t *testing.T) {
	seconds, drawn := uint32(7), bytes.Repeat([]byte{50}, waveformBars)
	guessed := &uploaded{Sound: &sound{Seconds: 9, Waveform: make([]byte, waveformBars)}}
	given := &content{Type: "voice", Mimetype: "audio/ogg; codecs=opus", Seconds: &seconds, Waveform: drawn}

	if audio := audioMessage(given, guessed, nil); audio.GetSeconds() != 7 || !bytes.Equal(audio.Waveform, drawn) {
		t.Errorf("what was measured is not told: %v", audio)
	}
	given.Waveform = drawn[1:]
	if audio := audioMessage(given, guessed, nil); audio.GetSeconds() != 9 || len(audio.Waveform) != waveformBars {
		t.Errorf("a waveform that phones do not draw is told: %v", audio)
	}
}

func TestWhatIsNoOpusHasNoLength(t *testing.T) {
	whole := opusFile(3, 0, make([]byte, 10))
	vorbis := bytes.Replace(whole, []byte("OpusHead"), []byte("\x01vorbis "), 1)
	for name, file := range map[string][]byte{"nothing": nil, "noise": make([]byte, 4000), "vorbis": vorbis, "cut off": whole[:20]} {
		if heard := soundOf(file); heard != nil {
			t.Errorf("%s: %+v", name, heard)
		}
	}
	for cut := range whole { // never a panic, whatever is cut off
		soundOf(whole[:cut])
	}
}

func TestTheSizeOfAPictureIsRead(t *testing.T) {
	riff := func(chunk string, body ...byte) []byte {
		return append([]byte("RIFF\x00\x00\x00\x00WEBP"+chunk+"\x00\x00\x00\x00"), append(body, make([]byte, 20)...)...)
	}
	var encoded bytes.Buffer
	must(t, png.Encode(&encoded, image.NewRGBA(image.Rect(0, 0, 300, 200))))
	for name, want := range map[string]struct {
		file          []byte
		width, height uint32
		animated      bool
	}{
		"moving webp":   {riff("VP8X", 2, 0, 0, 0, 255, 1, 0, 99, 0, 0), 512, 100, true},
		"still webp":    {riff("VP8X", 0, 0, 0, 0, 255, 1, 0, 99, 0, 0), 512, 100, false},
		"lossless webp": {riff("VP8L", 0x2f, 0xff, 0xc1, 0x18, 0), 512, 100, false},
		"simple webp":   {riff("VP8 ", 0, 0, 0, 0x9d, 1, 0x2a, 0, 2, 100, 0), 512, 100, false},
		"png":           {encoded.Bytes(), 300, 200, false},
	} {
		seen := pictureOf(want.file)
		if seen == nil || seen.Width != want.width || seen.Height != want.height || seen.Animated != want.animated {
			t.Errorf("%s: %+v", name, seen)
		}
	}
	if seen := pictureOf([]byte("no picture")); seen != nil {
		t.Errorf("a text has the size %+v", seen)
	}
}
