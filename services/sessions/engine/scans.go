// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"encoding/binary"
)

// Markers of JPEG (ITU T.81, table B.1).
const (
	markerTEM = 0x01
	markerRST = 0xd0 // to 0xd7
	markerSOI = 0xd8
	markerEOI = 0xd9
	markerSOS = 0xda
)

// scansIn counts the scans of a JPEG, no further than `most`; 0 for what is none. It looks at each byte once at most.
func scansIn(encoded []byte, most int) int {
	if !bytes.HasPrefix(encoded, []byte{0xff, markerSOI}) {
		return 0
	}
	scans := 0
	for rest := encoded[2:]; scans < most; {
		at := bytes.IndexByte(rest, 0xff) // what stands before it is a scan's data, or garbage that decoders skip
		if at < 0 || at+1 == len(rest) {
			break
		}
		marker := rest[at+1]
		switch {
		case marker == 0xff: // a filler: the marker follows
			rest = rest[at+1:]
			continue
		case marker == 0 || marker == markerTEM || marker >= markerRST && marker <= markerSOI:
			rest = rest[at+2:]
			continue
		case marker == markerEOI:
			return scans
		case marker == markerSOS:
			scans++
		}
		rest = behindSegment(rest[at+2:])
	}
	return scans
}

// behindSegment skips what a marker carries: two bytes tell how long it is, themselves included.
func behindSegment(rest []byte) []byte {
	if len(rest) < 2 {
		return nil
	}
	return rest[min(len(rest), int(binary.BigEndian.Uint16(rest))):]
}
