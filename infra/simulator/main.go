// SPDX-License-Identifier: GPL-3.0-or-later

// Command simulator is a WhatsApp network on loopback: a server that the real
// client library connects to, and phones that scan, read and answer.
package main

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"

	"go.mau.fi/libsignal/logger"
)

type settings struct {
	listen        string
	control       string
	data          string
	exitWithStdin bool
	rootSeed      string
}

// readyLine is printed once on stdout when both addresses answer.
type readyLine struct {
	Endpoint string `json:"endpoint"`
	RootKey  string `json:"rootKey"`
	Control  string `json:"control"`
}

func main() {
	os.Exit(runSimulator(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func runSimulator(arguments []string, stdin io.Reader, stdout, stderr io.Writer) int {
	chosen, err := readSettings(arguments, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		return 2
	}
	if err := serve(chosen, stdin, stdout, stderr); err != nil {
		fmt.Fprintf(stderr, "simulator: %v\n", err)
		return 1
	}
	return 0
}

func readSettings(arguments []string, stderr io.Writer) (settings, error) {
	var chosen settings
	flags := flag.NewFlagSet("simulator", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&chosen.listen, "listen", "127.0.0.1:0", "address of the network: websocket and media")
	flags.StringVar(&chosen.control, "control", "127.0.0.1:0", "address of the control API")
	flags.StringVar(&chosen.data, "data", "", "directory that keeps phones, keys and messages over restarts")
	flags.BoolVar(&chosen.exitWithStdin, "exit-with-stdin", false, "stop when standard input closes")
	if err := flags.Parse(arguments); err != nil {
		return chosen, err
	}
	if chosen.data == "" {
		fmt.Fprintln(stderr, "simulator: --data is required")
		return chosen, errors.New("no data directory")
	}
	chosen.rootSeed = os.Getenv("MERPATI_SIMULATOR_ROOT_SEED")
	return chosen, nil
}

func serve(chosen settings, stdin io.Reader, stdout, stderr io.Writer) error {
	log := slog.New(slog.NewJSONHandler(stderr, nil))
	silenceSignal()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)

	root, err := loadRootKey(chosen.data, chosen.rootSeed)
	if err != nil {
		return err
	}
	server, err := startServer(chosen, root, log)
	if err != nil {
		return err
	}
	control, err := net.Listen("tcp", chosen.control)
	if err != nil {
		server.close()
		return fmt.Errorf("cannot listen on %s for the control API: %w", chosen.control, err)
	}
	go server.serveControl(control)

	ready := readyLine{
		Endpoint: "http://" + server.address,
		RootKey:  hex.EncodeToString(root.Pub[:]),
		Control:  "http://" + control.Addr().String(),
	}
	if err := json.NewEncoder(stdout).Encode(ready); err != nil {
		return fmt.Errorf("cannot print the ready line: %w", err)
	}
	if chosen.exitWithStdin {
		go func() {
			_, _ = io.Copy(io.Discard, stdin)
			stop <- syscall.SIGTERM
		}()
	}
	<-stop
	control.Close()
	server.close()
	return nil
}

// quietSignal drops libsignal's own log: it prints to stdout, where only the
// ready line belongs, and names what it could not decrypt, which the network
// answers and counts itself.
type quietSignal struct{}

func (quietSignal) Debug(string, string)   {}
func (quietSignal) Info(string, string)    {}
func (quietSignal) Warning(string, string) {}
func (quietSignal) Error(string, string)   {}
func (quietSignal) Configure(string)       {}

func silenceSignal() {
	var quiet logger.Loggable = quietSignal{}
	logger.Setup(&quiet)
}
