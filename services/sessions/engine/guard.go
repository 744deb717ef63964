// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"
)

const (
	proxyDialPatience = 30 * time.Second
	proxyNextPatience = 5 * time.Second // for each of several addresses but the last
)

// guard dials the proxies that customers name: it resolves a name once for each connection, looks at every address, and
// connects to exactly those that it has looked at, so no name can lead inside the second time.
type guard struct {
	rules    *addressRules
	private  bool
	allowed  *allowList
	resolver *net.Resolver
}

// refusedProxy is a proxy that this deployment does not connect to. It names no address: that may be somebody's secret.
type refusedProxy struct{ reason error }

func (e *refusedProxy) Error() string { return "the proxy's address is refused: " + e.reason.Error() }

func newGuard(private bool, allowed string) (*guard, error) {
	rules, err := readAddressRules()
	if err != nil {
		return nil, err
	}
	list, err := readAllowList(allowed)
	if err != nil {
		return nil, errors.New("MERPATI_PROXY_ALLOWED: " + err.Error())
	}
	return &guard{rules: rules, private: private, allowed: list, resolver: net.DefaultResolver}, nil
}

// dial connects to the first allowed address of a proxy that answers.
func (g *guard) dial(ctx context.Context, network, place string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(place)
	if err != nil {
		return nil, err
	}
	addresses, err := g.addressesOf(ctx, host)
	if err != nil {
		return nil, err
	}
	var conn net.Conn
	for i, address := range addresses {
		within := proxyNextPatience
		if i == len(addresses)-1 {
			within = proxyDialPatience
		}
		dialer := &net.Dialer{Timeout: within, KeepAlive: 30 * time.Second, Control: g.checked(host)}
		conn, err = dialer.DialContext(ctx, network, net.JoinHostPort(address.String(), port))
		if err == nil || ctx.Err() != nil {
			break
		}
	}
	return conn, err
}

// addressesOf returns the allowed addresses of a host; refusedProxy when there are none.
func (g *guard) addressesOf(ctx context.Context, host string) ([]netip.Addr, error) {
	if fault := g.rules.faultOfHost(host); fault != nil {
		return nil, &refusedProxy{fault}
	}
	found, err := g.resolved(ctx, host)
	if err != nil {
		return nil, err
	}
	refused := errNoHost
	var usable []netip.Addr
	for _, address := range found {
		if fault := g.faultOf(host, address); fault != nil {
			refused = fault
		} else {
			usable = append(usable, address)
		}
	}
	if len(usable) == 0 {
		return nil, &refusedProxy{refused}
	}
	return usable, nil
}

// resolved returns all addresses of a host. The resolver gives IPv4 ones in the form of IPv6.
func (g *guard) resolved(ctx context.Context, host string) ([]netip.Addr, error) {
	if literal, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{literal}, nil
	}
	found, err := g.resolver.LookupNetIP(ctx, "ip", host)
	for i, address := range found {
		found[i] = address.Unmap()
	}
	return found, err
}

func (g *guard) faultOf(host string, address netip.Addr) error {
	allowed := g.allowed
	if allowed.hosts[normalName(host)] {
		allowed = everywhere
	}
	return g.rules.faultOfAddress(address, g.private, allowed)
}

// checked looks at the address of the socket itself, the moment before it connects.
func (g *guard) checked(host string) func(network, place string, _ syscall.RawConn) error {
	return func(_, place string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(place)
		if err != nil {
			return &refusedProxy{errNoHost}
		}
		if fault := g.faultOf(host, at.Addr()); fault != nil {
			return &refusedProxy{fault}
		}
		return nil
	}
}
