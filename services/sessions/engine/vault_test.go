// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestASealedValueOpensWithItsKeyAndInItsDocumentOnly(t *testing.T) {
	v, err := newVault(testRing)
	must(t, err)
	keyID, sealed := v.seal("s1/1/device", []byte("secret"))

	if keyID != "new" {
		t.Errorf("sealed with %q, not with the first key", keyID)
	}
	if opened, err := v.open("s1/1/device", keyID, sealed); err != nil || !bytes.Equal(opened, []byte("secret")) {
		t.Errorf("opened %q, %v", opened, err)
	}
	if _, err := v.open("s2/1/device", keyID, sealed); err == nil {
		t.Error("a value copied to another document opened")
	}
	if _, err := v.open("s1/1/device", "old", sealed); err == nil {
		t.Error("another key opened it")
	}
}

func TestAValueSealedWithAnOlderKeyStillOpens(t *testing.T) {
	entries := strings.Split(testRing, ",")
	before, err := newVault(entries[1])
	must(t, err)
	keyID, sealed := before.seal("d", []byte("secret"))

	rotated, err := newVault(testRing)
	must(t, err)

	if opened, err := rotated.open("d", keyID, sealed); err != nil || string(opened) != "secret" {
		t.Errorf("opened %q, %v", opened, err)
	}
}

func TestAKeyRingThatIsNoneIsRefused(t *testing.T) {
	for _, ring := range []string{"", "new", "new:", "new:AAAA", ":" + strings.Repeat("A", 43) + "=", "new:not base64"} {
		if _, err := newVault(ring); err == nil {
			t.Errorf("%q was taken", ring)
		}
	}
}
