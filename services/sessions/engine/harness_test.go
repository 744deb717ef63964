// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vmihailenco/msgpack/v5"
	"go.mau.fi/whatsmeow/types/events"
	"go.mongodb.org/mongo-driver/v2/bson"
	mongoevent "go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"
)

const (
	testRing = "new:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=,old:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
	patience = 20 * time.Second
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == thumbnailMode { // the worker starts its own program, which is this one here
		main()
		return
	}
	silenceSignal()
	logLines = io.Discard
	code := m.Run()
	_ = os.RemoveAll(scratch)
	os.Exit(code)
}

// missing skips a test that needs what is not here. tests/engines/test_go_side.py gives everything and counts the skips.
func missing(t testing.TB, what string) {
	t.Helper()
	t.Skip(what)
}

var databases atomic.Int64

// testArchive is an archive on a database of the test's own, dropped at its end.
func testArchive(t testing.TB) *archive {
	t.Helper()
	url := os.Getenv("MONGODB_URL")
	if url == "" {
		missing(t, "MONGODB_URL is not set: these tests need a MongoDB replica set")
	}
	if _, err := connstring.ParseAndValidate(url); err != nil {
		t.Fatal(err)
	}
	client, err := connectMongo(url, monitors(t))
	must(t, err)
	v, err := newVault(testRing)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("engine_%d_%d", os.Getpid(), databases.Add(1))
	a := newArchive(client, name, v)
	a.patience = 5 * time.Second
	if err = a.createIndexes(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = client.Database(name).Drop(context.Background())
		_ = client.Disconnect(context.Background())
	})
	return a
}

// commands counts what a test sends to MongoDB, by the command's name.
type commands struct {
	mu    sync.Mutex
	count map[string]int
}

var (
	monitoredMu sync.Mutex
	monitored   = map[testing.TB]*commands{}
)

func monitors(t testing.TB) *options.ClientOptions {
	c := &commands{count: map[string]int{}}
	monitoredMu.Lock()
	monitored[t] = c
	monitoredMu.Unlock()
	return options.Client().SetMonitor(&mongoevent.CommandMonitor{Started: func(_ context.Context, e *mongoevent.CommandStartedEvent) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.count[e.CommandName]++
	}})
}

// sent returns how many commands of each kind the test sent since it asked last.
func sentCommands(t testing.TB) map[string]int {
	monitoredMu.Lock()
	c := monitored[t]
	monitoredMu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	counted := c.count
	c.count = map[string]int{}
	return counted
}

// testStore is the store of link 1 of session s1 under a fence. Its queue is written by flush alone.
func testStore(t testing.TB, a *archive, fence int64) *keyStore {
	t.Helper()
	return newKeyStore(a, newWriteBehind(a), "s1", 1, tenure{fence: fence})
}

func (s *keyStore) flush(t testing.TB) {
	t.Helper()
	for s.queue.writeBatch(t.Context()) {
	}
}

