package example;

import com.google.protobuf.ByteString;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.StreamObserver;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import sessiond.v1.SessionOuterClass.Session;
import sessiond.v1.SessionOuterClass.StateChange;
import sessiond.v1.SessionServiceGrpc;
import sessiond.v1.SessionServiceOuterClass.AdvanceRequest;
import sessiond.v1.SessionServiceOuterClass.Granted;
import sessiond.v1.SessionServiceOuterClass.HoldRequest;
import sessiond.v1.SessionServiceOuterClass.HoldResponse;
import sessiond.v1.SessionServiceOuterClass.ReleaseRequest;

/** A hold. Its stream is the life line; its token goes with every write. */
final class Hold implements StreamObserver<HoldResponse>, AutoCloseable {
    private final ManagedChannel channel;
    private final HoldRequest request;
    private final CompletableFuture<Granted> granted = new CompletableFuture<>();
    private final CompletableFuture<String> lost = new CompletableFuture<>();

    private Hold(ManagedChannel channel, HoldRequest request) {
        this.channel = channel;
        this.request = request;
    }

    /** Waits in line, and returns once the session is held. */
    static Hold take(ManagedChannel channel, String name, String label) throws Exception {
        HoldRequest request =
                HoldRequest.newBuilder().setName(name).setLabel(label).setWait(true).build();
        Hold hold = new Hold(channel, request);
        hold.open();
        hold.granted.get();
        return hold;
    }

    /** The session with its keys, as it was when it was granted. */
    Session session() {
        return granted.join().getSession();
    }

    /** Completes, with the reason, when the keys must not be used any more. */
    CompletableFuture<String> lost() {
        return lost;
    }

    /** Durable when it returns. A retry has the same request id, so that it takes effect once. */
    long advance(StateChange change) throws InterruptedException {
        AdvanceRequest write = AdvanceRequest.newBuilder()
                .setName(request.getName())
                .setToken(token())
                .setChange(change)
                .setRequestId(UUID.randomUUID().toString())
                .build();
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
        while (true) {
            try {
                return calls(deadline - System.nanoTime()).advance(write).getRevision();
            } catch (StatusRuntimeException error) {
                if (!Refusal.passes(error)) {
                    throw error;
                }
                TimeUnit.MILLISECONDS.sleep(200);
                channel.resetConnectBackoff(); // Left alone, it grows to two minutes.
            }
        }
    }

    @Override
    public void onNext(HoldResponse response) {
        switch (response.getEventCase()) {
            case WAITING -> System.out.println("waits in place " + response.getWaiting().getPosition());
            case GRANTED -> granted.complete(response.getGranted()); // Once more after a resume: the same.
            case LOST -> lost.complete(response.getLost().getReason().name());
            default -> {}
        }
    }

    @Override
    public void onError(Throwable error) {
        if (Refusal.passes(error) && !lost.isDone()) {
            // The daemon restarts. A hold waits for its token, so come back at least once a second; and a place in line is
            // asked for again.
            CompletableFuture.delayedExecutor(500, TimeUnit.MILLISECONDS).execute(() -> {
                channel.resetConnectBackoff();
                open();
            });
        } else {
            granted.completeExceptionally(error);
            lost.complete(error.getMessage()); // FENCED, say: another may have the session now.
        }
    }

    @Override
    public void onCompleted() {
        lost.complete("let go");
    }

    @Override
    public void close() {
        calls(TimeUnit.SECONDS.toNanos(5))
                .release(ReleaseRequest.newBuilder().setName(request.getName()).setToken(token()).build());
    }

    private void open() {
        if (granted.isDone()) {
            HoldRequest resume = request.toBuilder().setToken(token()).build();
            SessionServiceGrpc.newStub(channel).hold(resume, this);
        } else {
            SessionServiceGrpc.newStub(channel).withWaitForReady().hold(request, this);
        }
    }

    private SessionServiceGrpc.SessionServiceBlockingStub calls(long nanoseconds) {
        return SessionServiceGrpc.newBlockingStub(channel).withDeadlineAfter(nanoseconds, TimeUnit.NANOSECONDS);
    }

    private ByteString token() {
        return granted.join().getToken();
    }
}
