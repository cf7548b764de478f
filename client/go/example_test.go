package sessiond_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	sessiond "sessiond.invalid/client/go"
)

// What is in the functions below is what README.md shows.

func Example() {
	ctx := context.Background()
	client, err := sessiond.Connect(sessiond.Label("worker-1"))
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	// One at a time holds: it gets the keys, and may write.
	hold, err := client.Hold(ctx, "example", sessiond.Wait(), sessiond.OnWaiting(func(waiting sessiond.Waiting) {
		if waiting.Holder != nil {
			fmt.Println("waiting for", waiting.Holder.Label)
		}
	}))
	if err != nil {
		log.Fatal(err)
	}
	defer hold.Release(context.WithoutCancel(ctx))

	// What uses the keys lasts as long as the hold.
	if err := work(hold.Context(), hold); err != nil {
		log.Fatal(err)
	}
	// Output: durable
}

// work stands for a program that talks to Telegram.
func work(ctx context.Context, hold *sessiond.Hold) error {
	_, err := hold.Merge(ctx, &sessiond.Session{
		User:  &sessiond.User{ID: 868231286072, DC: 1, Bot: new(false)},
		State: &sessiond.UpdateState{Pts: 5000},
	})
	if err != nil {
		return err
	}
	if _, err := hold.Advance(ctx, sessiond.StateChange{Pts: new(int32(5001))}); err != nil {
		return err
	}
	fmt.Println("durable")
	return nil
}

func ExampleHeld_Context() {
	ctx := context.Background()
	client, err := sessiond.Connect()
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	hold, err := client.Hold(ctx, "bob", sessiond.Wait())
	if err != nil {
		log.Fatal(err)
	}

	if err := client.EndHold(ctx, "bob"); err != nil { // as an operator does
		log.Fatal(err)
	}
	<-hold.Context().Done() // stop using the keys, at once
	var lost *sessiond.LostError
	if errors.As(context.Cause(hold.Context()), &lost) {
		fmt.Println(lost.Reason)
	}
	_, err = hold.Advance(ctx, sessiond.StateChange{Pts: new(int32(1))})
	fmt.Println(err)
	hold.Drop() // the keys are out of use: the next in line may have them
	// Output:
	// ENDED_BY_ADMIN
	// the hold was lost: an operator ended it
}

func ExampleClient_Watch() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	client, err := sessiond.Connect()
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	hold, err := client.Hold(ctx, "carol")
	if err != nil {
		log.Fatal(err)
	}
	defer hold.Release(ctx)

	watch, err := client.Watch(sessiond.WatchOptions{Names: []string{"carol"}})
	if err != nil {
		log.Fatal(err)
	}
	for event, err := range watch.Events(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		switch event := event.(type) {
		case sessiond.Restarted: // forget everything
		case sessiond.Snapshot:
			fmt.Println(event.Name, "is held:", event.Holder != nil)
		case sessiond.Synced: // as the daemon has it; from now on what changes
			if _, err := hold.Advance(ctx, sessiond.StateChange{Pts: new(int32(7))}); err != nil {
				log.Fatal(err)
			}
		case sessiond.Advanced:
			fmt.Println(event.Name, "pts", *event.Change.Pts)
			position := watch.Position() // another watch may go on from here
			fmt.Println(position.Revision == event.Revision)
			return
		}
	}
	// Output:
	// carol is held: true
	// carol pts 7
	// true
}

func ExampleHeld_AdvanceStream() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	client, err := sessiond.Connect()
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	hold, err := client.Hold(ctx, "dave")
	if err != nil {
		log.Fatal(err)
	}
	defer hold.Release(ctx)

	stream := hold.AdvanceStream()
	for pts := range int32(1000) {
		if _, err := stream.Push(ctx, sessiond.StateChange{Pts: &pts}); err != nil {
			log.Fatal(err)
		}
	}
	revision, err := stream.Finish(ctx) // all of them are durable
	if err != nil {
		log.Fatal(err)
	}
	loaded, err := client.Load(ctx, "dave")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(loaded.Session.State.Pts, loaded.Revision == revision)
	// Output: 999 true
}

func ExampleHeld_PutPeers() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	client, err := sessiond.Connect()
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	hold, err := client.Hold(ctx, "erin")
	if err != nil {
		log.Fatal(err)
	}
	defer hold.Release(ctx)

	anna := sessiond.Peer{ID: 5, AccessHash: new(int64(17)), Usernames: []string{"anna"}}
	if _, err := hold.PutPeers(ctx, anna); err != nil {
		log.Fatal(err)
	}
	found, err := hold.Peers(ctx, sessiond.PeerUsername("Anna"), sessiond.PeerID(6))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(found[0], found[1] == nil)

	token := sessiond.Attribute{Key: "example.token", Value: []byte("..."), Secret: true}
	if _, err := hold.PutAttributes(ctx, []sessiond.Attribute{token}); err != nil {
		log.Fatal(err)
	}
	for attribute, err := range hold.ListAttributes(ctx, sessiond.AttributeFilter{Prefix: "example."}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(attribute)
	}
	// Output:
	// Peer(5, UNSPECIFIED) true
	// Attribute(example.token)
}

func ExampleHeldByAnotherError() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	client, err := sessiond.Connect(sessiond.Label("first"))
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	hold, err := client.Hold(ctx, "frank")
	if err != nil {
		log.Fatal(err)
	}
	defer hold.Release(ctx)

	_, err = client.Hold(ctx, "frank")
	var held *sessiond.HeldByAnotherError
	if errors.As(err, &held) {
		fmt.Println(held.Label, "is in the way")
	}
	_, err = hold.Advance(ctx, sessiond.StateChange{Pts: new(int32(1))}, sessiond.IfRevision(99))
	var mismatch *sessiond.RevisionMismatchError
	if errors.As(err, &mismatch) {
		fmt.Println("the session is at revision", mismatch.Current)
	}
	// Output:
	// first is in the way
	// the session is at revision 0
}
