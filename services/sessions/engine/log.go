// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"sync"
	"time"

	"go.mau.fi/libsignal/logger"
	waBinary "go.mau.fi/whatsmeow/binary"
	waLog "go.mau.fi/whatsmeow/util/log"
)

// logLines is where JSON lines go; a test reads them.
var (
	logLines   interface{ Write([]byte) (int, error) } = os.Stderr
	logLinesMu sync.Mutex
)

// What must never be read in a log: long numbers (phones, LIDs) and anything that looks like a key or a QR code.
var (
	longNumber = regexp.MustCompile(`[0-9]{5,}`)
	longToken  = regexp.MustCompile(`[A-Za-z0-9+/=_-]{32,}`)
)

func scrub(text string) string {
	text = longToken.ReplaceAllString(text, "…")
	return longNumber.ReplaceAllStringFunc(text, func(digits string) string { return "…" + digits[len(digits)-3:] })
}

// logEvent writes one JSON line: a constant sentence and fields. Values are scrubbed, ids of sessions are not.
func logEvent(level, sentence string, fields ...any) {
	line := map[string]any{"timestamp": time.Now().UTC().Format(time.RFC3339Nano), "level": level, "event": sentence, "logger": "engine"}
	for i := 0; i+1 < len(fields); i += 2 {
		name := fields[i].(string)
		switch value := fields[i+1].(type) {
		case int, int64, bool:
			line[name] = value
		case string:
			if name != "session" {
				value = scrub(value)
			}
			line[name] = value
		default:
			line[name] = scrub(fmt.Sprint(value))
		}
	}
	encoded, err := json.Marshal(line)
	if err != nil {
		return
	}
	logLinesMu.Lock()
	defer logLinesMu.Unlock()
	_, _ = logLines.Write(append(encoded, '\n'))
}

// libraryLog passes on the library's warnings and errors. Its messages may carry whole stanzas, so only the constant
// format and the arguments that are errors or numbers are written.
type libraryLog struct {
	session string
	module  string
}

func (l libraryLog) Warnf(format string, args ...any)  { l.write("warn", format, args) }
func (l libraryLog) Errorf(format string, args ...any) { l.write("error", format, args) }
func (l libraryLog) Infof(string, ...any)              {}
func (l libraryLog) Debugf(string, ...any)             {}

func (l libraryLog) Sub(module string) waLog.Logger {
	return libraryLog{l.session, l.module + "/" + module}
}

// clientLog is a client's log. The library shows it each stanza: the only place where a client sees them as they are on the
// wire.
type clientLog struct {
	libraryLog
	received, sent func(*waBinary.Node)
}

func (l clientLog) Sub(module string) waLog.Logger {
	below := libraryLog{l.session, l.module + "/" + module}
	switch module {
	case "Recv":
		return stanzaLog{below, l.received}
	case "Send":
		return stanzaLog{below, l.sent}
	}
	return below
}

type stanzaLog struct {
	libraryLog
	seen func(*waBinary.Node)
}

func (l stanzaLog) Debugf(_ string, args ...any) {
	for _, arg := range args {
		if node, is := arg.(*waBinary.Node); is {
			l.seen(node)
		}
	}
}

func (l libraryLog) write(level, format string, args []any) {
	var told []string
	for _, arg := range args {
		switch value := arg.(type) {
		case error:
			told = append(told, value.Error())
		case int, int64, time.Duration:
			told = append(told, fmt.Sprint(value))
		}
	}
	logEvent(level, "whatsmeow: "+scrub(format), "session", l.session, "module", l.module, "details", fmt.Sprint(told))
}

// signalLog silences libsignal, which prints to stdout otherwise and names keys in its messages.
type signalLog struct{}

func (signalLog) Debug(string, string)   {}
func (signalLog) Info(string, string)    {}
func (signalLog) Warning(string, string) {}
func (signalLog) Error(string, string)   {}
func (signalLog) Configure(string)       {}

func silenceSignal() {
	var silent logger.Loggable = signalLog{}
	logger.Setup(&silent)
}
