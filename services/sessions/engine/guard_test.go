// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// forbidden counts the connections, and the bytes, that come to an address where nobody may connect.
type forbidden struct {
	listener          net.Listener
	connections, read atomic.Int64
}

func listenForbidden(t *testing.T, address string) *forbidden {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	must(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	f := &forbidden{listener: listener}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			f.connections.Add(1)
			go func() {
				defer func() { _ = client.Close() }()
				bytes, _ := client.Read(make([]byte, 1024))
				f.read.Add(int64(bytes))
			}()
		}
	}()
	return f
}

func (f *forbidden) port() string {
	_, port, _ := net.SplitHostPort(f.listener.Addr().String())
	return port
}

func (f *forbidden) mustBeUntouched(t *testing.T) {
	t.Helper()
	if f.connections.Load() != 0 || f.read.Load() != 0 {
		t.Errorf("%s saw %d connections and %d bytes", f.listener.Addr(), f.connections.Load(), f.read.Load())
	}
}

// names is a DNS server that answers each question for an IPv4 address with the next answer of a name.
type names struct {
	socket net.PacketConn

	mu      sync.Mutex
	answers map[string][][]string
	asked   int
}

func serveNames(t *testing.T, answers map[string][][]string) *names {
	t.Helper()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = socket.Close() })
	n := &names{socket: socket, answers: answers}
	go n.serve()
	return n
}

func (n *names) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", n.socket.LocalAddr().String())
	}}
}

func (n *names) serve() {
	packet := make([]byte, 1500)
	for {
		size, from, err := n.socket.ReadFrom(packet)
		if err != nil {
			return
		}
		var question dnsmessage.Message
		if question.Unpack(packet[:size]) != nil || len(question.Questions) != 1 {
			continue
		}
		answer := dnsmessage.Message{
			Header: dnsmessage.Header{ID: question.ID, Response: true, RecursionAvailable: true}, Questions: question.Questions,
		}
		asked := question.Questions[0]
		if asked.Type == dnsmessage.TypeA {
			for _, address := range n.next(asked.Name.String()) {
				answer.Answers = append(answer.Answers, dnsmessage.Resource{
					Header: dnsmessage.ResourceHeader{Name: asked.Name, Class: dnsmessage.ClassINET},
					Body:   &dnsmessage.AResource{A: netip.MustParseAddr(address).As4()},
				})
			}
		}
		if packed, err := answer.Pack(); err == nil {
			_, _ = n.socket.WriteTo(packed, from)
		}
	}
}

func (n *names) next(name string) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked++
	answers := n.answers[name]
	if len(answers) > 1 {
		n.answers[name] = answers[1:]
	}
	return answers[0]
}

func (n *names) questions() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.asked
}

func isDone(reply told) bool {
	_, done := reply.(*doneReply)
	return done
}

// openThrough opens a session that is not to connect, and returns how that ended.
func (o *testOwner) openThrough(session, proxy string, connection int) map[string]any {
	o.t.Helper()
	request := &openRequest{Session: session, Link: 1, Fence: 1, Connection: connection, Proxy: &proxy}
	if reply := o.worker.carryOut(request).named(); !isDone(reply) {
		o.t.Fatalf("%s: not opened: %+v", session, reply)
	}
	return o.until("disconnected", session, func(e map[string]any) bool { return e["connection"] == int8(connection) })
}

func TestAProxyOnThisMachineIsRefusedAndSeesNothing(t *testing.T) {
	sim, a := startSimulation(t), testArchive(t)
	o := startGuarded(t, a, sim, testGuard(t, "proxy.internal,10.0.0.0/8"))
	inside, inside6 := listenForbidden(t, "127.0.0.1:0"), listenForbidden(t, "[::1]:0")
	for session, proxy := range map[string]string{
		"http": "http://127.0.0.1:" + inside.port(), "https": "https://127.0.0.1:" + inside.port(),
		"socks": "socks5://a:b@127.0.0.1:" + inside.port(), "name": "http://localhost:" + inside.port(),
		"decimal": "http://2130706433:" + inside.port(),
		"octal":   "http://0177.0.0.1:" + inside.port(), "short": "http://127.1:" + inside.port(),
		"any": "http://0.0.0.0:" + inside.port(), "mapped": "http://[::ffff:127.0.0.1]:" + inside.port(),
		"v6": "socks5://[::1]:" + inside6.port(), "any6": "http://[::]:" + inside6.port(), "zone": "http://[::1%25lo]:" + inside6.port(),
		"nat64": "http://[64:ff9b::7f00:1]:" + inside.port(), "6to4": "http://[2002:7f00:1::]:" + inside.port(),
		"metadata": "http://169.254.169.254:80", "azure": "socks5://168.63.129.16:80", "google": "http://metadata.google.internal:80",
	} {
		for connection := 1; connection <= 2; connection++ { // a reconnect looks again
			told := o.openThrough(session, proxy, connection)
			if told["reason"] != "connect_failed" || told["cause"] != "proxy_not_allowed" {
				t.Errorf("%s: %v", session, told)
			}
		}
		if o.count("qr", session) != 0 {
			t.Errorf("%s: connected without its proxy", session)
		}
	}
	inside.mustBeUntouched(t)
	inside6.mustBeUntouched(t)
}

