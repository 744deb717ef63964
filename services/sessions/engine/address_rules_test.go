// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"testing"
)

// addressCases are those that the guard of the Python services keeps too.
type addressCases struct {
	Addresses map[string][]string `json:"addresses"`
	Hosts     map[string][]string `json:"hosts"`
	Lists     []struct {
		List           string   `json:"list"`
		HasAddresses   []string `json:"has_addresses"`
		LacksAddresses []string `json:"lacks_addresses"`
		HasHosts       []string `json:"has_hosts"`
		LacksHosts     []string `json:"lacks_hosts"`
	} `json:"allow_lists"`
	NoLists []string `json:"no_allow_lists"`
}

func readCases(t *testing.T) (*addressCases, *addressRules) {
	t.Helper()
	text, err := os.ReadFile("../../../tests/contracts/address_cases.json")
	must(t, err)
	cases := &addressCases{}
	must(t, json.Unmarshal(text, cases))
	rules, err := readAddressRules()
	must(t, err)
	return cases, rules
}

func TestBothGuardsJudgeAddressesAlike(t *testing.T) {
	cases, rules := readCases(t)
	nothing, err := readAllowList("")
	must(t, err)
	faults := map[string]error{"public": nil, "inside": errInside, "special": errSpecial, "metadata": errMetadata}
	for kind, fault := range faults {
		if len(cases.Addresses[kind]) == 0 {
			t.Fatalf("no case of %s", kind)
		}
		for _, text := range cases.Addresses[kind] {
			address := netip.MustParseAddr(text)
			itself, err := readAllowList(text)
			must(t, err)
			for how, c := range map[string]struct {
				got    error
				lifted bool
			}{
				"by default":      {rules.faultOfAddress(address, false, nothing), false},
				"private targets": {rules.faultOfAddress(address, true, nothing), kind == "inside"},
				"itself allowed":  {rules.faultOfAddress(address, false, itself), kind != "metadata"},
				"all allowed":     {rules.faultOfAddress(address, true, everywhere), kind != "metadata"},
			} {
				want := fault
				if c.lifted {
					want = nil
				}
				if !errors.Is(c.got, want) {
					t.Errorf("%s, %s: %v, not %v", text, how, c.got, want)
				}
			}
		}
	}
}

func TestBothGuardsJudgeHostsAlike(t *testing.T) {
	cases, rules := readCases(t)
	for kind, fault := range map[string]error{"taken": nil, "refused": errNoHost, "metadata": errMetadata} {
		for _, host := range cases.Hosts[kind] {
			if got := rules.faultOfHost(host); !errors.Is(got, fault) {
				t.Errorf("%q: %v, not %v", host, got, fault)
			}
		}
	}
	for name := range rules.metadataNames {
		if rules.faultOfHost(name) == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestBothReadAllowListsAlike(t *testing.T) {
	cases, rules := readCases(t)
	nothing, _ := readAllowList("")
	for _, c := range cases.Lists {
		list, err := readAllowList(c.List)
		must(t, err)
		for _, text := range c.HasAddresses {
			if fault := rules.faultOfAddress(netip.MustParseAddr(text), false, list); fault != nil {
				t.Errorf("%s: %v", text, fault)
			}
		}
		for _, text := range c.LacksAddresses {
			address := netip.MustParseAddr(text)
			if !errors.Is(rules.faultOfAddress(address, false, list), rules.faultOfAddress(address, false, nothing)) {
				t.Errorf("%s is on the list", text)
			}
		}
		for _, host := range c.HasHosts {
			if !list.hosts[normalName(host)] {
				t.Errorf("%s is not on the list", host)
			}
		}
		for _, host := range c.LacksHosts {
			if list.hosts[normalName(host)] {
				t.Errorf("%s is on the list", host)
			}
		}
	}
	for _, text := range cases.NoLists {
		if list, err := readAllowList(text); err == nil {
			t.Errorf("%s is read as %+v", text, list)
		}
	}
}
