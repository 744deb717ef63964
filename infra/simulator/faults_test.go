// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types/events"
)

func (sim *simulation) reconnects(c *client) {
	sim.t.Helper()
	c.connect()
	awaited(c, "connected", whichever[*events.Connected])
}

func TestWhatCameDuringADropWaitsForTheReconnect(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	sim.phone(budi)
	sim.fault(fields{"kind": "drop", "phone": anna})
	awaited(c, "disconnected", whichever[*events.Disconnected])
	sim.call("POST", "/phones/"+budi+"/messages", fields{"to": anna, "text": "meanwhile"}, nil)
	sim.reconnects(c)
	c.awaitText("meanwhile")
}

func TestAnAbsentNetworkRefusesForItsTime(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	sim.fault(fields{"kind": "drop", "for": 300})
	awaited(c, "disconnected", whichever[*events.Disconnected])
	if c.Connect() == nil {
		t.Fatal("a client connected to an absent network")
	}
	eventually(t, "the network is back", func() bool { return c.Connect() == nil })
	awaited(c, "connected", whichever[*events.Connected])
}

func TestStreamEndsAreTold(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	sim.fault(fields{"kind": "close", "phone": anna})
	awaited(c, "disconnected by a close", whichever[*events.Disconnected])
	sim.reconnects(c)
	sim.fault(fields{"kind": "streamError", "phone": anna, "code": 503})
	awaited(c, "disconnected by 503", whichever[*events.Disconnected])
	sim.reconnects(c)
	sim.fault(fields{"kind": "streamError", "phone": anna, "code": 500})
	if told := awaited(c, "stream error", whichever[*events.StreamError]); told.Code != "500" {
		t.Fatalf("told %s", told.Code)
	}
}

func TestAStreamThatEndsIsOverAtOnce(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	for what, end := range map[string]fields{
		"told": {"kind": "streamError", "phone": anna, "code": 503},
		"cut":  {"kind": "drop", "phone": anna},
	} {
		sim.fault(fields{"kind": "delay", "phone": anna, "ms": 300}) // a client that is slow to leave
		if sim.strikes(end) != 1 || sim.isConnected(anna) {
			t.Fatalf("%s: still connected", what)
		}
		if sim.strikes(end) != 0 {
			t.Fatalf("%s: it struck a stream that had ended", what)
		}
		sim.call("DELETE", "/faults", nil, nil)
		awaited(c, what, whichever[*events.Disconnected])
		sim.reconnects(c)
		if !sim.isConnected(anna) {
			t.Fatalf("%s: not connected again", what)
		}
	}
}

func TestFailedLoginsSayWhy(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	c.Disconnect()
	sim.fault(fields{"kind": "loginFailure", "phone": anna, "code": 402, "banCode": 104, "expireS": 3600, "count": 1})
	c.connect()
	if ban := awaited(c, "ban", whichever[*events.TemporaryBan]); ban.Code != 104 || ban.Expire != time.Hour {
		t.Fatalf("told %+v", ban)
	}
	c.Disconnect()
	sim.fault(fields{"kind": "loginFailure", "phone": anna, "code": 405, "count": 1})
	c.connect()
	awaited(c, "outdated", whichever[*events.ClientOutdated])
	c.Disconnect()
	sim.reconnects(c)
}

func TestABlackHoleSwallowsWhatIsSentAndGivesTheRestBackLater(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	sim.phone(budi)
	c.send(person(budi), "3EB001", text("before"))
	sim.fault(fields{"kind": "blackhole", "phone": anna})
	if _, err := c.trySend(person(budi), "3EB002", text("swallowed")); err == nil {
		t.Fatal("a message came through")
	}
	sim.call("POST", "/phones/"+budi+"/messages", fields{"to": anna, "text": "unseen"}, nil)
	sim.call("DELETE", "/faults", nil, nil)
	c.Disconnect()
	sim.reconnects(c)
	c.awaitText("unseen")
	if rows := sim.inbox(budi); len(rows) != 1 {
		t.Fatalf("shows %+v", rows)
	}
}

func TestADelayedNetworkIsSlowAndKeepsItsOrder(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	sim.phone(budi)
	c.send(person(budi), "3EB001", text("quick"))
	sim.fault(fields{"kind": "delay", "phone": anna, "ms": 200})
	started := time.Now()
	c.send(person(budi), "3EB002", text("slow"))
	if took := time.Since(started); took < 200*time.Millisecond {
		t.Fatalf("acknowledged after %s", took)
	}
}

func TestADuplicatedMessageReachesTheHandlerOnce(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	sim.phone(budi)
	sim.fault(fields{"kind": "duplicate", "phone": anna})
	sim.call("POST", "/phones/"+budi+"/messages", fields{"to": anna, "text": "double"}, nil)
	sim.call("POST", "/phones/"+budi+"/messages", fields{"to": anna, "text": "last"}, nil)
	c.awaitText("double")
	c.awaitText("last")
	eventually(t, "both are confirmed", func() bool { return sim.stats().Pending == 0 })
	if again := count(c, whichever[*events.Message]); again != 0 {
		t.Fatalf("%d more messages came", again)
	}
}

