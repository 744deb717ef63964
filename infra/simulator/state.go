// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
)

const compactAbove = 64 << 20

// journal keeps the network's rows in memory and in one append-only file. A
// commit is one line in one write, so a killed process leaves whole commits
// and at most one torn last line, which the next start cuts off. There is no
// fsync: it survives the death of the process, not of the machine.
type journal struct {
	path        string
	lock        *os.File
	file        *os.File
	rows        map[string]json.RawMessage
	uncommitted []rowChange
	failure     error
	fileBytes   int64
	liveBytes   int64
}

// rowChange without a value removes the row.
type rowChange struct {
	Key   string          `json:"k"`
	Value json.RawMessage `json:"v,omitempty"`
}

func openJournal(dir string) (*journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the data directory: %w", err)
	}
	lock, err := lockDirectory(dir)
	if err != nil {
		return nil, err
	}
	book := &journal{path: filepath.Join(dir, "state.log"), lock: lock, rows: map[string]json.RawMessage{}}
	if err := book.replay(); err != nil {
		lock.Close()
		return nil, err
	}
	return book, nil
}

func lockDirectory(dir string) (*os.File, error) {
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot lock the data directory: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		return nil, errors.New("the data directory belongs to a simulator that is still running")
	}
	return lock, nil
}

func (book *journal) replay() error {
	file, err := os.OpenFile(book.path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("cannot open the journal: %w", err)
	}
	good, err := book.readCommits(file)
	if err == nil {
		err = file.Truncate(good)
	}
	if err == nil {
		_, err = file.Seek(good, io.SeekStart)
	}
	if err != nil {
		file.Close()
		return fmt.Errorf("cannot read the journal: %w", err)
	}
	book.file, book.fileBytes = file, good
	return nil
}

// readCommits applies every whole line and returns where the last one ends.
func (book *journal) readCommits(file io.Reader) (int64, error) {
	reader := bufio.NewReaderSize(file, 1<<20)
	var good int64
	for {
		line, err := reader.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return good, nil
		}
		if err != nil {
			return good, err
		}
		var changes []rowChange
		if json.Unmarshal(line, &changes) != nil {
			return good, nil
		}
		book.apply(changes)
		good += int64(len(line))
	}
}

func (book *journal) apply(changes []rowChange) {
	for _, change := range changes {
		book.liveBytes -= int64(len(book.rows[change.Key]))
		if change.Value == nil {
			delete(book.rows, change.Key)
			continue
		}
		book.rows[change.Key] = change.Value
		book.liveBytes += int64(len(change.Value))
	}
}

// put changes a row now and on disk at the next commit. What cannot be
// written down is reported by that commit.
func (book *journal) put(key string, value any) {
	raw, err := json.Marshal(value)
	if err != nil {
		book.failure = errors.Join(book.failure, fmt.Errorf("row %s: %w", key, err))
		return
	}
	book.change(rowChange{Key: key, Value: raw})
}

func (book *journal) remove(key string) {
	if _, exists := book.rows[key]; exists {
		book.change(rowChange{Key: key})
	}
}

func (book *journal) change(one rowChange) {
	book.apply([]rowChange{one})
	book.uncommitted = append(book.uncommitted, one)
}

// get returns false when there is no such row.
func (book *journal) get(key string, into any) (bool, error) {
	raw, exists := book.rows[key]
	if !exists {
		return false, nil
	}
	return true, json.Unmarshal(raw, into)
}

// each calls for the rows of a prefix in the order of their keys.
func (book *journal) each(prefix string, visit func(key string, raw json.RawMessage) error) error {
	var found []string
	for key := range book.rows {
		if strings.HasPrefix(key, prefix) {
			found = append(found, key)
		}
	}
	sort.Strings(found)
	for _, key := range found {
		if err := visit(key, book.rows[key]); err != nil {
			return fmt.Errorf("row %s: %w", key, err)
		}
	}
	return nil
}

func (book *journal) commit() error {
	if book.failure != nil {
		return book.failure
	}
	if len(book.uncommitted) == 0 {
		return nil
	}
	line, err := json.Marshal(book.uncommitted)
	if err != nil {
		return err
	}
	book.uncommitted = nil
	written, err := book.file.Write(append(line, '\n'))
	book.fileBytes += int64(written)
	if err != nil {
		book.failure = fmt.Errorf("cannot write the journal: %w", err)
		return book.failure
	}
	if book.fileBytes > compactAbove && book.fileBytes > 4*book.liveBytes {
		return book.compact()
	}
	return nil
}

// compact writes the living rows to a new file and puts it in place of the old.
func (book *journal) compact() error {
	draft, err := os.OpenFile(book.path+".new", os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("cannot compact the journal: %w", err)
	}
	writer := bufio.NewWriterSize(draft, 1<<20)
	encoder := json.NewEncoder(writer)
	err = book.each("", func(key string, raw json.RawMessage) error {
		return encoder.Encode([]rowChange{{Key: key, Value: raw}})
	})
	err = errors.Join(err, writer.Flush())
	if err == nil {
		err = os.Rename(book.path+".new", book.path)
	}
	if err != nil {
		draft.Close()
		return fmt.Errorf("cannot compact the journal: %w", err)
	}
	book.file.Close()
	book.file = draft
	book.fileBytes, err = draft.Seek(0, io.SeekCurrent)
	return err
}

func (book *journal) close() {
	book.file.Close()
	book.lock.Close()
}
