package main

import (
	"context"
	"iter"
	"sync"
	"time"

	sessiond "sessiond.invalid/client/go"
)

// watcher is a watch that is read a few events at a time.
type watcher struct {
	*sessiond.Watch
	reading sync.Mutex
	next    func() (sessiond.Event, error, bool)
	stop    func()
	cancel  context.CancelFunc
}

func (d *driver) watch(ctx context.Context, c *command) (answer, error) {
	arguments := struct {
		Names      []string `json:"names"`
		NamePrefix string   `json:"name_prefix"`
		Mode       string   `json:"mode"`
		After      *struct {
			Revision number `json:"revision"`
			StoreID  string `json:"store_id"`
		} `json:"after"`
		BookmarkInterval int64 `json:"bookmark_interval_ms"`
	}{}
	if err := c.read(&arguments); err != nil {
		return nil, err
	}
	client, err := d.client(c)
	if err != nil {
		return nil, err
	}
	options := sessiond.WatchOptions{
		Names: arguments.Names, NamePrefix: arguments.NamePrefix,
		BookmarkInterval: time.Duration(arguments.BookmarkInterval) * time.Millisecond,
	}
	if arguments.Mode == "LATEST" {
		options.Mode = sessiond.Latest
	}
	if after := arguments.After; after != nil {
		options.After = &sessiond.Position{Revision: int64(after.Revision), StoreID: after.StoreID}
	}
	watch, err := client.Watch(options)
	if err != nil {
		return nil, err
	}
	w := &watcher{Watch: watch}
	ctx, w.cancel = context.WithCancel(ctx)
	w.next, w.stop = iter.Pull2(w.Events(ctx))
	d.keep(watchKey(c.As), w)
	return answer{}, nil
}

func (d *driver) events(_ context.Context, c *command) (answer, error) {
	arguments := struct {
		Count     int  `json:"count"`
		Bookmarks bool `json:"bookmarks"`
	}{}
	if err := c.read(&arguments); err != nil {
		return nil, err
	}
	w, err := find[*watcher](d, watchKey(c.Watch))
	if err != nil {
		return nil, err
	}
	w.reading.Lock()
	defer w.reading.Unlock()
	told := []any{}
	for len(told) < arguments.Count {
		next, err, more := w.next()
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
		if _, is := next.(sessiond.Bookmark); !is || arguments.Bookmarks {
			told = append(told, event(next))
		}
	}
	return answer{"events": told}, nil
}

func (d *driver) restarted(_ context.Context, c *command) (answer, error) {
	w, err := find[*watcher](d, watchKey(c.Watch))
	if err != nil {
		return nil, err
	}
	w.reading.Lock()
	defer w.reading.Unlock()
	for {
		next, err, more := w.next()
		if err != nil || !more {
			return nil, err
		}
		if restarted, is := next.(sessiond.Restarted); is {
			return answer{"reason": restarted.Reason}, nil
		}
	}
}

func (d *driver) position(_ context.Context, c *command) (answer, error) {
	w, err := find[*watcher](d, watchKey(c.Watch))
	if err != nil {
		return nil, err
	}
	position := w.Position()
	if position == nil {
		return answer{}, nil
	}
	return answer{"revision": digits(position.Revision), "store_id": position.StoreID}, nil
}

func (d *driver) close(_ context.Context, c *command) (answer, error) {
	w, err := find[*watcher](d, watchKey(c.Watch))
	if err != nil {
		return nil, err
	}
	w.cancel()
	w.reading.Lock()
	defer w.reading.Unlock()
	w.stop()
	return answer{}, nil
}

func event(event sessiond.Event) answer {
	switch event := event.(type) {
	case sessiond.Restarted:
		return answer{"event": "restarted", "reason": event.Reason}
	case sessiond.Snapshot:
		told := answer{"event": "snapshot", "name": event.Name, "revision": digits(event.Revision)}
		put(told, "session", event.Session, session)
		put(told, "holder", event.Holder, holder)
		return told
	case sessiond.Synced:
		return answer{"event": "synced", "revision": digits(event.Revision), "store_id": event.StoreID}
	case sessiond.Bookmark:
		return answer{"event": "bookmark", "revision": digits(event.Revision)}
	case sessiond.Advanced:
		told := commit("advanced", event.Commit)
		told["change"] = change(event.Change)
		return told
	case sessiond.Saved:
		told := commit("saved", event.Commit)
		put(told, "session", event.Session, session)
		return told
	case sessiond.Deleted:
		return commit("deleted", event.Commit)
	case sessiond.HoldChanged:
		told := commit("hold_changed", event.Commit)
		put(told, "holder", event.Holder, holder)
		told["reason"] = event.Reason
		if event.Reason == "" {
			told["reason"] = "UNSPECIFIED"
		}
		return told
	default:
		return answer{"event": "unknown"}
	}
}

func commit(event string, commit sessiond.Commit) answer {
	told := answer{
		"event": event, "name": commit.Name, "revision": digits(commit.Revision),
		"previous_revision": digits(commit.PreviousRevision),
	}
	putTime(told, "time", commit.Time)
	return told
}