func TestWithCloseAtOnceALinkIsStillKept(t *testing.T) {
	sim := startSimulation(t)
	sim.phone(anna)
	sim.fault(fields{"kind": "closeAtOnce"})
	c := sim.client()
	c.connect()
	codes := awaited(c, "QR codes", whichever[*events.QR]).Codes
	sim.call("POST", "/phones/"+anna+"/scan", fields{"qr": codes[0]}, nil)
	awaited(c, "paired", whichever[*events.PairSuccess])
	again := sim.clientOf(c.kept) // the first one may have lost its 515 and wait for ever
	again.connect()
	awaited(again, "connected", whichever[*events.Connected])
}

// The library's pace of pings is one variable per process: this test has a
// process of its own.
func TestAClientNoticesASilentServer(t *testing.T) {
	if os.Getenv(impatience) == "" {
		alone := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
		alone.Env = append(os.Environ(), impatience+"=1")
		if said, err := alone.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, said)
		}
		return
	}
	sim := startSimulation(t)
	c := sim.link(anna)
	sim.fault(fields{"kind": "blackhole", "phone": anna, "for": 400})
	awaited(c, "keepalive lost", whichever[*events.KeepAliveTimeout])
	awaited(c, "keepalive restored", whichever[*events.KeepAliveRestored])
}

