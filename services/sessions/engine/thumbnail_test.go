// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"image"
	"image/jpeg"
	"syscall"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
)

// progressive is a grey picture in a progressive JPEG of any number of scans, in one component.
func progressive(width, height, scans int) []byte { return progressiveOf(1, width, height, scans) }

// progressiveOf has components that all have the picture's size. Each scan but the first says of every block that
// it is empty, 16,384 blocks with one code, so that a few bytes make a decoder walk through the whole picture.
func progressiveOf(components byte, width, height, scans int) []byte {
	blocks := (width + 7) / 8 * ((height + 7) / 8)
	file := []byte{0xff, markerSOI}
	segment := func(marker byte, body ...byte) {
		file = append(file, 0xff, marker)
		file = binary.BigEndian.AppendUint16(file, uint16(len(body)+2))
		file = append(file, body...)
	}
	table := func(class, symbol byte) []byte { // one code of one bit, 0
		return append([]byte{class, 1}, append(make([]byte, 15), symbol)...)
	}
	segment(0xdb, append([]byte{0}, bytes.Repeat([]byte{1}, 64)...)...)
	shape, first := []byte{components}, []byte{components}
	for id := byte(1); id <= components; id++ {
		shape, first = append(shape, id, 0x11, 0), append(first, id, 0)
	}
	segment(0xee, []byte("Adobe\x00\x64\x00\x00\x00\x00\x00")...) // whoever has four components says which
	segment(0xc2, append([]byte{8, byte(height >> 8), byte(height), byte(width >> 8), byte(width)}, shape...)...)
	segment(0xc4, table(0x00, 0)...)    // of DC: no difference
	segment(0xc4, table(0x10, 0xe0)...) // of AC: 2^14 empty blocks, and 14 bits more
	segment(markerSOS, append(first, 0, 0, 0)...)
	file = append(file, make([]byte, int(components)*blocks/8+1)...)
	for range scans - 1 {
		segment(markerSOS, 1, 1, 0, 1, 63, 0)
		file = append(file, make([]byte, (blocks/16_384+1)*15/8+1)...)
	}
	return append(file, 0xff, markerEOI)
}

func baseline(t testing.TB, width, height int) []byte {
	t.Helper()
	var out bytes.Buffer
	must(t, jpeg.Encode(&out, image.NewGray(image.Rect(0, 0, width, height)), nil))
	return out.Bytes()
}

func TestScansAreCounted(t *testing.T) {
	usual := baseline(t, 64, 64)
	exif := append([]byte{0xff, 0xe1}, binary.BigEndian.AppendUint16(nil, uint16(len(usual)+2))...)
	within := append(append(bytes.Clone(usual[:2]), append(exif, usual...)...), usual[2:]...)
	for name, want := range map[string]struct {
		file  []byte
		scans int
	}{
		"a usual one":               {usual, 1},
		"ten":                       {progressive(64, 64, 10), 10},
		"no more than asked":        {progressive(64, 64, 500), 100},
		"with one in its EXIF":      {within, 1},
		"with fillers":              {bytes.ReplaceAll(progressive(64, 64, 3), []byte{0xff, markerSOS}, []byte{0xff, 0xff, 0xff, markerSOS}), 3},
		"with restarts and escapes": {bytes.Replace(usual, []byte{0xff, markerEOI}, []byte{0xff, 0, 0xff, markerRST, 0xff, markerEOI}, 1), 1},
		"cut within a segment":      {progressive(64, 64, 3)[:30], 0},
		"no JPEG":                   {[]byte("\x89PNG\xff\xda"), 0},
		"nothing":                   {nil, 0},
	} {
		if scans := scansIn(want.file, 100); scans != want.scans {
			t.Errorf("%s: %d scans", name, scans)
		}
	}
	for cut := range within { // never a panic, whatever is cut off
		scansIn(within[:cut], 100)
	}
}

func TestWhatATooCostlyPictureIs(t *testing.T) {
	for name, want := range map[string]struct {
		file  []byte
		fault bool
	}{
		"a photo":               {progressive(4000, 3000, 10), false},
		"a photo of most scans": {progressive(64, 64, thumbnailScans), false},
		"a scan more":           {progressive(64, 64, thumbnailScans+1), true},
		"most pixels":           {progressive(4000, 4000, 1), false},
		"a row more":            {progressive(4000, 4001, 1), true},
	} {
		if reason := tooCostly(pictureOf(want.file), want.file); (reason != "") != want.fault {
			t.Errorf("%s: %q", name, reason)
		}
	}
}

