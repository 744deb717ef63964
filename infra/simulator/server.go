// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"go.mau.fi/whatsmeow/util/keys"
)

// server is the network behind its address. A restart replaces the network by
// one read anew from disk.
type server struct {
	mu      sync.RWMutex
	data    string
	address string
	root    *keys.KeyPair
	log     *slog.Logger
	network *network
	http    *http.Server
}

func startServer(chosen settings, root *keys.KeyPair, log *slog.Logger) (*server, error) {
	s := &server{data: chosen.data, address: chosen.listen, root: root, log: log}
	return s, s.open()
}

// open keeps the port it got, so that clients find the network again.
func (s *server) open() error {
	listener, err := net.Listen("tcp", s.address)
	if err != nil {
		return fmt.Errorf("cannot listen on %s: %w", s.address, err)
	}
	opened, err := openNetwork(s.data, s.root, s.log)
	if err != nil {
		listener.Close()
		return err
	}
	s.network, s.address = opened, listener.Addr().String()
	s.http = &http.Server{Handler: opened, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("the network stopped listening", "error", err)
		}
	}()
	return nil
}

// ServeHTTP is the one port that clients see: sockets and media.
func (net *network) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		net.acceptSocket(w, r)
		return
	}
	if code := net.faults.mediaCode(); code != 0 {
		http.Error(w, "media fault", code)
		return
	}
	net.media.ServeHTTP(w, r)
}

func (s *server) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.http.Close()
	s.network.close()
}

// restart is the fault: all sockets end, the network is away for a while, and
// what comes back is what was on disk.
func (s *server) restart(away time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.http.Close()
	s.network.close()
	time.Sleep(away)
	return s.open()
}
