package main

import (
	"context"

	sessiond "sessiond.invalid/client/go"
)

// conditions are the arguments that every write has.
type conditions struct {
	ExpectedRevision *number `json:"expected_revision"`
	RequestID        string  `json:"request_id"`
}

func (c conditions) options() []sessiond.WriteOption {
	var options []sessiond.WriteOption
	if c.ExpectedRevision != nil {
		options = append(options, sessiond.IfRevision(int64(*c.ExpectedRevision)))
	}
	if c.RequestID != "" {
		options = append(options, sessiond.RequestID(c.RequestID))
	}
	return options
}

func (d *driver) load(ctx context.Context, c *command) (answer, error) {
	loaded, err := d.loaded(ctx, c)
	if err != nil {
		return nil, err
	}
	told := answer{"revision": digits(loaded.Revision)}
	put(told, "session", loaded.Session, session)
	put(told, "holder", loaded.Holder, holder)
	return told, nil
}

func (d *driver) loaded(ctx context.Context, c *command) (sessiond.Loaded, error) {
	if c.Hold != "" {
		held, err := d.held(c)
		if err != nil {
			return sessiond.Loaded{}, err
		}
		return held.Load(ctx)
	}
	client, err := d.client(c)
	if err != nil {
		return sessiond.Loaded{}, err
	}
	return client.Load(ctx, c.Name)
}

func (d *driver) save(ctx context.Context, c *command) (answer, error) {
	arguments := struct {
		conditions
		Session sessionText `json:"session"`
		Mode    string      `json:"mode"`
		Clear   *clearText  `json:"clear"`
	}{}
	if err := c.read(&arguments); err != nil {
		return nil, err
	}
	held, err := d.held(c)
	if err != nil {
		return nil, err
	}
	session, err := arguments.Session.session()
	if err != nil {
		return nil, err
	}
	options := arguments.options()
	switch {
	case arguments.Mode != "MERGE":
		return revision(held.Save(ctx, session, options...))
	case arguments.Clear != nil:
		return revision(held.MergeAfterClear(ctx, session, sessiond.Clear(*arguments.Clear), options...))
	default:
		return revision(held.Merge(ctx, session, options...))
	}
}

func (d *driver) advance(ctx context.Context, c *command) (answer, error) {
	arguments := struct {
		conditions
		Change changeText `json:"change"`
	}{}
	if err := c.read(&arguments); err != nil {
		return nil, err
	}
	held, err := d.held(c)
	if err != nil {
		return nil, err
	}
	return revision(held.Advance(ctx, arguments.Change.change(), arguments.options()...))
}

func (d *driver) delete(ctx context.Context, c *command) (answer, error) {
	arguments := conditions{}
	if err := c.read(&arguments); err != nil {
		return nil, err
	}
	held, err := d.held(c)
	if err != nil {
		return nil, err
	}
	return revision(held.Delete(ctx, arguments.options()...))
}

func (d *driver) stream(_ context.Context, c *command) (answer, error) {
	held, err := d.held(c)
	if err != nil {
		return nil, err
	}
	d.keep(streamKey(c.As), held.AdvanceStream())
	return answer{}, nil
}

func (d *driver) push(ctx context.Context, c *command) (answer, error) {
	arguments := struct {
		Changes []changeText `json:"changes"`
	}{}
	if err := c.read(&arguments); err != nil {
		return nil, err
	}
	stream, err := find[*sessiond.AdvanceStream](d, streamKey(c.Stream))
	if err != nil {
		return nil, err
	}
	var sequence int64
	for _, change := range arguments.Changes {
		if sequence, err = stream.Push(ctx, change.change()); err != nil {
			return nil, err
		}
	}
	return answer{"sequence": digits(sequence)}, nil
}

func (d *driver) durable(ctx context.Context, c *command) (answer, error) {
	arguments := struct {
		Sequence number `json:"sequence"`
	}{}
	if err := c.read(&arguments); err != nil {
		return nil, err
	}
	stream, err := find[*sessiond.AdvanceStream](d, streamKey(c.Stream))
	if err != nil {
		return nil, err
	}
	acknowledged, err := stream.Durable(ctx, int64(arguments.Sequence))
	return answer{"sequence": digits(acknowledged.Sequence), "revision": digits(acknowledged.Revision)}, err
}

func (d *driver) finish(ctx context.Context, c *command) (answer, error) {
	stream, err := find[*sessiond.AdvanceStream](d, streamKey(c.Stream))
	if err != nil {
		return nil, err
	}
	return revision(stream.Finish(ctx))
}

// revision is the answer of a write.
func revision(revision int64, err error) (answer, error) {
	return answer{"revision": digits(revision)}, err
}