func TestFaultsAreCheckedAndListed(t *testing.T) {
	sim := startSimulation(t)
	for name, body := range map[string]fields{
		"unknown":    {"kind": "flood"},
		"no code":    {"kind": "nack"},
		"bad number": {"kind": "drop", "phone": "x"},
		"no end":     {"kind": "close", "everyMs": 10},
		"no storm":   {"kind": "nack", "code": 463, "everyMs": 10, "for": 10},
	} {
		if status, answer := sim.try("POST", "/faults", body); status != 400 {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
	sim.fault(fields{"kind": "delay", "ms": 1})
	sim.fault(fields{"kind": "delay", "ms": 1, "for": 1})
	var listed struct{ Faults []fault }
	eventually(t, "the short one is over", func() bool {
		sim.call("GET", "/faults", nil, &listed)
		return len(listed.Faults) == 1
	})
}

func TestAStormEndsStreamsAgainAndAgainUntilItIsOver(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	sim.fault(fields{"kind": "streamError", "code": 503, "everyMs": 100, "for": 800})
	for range 3 {
		awaited(c, "disconnected by 503", whichever[*events.Disconnected])
		sim.reconnects(c)
	}
	var listed struct{ Faults []fault }
	eventually(t, "the storm is over", func() bool {
		sim.call("GET", "/faults", nil, &listed)
		return len(listed.Faults) == 0
	})
	if !c.IsConnected() {
		awaited(c, "disconnected by 503", whichever[*events.Disconnected])
		sim.reconnects(c)
	}
	sim.phone(budi)
	c.send(person(budi), "3EB001", text("fair weather"))
}

func TestADamagedMessageIsAskedForAgain(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	sim.phone(budi)
	for at, words := range []string{"first", "second"} {
		sim.fault(fields{"kind": "garble", "phone": anna, "device": 1, "count": 1})
		sim.write(budi, fields{"to": anna, "text": words})
		awaited(c, "undecryptable", whichever[*events.UndecryptableMessage])
		if again := c.awaitText(words); again.RetryCount == 0 {
			t.Fatalf("message %d came as %+v", at, again.Info)
		}
	}
	sim.fault(fields{"kind": "garble", "phone": budi, "count": 1})
	c.send(person(budi), "3EB001", text("to a phone"))
	if row := sim.inboxOf(budi, 1)[0]; row.Text != "to a phone" || row.Copies != 2 {
		t.Fatalf("shown as %+v", row)
	}
}

// The library takes a second message under one key for a repeat and confirms it unread. What comes again shows it.
func TestAPhoneThatReusesAKeyIsNotUnderstoodTheSecondTime(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	sim.phone(budi)
	sim.fault(fields{"kind": "reuseKeys", "phone": budi, "to": anna, "every": 2})
	ids := map[string]string{}
	for _, words := range []string{"key 0", "key 1", "key 1 again", "key 2"} {
		ids[words] = sim.write(budi, fields{"to": anna, "text": words})
	}
	for _, words := range []string{"key 0", "key 1", "key 2"} {
		c.awaitText(words)
	}
	sim.awaitSent(budi, ids["key 1 again"], "delivered")
	if unread := count(c, func(m *events.Message) bool { return m.Info.ID == ids["key 1 again"] }); unread != 0 {
		t.Error("the library reads what was encrypted under a used key")
	}
}

func TestKeptMailComesAgainAtTheNextLogin(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	sim.phone(budi)
	eventually(t, "what the phone shares after a link is confirmed", func() bool {
		stats := sim.stats()
		return stats.MessagesOut > 0 && stats.Pending == 0
	})
	sim.fault(fields{"kind": "keepMail", "phone": anna, "count": 1})
	kept := sim.write(budi, fields{"to": anna, "text": "kept"})
	c.awaitText("kept")
	sim.awaitSent(budi, kept, "delivered")
	c.Disconnect()
	before := sim.stats().MessagesOut
	sim.reconnects(c)
	eventually(t, "the mailbox is empty", func() bool { return sim.stats().Pending == 0 })
	if again := sim.stats().MessagesOut - before; again != 1 {
		t.Errorf("%d messages came again", again)
	}
}

func TestATimelockIsToldWithItsEndAndStopsFirstMessages(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	for _, number := range []string{budi, cici} {
		sim.phone(number)
	}
	sim.write(budi, fields{"to": anna, "text": "we know each other"})
	c.awaitText("we know each other")
	c.Disconnect()
	sim.fault(fields{"kind": "timelock", "phone": anna, "expireS": 3600})
	sim.reconnects(c) // the notice waited
	lock := awaited(c, "timelock", whichever[*events.NotifyAccountReachoutTimelock])
	if until := time.Until(lock.TimeEnforcementEnds.Time); !lock.IsActive || until < 59*time.Minute || until > time.Hour {
		t.Fatalf("told %+v", lock)
	}
	if lock.Mex.OpName != "NotificationUserReachoutTimelockUpdate" {
		t.Errorf("told as %q", lock.Mex.OpName)
	}
	c.send(person(budi), "3EB001", text("an answer"))
	if _, err := c.trySend(person(cici), "3EB002", text("hello stranger")); err == nil || err.Error() != whatsmeow.ErrServerReturnedError.Error()+" 463" {
		t.Fatalf("a first message ended with %v", err)
	}
	sim.fault(fields{"kind": "timelock", "phone": anna})
	if over := awaited(c, "the end", whichever[*events.NotifyAccountReachoutTimelock]); over.IsActive || !over.TimeEnforcementEnds.IsZero() {
		t.Fatalf("told %+v", over)
	}
	c.send(person(cici), "3EB002", text("hello stranger"))
	sim.inboxOf(cici, 1)
}

func TestALoginIsRefusedWithEveryCode(t *testing.T) {
	sim := startSimulation(t)
	linked := sim.link(anna)
	linked.Disconnect()
	for code, told := range map[int]func(any) bool{
		401: func(event any) bool {
			out, is := event.(*events.LoggedOut)
			return is && out.OnConnect && out.Reason == 401
		},
		403: func(event any) bool { out, is := event.(*events.LoggedOut); return is && out.Reason == 403 },
		406: func(event any) bool { out, is := event.(*events.LoggedOut); return is && out.Reason == 406 },
		409: func(event any) bool { failed, is := event.(*events.ConnectFailure); return is && failed.Reason == 409 },
		500: func(event any) bool { _, is := event.(*events.Disconnected); return is },
		503: func(event any) bool { _, is := event.(*events.Disconnected); return is },
	} {
		sim.fault(fields{"kind": "loginFailure", "phone": anna, "code": code, "count": 1})
		c := sim.clientOf(linked.kept)
		c.connect()
		awaited(c, decimal(code), told)
	}
	again := sim.clientOf(linked.kept)
	sim.reconnects(again)
}

func TestMediaAndQueriesFailAsTold(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	sim.phone(budi)
	picture := c.awaitID(sim.write(budi, fields{"to": anna, "type": "image", "media": []byte("a picture")})).Message.GetImageMessage()
	sim.fault(fields{"kind": "media", "code": 410})
	if _, err := c.Download(context.Background(), picture); !errors.Is(err, whatsmeow.ErrMediaDownloadFailedWith410) {
		t.Errorf("the download ended with %v", err)
	}
	if _, err := c.Upload(context.Background(), []byte("a file"), whatsmeow.MediaImage); err == nil {
		t.Error("the upload ended well")
	}
	sim.call("DELETE", "/faults", nil, nil)
	if _, err := c.Upload(context.Background(), []byte("a file"), whatsmeow.MediaImage); err != nil || sim.stats().Uploads != 1 {
		t.Errorf("%d uploads: %v", sim.stats().Uploads, err)
	}
	sim.fault(fields{"kind": "query", "phone": anna, "xmlns": "w:g2", "code": 429, "count": 1})
	if _, err := c.GetJoinedGroups(context.Background()); !errors.Is(err, whatsmeow.ErrIQRateOverLimit) {
		t.Errorf("the query ended with %v", err)
	}
	if _, err := c.GetJoinedGroups(context.Background()); err != nil {
		t.Errorf("the next one ended with %v", err)
	}
}
