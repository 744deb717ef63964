// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"go.mau.fi/whatsmeow/util/keys"
	waLog "go.mau.fi/whatsmeow/util/log"
	"google.golang.org/protobuf/proto"
)

// The clients' root key is one variable per process, so all simulators of the
// tests get the same seed.
const (
	rootSeed   = "00112233445566778899aabbccddeeff00112233445566778899aabbccddee40"
	childMark  = "MERPATI_SIMULATOR_TEST_CHILD"
	impatience = "MERPATI_SIMULATOR_TEST_IMPATIENT" // clients ping at once and wait little
	patience   = 10 * time.Second
	sendPeriod = 8 * time.Second
)

// TestMain is also the simulator itself: the tests run it as a process of its
// own, which they can kill.
func TestMain(m *testing.M) {
	if os.Getenv(childMark) != "" {
		main()
		return
	}
	silenceSignal()
	if os.Getenv(impatience) != "" {
		whatsmeow.KeepAliveIntervalMin, whatsmeow.KeepAliveIntervalMax = 50*time.Millisecond, 60*time.Millisecond
		whatsmeow.KeepAliveResponseDeadline = 250 * time.Millisecond
	}
	seed, _ := parsePrivateKey(rootSeed)
	copy(whatsmeow.WACertPubKey[:], keys.NewKeyPairFromPrivateKey(seed).Pub[:])
	os.Exit(m.Run())
}

// simulation is a running simulator and its control API.
type simulation struct {
	t       testing.TB
	data    string
	process *exec.Cmd
	ready   readyLine
}

func startSimulation(t testing.TB) *simulation {
	t.Helper()
	sim := &simulation{t: t, data: t.TempDir()}
	sim.start("127.0.0.1:0", "127.0.0.1:0")
	t.Cleanup(sim.kill)
	return sim
}

func (sim *simulation) start(listen, control string) {
	sim.t.Helper()
	executable, err := os.Executable()
	if err != nil {
		sim.t.Fatal(err)
	}
	sim.process = exec.Command(executable, "--listen", listen, "--control", control, "--data", sim.data)
	sim.process.Env = append(os.Environ(), childMark+"=1", "MERPATI_SIMULATOR_ROOT_SEED="+rootSeed)
	sim.process.Stderr = &testLog{t: sim.t}
	stdout, err := sim.process.StdoutPipe()
	if err != nil {
		sim.t.Fatal(err)
	}
	if err := sim.process.Start(); err != nil {
		sim.t.Fatal(err)
	}
	if err := json.NewDecoder(bufio.NewReader(stdout)).Decode(&sim.ready); err != nil {
		sim.t.Fatalf("no ready line: %v", err)
	}
	go func() { _, _ = io.Copy(io.Discard, stdout) }()
}

// kill is SIGKILL: the process cannot write anything more.
func (sim *simulation) kill() {
	_ = sim.process.Process.Kill()
	_, _ = sim.process.Process.Wait()
}

// restart starts the killed simulator again on its old addresses.
func (sim *simulation) restart() {
	sim.t.Helper()
	sim.start(address(sim.ready.Endpoint), address(sim.ready.Control))
}

func address(of string) string {
	parsed, _ := url.Parse(of)
	return parsed.Host
}

type testLog struct {
	t  testing.TB
	mu sync.Mutex
}

func (l *testLog) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if testing.Verbose() {
		fmt.Fprintf(os.Stderr, "      %s: %s", l.t.Name(), line)
	}
	return len(line), nil
}

// call asks the control API and fails the test unless it answers 2xx.
func (sim *simulation) call(method, path string, body, into any) {
	sim.t.Helper()
	status, answer := sim.try(method, path, body)
	if status < 200 || status > 299 {
		sim.t.Fatalf("%s %s: %d %s", method, path, status, answer)
	}
	if into != nil {
		if err := json.Unmarshal(answer, into); err != nil {
			sim.t.Fatalf("%s %s: %v", method, path, err)
		}
	}
}

func (sim *simulation) try(method, path string, body any) (int, []byte) {
	sim.t.Helper()
	var raw bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&raw).Encode(body); err != nil {
			sim.t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, sim.ready.Control+path, &raw)
	if err != nil {
		sim.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		sim.t.Fatal(err)
	}
	defer response.Body.Close()
	answer, _ := io.ReadAll(response.Body)
	return response.StatusCode, answer
}

