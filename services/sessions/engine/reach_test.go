// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
)

// servedBy is the address of a server that does one thing with every connection.
func servedBy(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = client.Close() }()
				serve(client)
			}()
		}
	}()
	return listener.Addr().String()
}

func closedAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// refusing answers the first request of a connection with this status line.
func refusing(status string) func(net.Conn) {
	return func(client net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(client)); err == nil {
			_, _ = io.WriteString(client, "HTTP/1.1 "+status+"\r\nContent-Length: 0\r\n\r\n")
		}
	}
}

func TestAConnectionThatDoesNotComeUpSaysWhy(t *testing.T) {
	a := testArchive(t)
	website := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(website.Close)
	closed, hangsUp := closedAddress(t), servedBy(t, func(net.Conn) {})
	untrusted := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(untrusted.Close)
	socks := startProxy(t, socksProxy)
	for name, c := range map[string]struct{ endpoint, proxy, cause string }{
		"nobody listens":          {"http://" + closed, "", "refused"},
		"no such name":            {"http://nowhere.invalid", "", "dns"},
		"a website":               {website.URL, "", "answer"},
		"no TLS there":            {"https://" + website.Listener.Addr().String(), "", "tls"},
		"an untrusted name":       {untrusted.URL, "", "tls"},
		"it hangs up":             {"http://" + hangsUp, "", "cut"},
		"no proxy listens":        {website.URL, "http://" + closed, "proxy_refused"},
		"no SOCKS proxy listens":  {website.URL, "socks5://" + closed, "proxy_refused"},
		"no proxy of that name":   {website.URL, "http://nowhere.invalid:8080", "proxy_dns"},
		"the password is wrong":   {website.URL, "http://a:b@" + servedBy(t, refusing("407 Proxy Authentication Required")), "proxy_auth"},
		"it is wrong with TLS":    {untrusted.URL, "http://a:b@" + servedBy(t, refusing("407 Proxy Authentication Required")), "proxy_auth"},
		"it is wrong with SOCKS":  {website.URL, "socks5://a:b@" + socks.listener.Addr().String(), "proxy_auth"},
		"the proxy does not pass": {untrusted.URL, "http://" + servedBy(t, refusing("502 Bad Gateway")), "proxy_other"},
	} {
		t.Run(name, func(t *testing.T) {
			o := startWorker(t, a, &simulation{t: t, Endpoint: c.endpoint})
			session := fmt.Sprintf("s-%s", c.cause)
			o.worker.carryOut(&openRequest{Session: session, Link: 1, Fence: 1, Connection: 1, Proxy: textOrNil(c.proxy)})
			told := o.until("disconnected", session, nil)
			if told["reason"] != "connect_failed" || told["cause"] != c.cause {
				t.Errorf("%v, not %s", told, c.cause)
			}
		})
	}
}

func TestATimeoutIsOne(t *testing.T) {
	for _, err := range []error{context.DeadlineExceeded, os.ErrDeadlineExceeded, &net.DNSError{IsTimeout: true}} {
		if cause := causeOf(fmt.Errorf("dialling: %w", err), false); cause != "timeout" {
			t.Errorf("%v: %s", err, cause)
		}
	}
}
