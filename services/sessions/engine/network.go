// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"time"

	"go.mau.fi/whatsmeow"
)

// network says where WhatsApp is: the real one, or a simulated one at an address of ours with a root key of its own.
type network struct {
	endpoint *url.URL // nil: the real one
	guard    *guard
}

// newNetwork points the whole process at one network; the root key is a variable of the library, set before any connect.
func newNetwork(endpoint, rootKey string, proxies *guard) (*network, error) {
	if rootKey != "" {
		key, err := hex.DecodeString(rootKey)
		if err != nil || len(key) != len(whatsmeow.WACertPubKey) {
			return nil, errors.New("MERPATI_WA_ROOT_KEY must be the hex of 32 bytes")
		}
		copy(whatsmeow.WACertPubKey[:], key)
	}
	if endpoint == "" {
		return &network{guard: proxies}, nil
	}
	parsed, err := url.Parse(endpoint)
	if err != nil || parsed.Host == "" {
		return nil, errors.New("MERPATI_WA_ENDPOINT must be a URL such as http://127.0.0.1:9000")
	}
	return &network{endpoint: parsed, guard: proxies}, nil
}

// attach sends all of a client's traffic (login, first link, media) to the network, through the proxy if there is one.
func (n *network) attach(client *whatsmeow.Client, proxy *url.URL) {
	if n.endpoint == nil {
		if proxy != nil {
			useFor(client, n.through(proxy, http.DefaultTransport.(*http.Transport)))
		}
		return
	}
	through := directTransport
	if proxy != nil {
		through = n.through(proxy, directTransport)
	}
	useFor(client, redirect{n.endpoint, through})
}

// through sends every connection through the proxy, which alone is dialled: what it connects to is WhatsApp, by name.
func (n *network) through(proxy *url.URL, like *http.Transport) *http.Transport {
	transport := like.Clone()
	transport.Proxy = http.ProxyURL(proxy)
	transport.DialContext = n.guard.dial
	return transport
}

func useFor(client *whatsmeow.Client, transport http.RoundTripper) {
	all := &http.Client{Transport: transport}
	client.SetWebsocketHTTPClient(all)
	client.SetPreLoginHTTPClient(all)
	client.SetMediaHTTPClient(all)
}

// proxyOf reads a session's proxy; nil when it has none. Its URL may hold a password: it is in no message.
func proxyOf(address *string) (*url.URL, error) {
	if address == nil || *address == "" {
		return nil, nil
	}
	parsed, err := url.Parse(*address)
	if err != nil || parsed.Hostname() == "" || (parsed.Scheme != "http" && parsed.Scheme != "https" && parsed.Scheme != "socks5") {
		return nil, errors.New("a proxy must be a URL with http, https or socks5")
	}
	return parsed, nil
}

// redirect replaces scheme and host of every request and leaves path and query.
type redirect struct {
	endpoint *url.URL
	through  *http.Transport
}

var directTransport = &http.Transport{MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute}

func (r redirect) RoundTrip(request *http.Request) (*http.Response, error) {
	redirected := request.Clone(request.Context())
	redirected.URL.Scheme, redirected.URL.Host, redirected.Host = httpScheme(r.endpoint.Scheme), r.endpoint.Host, ""
	return r.through.RoundTrip(redirected)
}

func httpScheme(scheme string) string {
	switch scheme {
	case "ws":
		return "http"
	case "wss":
		return "https"
	}
	return scheme
}
