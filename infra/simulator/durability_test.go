// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
)

func TestAfterAKillADeviceResumesWithoutACodeAndItsSessionsStillWork(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	sim.phone(budi)
	c.send(person(budi), "3EB001", text("before"))
	c.awaitReceipt("3EB001", types.ReceiptTypeDelivered)
	sim.kill()
	awaited(c, "disconnected", whichever[*events.Disconnected])
	sim.restart()

	again := sim.clientOf(c.kept)
	again.connect()
	awaited(again, "connected", whichever[*events.Connected])
	if count(again, whichever[*events.QR]) != 0 {
		t.Fatal("a code was shown")
	}
	again.send(person(budi), "3EB002", text("after"))
	rows := sim.inboxOf(budi, 2)
	if rows[0].Text != "before" || rows[1].Text != "after" {
		t.Fatalf("shows %+v", rows)
	}
	sim.call("POST", "/phones/"+budi+"/messages", fields{"to": anna, "text": "answer"}, nil)
	again.awaitText("answer")
	if stats := sim.stats(); stats.Undecryptable != 0 {
		t.Fatalf("%d arrivals did not open", stats.Undecryptable)
	}
}

func (sim *simulation) stats() statistics {
	sim.t.Helper()
	var told statistics
	sim.call("GET", "/stats", nil, &told)
	return told
}

func TestWhatWasAcknowledgedSurvivesAKillAtAnyMoment(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	sim.phone(budi)
	var acknowledged atomic.Int64
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for i := 1; ; i++ {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			_, err := c.SendMessage(ctx, person(budi), text(fmt.Sprint(i)))
			cancel()
			if err != nil {
				return
			}
			acknowledged.Store(int64(i))
		}
	}()
	eventually(t, "some messages are acknowledged", func() bool { return acknowledged.Load() > 50 })
	sim.kill()
	<-stopped
	sim.restart()
	shown := map[string]int{}
	for _, row := range sim.inbox(budi) {
		shown[row.Text]++
	}
	for i := int64(1); i <= acknowledged.Load(); i++ {
		if shown[fmt.Sprint(i)] != 1 {
			t.Fatalf("message %d of %d is shown %d times", i, acknowledged.Load(), shown[fmt.Sprint(i)])
		}
	}
}

func TestTheRestartFaultBringsBackWhatIsOnDisk(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	sim.phone(budi)
	c.send(person(budi), "3EB001", text("kept"))
	sim.fault(fields{"kind": "restart", "ms": 50})
	awaited(c, "disconnected", whichever[*events.Disconnected])
	c.connect()
	awaited(c, "connected", whichever[*events.Connected])
	c.send(person(budi), "3EB002", text("new"))
	sim.inboxOf(budi, 2)
}

func TestAMessageComesAgainUntilItsReceiptCame(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	sim.phone(budi)
	c.mu.Lock()
	c.veto = func(event any) bool { _, is := event.(*events.Message); return is }
	c.mu.Unlock()
	sim.call("POST", "/phones/"+budi+"/messages", fields{"to": anna, "text": "unhandled"}, nil)
	eventually(t, "it waits", func() bool { return sim.stats().Pending > 0 })
	c.Disconnect()
	sim.call("POST", "/phones/"+budi+"/messages", fields{"to": anna, "text": "while away"}, nil)
	sim.kill()
	sim.restart()

	again := sim.clientOf(c.kept)
	again.connect()
	again.awaitText("unhandled")
	again.awaitText("while away")
	eventually(t, "nothing waits any more", func() bool { return sim.stats().Pending == 0 })
}

func TestReceiptsWaitForADeviceThatIsAway(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	sim.phone(budi)
	sim.call("PATCH", "/phones/"+budi, fields{"online": false}, nil)
	c.send(person(budi), "3EB001", text("later"))
	c.Disconnect()
	sim.call("PATCH", "/phones/"+budi, fields{"online": true}, nil)
	sim.call("POST", "/phones/"+budi+"/read", fields{"chat": anna}, nil)
	c.connect()
	c.awaitReceipt("3EB001", types.ReceiptTypeDelivered)
	c.awaitReceipt("3EB001", types.ReceiptTypeRead)
	eventually(t, "nothing waits any more", func() bool { return sim.stats().Pending == 0 })
}

