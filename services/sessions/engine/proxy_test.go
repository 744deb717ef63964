// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// testProxy speaks HTTP or SOCKS5 with a password, and notes what goes through it.
type testProxy struct {
	listener net.Listener

	mu   sync.Mutex
	went []string // paths of HTTP requests, or `tunnel`
}

const proxyUser, proxyPassword = "budi", "rahasia-sekali-dan-panjang"

func startProxy(t testing.TB, serve func(*testProxy, net.Conn) error) *testProxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	return serveProxy(t, listener, serve)
}

func serveProxy(t testing.TB, listener net.Listener, serve func(*testProxy, net.Conn) error) *testProxy {
	t.Helper()
	p := &testProxy{listener: listener}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = client.Close() }()
				_ = serve(p, client)
			}()
		}
	}()
	return p
}

func (p *testProxy) url(scheme string) *string {
	address := scheme + "://" + proxyUser + ":" + proxyPassword + "@" + p.listener.Addr().String()
	return &address
}

func (p *testProxy) note(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.went = append(p.went, what)
}

func (p *testProxy) saw(part string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, what := range p.went {
		if strings.Contains(what, part) {
			return true
		}
	}
	return false
}

// join copies both ways until one side ends.
func join(client net.Conn, fromClient io.Reader, server net.Conn) {
	defer func() { _ = server.Close() }()
	go func() { _, _ = io.Copy(server, fromClient); _ = server.Close() }()
	_, _ = io.Copy(client, server)
}

// httpProxy serves one request of a connection: a websocket goes on behind it.
func httpProxy(p *testProxy, client net.Conn) error {
	reader := bufio.NewReader(client)
	request, err := http.ReadRequest(reader)
	if err != nil {
		return err
	}
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte(proxyUser+":"+proxyPassword))
	if request.Header.Get("Proxy-Authorization") != want {
		_, err = io.WriteString(client, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
		return err
	}
	p.note(request.URL.Path)
	server, err := net.Dial("tcp", request.URL.Host)
	if err != nil {
		return err
	}
	request.Header.Del("Proxy-Authorization")
	if request.Header.Get("Upgrade") == "" {
		request.Close = true
	}
	if err = request.Write(server); err != nil {
		return err
	}
	join(client, reader, server)
	return nil
}

// socksProxy serves CONNECT with a name and password (RFC 1928, RFC 1929).
func socksProxy(p *testProxy, client net.Conn) error {
	read := func(n int) []byte {
		part := make([]byte, n)
		_, _ = io.ReadFull(client, part)
		return part
	}
	read(int(read(2)[1]))
	_, _ = client.Write([]byte{5, 2})
	user := string(read(int(read(2)[1])))
	password := string(read(int(read(1)[0])))
	if user != proxyUser || password != proxyPassword {
		_, err := client.Write([]byte{1, 1})
		return err
	}
	_, _ = client.Write([]byte{1, 0})
	head := read(4)
	host := ""
	switch head[3] {
	case 1:
		host = net.IP(read(4)).String()
	case 3:
		host = string(read(int(read(1)[0])))
	}
	port := binary.BigEndian.Uint16(read(2))
	server, err := net.DialTCP("tcp", nil, &net.TCPAddr{IP: net.ParseIP(host), Port: int(port)})
	if err != nil {
		return err
	}
	p.note("tunnel")
	_, _ = client.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	join(client, client, server)
	return nil
}

func TestASessionsTrafficGoesThroughItsProxy(t *testing.T) {
	sim, a := startSimulation(t), testArchive(t)
	var lines bytes.Buffer
	logLinesMu.Lock()
	kept := logLines
	logLines = &lines
	logLinesMu.Unlock()
	t.Cleanup(func() { logLines = kept })
	o := startWorker(t, a, sim)
	sim.call("POST", "/phones", map[string]any{"number": theirs, "name": "T"})
	o.storeMedium("m1", []byte("picture"))

	for session, how := range map[string]struct {
		scheme, number string
		serve          func(*testProxy, net.Conn) error
		login, media   string
	}{
		"s1": {"http", ours, httpProxy, "/ws/chat", "/mms/image/"},
		"s2": {"socks5", "6281200000009", socksProxy, "tunnel", "tunnel"},
	} {
		p := startProxy(t, how.serve)
		c := o.linkBy(sim, &openRequest{Session: session, Link: 1, Fence: 1, Connection: 1, Proxy: p.url(how.scheme)}, how.number)
		if !p.saw(how.login) {
			t.Errorf("%s: the login did not go through the proxy: %v", how.scheme, p.went)
		}
		p.mu.Lock()
		p.went = nil
		p.mu.Unlock()
		o.mustSend(session, theirs, "3EB0"+session, picture1)
		if !p.saw(how.media) {
			t.Errorf("%s: the medium did not go through the proxy: %v", how.scheme, p.went)
		}
		_ = p.listener.Close()
		c.end(nil)
		o.worker.carryOut(&openRequest{Session: session, Link: 1, Fence: 1, Connection: 2, Proxy: p.url(how.scheme)})
		o.until("disconnected", session, func(e map[string]any) bool { return e["reason"] == "connect_failed" })
	}
	logLinesMu.Lock()
	defer logLinesMu.Unlock()
	if said := lines.String(); !strings.Contains(said, "connecting failed") || strings.Contains(said, proxyPassword) {
		t.Errorf("the log says %s", said)
	}
}

func TestWhatIsNoProxyIsRefused(t *testing.T) {
	o := startWorker(t, testArchive(t), &simulation{t: t, Endpoint: "http://127.0.0.1:1"})
	for _, address := range []string{"ftp://127.0.0.1:21", "127.0.0.1:8080", "http://", "http://a b", "socks5://%zz", "http://:80", "http://local%68ost:80"} {
		request := &openRequest{Session: "s1", Link: 1, Fence: 1, Connection: 1, Proxy: &address}
		if reply, ok := o.worker.carryOut(request).named().(*failedReply); !ok || reply.Code != "bad_request" || strings.Contains(reply.Message, address) {
			t.Errorf("%s: %+v", address, reply)
		}
	}
}
