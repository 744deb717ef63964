// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
)

// This file: what strangers send in any length is read in linear time. Each budget is a hundred times what that takes, and a
// tenth of what walking through one list for each entry of another does.

func cpuOf(t *testing.T, work func()) time.Duration {
	t.Helper()
	var before, after syscall.Rusage
	must(t, syscall.Getrusage(syscall.RUSAGE_SELF, &before))
	work()
	must(t, syscall.Getrusage(syscall.RUSAGE_SELF, &after))
	return time.Duration(after.Utime.Nano() - before.Utime.Nano())
}

func TestAVoteOfManyOptionsIsReadInLinearTime(t *testing.T) {
	options := make([]string, 200_000)
	for i := range options {
		options[i] = fmt.Sprint(i)
	}
	hashes := make([][]byte, len(options))
	for i := range hashes {
		hashes[i] = make([]byte, 32)
		hashes[i][0], hashes[i][1], hashes[i][2] = byte(i), byte(i>>8), byte(i>>16)
	}
	hashes = append(hashes, whatsmeow.HashPollOptions(options[7:8])...)

	var chosen []string
	took := cpuOf(t, func() { chosen = (&keptPoll{Options: options}).chosen(hashes) })

	if len(chosen) != 1 || chosen[0] != "7" || took > 10*time.Second {
		t.Errorf("%d options were chosen in %s", len(chosen), took)
	}
}

func TestAVoteTellsNoMoreThanFits(t *testing.T) {
	options := make([]string, 100)
	for i := range options {
		options[i] = fmt.Sprintf("%02d", i) + strings.Repeat("x", 1022)
	}
	if chosen := (&keptPoll{Options: options}).chosen(whatsmeow.HashPollOptions(options)); len(chosen) != largestVote/1024 {
		t.Errorf("%d options of a kilobyte are told", len(chosen))
	}
}

func TestNamesInATextAreReplacedInOneWalk(t *testing.T) {
	words := "@111 and @222, @111"
	named := []string{"@111", "@222", "@222", "@333"}

	if got := *renamed(&words, named); got != "@222 and @333, @222" {
		t.Errorf("the text became %q", got)
	}
	if renamed(nil, named) != nil || renamed(&words, nil) != &words {
		t.Error("what names nobody was changed")
	}
}

func TestASoundOfEmptyPacketsIsLookedIntoNoFurtherThanSixHours(t *testing.T) {
	page := oggPage(opusPerSecond, make([][]byte, 250)...)
	file := opusFile(1, 0, nil, nil)
	for range mostPackets/250 + 100 {
		file = append(file, page...)
	}
	file = append(file, oggPage(99*opusPerSecond, nil)...)

	if heard := soundOf(file); heard == nil || heard.Seconds != 1 {
		t.Errorf("heard was %+v", heard)
	}
}