func rows(t testing.TB, a *archive) []bson.M {
	t.Helper()
	cursor, err := a.rows.Find(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	var found []bson.M
	if err = cursor.All(t.Context(), &found); err != nil {
		t.Fatal(err)
	}
	return found
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// --- a worker in this process, with an owner that takes everything ----------------------------------------------------

// testOwner is the other side of the worker's socket.
type testOwner struct {
	t      testing.TB
	worker *worker
	socket net.Conn
	taken  func() // runs after an event was acknowledged

	mu      sync.Mutex
	events  []map[string]any
	changed chan struct{}
}

var mustAck = map[string]bool{
	"message": true, "receipt": true, "undecryptable": true, "edited": true, "revoked": true, "reacted": true, "voted": true,
}

// startWorker allows proxies on this machine, where those of the tests are.
func startWorker(t testing.TB, a *archive, sim *simulation) *testOwner {
	t.Helper()
	return startGuarded(t, a, sim, testGuard(t, "127.0.0.1"))
}

func testGuard(t testing.TB, allowed string) *guard {
	t.Helper()
	proxies, err := newGuard(false, allowed)
	must(t, err)
	return proxies
}

func startGuarded(t testing.TB, a *archive, sim *simulation, proxies *guard) *testOwner {
	t.Helper()
	there, here := net.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	queue := newWriteBehind(a)
	go queue.run(ctx)
	wa, err := newNetwork(sim.Endpoint, sim.RootKey, proxies)
	must(t, err)
	o := &testOwner{t: t, socket: here, changed: make(chan struct{})}
	o.worker = newWorker(ctx, there, a, queue, newMediaLibrary(a.rows.Database()), wa)
	go o.worker.serve()
	go o.read()
	t.Cleanup(func() {
		o.worker.closeAll(drainTimeout)
		cancel()
		_ = here.Close()
	})
	return o
}

func (o *testOwner) read() {
	reader := bufio.NewReader(o.socket)
	for {
		var header [4]byte
		if _, err := io.ReadFull(reader, header[:]); err != nil {
			return
		}
		payload := make([]byte, binary.BigEndian.Uint32(header[:]))
		if _, err := io.ReadFull(reader, payload); err != nil {
			return
		}
		var frame struct {
			Kind  string         `msgpack:"kind"`
			ID    int64          `msgpack:"id"`
			Event map[string]any `msgpack:"event"`
		}
		if err := msgpack.Unmarshal(payload, &frame); err != nil || frame.Kind != "event" {
			continue
		}
		if mustAck[frame.Event["type"].(string)] {
			o.worker.acknowledged(frame.ID, true)
			if o.taken != nil {
				o.taken()
			}
		}
		o.mu.Lock()
		o.events = append(o.events, frame.Event)
		close(o.changed)
		o.changed = make(chan struct{})
		o.mu.Unlock()
	}
}

// until waits for an event of this type and session that fits.
func (o *testOwner) until(kind, session string, fits func(map[string]any) bool) map[string]any {
	o.t.Helper()
	deadline := time.After(patience)
	for {
		o.mu.Lock()
		changed := o.changed
		for _, e := range o.events {
			if e["type"] == kind && e["session"] == session && (fits == nil || fits(e)) {
				o.mu.Unlock()
				return e
			}
		}
		o.mu.Unlock()
		select {
		case <-changed:
		case <-deadline:
			o.t.Fatalf("no %s of %s within %s", kind, session, patience)
		}
	}
}

func (o *testOwner) count(kind, session string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	count := 0
	for _, e := range o.events {
		if e["type"] == kind && e["session"] == session {
			count++
		}
	}
	return count
}

// link opens a session and lets a phone scan it.
func (o *testOwner) link(sim *simulation, session, number string) *connection {
	o.t.Helper()
	return o.linkBy(sim, &openRequest{Session: session, Link: 1, Fence: 1, Connection: 1}, number)
}

func (o *testOwner) linkBy(sim *simulation, how *openRequest, number string) *connection {
	o.t.Helper()
	session := how.Session
	if reply, opened := o.worker.carryOut(how).named().(*doneReply); !opened {
		o.t.Fatalf("not opened: %+v", reply)
	}
	codes := o.until("qr", session, nil)["codes"].([]any)
	sim.call("POST", "/phones", map[string]any{"number": number, "name": session})
	sim.call("POST", "/phones/"+number+"/scan", map[string]any{"qr": codes[0]})
	o.until("connected", session, nil)
	o.worker.mu.Lock()
	defer o.worker.mu.Unlock()
	return o.worker.sessions[session].live()
}

func (o *testOwner) send(session, to, id, text string) told {
	return o.sendContent(session, to, id, content{Type: "text", Text: text})
}

func (o *testOwner) sendContent(session, to, id string, what content) told {
	return o.worker.carryOut(&sendRequest{
		Session: session, MessageID: id, To: to + "@s.whatsapp.net", Content: what,
		DeadlineMS: time.Now().Add(20 * time.Second).UnixMilli(),
	}).named()
}

func (o *testOwner) mustSend(session, to, id string, what content) {
	o.t.Helper()
	if reply := o.sendContent(session, to, id, what); reply.(*sentReply) == nil {
		o.t.Fatalf("%s was not sent: %+v", id, reply)
	}
}

// storeMedium puts a file where the api puts uploads.
func (o *testOwner) storeMedium(id string, body []byte) {
	o.t.Helper()
	must(o.t, o.worker.media.bucket.UploadFromStreamWithID(o.t.Context(), id, "file", bytes.NewReader(body)))
}

// connectedForTest is the event of a login.
var connectedForTest events.Connected

// silentServer takes connections and never says a word.
func silentServer(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			if _, err := listener.Accept(); err != nil {
				return
			}
		}
	}()
	return listener.Addr().String()
}

