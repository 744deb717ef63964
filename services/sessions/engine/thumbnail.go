// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"runtime"
	"runtime/debug"

	"golang.org/x/sys/unix"
)

// This file: the program `engine thumbnail`, which decodes one picture in a process of its own. It reads the picture from
// standard input and writes a small JPEG to standard output; it ends with an error where there is none, or beyond its limits.

const (
	thumbnailMode        = "thumbnail"
	thumbnailSide        = 72
	thumbnailMemoryBytes = 512 << 20 // a progressive picture of the most pixels takes two thirds of it
	thumbnailCPUSeconds  = 5
	thumbnailNice        = 10 // who waits for an answer goes first
)

// makeThumbnail is the whole program.
func makeThumbnail(in io.Reader, out io.Writer) error {
	if err := confine(); err != nil {
		return err
	}
	encoded, err := io.ReadAll(io.LimitReader(in, inMemoryBytes))
	if err != nil {
		return err
	}
	decoded, _, err := image.Decode(bytes.NewReader(encoded))
	if err != nil {
		return err
	}
	return jpeg.Encode(out, shrunk(decoded), &jpeg.Options{Quality: 60})
}

// confine bounds this process for good: CPU time, memory, no file and no socket, nothing written, no core.
func confine() error {
	runtime.GOMAXPROCS(1)
	debug.SetMemoryLimit(thumbnailMemoryBytes / 4 * 3) // garbage goes before the hard limit comes
	if err := unix.Setpriority(unix.PRIO_PROCESS, 0, thumbnailNice); err != nil {
		return err
	}
	for resource, most := range map[int]uint64{
		unix.RLIMIT_CPU:    thumbnailCPUSeconds, // at the hard limit the kernel kills; Go ignores the soft one's signal
		unix.RLIMIT_DATA:   thumbnailMemoryBytes,
		unix.RLIMIT_NOFILE: 3,
		unix.RLIMIT_FSIZE:  0,
		unix.RLIMIT_CORE:   0,
	} {
		var now unix.Rlimit
		if err := unix.Getrlimit(resource, &now); err != nil {
			return err
		}
		most = min(most, now.Max)
		if err := unix.Setrlimit(resource, &unix.Rlimit{Cur: most, Max: most}); err != nil {
			return err
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
