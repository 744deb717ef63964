// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vmihailenco/msgpack/v5"
	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mongodb.org/mongo-driver/v2/bson"
)

var picture1 = content{Type: "image", MediaID: "m1", Mimetype: "image/jpeg"}

func TestAMediumIsUploadedOncePerAccount(t *testing.T) {
	sim, a := startSimulation(t), testArchive(t)
	first := startWorker(t, a, sim)
	first.link(sim, "s1", ours)
	sim.call("POST", "/phones", map[string]any{"number": theirs, "name": "T"})
	body := bytes.Repeat([]byte("picture"), 100)
	first.storeMedium("m1", body)

	first.mustSend("s1", theirs, "3EB001", picture1)
	first.mustSend("s1", theirs, "3EB002", picture1)
	first.worker.closeAll(drainTimeout)
	settledCommands(t, first) // what is remembered is written late
	second := startWorker(t, a, sim)
	second.worker.carryOut(&openRequest{Session: "s1", Link: 1, Fence: 2, Connection: 1})
	second.until("connected", "s1", nil)
	second.mustSend("s1", theirs, "3EB003", picture1)

	if uploaded := len(sim.files()); uploaded != 1 {
		t.Errorf("%d files were uploaded", uploaded)
	}
	sum := sha256.Sum256(body)
	for _, row := range sim.inbox(theirs) {
		if row["sha256"] != hex.EncodeToString(sum[:]) {
			t.Errorf("the phone shows %v", row)
		}
	}
}

func TestAnotherKindAndAnotherLinkUploadTheirOwn(t *testing.T) {
	sim, a := startSimulation(t), testArchive(t)
	o := startWorker(t, a, sim)
	o.link(sim, "s1", ours)
	o.link(sim, "s2", "6281200000009")
	sim.call("POST", "/phones", map[string]any{"number": theirs, "name": "T"})
	o.storeMedium("m1", []byte("picture"))

	o.mustSend("s1", theirs, "3EB001", picture1)
	o.mustSend("s1", theirs, "3EB002", content{Type: "document", MediaID: "m1", Mimetype: "image/jpeg", FileName: "a"})
	o.mustSend("s2", theirs, "3EB003", picture1)

	if uploaded := len(sim.files()); uploaded != 3 {
		t.Errorf("%d files were uploaded", uploaded)
	}
}

func TestAnUploadThatIsUsedAgainAndRefusedIsMadeAnew(t *testing.T) {
	sim, a := startSimulation(t), testArchive(t)
	o := startWorker(t, a, sim)
	o.link(sim, "s1", ours)
	sim.call("POST", "/phones", map[string]any{"number": theirs, "name": "T"})
	o.storeMedium("m1", []byte("picture"))
	nack := func(code int) {
		sim.call("DELETE", "/faults", nil)
		sim.call("POST", "/faults", map[string]any{"kind": "nack", "phone": ours, "code": code, "count": 1})
	}

	nack(406) // not used again: nothing to make anew
	if reply, ok := o.sendContent("s1", theirs, "3EB001", picture1).(*refusedReply); !ok || reply.Code != 406 {
		t.Errorf("a fresh upload was answered %+v", reply)
	}
	o.mustSend("s1", theirs, "3EB002", picture1)
	nack(463) // the contact's: the medium is all right
	if reply, ok := o.sendContent("s1", theirs, "3EB003", picture1).(*refusedReply); !ok || reply.Code != 463 {
		t.Errorf("a contact's refusal was answered %+v", reply)
	}
	before := len(sim.files())
	nack(406)
	o.mustSend("s1", theirs, "3EB004", picture1)

	if after := len(sim.files()); before != 1 || after != 2 {
		t.Errorf("%d files were uploaded before the refusal, %d in all", before, after)
	}
}

func TestAnOldUploadIsNotUsedAgain(t *testing.T) {
	s := testStore(t, testArchive(t), 1)
	old := &uploaded{URL: "https://x", At: time.Now().Add(-uploadLife - time.Minute)}
	must(t, s.keepUpload(t.Context(), whatsmeow.MediaImage, "m1", old))

	if found, err := s.uploadOf(t.Context(), whatsmeow.MediaImage, "m1"); found != nil || err != nil {
		t.Errorf("found %+v, %v", found, err)
	}
}

