// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"

	"go.mau.fi/whatsmeow/socket"
)

// causeOf says why no connection came up: `dns`, `refused`, `unreachable`, `timeout`, `tls`, `answer` (not a
// WhatsApp server's), `cut` (closed while it was made) or `other`. What failed at the proxy, or on the way to it, begins
// with `proxy_`; `proxy_auth` is a wrong name or password, `proxy_not_allowed` an address that the guard refuses.
func causeOf(err error, proxied bool) string {
	if !proxied {
		return plainCause(err)
	}
	if errors.As(err, new(*refusedProxy)) {
		return "proxy_not_allowed"
	}
	if isProxyAuth(err) {
		return "proxy_auth"
	}
	cause := plainCause(err)
	if cause == "other" || isBeforeProxy(err) { // a proxy's own refusal is only a text
		return "proxy_" + cause
	}
	return cause
}

func plainCause(err error) string {
	var dns *net.DNSError
	var timed net.Error
	switch {
	case errors.As(err, &dns) && !dns.IsTimeout:
		return "dns"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT),
		errors.As(err, &timed) && timed.Timeout():
		return "timeout"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return "unreachable"
	case isTLS(err):
		return "tls"
	case errors.As(err, new(socket.ErrWithStatusCode)):
		return "answer"
	case isCut(err):
		return "cut"
	}
	return "other"
}

func isTLS(err error) bool {
	var header tls.RecordHeaderError
	var alert tls.AlertError
	var verification *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &header) || errors.As(err, &alert) || errors.As(err, &verification) ||
		errors.As(err, &authority) || errors.As(err, &name) || errors.As(err, &invalid) ||
		strings.Contains(err.Error(), "tls: ") || strings.Contains(err.Error(), "HTTP response to HTTPS client")
}

// isCut also takes the texts of errors that the library, or the websocket, wraps no further.
func isCut(err error) bool {
	text := err.Error()
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || strings.Contains(text, "EOF") ||
		strings.Contains(text, "closed") || strings.Contains(text, "noise handshake failed")
}

// isBeforeProxy tells whether the way to the proxy itself failed: net/http and its SOCKS client name that operation.
func isBeforeProxy(err error) bool {
	var operation *net.OpError
	if !errors.As(err, &operation) {
		return false
	}
	if operation.Op == "proxyconnect" {
		return true
	}
	var inner *net.OpError
	return strings.HasPrefix(operation.Op, "socks") && errors.As(operation.Err, &inner) && inner.Op == "dial"
}

// isProxyAuth knows the refusals that net/http, its SOCKS client and the websocket have only as texts.
func isProxyAuth(err error) bool {
	var answered socket.ErrWithStatusCode
	if errors.As(err, &answered) && answered.StatusCode == http.StatusProxyAuthRequired {
		return true
	}
	text := err.Error()
	return strings.Contains(text, "Proxy Authentication Required") ||
		strings.Contains(text, "username/password authentication failed") ||
		strings.Contains(text, "no acceptable authentication methods")
}
