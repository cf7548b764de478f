package sessiond

import (
	"context"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
)

const (
	// streamWindow is what a watch that nobody reads may leave on its way. With the windows that gRPC would find by itself, a
	// few of them would take megabytes.
	streamWindow = 65_535
	// connectionWindow leaves room for hundreds of such watches.
	connectionWindow = 16 << 20
	// connectTimeout is how long a daemon that accepts a connection may take to say its first word.
	connectTimeout = 5 * time.Second
)

// connectBackoff is the time between attempts to connect: at most a second with its jitter, so that a daemon that is back is
// noticed at once.
var connectBackoff = backoff.Config{
	BaseDelay: firstDelay, Multiplier: 2, Jitter: 0.2, MaxDelay: longestDelay * 8 / 10,
}

// dial makes a connection, which connects when the first call needs it.
func (c *Client) dial() (*grpc.ClientConn, error) {
	connect := func(ctx context.Context, _ string) (net.Conn, error) {
		connection, err := new(net.Dialer).DialContext(ctx, "unix", address(c.socket))
		if err != nil {
			c.dialled.Store(&err)
			return nil, err
		}
		c.dialled.Store(nil)
		return connection, nil
	}
	// The target is a name alone, since the dialer knows where to go. A socket's path would be no authority in HTTP/2.
	return grpc.NewClient("passthrough:///sessiond",
		grpc.WithContextDialer(connect),
		grpc.WithAuthority("localhost"),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: connectBackoff, MinConnectTimeout: connectTimeout}),
		grpc.WithIdleTimeout(0),
		grpc.WithInitialWindowSize(streamWindow),
		grpc.WithInitialConnWindowSize(connectionWindow),
		grpc.WithDefaultCallOptions(grpc.WaitForReady(true)),
	)
}
