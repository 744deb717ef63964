// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.mau.fi/libsignal/ecc"
	"go.mau.fi/util/random"
	"go.mau.fi/whatsmeow/proto/waCert"
	"go.mau.fi/whatsmeow/util/keys"
	"google.golang.org/protobuf/proto"
)

const certificateLifetime = 10 * 365 * 24 * time.Hour

// loadRootKey returns the key that clients must trust. It is the seed's if one
// is given, else one kept in the data directory, so that restarts keep it.
func loadRootKey(dir, seed string) (*keys.KeyPair, error) {
	if seed != "" {
		private, err := parsePrivateKey(seed)
		if err != nil {
			return nil, fmt.Errorf("MERPATI_SIMULATOR_ROOT_SEED: %w", err)
		}
		return keys.NewKeyPairFromPrivateKey(private), nil
	}
	return loadKey(dir, "root.key")
}

func loadKey(dir, name string) (*keys.KeyPair, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the data directory: %w", err)
	}
	path := filepath.Join(dir, name)
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		text = []byte(hex.EncodeToString(random.Bytes(32)))
		err = writeWhole(path, text)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot keep %s: %w", name, err)
	}
	private, err := parsePrivateKey(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return keys.NewKeyPairFromPrivateKey(private), nil
}

const staticKeyFile = "static.key"

// loadNoiseIdentity returns the server's key, made and kept when there is none.
func loadNoiseIdentity(dir string, root *keys.KeyPair) (noiseIdentity, error) {
	static, err := loadKey(dir, staticKeyFile)
	if err != nil {
		return noiseIdentity{}, err
	}
	certificate, err := noiseCertificate(root, static, time.Now())
	return noiseIdentity{static: static, certificate: certificate}, err
}

// replaceServerKey is the fault: clients that resume know a key that is not the
// server's any more. Open connections stay.
func (net *network) replaceServerKey() error {
	if err := os.Remove(filepath.Join(net.dir, staticKeyFile)); err != nil {
		return fmt.Errorf("cannot replace the server's key: %w", err)
	}
	server, err := loadNoiseIdentity(net.dir, net.root)
	if err == nil {
		net.server = server
	}
	return err
}

// writeWhole leaves either the old file or the whole new one, also when the
// process is killed in between.
func writeWhole(path string, content []byte) error {
	draft := path + ".new"
	if err := os.WriteFile(draft, content, 0o600); err != nil {
		return err
	}
	return os.Rename(draft, path)
}

func parsePrivateKey(text string) ([32]byte, error) {
	var private [32]byte
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(private) {
		return private, errors.New("a key is 64 hexadecimal digits")
	}
	copy(private[:], raw)
	return private, nil
}

// sign returns the XEdDSA signature over the joined parts.
func sign(key *keys.KeyPair, parts ...[]byte) []byte {
	signature := ecc.CalculateSignature(ecc.NewDjbECPrivateKey(*key.Priv), joined(parts...))
	return signature[:]
}

func joined(parts ...[]byte) []byte {
	var whole []byte
	for _, part := range parts {
		whole = append(whole, part...)
	}
	return whole
}

// noiseCertificate is the chain root -> intermediate -> static key that the
// client verifies during the handshake.
func noiseCertificate(root, static *keys.KeyPair, now time.Time) ([]byte, error) {
	intermediate := keys.NewKeyPair()
	upper, err := signedCertificate(root, intermediate, 1, 0, now)
	if err != nil {
		return nil, err
	}
	leaf, err := signedCertificate(intermediate, static, 2, 1, now)
	if err != nil {
		return nil, err
	}
	return proto.Marshal(&waCert.CertChain{Intermediate: upper, Leaf: leaf})
}

func signedCertificate(issuer, subject *keys.KeyPair, serial, issuerSerial uint32, now time.Time) (*waCert.CertChain_NoiseCertificate, error) {
	details, err := proto.Marshal(&waCert.CertChain_NoiseCertificate_Details{
		Serial:       &serial,
		IssuerSerial: &issuerSerial,
		Key:          subject.Pub[:],
		NotBefore:    proto.Uint64(uint64(now.Add(-time.Hour).Unix())),
		NotAfter:     proto.Uint64(uint64(now.Add(certificateLifetime).Unix())),
	})
	if err != nil {
		return nil, err
	}
	return &waCert.CertChain_NoiseCertificate{Details: details, Signature: sign(issuer, details)}, nil
}
