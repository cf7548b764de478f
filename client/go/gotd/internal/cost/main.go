// Command cost tells what it costs gotd to save, in its own session file and in sessiond, in turns. SESSIOND_SOCKET names the
// daemon, the one argument a folder. Each line that it prints is one of JSON: benches/adapters.py makes a table of them.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gotd/td/session"
	"github.com/gotd/td/telegram/updates"
	"github.com/gotd/td/tg"

	sessiond "sessiond.invalid/client/go"
	"sessiond.invalid/client/go/gotd"
)

const (
	rounds = 1000
	userID = 868231286072
)

// figure is a line of the table: medians in microseconds. Nil: gotd has no file for it.
type figure struct {
	Library  string   `json:"library"`
	What     string   `json:"what"`
	Unit     string   `json:"unit"`
	File     *float64 `json:"file"`
	Sessiond *float64 `json:"sessiond"`
}

func main() {
	if err := run(context.Background(), os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, folder string) error {
	client, err := sessiond.Connect()
	if err != nil {
		return err
	}
	defer client.Close()
	hold, err := client.Hold(ctx, "gotd")
	if err != nil {
		return err
	}
	alice := gotd.New(hold, gotd.WithBot(true))
	defer alice.Release(ctx)
	states := alice.Updates()

	file := session.Loader{Storage: &session.FileStorage{Path: filepath.Join(folder, "gotd.json")}}
	ours := session.Loader{Storage: alice}
	key := func(loader session.Loader) func(int) error {
		return func(round int) error { return loader.Save(ctx, data(byte(round%2+1))) }
	}
	counter := func(round int) error { return states.SetPts(ctx, userID, round) }
	hash := func(round int) error { return states.SetUserAccessHash(ctx, userID, int64(1000+round), 1) }
	flushed := func(set func(int) error) func(int) error {
		return func(round int) error {
			if err := set(rounds + round); err != nil {
				return err
			}
			return alice.Flush(ctx)
		}
	}
	// gotd begins with a state that it has asked Telegram for.
	if err := states.SetState(ctx, userID, updates.State{Pts: 1, Date: 1}); err != nil {
		return err
	}
	for _, step := range []struct {
		what       string
		file, ours func(round int) error
	}{
		{"a key, until it is stored", key(file), key(ours)},
		{"a counter, as the program waits", nil, counter},
		{"a counter, until durable", nil, flushed(counter)},
		{"an access hash, as the program waits", nil, hash},
		{"an access hash, until durable", nil, flushed(hash)},
	} {
		f := figure{Library: "gotd", What: step.what, Unit: "us"}
		if f.File, f.Sessiond, err = inTurns(step.file, step.ours); err != nil {
			return err
		}
		if err := json.NewEncoder(os.Stdout).Encode(f); err != nil {
			return err
		}
	}
	return nil
}

// inTurns are the medians of both, so that the machine is the same for them.
func inTurns(file, ours func(round int) error) (ofFile, ofOurs *float64, err error) {
	var took [2][]float64
	for round := range rounds {
		for i, do := range []func(int) error{file, ours} {
			if do == nil {
				continue
			}
			began := time.Now()
			if err := do(round + 1); err != nil {
				return nil, nil, err
			}
			took[i] = append(took[i], float64(time.Since(began).Nanoseconds())/1000)
		}
	}
	return median(took[0]), median(took[1]), nil
}

func median(took []float64) *float64 {
	if len(took) == 0 {
		return nil
	}
	slices.Sort(took)
	return &took[len(took)/2]
}

// data is what gotd stores after it has connected.
func data(key byte) *session.Data {
	data := &session.Data{
		DC: 2, AuthKey: bytes.Repeat([]byte{key}, sessiond.AuthKeySize), AuthKeyID: bytes.Repeat([]byte{key}, 8), Salt: 7,
	}
	for id := 1; id <= 5; id++ {
		data.Config.DCOptions = append(data.Config.DCOptions, tg.DCOption{ID: id, IPAddress: "149.154.167.50", Port: 443})
	}
	return data
}
