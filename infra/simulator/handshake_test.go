// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"testing"

	"go.mau.fi/whatsmeow/types/events"
)

// resumes logs in with a server's key that the client keeps, and receives.
func (sim *simulation) resumes(first *foreignClient, pattern, words string) *foreignClient {
	sim.t.Helper()
	first.leave()
	again := sim.login(first.device, &first.server)
	if again.pattern != pattern {
		sim.t.Fatalf("resumed by %q, expected %q", again.pattern, pattern)
	}
	again.active()
	id := sim.write(budi, fields{"to": anna, "text": words})
	again.awaits(words, func(node *stanza) bool { return node.Tag == "message" && attribute(node, "id") == id })
	return again
}

func TestAClientResumesWithTheServersKeyThatItKnows(t *testing.T) {
	sim := startSimulation(t)
	sim.phone(budi)
	first := sim.foreign(sim.linkedFor(anna))
	second := sim.resumes(first, patternOfIK, "by IK")
	sim.kill()
	sim.restart()
	sim.resumes(second, patternOfIK, "by IK, after a restart")
}

func TestAClientThatKnowsAFormerKeyOfTheServerFallsBack(t *testing.T) {
	sim := startSimulation(t)
	sim.phone(budi)
	first := sim.foreign(sim.linkedFor(anna))
	sim.fault(fields{"kind": "serverKey"})
	second := sim.resumes(first, patternOfFallback, "by XXfallback")
	if second.server == first.server {
		t.Fatal("the server's key is the former one")
	}
	sim.kill()
	sim.restart()
	sim.resumes(second, patternOfIK, "by IK with the new key")
}

func TestTheLibraryMeetsANewKeyOfTheServer(t *testing.T) {
	sim := startSimulation(t)
	c := sim.link(anna)
	sim.fault(fields{"kind": "serverKey"})
	if !sim.isConnected(anna) {
		t.Fatal("an open connection was closed")
	}
	c.Disconnect()
	c.connect()
	awaited(c, "connected", whichever[*events.Connected])
}
