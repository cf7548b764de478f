package example;

import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import sessiond.v1.SessionOuterClass.StateChange;
import sessiond.v1.SessionServiceGrpc;
import sessiond.v1.SessionServiceOuterClass.ListRequest;

/**
 * A hold, a write and a place in line outlast the daemon. {@code sessiond run} starts it again; the file that is given has its
 * process id. Its resume window is 2 s.
 */
public final class Restart {
    private static final String NAME = "example";

    public static void main(String[] args) throws Exception {
        Path daemon = Path.of(args[0]);
        Hold first = Hold.take(connect(), NAME, "first");
        CompletableFuture<Hold> second = CompletableFuture.supplyAsync(Restart::second);
        untilItWaits();
        long pid = Long.parseLong(Files.readString(daemon).trim());
        ProcessHandle.of(pid).orElseThrow().destroyForcibly();
        first.advance(StateChange.newBuilder().setPts(5002).build());
        System.out.println("advanced");
        TimeUnit.SECONDS.sleep(4); // A hold that had not come back would be over by now.
        untilItWaits();
        System.out.println(first.lost().isDone() || second.isDone() ? "lost" : "held");
        first.close();
        try (Hold next = second.get(10, TimeUnit.SECONDS)) {
            System.out.println("the next has pts " + next.session().getState().getPts());
        }
        System.exit(0);
    }

    private static Hold second() {
        try {
            return Hold.take(connect(), NAME, "second");
        } catch (Exception error) {
            throw new IllegalStateException(error);
        }
    }

    private static void untilItWaits() throws InterruptedException {
        var sessions = SessionServiceGrpc.newBlockingStub(connect()).withWaitForReady();
        while (sessions.list(ListRequest.getDefaultInstance()).getSessions(0).getWaiting() == 0) {
            TimeUnit.MILLISECONDS.sleep(50);
        }
    }

    private static ManagedChannel connect() {
        String socket = "unix:" + System.getenv("SESSIOND_SOCKET");
        return Grpc.newChannelBuilder(socket, InsecureChannelCredentials.create()).build();
    }
}
