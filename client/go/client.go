package sessiond

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	pb "sessiond.invalid/client/go/sessiondpb"
)

const (
	// defaultDeadline is how long a call waits for a daemon, unless its context or Deadline says otherwise.
	defaultDeadline = 30 * time.Second
	// pageSize is how many entries a page of a listing has: the most that the daemon gives.
	pageSize = 1000
)

// Client is a client of the daemon. It has two connections, one for watches and one for everything else; both are made when
// they are needed, and again whenever they break.
//
// While no daemon answers, calls are tried again, at most a second apart, until the deadline of their context, or for as
// long as the client's own where that has none. A write goes through once however often it is tried.
//
// A client may be used by many goroutines at once.
type Client struct {
	socket   string
	deadline time.Duration
	label    string

	connections [2]*grpc.ClientConn
	sessions    pb.SessionServiceClient
	peers       pb.PeerServiceClient
	attributes  pb.AttributeServiceClient
	admin       pb.AdminServiceClient
	// watches is the one service that has the other connection.
	watches pb.SessionServiceClient
	// dialled is what became of the newest attempt to connect: nil once one went through.
	dialled atomic.Pointer[error]

	closed context.Context
	close  context.CancelFunc
	// tasks are the goroutines of holds and streams. Guarded by starting against a start after Close.
	tasks    sync.WaitGroup
	starting sync.Mutex
}

// Connect makes a client of the daemon that Socket names, else of the one that SESSIOND_SOCKET names, else of the one at
// DefaultSocket. That daemon need not run yet: the first call that needs it connects.
//
// No process that the program starts by os/exec inherits the connection, so a hold ends with its own process alone.
func Connect(options ...Option) (*Client, error) {
	settings := clientSettings{deadline: defaultDeadline}
	for _, option := range options {
		option.applyToClient(&settings)
	}
	if settings.socket == "" {
		settings.socket = socketFromEnvironment()
	}
	c := &Client{socket: settings.socket, deadline: settings.deadline, label: settings.label}
	c.closed, c.close = context.WithCancel(context.Background())
	for i := range c.connections {
		var err error
		if c.connections[i], err = c.dial(); err != nil {
			return nil, err
		}
	}
	calls, watches := c.connections[0], c.connections[1]
	c.sessions, c.admin = pb.NewSessionServiceClient(calls), pb.NewAdminServiceClient(calls)
	c.peers, c.attributes = pb.NewPeerServiceClient(calls), pb.NewAttributeServiceClient(calls)
	c.watches = pb.NewSessionServiceClient(watches)
	return c, nil
}

// Close closes the connections, and returns once no goroutine of the client is left. Holds that were not released are left
// as Drop leaves them. Calls that are under way, and all later ones, fail with ErrClosed.
func (c *Client) Close() error {
	c.starting.Lock()
	c.close()
	c.starting.Unlock()
	var err error
	for _, connection := range c.connections {
		err = errors.Join(err, connection.Close())
	}
	c.tasks.Wait()
	return err
}

// Socket is where the daemon is looked for: a path, or unix-abstract:NAME.
func (c *Client) Socket() string { return c.socket }

// String has the socket alone.
func (c *Client) String() string { return fmt.Sprintf("sessiond.Client(%s)", c.socket) }

// Load reads a session without its keys. Anyone may, whether or not it is held. A session that does not exist is no error.
func (c *Client) Load(ctx context.Context, name string) (Loaded, error) {
	if err := checkName(name); err != nil {
		return Loaded{}, err
	}
	return c.load(ctx, name, Token{})
}

// List gives the sessions whose names begin with prefix, by name: those that have data and those that are held. Pages are
// asked for as it is read, each as it is then. An error is the last thing that it gives.
func (c *Client) List(ctx context.Context, prefix string) iter.Seq2[SessionSummary, error] {
	request := &pb.ListRequest{PageSize: pageSize, NamePrefix: prefix}
	return pages(func(page string) ([]SessionSummary, string, error) {
		request.PageToken = page
		answer, err := call(ctx, c, func(ctx context.Context) (*pb.ListResponse, error) {
			return c.sessions.List(ctx, request)
		})
		return each(answer.GetSessions(), summaryOf), answer.GetNextPageToken(), err
	})
}

// EndHold ends a session's hold. The holder is told, and may write no more. Of a session that nobody holds: nothing happens.
func (c *Client) EndHold(ctx context.Context, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	_, err := call(ctx, c, func(ctx context.Context) (*pb.EndHoldResponse, error) {
		return c.admin.EndHold(ctx, &pb.EndHoldRequest{Name: name})
	})
	return err
}

// Info tells what daemon it is, and how it fares.
func (c *Client) Info(ctx context.Context) (ServerInfo, error) {
	answer, err := call(ctx, c, func(ctx context.Context) (*pb.GetServerInfoResponse, error) {
		return c.admin.GetServerInfo(ctx, &pb.GetServerInfoRequest{})
	})
	if err != nil {
		return ServerInfo{}, err
	}
	return serverInfoOf(answer), nil
}

func (c *Client) load(ctx context.Context, name string, token Token) (Loaded, error) {
	answer, err := call(ctx, c, func(ctx context.Context) (*pb.LoadResponse, error) {
		return c.sessions.Load(ctx, &pb.LoadRequest{Name: name, Token: token.Expose()})
	})
	if err != nil {
		return Loaded{}, err
	}
	session, err := sessionOf(answer.Session)
	return Loaded{Session: session, Revision: answer.Revision, Holder: holderOf(answer.Holder)}, err
}

// start runs a task that Close waits for, unless the client is closed: then it does nothing, and returns ErrClosed.
func (c *Client) start(task func()) error {
	c.starting.Lock()
	defer c.starting.Unlock()
	if c.closed.Err() != nil {
		return ErrClosed
	}
	c.tasks.Go(task)
	return nil
}

// pages reads a listing page by page: page is given the token of the page to read, and gives that of the next.
func pages[T any](page func(token string) ([]T, string, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for token := ""; ; {
			entries, next, err := page(token)
			if err != nil {
				yield(*new(T), err)
				return
			}
			for _, entry := range entries {
				if !yield(entry, nil) {
					return
				}
			}
			if next == "" {
				return
			}
			token = next
		}
	}
}

// each is what convert makes of every message.
func each[M, T any](messages []M, convert func(M) T) []T {
	converted := make([]T, 0, len(messages))
	for _, message := range messages {
		converted = append(converted, convert(message))
	}
	return converted
}
