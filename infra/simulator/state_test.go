// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

func openedJournal(t *testing.T, dir string) *journal {
	t.Helper()
	book, err := openJournal(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(book.close)
	return book
}

func committed(t *testing.T, book *journal) {
	t.Helper()
	if err := book.commit(); err != nil {
		t.Fatal(err)
	}
}

func word(t *testing.T, book *journal, key string) string {
	t.Helper()
	var value string
	if _, err := book.get(key, &value); err != nil {
		t.Fatal(err)
	}
	return value
}

func TestATornLastCommitIsCutOffAndTheJournalGoesOn(t *testing.T) {
	dir := t.TempDir()
	book := openedJournal(t, dir)
	book.put("a/1", "whole")
	committed(t, book)
	book.close()
	file, err := os.OpenFile(filepath.Join(dir, "state.log"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(`[{"k":"a/1","v":"torn"},{"k":"a/2"`); err != nil {
		t.Fatal(err)
	}
	file.Close()

	book = openedJournal(t, dir)
	if word(t, book, "a/1") != "whole" {
		t.Fatal("a torn commit was applied")
	}
	book.put("a/3", "next")
	committed(t, book)
	book.close()
	if book = openedJournal(t, dir); word(t, book, "a/3") != "next" {
		t.Fatal("what followed a torn commit is lost")
	}
}

func TestACompactedJournalHoldsTheLivingRowsAndGoesOn(t *testing.T) {
	dir := t.TempDir()
	book := openedJournal(t, dir)
	book.put("a/1", "gone")
	book.put("a/2", "stays")
	committed(t, book)
	book.remove("a/1")
	committed(t, book)
	if err := book.compact(); err != nil {
		t.Fatal(err)
	}
	book.put("a/3", "later")
	committed(t, book)
	book.close()

	book = openedJournal(t, dir)
	var keys []string
	if err := book.each("a/", func(key string, _ json.RawMessage) error {
		keys = append(keys, key)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(keys) != 2 || word(t, book, "a/2") != "stays" || word(t, book, "a/3") != "later" {
		t.Fatalf("holds %v", keys)
	}
}