func TestAPictureIsDecodedApart(t *testing.T) {
	for name, file := range map[string][]byte{
		"baseline": baseline(t, 300, 200), "of most pixels": progressiveOf(3, 4000, 4000, 10), "for print": progressiveOf(4, 4000, 4000, 10),
	} {
		small, err := decodedApart(t.Context(), file)
		must(t, err)
		config, err := jpeg.DecodeConfig(bytes.NewReader(small))
		if err != nil || config.Width != thumbnailSide {
			t.Errorf("%s: the thumbnail is %+v, %v", name, config, err)
		}
	}
	for name, file := range map[string][]byte{"no picture": []byte("no picture"), "nothing": nil, "cut": baseline(t, 300, 200)[:400]} {
		if small, err := decodedApart(t.Context(), file); err == nil || small != nil {
			t.Errorf("%s has a thumbnail of %d bytes", name, len(small))
		}
	}
}

// ofChildren returns the CPU time of all processes that this one has started and awaited, and the most memory of one.
func ofChildren(t *testing.T) (cpu time.Duration, memoryBytes int64) {
	t.Helper()
	var used syscall.Rusage
	must(t, syscall.Getrusage(syscall.RUSAGE_CHILDREN, &used))
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()), used.Maxrss << 10
}

// These go past tooCostly: the process bounds itself.
func TestDecodingIsBoundedByItself(t *testing.T) {
	const spareCPU = time.Second // of what the kernel counts in whole seconds
	for name, file := range map[string][]byte{
		"minutes of CPU time": progressive(4000, 4000, 20_000), "gigabytes of memory": progressive(30_000, 30_000, 2),
	} {
		before, _ := ofChildren(t)
		small, err := decodedApart(context.Background(), file)
		after, memory := ofChildren(t)
		if err == nil {
			t.Errorf("%s: a thumbnail of %d bytes", name, len(small))
		}
		if took := after - before; took > thumbnailCPUSeconds*time.Second+spareCPU {
			t.Errorf("%s: %s of CPU time", name, took)
		}
		if most := int64(thumbnailMemoryBytes + 64<<20); memory > most {
			t.Errorf("%s: %d bytes", name, memory)
		}
		t.Logf("%s: %s, %d MB, %v", name, after-before, memory>>20, err)
	}
}

func TestThumbnailsBeyondThePlacesAreNotMade(t *testing.T) {
	drawn := newThumbnails()
	for range cap(drawn.places) {
		drawn.places <- struct{}{}
	}
	shape := drawn.drawnFor(t.Context(), "s1", baseline(t, 300, 200))
	if shape == nil || shape.Width != 300 || shape.Height != 200 || shape.Small != nil {
		t.Errorf("without a place the picture is %+v", shape)
	}
	<-drawn.places
	if shape = drawn.drawnFor(t.Context(), "s1", baseline(t, 300, 200)); shape.Small == nil {
		t.Error("with a place there is no thumbnail")
	}
}

// What was uploaded is remembered with what was seen in it.
func TestAPictureIsSentWithOrWithoutItsThumbnail(t *testing.T) {
	sim, a := startSimulation(t), testArchive(t)
	o := startWorker(t, a, sim)
	c := o.link(sim, "s1", ours)
	sim.call("POST", "/phones", map[string]any{"number": theirs, "name": "T"})
	for id, want := range map[string]struct {
		file  []byte
		small bool
	}{
		"usual": {progressive(4000, 3000, 10), true}, "scans": {progressive(4000, 4000, 600), false}, "damaged": {progressive(300, 200, 3)[:200], false},
	} {
		o.storeMedium(id, want.file)
		o.mustSend("s1", theirs, "3EB0"+id, content{Type: "image", MediaID: id, Mimetype: "image/jpeg"})
		seen, err := c.store.uploadOf(t.Context(), whatsmeow.MediaImage, id)
		must(t, err)
		if seen == nil || seen.Picture == nil || seen.Picture.Width == 0 || (seen.Picture.Small != nil) != want.small {
			t.Errorf("%s: %+v", id, seen)
		}
	}
}