func TestMetadataIsRefusedWhateverIsAllowed(t *testing.T) {
	g := testGuard(t, "0.0.0.0/0,::/0,metadata.google.internal,proxy.internal")
	g.private = true
	g.resolver = serveNames(t, map[string][][]string{"proxy.internal.": {{"169.254.169.254", "168.63.129.16"}}}).resolver()
	for _, place := range []string{
		"169.254.169.254:80", "168.63.129.16:80", "100.100.100.200:80", "[fd00:ec2::254]:80", "[64:ff9b::a9fe:a9fe]:80",
		"[::ffff:169.254.169.254]:80", "metadata.google.internal:80", "proxy.internal:80",
	} {
		conn, err := g.dial(t.Context(), "tcp", place)
		if conn != nil || causeOf(err, true) != "proxy_not_allowed" {
			t.Errorf("%s: %v", place, err)
		}
	}
}

// proxyAt is an HTTP proxy at this address and the port of another.
func proxyAt(t *testing.T, ip, port string) *testProxy {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(ip, port))
	must(t, err)
	return serveProxy(t, listener, httpProxy)
}

func TestANameThatLeadsInsideLaterIsRefused(t *testing.T) {
	sim, a := startSimulation(t), testArchive(t)
	inside := listenForbidden(t, "127.0.0.1:0")
	through := proxyAt(t, "127.0.0.2", inside.port())
	dns := serveNames(t, map[string][][]string{"rebinding.test.": {{"127.0.0.2"}, {"127.0.0.1"}}})
	g := testGuard(t, "127.0.0.2")
	g.resolver = dns.resolver()
	o := startGuarded(t, a, sim, g)
	address := "http://" + proxyUser + ":" + proxyPassword + "@rebinding.test:" + inside.port()

	request := &openRequest{Session: "s1", Link: 1, Fence: 1, Connection: 1, Proxy: &address}
	if reply := o.worker.carryOut(request).named(); !isDone(reply) {
		t.Fatalf("not opened: %+v", reply)
	}
	o.until("qr", "s1", nil)
	if !through.saw("/ws/chat") || dns.questions() != 1 {
		t.Errorf("it went %v after %d questions", through.went, dns.questions())
	}
	if told := o.openThrough("s1", address, 2); told["cause"] != "proxy_not_allowed" {
		t.Errorf("the second time: %v", told)
	}
	inside.mustBeUntouched(t)
}

func TestOfANamesAddressesOnlyTheAllowedAreConnectedTo(t *testing.T) {
	inside := listenForbidden(t, "127.0.0.1:0")
	through := proxyAt(t, "127.0.0.2", inside.port())
	g := testGuard(t, "127.0.0.2")
	g.resolver = serveNames(t, map[string][][]string{"both.test.": {{"127.0.0.1", "127.0.0.2", "169.254.169.254"}}}).resolver()
	conn, err := g.dial(t.Context(), "tcp", "both.test:"+inside.port())
	must(t, err)
	defer func() { _ = conn.Close() }()
	if conn.RemoteAddr().String() != through.listener.Addr().String() {
		t.Errorf("connected to %s", conn.RemoteAddr())
	}
	inside.mustBeUntouched(t)
}

func TestTheSocketsOwnAddressIsLookedAtLast(t *testing.T) {
	inside := listenForbidden(t, "127.0.0.1:0")
	dialer := &net.Dialer{Control: testGuard(t, "").checked("fooled.test")}
	if _, err := dialer.Dial("tcp", inside.listener.Addr().String()); causeOf(err, true) != "proxy_not_allowed" {
		t.Errorf("%v", err)
	}
	inside.mustBeUntouched(t)
}
