package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	sessiond "sessiond.invalid/client/go"
)

func (d *driver) connect(_ context.Context, c *command) (answer, error) {
	arguments := struct {
		Deadline int64   `json:"deadline_ms"`
		Label    *string `json:"label"`
	}{}
	if err := c.read(&arguments); err != nil {
		return nil, err
	}
	options := []sessiond.Option{sessiond.Label("driver")}
	if arguments.Deadline != 0 {
		options = append(options, sessiond.Deadline(time.Duration(arguments.Deadline)*time.Millisecond))
	}
	if arguments.Label != nil {
		options = append(options, sessiond.Label(*arguments.Label))
	}
	client, err := sessiond.Connect(options...)
	if err != nil {
		return nil, err
	}
	d.keep(clientKey(c.As), client)
	return answer{}, nil
}

func (d *driver) hold(ctx context.Context, c *command) (answer, error) {
	arguments := struct {
		Wait  bool    `json:"wait"`
		Label *string `json:"label"`
	}{}
	if err := c.read(&arguments); err != nil {
		return nil, err
	}
	client, err := d.client(c)
	if err != nil {
		return nil, err
	}
	options := []sessiond.HoldOption{sessiond.OnWaiting(func(waiting sessiond.Waiting) {
		event := answer{"position": waiting.Position}
		put(event, "holder", waiting.Holder, holder)
		d.write(answer{"id": c.ID, "event": answer{"waiting": event}})
	})}
	if arguments.Wait {
		options = append(options, sessiond.Wait())
	}
	if arguments.Label != nil {
		options = append(options, sessiond.Label(*arguments.Label))
	}
	hold, err := client.Hold(ctx, c.Name, options...)
	if err != nil {
		return nil, err
	}
	d.keep(holdKey(c.As), hold)
	told := answer{"fence": digits(hold.Fence()), "revision": digits(hold.Revision())}
	put(told, "session", hold.Session(), session)
	return told, nil
}

func (d *driver) token(_ context.Context, c *command) (answer, error) {
	held, err := d.held(c)
	if err != nil {
		return nil, err
	}
	return answer{"token": base64.StdEncoding.EncodeToString(held.Token().Expose())}, nil
}

func (d *driver) withToken(_ context.Context, c *command) (answer, error) {
	arguments := struct {
		Token []byte `json:"token"`
	}{}
	if err := c.read(&arguments); err != nil {
		return nil, err
	}
	client, err := d.client(c)
	if err != nil {
		return nil, err
	}
	token, err := sessiond.NewToken(arguments.Token)
	if err != nil {
		return nil, err
	}
	held, err := client.Held(c.Name, token)
	if err != nil {
		return nil, err
	}
	d.keep(holdKey(c.As), held)
	return answer{}, nil
}

func (d *driver) lost(_ context.Context, c *command) (answer, error) {
	held, err := d.held(c)
	if err != nil {
		return nil, err
	}
	<-held.Context().Done()
	cause := context.Cause(held.Context())
	if errors.Is(cause, sessiond.ErrFenced) {
		return answer{"lost": sessiond.Fenced}, nil
	}
	var lost *sessiond.LostError
	if !errors.As(cause, &lost) {
		return nil, cause
	}
	return answer{"lost": lost.Reason}, nil
}

func (d *driver) release(ctx context.Context, c *command) (answer, error) {
	hold, err := find[*sessiond.Hold](d, holdKey(c.Hold))
	if err != nil {
		return nil, err
	}
	return answer{}, hold.Release(ctx)
}

func (d *driver) drop(_ context.Context, c *command) (answer, error) {
	hold, err := find[*sessiond.Hold](d, holdKey(c.Hold))
	if err != nil {
		return nil, err
	}
	hold.Drop()
	return answer{}, nil
}

// show is what people are shown who print a hold, its session and its token.
func (d *driver) show(_ context.Context, c *command) (answer, error) {
	held, err := d.held(c)
	if err != nil {
		return nil, err
	}
	var session any
	if hold, err := find[*sessiond.Hold](d, holdKey(c.Hold)); err == nil {
		session = hold.Session()
	}
	text := ""
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		for _, value := range []any{held, session, held.Token()} {
			text += fmt.Sprintf(verb+"\n", value)
		}
	}
	return answer{"text": text}, nil
}
