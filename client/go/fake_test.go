package sessiond_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	sessiond "sessiond.invalid/client/go"
	pb "sessiond.invalid/client/go/sessiondpb"
)

// fake is a daemon that answers what a test says. It grants every hold.
type fake struct {
	pb.UnimplementedSessionServiceServer
	advance func(*pb.AdvanceRequest) (*pb.AdvanceResponse, error)
	release func(*pb.ReleaseRequest) (*pb.ReleaseResponse, error)
	granted *pb.Granted
}

func (f *fake) Advance(_ context.Context, request *pb.AdvanceRequest) (*pb.AdvanceResponse, error) {
	return f.advance(request)
}

func (f *fake) Release(_ context.Context, request *pb.ReleaseRequest) (*pb.ReleaseResponse, error) {
	return f.release(request)
}

func (f *fake) Hold(_ *pb.HoldRequest, stream grpc.ServerStreamingServer[pb.HoldResponse]) error {
	if err := stream.Send(&pb.HoldResponse{Event: &pb.HoldResponse_Granted{Granted: f.granted}}); err != nil {
		return err
	}
	<-stream.Context().Done()
	return nil
}

// serve serves it until the test ends, and makes a client of it.
func (f *fake) serve(t *testing.T, options ...sessiond.Option) *sessiond.Client {
	t.Helper()
	folder := ok(os.MkdirTemp("", "sessiond-go"))(t)
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	socket := filepath.Join(folder, "socket")
	listener := ok(net.Listen("unix", socket))(t)
	server := grpc.NewServer()
	pb.RegisterSessionServiceServer(server, f)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	if f.granted == nil {
		f.granted = &pb.Granted{Token: make([]byte, sessiond.TokenSize), Fence: 1}
	}
	client := ok(sessiond.Connect(append([]sessiond.Option{sessiond.Socket("unix:" + socket)}, options...)...))(t)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// refuse is an error as the daemon sends it.
func refuse(code codes.Code, reason string, metadata map[string]string) error {
	refusal, err := status.New(code, "in the daemon's words").WithDetails(&errdetails.ErrorInfo{
		Domain: "sessiond", Reason: reason, Metadata: metadata,
	})
	if err != nil {
		panic(err)
	}
	return refusal.Err()
}

// impatient gives up soon.
var impatient = sessiond.Deadline(300 * time.Millisecond)
