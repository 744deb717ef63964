// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	"merpati/libs/contracts"
)

// This file says the same as libs/runtime/address_rules.py and targets.py; tests/contracts/address_cases.json holds the
// two together.

const mostHost = 253

var (
	hostForm    = regexp.MustCompile(`^[\pL\pN_.-]+$`)
	nameForm    = regexp.MustCompile(`^[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*$`)
	numericForm = regexp.MustCompile(`^(0[xX][0-9a-fA-F]*|[0-9]+)$`)
)

var (
	errNoHost   = errors.New("it names no usable host")
	errInside   = errors.New("it lies on this machine or in a private network")
	errSpecial  = errors.New("it is an address for a special purpose")
	errMetadata = errors.New("it is a cloud's metadata service")
)

// addressRules are the kinds of addresses of libs/contracts/addresses.json.
type addressRules struct {
	inside, special, metadata []netip.Prefix
	publicIPv6                netip.Prefix
	metadataNames             map[string]string
	wrapped                   map[netip.Prefix][][4]int // at which bytes their addresses hold an IPv4 one
}

func readAddressRules() (*addressRules, error) {
	var listed struct {
		Inside        map[string]string   `json:"inside"`
		Special       map[string]string   `json:"special"`
		PublicIPv6    string              `json:"public_ipv6"`
		Metadata      map[string]string   `json:"metadata"`
		MetadataNames map[string]string   `json:"metadata_names"`
		WrappedIPv4   map[string][][4]int `json:"wrapped_ipv4"`
	}
	err := json.Unmarshal(contracts.Addresses, &listed)
	r := &addressRules{metadataNames: listed.MetadataNames, wrapped: map[netip.Prefix][][4]int{}}
	prefix := func(text string) netip.Prefix {
		parsed, wrong := netip.ParsePrefix(text)
		err = errors.Join(err, wrong)
		return parsed
	}
	prefixes := func(from map[string]string) (parsed []netip.Prefix) {
		for text := range from {
			parsed = append(parsed, prefix(text))
		}
		return parsed
	}
	r.inside, r.special, r.metadata = prefixes(listed.Inside), prefixes(listed.Special), prefixes(listed.Metadata)
	r.publicIPv6 = prefix(listed.PublicIPv6)
	for text, places := range listed.WrappedIPv4 {
		r.wrapped[prefix(text)] = places
	}
	return r, err
}

func (r *addressRules) isMetadata(address netip.Addr) bool {
	for _, found := range append(r.wrappedIn(address), address) {
		if isAmong(found, r.metadata) {
			return true
		}
	}
	return false
}

// wrappedIn returns the IPv4 addresses that an IPv6 one may hold: mapped, compatible, translated, NAT64 and 6to4.
func (r *addressRules) wrappedIn(address netip.Addr) (found []netip.Addr) {
	packed := address.As16()
	for network, wrapped := range r.wrapped {
		if !network.Contains(address) {
			continue
		}
		for _, at := range wrapped {
			found = append(found, netip.AddrFrom4([4]byte{packed[at[0]], packed[at[1]], packed[at[2]], packed[at[3]]}))
		}
	}
	return found
}

func isAmong(address netip.Addr, networks []netip.Prefix) bool {
	for _, network := range networks {
		if network.Contains(address) {
			return true
		}
	}
	return false
}

// faultOfAddress says why nothing connects to an address, or nil.
func (r *addressRules) faultOfAddress(address netip.Addr, private bool, allowed *allowList) error {
	switch {
	case address.Zone() != "":
		return errSpecial
	case r.isMetadata(address):
		return errMetadata
	case isAmong(address, allowed.networks):
		return nil
	case isAmong(address, r.inside):
		if private {
			return nil
		}
		return errInside
	case isAmong(address, r.special), address.Is6() && !r.publicIPv6.Contains(address):
		return errSpecial
	}
	return nil
}

// faultOfHost says what is wrong with a host as it is written, or nil: a number has to be an address of the usual form.
func (r *addressRules) faultOfHost(host string) error {
	if host == "" || len([]rune(host)) > mostHost {
		return errNoHost
	}
	if strings.Contains(host, ":") || isNumeric(host) {
		if address, err := netip.ParseAddr(host); err != nil || address.Zone() != "" {
			return errNoHost
		}
		return nil
	}
	if !hostForm.MatchString(host) {
		return errNoHost
	}
	if _, known := r.metadataNames[normalName(host)]; known {
		return errMetadata
	}
	return nil
}

func isNumeric(host string) bool {
	labels := strings.Split(strings.TrimRight(host, "."), ".")
	return numericForm.MatchString(labels[len(labels)-1])
}

func normalName(host string) string { return strings.TrimSuffix(strings.ToLower(host), ".") }

// allowList holds networks and names of hosts that an operator allows, whatever their addresses are.
type allowList struct {
	networks []netip.Prefix
	hosts    map[string]bool
}

var everywhere = &allowList{networks: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}}

// readAllowList reads `10.0.0.0/8,2001:db8::5,proxy.internal`.
func readAllowList(text string) (*allowList, error) {
	list := &allowList{hosts: map[string]bool{}}
	for entry := range strings.SplitSeq(text, ",") {
		entry = strings.TrimSpace(entry)
		if name := normalName(entry); nameForm.MatchString(name) && !isNumeric(name) {
			list.hosts[name] = true
		} else if entry != "" {
			network, err := networkOf(entry)
			if err != nil {
				return nil, err
			}
			list.networks = append(list.networks, network)
		}
	}
	return list, nil
}

func networkOf(entry string) (netip.Prefix, error) {
	if address, err := netip.ParseAddr(entry); err == nil && address.Zone() == "" {
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	network, err := netip.ParsePrefix(entry)
	if err != nil || network != network.Masked() {
		return netip.Prefix{}, fmt.Errorf("%q is no network in CIDR notation, no address and no host name", entry)
	}
	return network, nil
}