// --- the simulated network --------------------------------------------------------------------------------------------

type simulation struct {
	t        testing.TB
	data     string
	Endpoint string `json:"endpoint"`
	RootKey  string `json:"rootKey"`
	Control  string `json:"control"`
}

var (
	scratch, _      = os.MkdirTemp("", "merpati-engine-test-")
	simulatorBinary = filepath.Join(scratch, "simulator")
	buildSimulator  = sync.OnceValues(func() (string, error) {
		out, err := exec.Command("go", "build", "-o", simulatorBinary, "merpati/infra/simulator").CombinedOutput()
		return string(out), err
	})
)

// startSimulation builds and runs the simulator. The root key is one variable of the library: one network per process.
func startSimulation(t testing.TB) *simulation {
	t.Helper()
	if out, err := buildSimulator(); err != nil {
		missing(t, "the simulator could not be built: "+out)
	}
	data := t.TempDir()
	process := exec.Command(simulatorBinary, "--data", data, "--exit-with-stdin")
	stdin, err := process.StdinPipe()
	must(t, err)
	stdout, err := process.StdoutPipe()
	must(t, err)
	must(t, process.Start())
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = process.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	must(t, err)
	sim := &simulation{t: t, data: data}
	must(t, json.Unmarshal(line, sim))
	if _, err = hex.DecodeString(sim.RootKey); err != nil {
		t.Fatal(err)
	}
	return sim
}

// inbox is what a phone shows, as the control API tells it.
func (sim *simulation) inbox(number string) []map[string]any {
	sim.t.Helper()
	var shown struct{ Messages []map[string]any }
	must(sim.t, json.Unmarshal(sim.call("GET", "/phones/"+number+"/inbox", nil), &shown))
	return shown.Messages
}

// writes lets a person write; it returns the id.
func (sim *simulation) writes(number string, what map[string]any) string {
	sim.t.Helper()
	var written struct{ ID string }
	must(sim.t, json.Unmarshal(sim.call("POST", "/phones/"+number+"/messages", what), &written))
	return written.ID
}

// files are those that were uploaded.
func (sim *simulation) files() []string {
	sim.t.Helper()
	found, err := filepath.Glob(filepath.Join(sim.data, "media", "file-*"))
	must(sim.t, err)
	return found
}

func (sim *simulation) call(method, path string, body map[string]any) []byte {
	sim.t.Helper()
	encoded, err := json.Marshal(body)
	must(sim.t, err)
	request, err := http.NewRequest(method, strings.TrimSuffix(sim.Control, "/")+path, bytes.NewReader(encoded))
	must(sim.t, err)
	answer, err := http.DefaultClient.Do(request)
	must(sim.t, err)
	defer func() { _ = answer.Body.Close() }()
	out, err := io.ReadAll(answer.Body)
	must(sim.t, err)
	if answer.StatusCode >= 300 {
		sim.t.Fatalf("%s %s: %d %s", method, path, answer.StatusCode, out)
	}
	return out
}