// comesIn lets a person send a file and returns where it lies.
func comesIn(o *testOwner, sim *simulation, body []byte) []byte {
	id := sim.writes(theirs, map[string]any{"to": ours, "type": "document", "media": body, "fileName": "a"})
	came := o.until("message", "s1", func(e map[string]any) bool { return e["id"] == id })
	return came["media"].(map[string]any)["ref"].([]byte)
}

func (o *testOwner) download(id string, ref []byte, most int64) told {
	return o.worker.carryOut(&downloadRequest{
		Session: "s1", Ref: ref, MediaID: id, MostBytes: most,
		Metadata: map[string]string{"customerId": "c1", "keepUntil": "2030-01-02T03:04:05Z"},
	}).named()
}

func TestADownloadBeginsAnewWhereOneDied(t *testing.T) {
	sim, a := startSimulation(t), testArchive(t)
	o := startWorker(t, a, sim)
	o.link(sim, "s1", ours)
	sim.call("POST", "/phones", map[string]any{"number": theirs, "name": "T"})
	body := bytes.Repeat([]byte("0123456789"), 60_000)
	ref := comesIn(o, sim, body)
	left := bson.D{{Key: "files_id", Value: "in-1"}, {Key: "n", Value: 1}, {Key: "data", Value: []byte("half")}}
	_, err := o.worker.media.bucket.GetChunksCollection().InsertOne(t.Context(), left)
	must(t, err)

	reply, ok := o.download("in-1", ref, 1<<20).(*downloadedReply)

	if !ok || reply.Bytes != int64(len(body)) {
		t.Fatalf("the answer is %+v", reply)
	}
	var stored bytes.Buffer
	_, err = o.worker.media.bucket.DownloadToStream(t.Context(), "in-1", &stored)
	must(t, err)
	if !bytes.Equal(stored.Bytes(), body) {
		t.Errorf("%d bytes lie there", stored.Len())
	}
	var file struct{ Metadata map[string]any }
	must(t, o.worker.media.bucket.GetFilesCollection().FindOne(t.Context(), bson.D{}).Decode(&file))
	if until, isDate := file.Metadata["keepUntil"].(bson.DateTime); !isDate || until.Time().UTC().Year() != 2030 || file.Metadata["customerId"] != "c1" {
		t.Errorf("the metadata is %v", file.Metadata)
	}
}

func TestSeveralWhoWantOneFileDownloadItOnce(t *testing.T) {
	sim, a := startSimulation(t), testArchive(t)
	o := startWorker(t, a, sim)
	o.link(sim, "s1", ours)
	sim.call("POST", "/phones", map[string]any{"number": theirs, "name": "T"})
	ref := comesIn(o, sim, bytes.Repeat([]byte("0123456789"), 60_000))
	var all sync.WaitGroup
	replies := make([]told, 5)
	for i := range replies {
		all.Go(func() { replies[i] = o.download("in-1", ref, 1<<20) })
	}
	all.Wait()

	for _, reply := range replies {
		if _, ok := reply.(*downloadedReply); !ok {
			t.Errorf("one was answered %+v", reply)
		}
	}
	must(t, os.Remove(sim.files()[0])) // who comes later finds it here
	if _, ok := o.download("in-1", ref, 1<<20).(*downloadedReply); !ok {
		t.Error("a file that is there was asked for again")
	}
}

func TestAFileThatWhatsAppLostIsGone(t *testing.T) {
	sim, a := startSimulation(t), testArchive(t)
	o := startWorker(t, a, sim)
	o.link(sim, "s1", ours)
	sim.call("POST", "/phones", map[string]any{"number": theirs, "name": "T"})
	ref := comesIn(o, sim, []byte("short-lived"))
	must(t, os.Remove(sim.files()[0]))

	if reply, ok := o.download("in-1", ref, 1<<20).(*failedReply); !ok || reply.Code != "gone" {
		t.Errorf("the answer is %+v", reply)
	}
}

