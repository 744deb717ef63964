// Package contracts holds what the services in Go and those in Python share as files.
package contracts

import _ "embed" // addresses.json

// Addresses is addresses.json: kinds of networks, of which some are never connected to for a customer.
//
//go:embed addresses.json
var Addresses []byte
