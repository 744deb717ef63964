// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/types"
)

func TestNoLogLineHoldsANumberAKeyOrABody(t *testing.T) {
	var lines bytes.Buffer
	logLines = &lines
	defer func() { logLines = io.Discard }()
	qr := "2@" + strings.Repeat("abcdEFGH", 8)

	logEvent("warn", "a message was not acknowledged", "session", "0190d2a1-7b1e", "error", errors.New("no LID found for 6281234567890@s.whatsapp.net"))
	libraryLog{"s1", "client"}.Warnf("Node handling took %s for %s", "5s", "<message>my secret text</message>")
	libraryLog{"s1", "client"}.Errorf("Failed for %s: %v", types.NewJID("6281234567890", "s.whatsapp.net"), errors.New("code "+qr))

	for _, leaked := range []string{"6281234567890", "my secret text", qr} {
		if strings.Contains(lines.String(), leaked) {
			t.Errorf("the log holds %q", leaked)
		}
	}
	for line := range strings.Lines(lines.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("not a JSON line: %s", line)
		}
	}
	if !strings.Contains(lines.String(), `"session":"0190d2a1-7b1e"`) {
		t.Error("the session's id is not in the log")
	}
}