func TestASenderWhoLiesAboutTheSizeFillsNoDisk(t *testing.T) {
	sim, a := startSimulation(t), testArchive(t)
	o := startWorker(t, a, sim)
	o.link(sim, "s1", ours)
	sim.call("POST", "/phones", map[string]any{"number": theirs, "name": "T"})
	var ref mediaRef
	must(t, msgpack.Unmarshal(comesIn(o, sim, make([]byte, 500_000)), &ref))
	ref.Length = 10
	lie, err := msgpack.Marshal(ref)
	must(t, err)

	if reply, ok := o.download("in-1", lie, 1000).(*failedReply); !ok || reply.Code != "too_large" {
		t.Errorf("the answer is %+v", reply)
	}
	for _, nonsense := range [][]byte{nil, []byte("x"), packed(t, map[string]any{"k": "text"})} {
		if reply, ok := o.download("in-2", nonsense, 1000).(*failedReply); !ok || reply.Code != "bad_request" {
			t.Errorf("%q was answered %+v", nonsense, reply)
		}
	}
}

func TestADownloadStopsAtTheLimit(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "")
	must(t, err)
	defer func() { _ = file.Close() }()

	_, err = io.Copy(&boundedFile{file, 100_000}, bytes.NewReader(make([]byte, 1<<20)))

	state, statErr := file.Stat()
	must(t, statErr)
	if !errors.Is(err, errTooLarge) || state.Size() > 100_000 {
		t.Errorf("%d bytes were written: %v", state.Size(), err)
	}
}

func TestWhatIsMeantIsNamedAsTheChatAddressesIt(t *testing.T) {
	sim, a := startSimulation(t), testArchive(t)
	o := startWorker(t, a, sim)
	c := o.link(sim, "s1", ours)
	sim.call("POST", "/phones", map[string]any{"number": theirs, "name": "T"})
	o.mustSend("s1", theirs, "3EB001", content{Type: "text", Text: "now the LID is known"})
	number := types.NewJID(theirs, types.DefaultUserServer)
	sender := number.String()

	for kind, key := range map[string]func(*waE2E.Message) *waCommon.MessageKey{
		"reaction": func(m *waE2E.Message) *waCommon.MessageKey { return m.GetReactionMessage().GetKey() },
		"revoke":   func(m *waE2E.Message) *waCommon.MessageKey { return m.GetProtocolMessage().GetKey() },
		"edit": func(m *waE2E.Message) *waCommon.MessageKey {
			return m.GetEditedMessage().GetMessage().GetProtocolMessage().GetKey()
		},
	} {
		made, err := c.composeChange(t.Context(), &content{Type: kind, Target: "3A1", Sender: &sender, Text: "new", Emoji: "x"}, number)
		must(t, err)
		if chat := key(made).GetRemoteJID(); !strings.HasSuffix(chat, "@lid") {
			t.Errorf("%s names the chat %s", kind, chat)
		}
		if own := kind == "edit"; key(made).GetFromMe() != own {
			t.Errorf("%s says that we wrote it: %v", kind, !own)
		}
	}
}

func TestAnEditOfAFileIsAnEditOfItsCaption(t *testing.T) {
	sim, a := startSimulation(t), testArchive(t)
	o := startWorker(t, a, sim)
	o.link(sim, "s1", ours)
	sim.call("POST", "/phones", map[string]any{"number": theirs, "name": "T"})
	o.storeMedium("m1", []byte("picture"))
	old := "old"
	captioned := picture1
	captioned.Caption = &old
	o.mustSend("s1", theirs, "3EB001", captioned)
	o.mustSend("s1", theirs, "3EB002", content{Type: "text", Text: "halo"})

	o.mustSend("s1", theirs, "3EB003", content{Type: "edit", Target: "3EB001", Text: "new"})
	o.mustSend("s1", theirs, "3EB004", content{Type: "edit", Target: "3EB002", Text: "hai"})
	o.mustSend("s1", theirs, "3EB005", content{Type: "edit", Target: "3EB0UNKNOWN", Text: "ho"})

	shown := sim.inbox(theirs)[2:]
	for i, want := range []string{"image new ", "text <nil> hai", "text <nil> ho"} {
		row := shown[i]
		if got := fmt.Sprintf("%v %v %v", row["type"], row["caption"], row["text"]); got != want && got != want+"<nil>" {
			t.Errorf("edit %d shows %q", i, got)
		}
	}
}