func TestATakenAddressIsSaidInOneSentence(t *testing.T) {
	sim := startSimulation(t)
	second := exec.Command(sim.process.Path, "--listen", address(sim.ready.Endpoint), "--data", t.TempDir())
	second.Env = sim.process.Env
	said, err := second.CombinedOutput()
	if second.ProcessState.ExitCode() != 1 || !strings.Contains(string(said), "address already in use") || strings.Count(string(said), "\n") != 1 {
		t.Fatalf("%v: %s", err, said)
	}
}

func TestTwoSimulatorsDoNotShareAData(t *testing.T) {
	sim := startSimulation(t)
	second := exec.Command(sim.process.Path, "--data", sim.data)
	second.Env = sim.process.Env
	if said, _ := second.CombinedOutput(); second.ProcessState.ExitCode() != 1 {
		t.Fatalf("it started: %s", said)
	}
}

func TestTheSimulatorStopsOnSIGTERMAndWithItsStandardInput(t *testing.T) {
	sim := startSimulation(t)
	if err := sim.process.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if state, _ := sim.process.Process.Wait(); state.ExitCode() != 0 {
		t.Fatalf("SIGTERM ended it with %d", state.ExitCode())
	}
	child := exec.Command(sim.process.Path, "--data", sim.data, "--exit-with-stdin")
	child.Env = sim.process.Env
	input, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	giveUp := time.AfterFunc(patience, func() { _ = child.Process.Kill() })
	defer giveUp.Stop()
	input.Close()
	if err := child.Wait(); err != nil {
		t.Fatalf("the end of its input ended it with %v", err)
	}
}

func TestPollsGroupsAndHabitsSurviveAKill(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	_, group := sim.group(anna, budi, cici)
	sim.members(group, "promote", cici)
	sim.call("PATCH", "/phones/"+cici, fields{"hideNumber": true, "inviteOnly": true}, nil)
	c.send(person(budi), "3EB001", c.BuildPollCreation("when?", []string{"now", "later"}, 1))
	own := sim.write(budi, fields{"to": anna, "type": "poll", "question": "who?", "options": []string{"me", "you"}, "selectable": 1})
	asked := c.awaitID(own)
	sim.write(cici, fields{"to": group.String(), "text": "before"})
	c.awaitText("before")
	sim.kill()
	awaited(c, "disconnected", whichever[*events.Disconnected])
	sim.restart()
	sim.reconnects(c)

	c.expectVote(c.awaitID(sim.write(budi, fields{"to": anna, "type": "vote", "target": "3EB001", "options": []string{"now"}})), "now")
	vote, err := c.BuildPollVote(context.Background(), &asked.Info, []string{"you"})
	if err != nil {
		t.Fatal(err)
	}
	c.send(asked.Info.Chat, "3EB002", vote)
	rows := sim.inbox(budi)
	if last := rows[len(rows)-1]; last.Type != "vote" || len(last.Options) != 1 || last.Options[0] != "you" {
		t.Errorf("the vote is shown as %+v", last)
	}
	var kept struct{ Groups []groupView }
	sim.call("GET", "/groups", nil, &kept)
	if one := kept.Groups[0]; one.Owner != anna || len(one.Admins) != 2 || len(one.Participants) != 3 {
		t.Errorf("the group is %+v", one)
	}
	sim.write(cici, fields{"to": group.String(), "text": "after"})
	if after := c.awaitText("after"); !after.Info.SenderAlt.IsEmpty() {
		t.Errorf("the hidden number came along: %+v", after.Info)
	}
	if stats := sim.stats(); stats.Undecryptable != 0 {
		t.Errorf("%d arrivals did not open", stats.Undecryptable)
	}
}
