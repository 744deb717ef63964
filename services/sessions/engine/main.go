// SPDX-License-Identifier: GPL-3.0-or-later

// The engine worker holds the WhatsApp sockets of one `sessions` replica. It translates between the library and the port
// of services/sessions/engines/base.py and keeps the device keys in MongoDB; every decision is its owner's.
package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"
)

const drainTimeout = 5 * time.Second

func main() {
	socket := flag.String("socket", "", "path of the owner's Unix socket")
	flag.Parse()
	if flag.Arg(0) == thumbnailMode {
		if makeThumbnail(os.Stdin, os.Stdout) != nil {
			os.Exit(1)
		}
		return
	}
	silenceSignal()
	pingInTime()
	if err := run(*socket); err != nil {
		logEvent("error", "the engine worker ends", "error", err)
		os.Exit(1)
	}
}

// run serves the owner until stdin or the socket closes, or a signal comes.
func run(socketPath string) error {
	settings, err := readSettings(os.Getenv)
	if err != nil {
		return err
	}
	client, err := connectMongo(settings.mongoURL)
	if err != nil {
		return err
	}
	owner, err := net.Dial("unix", socketPath)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	go func() { // the owner's end of stdin closes when the owner ends, however it ends
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	archive := newArchive(client, settings.database, settings.vault)
	queue := newWriteBehind(archive)
	queueDone := make(chan struct{})
	queueCtx, stopQueue := context.WithCancel(context.WithoutCancel(ctx))
	go func() { defer close(queueDone); queue.run(queueCtx) }()
	go createIndexes(ctx, archive)

	w := newWorker(ctx, owner, archive, queue, newMediaLibrary(client.Database(settings.database)), settings.network)
	w.serve()
	w.closeAll(drainTimeout)
	stopQueue()
	<-queueDone
	return nil
}

func createIndexes(ctx context.Context, archive *archive) {
	for ctx.Err() == nil {
		err := archive.createIndexes(ctx)
		if err == nil {
			return
		}
		logEvent("warn", "the indexes of device_keys could not be made", "error", err)
		if !passing(err) {
			return
		}
	}
}

type settings struct {
	mongoURL string
	database string
	vault    *vault
	network  *network
}

func readSettings(getenv func(string) string) (*settings, error) {
	s := &settings{mongoURL: getenv("MONGODB_URL")}
	parsed, err := connstring.ParseAndValidate(s.mongoURL)
	if err != nil || parsed.Database == "" {
		return nil, errors.New("MONGODB_URL must be set and name a database in its path")
	}
	s.database = parsed.Database
	if s.vault, err = newVault(getenv("MERPATI_SECRET_KEYS")); err != nil {
		return nil, err
	}
	proxies, err := newGuard(getenv("MERPATI_PRIVATE_TARGETS") == "1", getenv("MERPATI_PROXY_ALLOWED"))
	if err != nil {
		return nil, err
	}
	s.network, err = newNetwork(getenv("MERPATI_WA_ENDPOINT"), getenv("MERPATI_WA_ROOT_KEY"), proxies)
	return s, err
}

// connectMongo returns at once: the driver connects when it is first used, and again whenever it must.
func connectMongo(url string, more ...*options.ClientOptions) (*mongo.Client, error) {
	journaled := true
	base := options.Client().ApplyURI(url).
		SetWriteConcern(&writeconcern.WriteConcern{W: "majority", Journal: &journaled}).
		SetServerSelectionTimeout(3 * time.Second).SetConnectTimeout(3 * time.Second).SetAppName("merpati-engine")
	return mongo.Connect(append([]*options.ClientOptions{base}, more...)...)
}