type fields map[string]any

func (sim *simulation) phone(number string) {
	sim.t.Helper()
	sim.call("POST", "/phones", fields{"number": number, "name": "Name of " + number}, nil)
}

func (sim *simulation) inbox(number string) []inboxRow {
	sim.t.Helper()
	var answer struct{ Messages []inboxRow }
	sim.call("GET", "/phones/"+number+"/inbox", nil, &answer)
	return answer.Messages
}

// inboxOf waits until a phone shows that many messages.
func (sim *simulation) inboxOf(number string, rows int) []inboxRow {
	sim.t.Helper()
	var shown []inboxRow
	eventually(sim.t, fmt.Sprintf("%d messages at %s", rows, number), func() bool {
		shown = sim.inbox(number)
		return len(shown) >= rows
	})
	if len(shown) != rows {
		sim.t.Fatalf("%s shows %d messages, expected %d: %+v", number, len(shown), rows, shown)
	}
	return shown
}

func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	eventuallyIn(t, patience, what, holds)
}

func eventuallyIn(t testing.TB, patience time.Duration, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("never came: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// client is the unmodified library with its events on record.
type client struct {
	*whatsmeow.Client
	t    testing.TB
	kept *clientStore
	mu   sync.Mutex
	seen []any
	told []*stanza          // notifications as they came in
	acks map[string]*stanza // of messages, by their id
	bell *sync.Cond
	veto func(any) bool // true: the handler fails
}

// toEndpoint sends every request of the library to the simulator.
type toEndpoint struct{ host string }

func (to toEndpoint) RoundTrip(request *http.Request) (*http.Response, error) {
	moved := request.Clone(request.Context())
	moved.URL.Scheme, moved.URL.Host, moved.Host = "http", to.host, ""
	return http.DefaultTransport.RoundTrip(moved)
}

func (sim *simulation) client() *client { return sim.clientOf(newClientStore()) }

func (sim *simulation) clientOf(kept *clientStore) *client {
	sim.t.Helper()
	log := waLog.Noop
	if os.Getenv("SIMULATOR_CLIENT_LOG") != "" {
		log = waLog.Stdout("client", "DEBUG", false)
	}
	c := &client{t: sim.t, kept: kept, acks: map[string]*stanza{}}
	c.bell = sync.NewCond(&c.mu)
	c.Client = whatsmeow.NewClient(kept.reopened(), stanzaLog{log, c})
	transport := &http.Client{Transport: toEndpoint{address(sim.ready.Endpoint)}}
	c.SetWebsocketHTTPClient(transport)
	c.SetPreLoginHTTPClient(transport)
	c.SetMediaHTTPClient(transport)
	c.EnableAutoReconnect = false
	c.SynchronousAck = true
	c.EnableDecryptedEventBuffer = true
	c.AddEventHandlerWithSuccessStatus(c.record)
	sim.t.Cleanup(c.Disconnect)
	return c
}

func (c *client) record(event any) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.veto != nil && c.veto(event) {
		return false
	}
	c.seen = append(c.seen, event)
	c.bell.Broadcast()
	return true
}

// stanzaLog is the library's log, which shows every stanza.
type stanzaLog struct {
	waLog.Logger
	client *client
}

func (l stanzaLog) Sub(module string) waLog.Logger { return stanzaLog{l.Logger.Sub(module), l.client} }

func (l stanzaLog) Debugf(format string, args ...any) {
	l.Logger.Debugf(format, args...)
	for _, one := range args {
		if node, is := one.(*stanza); is {
			l.client.take(node)
		}
	}
}

func (c *client) take(node *stanza) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case node.Attrs["from"] == nil: // its own
	case node.Tag == "notification":
		c.told = append(c.told, node)
	case node.Tag == "ack" && attribute(node, "class") == "message":
		c.acks[attribute(node, "id")] = node
	}
}

// notifications are those of a type that came in so far.
func (c *client) notifications(kind string) []*stanza {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []*stanza
	for _, node := range c.told {
		if attribute(node, "type") == kind {
			found = append(found, node)
		}
	}
	return found
}

