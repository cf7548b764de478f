package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	health "google.golang.org/grpc/health/grpc_health_v1"

	sessiond "sessiond.invalid/client/go"
)

func (d *driver) list(ctx context.Context, c *command) (answer, error) {
	arguments := struct {
		NamePrefix string `json:"name_prefix"`
	}{}
	if err := c.read(&arguments); err != nil {
		return nil, err
	}
	client, err := d.client(c)
	if err != nil {
		return nil, err
	}
	told := []any{}
	for summary, err := range client.List(ctx, arguments.NamePrefix) {
		if err != nil {
			return nil, err
		}
		told = append(told, summarized(summary))
	}
	return answer{"sessions": told}, nil
}

func summarized(s sessiond.SessionSummary) any {
	told := answer{
		"name": s.Name, "revision": digits(s.Revision), "channel_count": s.ChannelCount,
		"dcs_with_auth": every(s.DCsWithAuth, plain), "waiting": s.Waiting, "watchers": s.Watchers, "damaged": s.Damaged,
	}
	put(told, "user", s.User, user)
	put(told, "holder", s.Holder, holder)
	put(told, "pts", s.Pts, plain)
	put(told, "test_mode", s.TestMode, plain)
	putTime(told, "changed", s.Changed)
	return told
}

func (d *driver) info(ctx context.Context, c *command) (answer, error) {
	client, err := d.client(c)
	if err != nil {
		return nil, err
	}
	info, err := client.Info(ctx)
	return answer{"engine": info.Engine, "store_id": info.StoreID, "features": every(info.Features, plain)}, err
}

func (d *driver) endHold(ctx context.Context, c *command) (answer, error) {
	client, err := d.client(c)
	if err != nil {
		return nil, err
	}
	return answer{}, client.EndHold(ctx, c.Name)
}

// measure makes calls one after the other, and tells their median.
func (d *driver) measure(ctx context.Context, c *command) (answer, error) {
	arguments := struct {
		What  string `json:"what"`
		Count int    `json:"count"`
	}{}
	if err := c.read(&arguments); err != nil {
		return nil, err
	}
	if arguments.What == "empty" {
		return d.measureEmpty(ctx, c, arguments.Count)
	}
	held, err := d.held(c)
	if err != nil {
		return nil, err
	}
	return median(arguments.Count, func(n int) error {
		_, err := held.Advance(ctx, sessiond.StateChange{Pts: new(int32(n))})
		return err
	})
}

func (d *driver) measureEmpty(ctx context.Context, c *command, count int) (answer, error) {
	client, err := d.client(c)
	if err != nil {
		return nil, err
	}
	target := client.Socket()
	if !strings.HasPrefix(target, "unix-abstract:") {
		target = "unix:" + target
	}
	connection, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	checks := health.NewHealthClient(connection)
	return median(count, func(int) error {
		_, err := checks.Check(ctx, &health.HealthCheckRequest{})
		return err
	})
}

func median(count int, call func(n int) error) (answer, error) {
	times := make([]time.Duration, 0, count)
	for n := range count {
		began := time.Now()
		if err := call(n + 1); err != nil {
			return nil, err
		}
		times = append(times, time.Since(began))
	}
	slices.Sort(times)
	return answer{"p50_us": float64(times[len(times)/2].Nanoseconds()) / 1000}, nil
}
