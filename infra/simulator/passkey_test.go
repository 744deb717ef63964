// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"encoding/base64"
	"net/http"
	"testing"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
)

// challenged is a client whose code was scanned and that is asked for a
// passkey; the scan's answer comes later.
func (sim *simulation) challenged(number string) (*client, *types.WebAuthnPublicKey, chan int) {
	sim.t.Helper()
	sim.phone(number)
	sim.fault(fields{"kind": "passkey", "phone": number})
	c := sim.client()
	c.connect()
	codes := awaited(c, "QR codes", whichever[*events.QR]).Codes
	scanned := make(chan int, 1)
	go func() {
		status, _ := sim.try("POST", "/phones/"+number+"/scan", fields{"qr": codes[0]})
		scanned <- status
	}()
	return c, awaited(c, "passkey demanded", whichever[*events.PairPasskeyRequest]).PublicKey, scanned
}

// answerOf is what a person's passkey answers to a challenge.
func (sim *simulation) answerOf(number string, challenge []byte) *types.WebAuthnResponse {
	sim.t.Helper()
	var answer types.WebAuthnResponse
	asked := fields{"challenge": base64.RawURLEncoding.EncodeToString(challenge)}
	sim.call("POST", "/phones/"+number+"/passkey", asked, &answer)
	return &answer
}

func TestALinkWithAPasskeyGoesOnWhenItIsAnsweredAndTheCodesAreTheSame(t *testing.T) {
	sim := startSimulation(t)
	c, asked, scanned := sim.challenged(anna)
	if err := c.SendPasskeyResponse(context.Background(), sim.answerOf(anna, asked.Challenge)); err != nil {
		t.Fatal(err)
	}
	confirmation := awaited(c, "confirmation asked", whichever[*events.PairPasskeyConfirmation])
	var phone struct{ Code string }
	sim.call("GET", "/phones/"+anna+"/passkey", nil, &phone)
	if phone.Code != confirmation.Code || len(phone.Code) != 9 {
		t.Fatalf("the phone shows %q, the device %q", phone.Code, confirmation.Code)
	}
	if err := c.SendPasskeyConfirmation(context.Background()); err != nil {
		t.Fatal(err)
	}
	awaited(c, "connected", whichever[*events.Connected])
	if status := <-scanned; status != http.StatusOK {
		t.Fatalf("the scan was answered %d", status)
	}
}

func TestAScanThatDoesNotWaitIsAnsweredAtOnce(t *testing.T) {
	sim := startSimulation(t)
	sim.phone(anna)
	sim.fault(fields{"kind": "passkey", "phone": anna})
	c := sim.client()
	c.connect()
	codes := awaited(c, "QR codes", whichever[*events.QR]).Codes
	if status, _ := sim.try("POST", "/phones/"+anna+"/scan", fields{"qr": codes[0], "wait": false}); status != http.StatusAccepted {
		t.Fatalf("the scan was answered %d", status)
	}
	asked := awaited(c, "passkey demanded", whichever[*events.PairPasskeyRequest]).PublicKey
	if err := c.SendPasskeyResponse(context.Background(), sim.answerOf(anna, asked.Challenge)); err != nil {
		t.Fatal(err)
	}
	awaited(c, "confirmation asked", whichever[*events.PairPasskeyConfirmation])
}

func TestAWrongPasskeyIsRefusedAndMayBeTriedAgain(t *testing.T) {
	sim := startSimulation(t)
	sim.phone(budi)
	c, asked, scanned := sim.challenged(anna)
	wrongSignature := sim.answerOf(anna, asked.Challenge)
	wrongSignature.Response.Signature[10] ^= 1
	for name, wrong := range map[string]*types.WebAuthnResponse{
		"nothing":             {ID: "BBBB", RawID: []byte("BBBB"), Type: "public-key"},
		"another's passkey":   sim.answerOf(budi, asked.Challenge),
		"another challenge":   sim.answerOf(anna, []byte("another challenge")),
		"a changed signature": wrongSignature,
	} {
		if c.SendPasskeyResponse(context.Background(), wrong) == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if status, _ := sim.try("GET", "/phones/"+anna+"/passkey", nil); status != http.StatusConflict {
		t.Errorf("a code is shown: %d", status)
	}
	if err := c.SendPasskeyResponse(context.Background(), sim.answerOf(anna, asked.Challenge)); err != nil {
		t.Fatal(err)
	}
	awaited(c, "confirmation asked", whichever[*events.PairPasskeyConfirmation])
	if err := c.SendPasskeyConfirmation(context.Background()); err != nil {
		t.Fatal(err)
	}
	if status := <-scanned; status != http.StatusOK {
		t.Fatalf("the scan was answered %d", status)
	}
}