func (c *client) connect() {
	c.t.Helper()
	if err := c.Connect(); err != nil {
		c.t.Fatalf("connect: %v", err)
	}
}

// awaited is the first event from here on that fits. Events before it stay
// unread; one that was awaited is not found again.
func awaited[E any](c *client, what string, fits func(E) bool) E {
	c.t.Helper()
	deadline := time.Now().Add(patience)
	alarm := time.AfterFunc(patience, c.bell.Broadcast)
	defer alarm.Stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		for at, event := range c.seen {
			if typed, is := event.(E); is && fits(typed) {
				c.seen = append(c.seen[:at:at], c.seen[at+1:]...)
				return typed
			}
		}
		if !time.Now().Before(deadline) {
			c.t.Fatalf("never came: %s; there are %s", what, eventNames(c.seen))
		}
		c.bell.Wait()
	}
}

func whichever[E any](E) bool { return true }

func eventNames(seen []any) string {
	var names []string
	for _, event := range seen {
		names = append(names, fmt.Sprintf("%T", event))
	}
	return strings.Join(names, ", ")
}

// count says how many events of a kind are there.
func count[E any](c *client, fits func(E) bool) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := 0
	for _, event := range c.seen {
		if typed, is := event.(E); is && fits(typed) {
			found++
		}
	}
	return found
}

// link makes a phone, shows it a new client's QR code, and waits until the
// client is connected.
func (sim *simulation) link(number string) *client {
	sim.t.Helper()
	sim.phone(number)
	c := sim.client()
	c.connect()
	codes := awaited(c, "QR codes", whichever[*events.QR]).Codes
	sim.call("POST", "/phones/"+number+"/scan", fields{"qr": codes[0]}, nil)
	awaited(c, "paired", whichever[*events.PairSuccess])
	// The library may miss the 515 on a busy machine, and then waits for ever.
	watchdog := time.AfterFunc(3*time.Second, func() {
		c.Disconnect()
		_ = c.Connect()
	})
	defer watchdog.Stop()
	awaited(c, "connected", whichever[*events.Connected])
	awaited(c, "the phone's app state key", isKeyShare)
	return c
}

func isKeyShare(message *events.Message) bool {
	return message.Message.GetProtocolMessage().GetAppStateSyncKeyShare() != nil
}

func person(number string) types.JID { return types.NewJID(number, types.DefaultUserServer) }

func text(words string) *waE2E.Message { return &waE2E.Message{Conversation: proto.String(words)} }

func (c *client) trySend(to types.JID, id string, message *waE2E.Message) (whatsmeow.SendResponse, error) {
	ctx, cancel := context.WithTimeout(context.Background(), sendPeriod)
	defer cancel()
	return c.SendMessage(ctx, to, message, whatsmeow.SendRequestExtra{ID: id, Timeout: time.Second})
}

func (c *client) send(to types.JID, id string, message *waE2E.Message) {
	c.t.Helper()
	if _, err := c.trySend(to, id, message); err != nil {
		c.t.Fatalf("send %s: %v", id, err)
	}
}

func (c *client) awaitReceipt(id string, kind types.ReceiptType) *events.Receipt {
	c.t.Helper()
	return awaited(c, fmt.Sprintf("receipt %q of %s", kind, id), func(receipt *events.Receipt) bool {
		return receipt.Type == kind && receipt.MessageIDs[0] == id
	})
}

func (c *client) awaitText(words string) *events.Message {
	c.t.Helper()
	return awaited(c, "text "+words, func(message *events.Message) bool {
		return message.Message.GetConversation() == words
	})
}

func (sim *simulation) fault(body fields) {
	sim.t.Helper()
	sim.call("POST", "/faults", body, nil)
}

// strikes is how many connections a fault met at once.
func (sim *simulation) strikes(body fields) int {
	sim.t.Helper()
	var met fault
	sim.call("POST", "/faults", body, &met)
	return met.Hit
}

// isConnected is what the network says of the first device of a phone.
func (sim *simulation) isConnected(number string) bool {
	sim.t.Helper()
	var shown phoneView
	sim.call("GET", "/phones/"+number, nil, &shown)
	return len(shown.Devices) > 0 && shown.Devices[0].Connected
}
