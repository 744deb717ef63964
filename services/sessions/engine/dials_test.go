// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// opening are the names by which packages open connections; all names of those with nil.
var opening = map[string]*regexp.Regexp{
	"net":                                  regexp.MustCompile(`^(Dial|Lookup|Resolver$|DefaultResolver$|FileConn$)`),
	"net/http":                             regexp.MustCompile(`^(Get|Head|Post|PostForm|Client|DefaultClient|Transport|DefaultTransport|NewFileTransport)$`),
	"crypto/tls":                           regexp.MustCompile(`^(Dial|Client$)`),
	"syscall":                              regexp.MustCompile(`^(Connect|Socket|Sendto|Sendmsg|RawSyscall|Syscall|ForkExec|Exec$|StartProcess)`),
	"golang.org/x/sys/unix":                regexp.MustCompile(`^(Connect|Socket|Sendto|Sendmsg|RawSyscall|Syscall|Exec$)`),
	"github.com/coder/websocket":           regexp.MustCompile(`^(Dial|NetConn$)`),
	"go.mau.fi/whatsmeow":                  regexp.MustCompile(`^GetLatestVersion`),
	"go.mau.fi/whatsmeow/socket":           regexp.MustCompile(`^New`),
	"go.mongodb.org/mongo-driver/v2/mongo": regexp.MustCompile(`^Connect$`),
	"net/rpc":                              nil,
	"net/rpc/jsonrpc":                      nil,
	"net/smtp":                             nil,
	"net/textproto":                        nil,
	"os/exec":                              nil,
	"plugin":                               nil,
	"golang.org/x/crypto/ssh":              nil,
	"golang.org/x/net/proxy":               nil,
	"golang.org/x/net/websocket":           nil,
	"google.golang.org/grpc":               nil,
}

// methods open connections, or say how, whatever they are called on.
var methods = regexp.MustCompile(`^(Dial.*|Lookup.*|SetProxy.*|SetSOCKSProxy|Set[A-Za-z]*HTTPClient|Proxy|Transport|RoundTrip|Do)$`)

// opened are the places where this code opens a connection, or says how.
var opened = map[string][]string{
	"guard.go": { // to a proxy that a customer names: guarded
		".DialContext", ".LookupNetIP", "net.DefaultResolver", "net.Dialer", "net.Resolver",
	},
	"main.go": { // to the owner, and to MongoDB
		"mongo.Connect", "net.Dial",
	},
	"network.go": { // to WhatsApp, or through a proxy, which the guard dials
		".DialContext", ".Proxy", ".RoundTrip", ".SetMediaHTTPClient", ".SetPreLoginHTTPClient", ".SetWebsocketHTTPClient",
		"http.Client", "http.DefaultTransport", "http.Transport",
	},
	"connection.go": {".Proxy"},              // what the owner asks for
	"thumbnails.go": {"exec.CommandContext"}, // this program once more, which opens none
}

func TestNothingOpensAConnectionPastTheGuard(t *testing.T) {
	for _, folder := range []string{".", "../../../infra/simulator", "../../../libs/contracts"} {
		files, err := filepath.Glob(filepath.Join(folder, "*.go"))
		must(t, err)
		if len(files) == 0 {
			t.Fatalf("no file in %s", folder)
		}
		for _, path := range files {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			must(t, err)
			if found := opensIn(file); !slices.Equal(found, opened[path]) {
				t.Errorf("%s opens connections by %q, and %q are known: what a customer names goes through the guard", path, found, opened[path])
			}
		}
	}
}

func TestWhatOpensAConnectionIsFound(t *testing.T) {
	for code, want := range map[string][]string{
		`import "net"; func f() { net.DialTimeout("", "", 0) }`:           {"net.DialTimeout"},
		`import n "net"; var d n.Dialer`:                                  {"net.Dialer"},
		`import "net/http"; func f() { http.Get("") }`:                    {"http.Get"},
		`import "net/http"; var c = &http.Client{}`:                       {"http.Client"},
		`import . "net/http"`:                                             {"http.*"},
		`import "os/exec"; func f() { exec.Command("curl") }`:             {"exec.Command"},
		`import "golang.org/x/net/proxy"; var p = proxy.Direct`:           {"proxy.Direct"},
		`func f() { c.SetProxyAddress("") }`:                              {".SetProxyAddress"},
		`import "net"; func f() { net.Listen("", "") }`:                   nil,
		`import "net/http"; func f() { http.NewRequest("GET", "", nil) }`: nil,
	} {
		file, err := parser.ParseFile(token.NewFileSet(), "", "package a\n"+strings.ReplaceAll(code, ";", "\n"), 0)
		must(t, err)
		if found := opensIn(file); !slices.Equal(found, want) {
			t.Errorf("%s: %q, not %q", code, found, want)
		}
	}
}

// opensIn returns what in a file opens connections: `package.Name`, or `.Method`, each once, sorted.
func opensIn(file *ast.File) []string {
	found := map[string]bool{}
	packages := map[string]string{}
	for _, imported := range file.Imports {
		path, _ := strconv.Unquote(imported.Path.Value)
		_, known := opening[path]
		name := nameOf(path)
		if imported.Name != nil {
			name = imported.Name.Name
		}
		packages[name] = path
		if name == "." && known {
			found[nameOf(path)+".*"] = true
		}
	}
	ast.Inspect(file, func(node ast.Node) bool {
		selector, is := node.(*ast.SelectorExpr)
		if !is {
			return true
		}
		owner, _ := selector.X.(*ast.Ident)
		if owner != nil && packages[owner.Name] != "" {
			path := packages[owner.Name]
			if names, known := opening[path]; known && (names == nil || names.MatchString(selector.Sel.Name)) {
				found[nameOf(path)+"."+selector.Sel.Name] = true
			}
		} else if methods.MatchString(selector.Sel.Name) {
			found["."+selector.Sel.Name] = true
		}
		return true
	})
	return slices.Sorted(maps.Keys(found))
}

func nameOf(path string) string { return path[strings.LastIndex(path, "/")+1:] }
