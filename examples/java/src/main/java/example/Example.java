package example;

import com.google.rpc.ErrorInfo;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import java.util.Iterator;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import sessiond.v1.SessionOuterClass.StateChange;
import sessiond.v1.SessionServiceGrpc;
import sessiond.v1.SessionServiceOuterClass.HoldRequest;
import sessiond.v1.SessionServiceOuterClass.WatchRequest;
import sessiond.v1.SessionServiceOuterClass.WatchResponse;

/** Holds a session, moves its counters on, and sees it happen as any watcher does. */
public final class Example {
    private static final String NAME = "example";

    public static void main(String[] args) throws Exception {
        // Two connections: a watch that nobody reads may fill its own, and the hold and its writes go on.
        ManagedChannel holding = connect();
        ManagedChannel watching = connect();
        try (Hold hold = Hold.take(holding, NAME, "java-1")) {
            System.out.println("holds " + NAME + ", pts " + hold.session().getState().getPts());
            refused(watching);
            follow(watching, hold);
        } finally {
            holding.shutdownNow().awaitTermination(5, TimeUnit.SECONDS);
            watching.shutdownNow().awaitTermination(5, TimeUnit.SECONDS);
        }
    }

    private static ManagedChannel connect() {
        String socket = "unix:" + System.getenv("SESSIOND_SOCKET");
        return Grpc.newChannelBuilder(socket, InsecureChannelCredentials.create()).build();
    }

    /** Another hold of the same session is refused, and says who is in the way. */
    private static void refused(ManagedChannel channel) {
        HoldRequest request = HoldRequest.newBuilder().setName(NAME).setLabel("java-2").build();
        try {
            SessionServiceGrpc.newBlockingStub(channel).hold(request).next();
        } catch (StatusRuntimeException error) {
            ErrorInfo info = Refusal.of(error);
            Map<String, String> holder = info.getMetadataMap();
            System.out.println("refused: " + info.getReason() + " " + holder.get("label"));
        }
    }

    /** Watches from now on, and advances once nothing can be missed. */
    private static void follow(ManagedChannel channel, Hold hold) throws InterruptedException {
        WatchRequest request = WatchRequest.newBuilder().addNames(NAME).build();
        Iterator<WatchResponse> events = SessionServiceGrpc.newBlockingStub(channel).watch(request);
        while (events.hasNext()) {
            WatchResponse event = events.next();
            switch (event.getEventCase()) {
                case SNAPSHOT -> System.out.println("snapshot of " + event.getName());
                case SYNCED -> hold.advance(StateChange.newBuilder().setPts(5001).build());
                case CHANGE -> {
                    System.out.println("pts " + event.getChange().getPts());
                    return;
                }
                default -> {} // A restart, a bookmark: docs/stubs.md.
            }
        }
    }
}
