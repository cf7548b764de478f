package example

import com.google.protobuf.ByteString
import io.grpc.ManagedChannel
import io.grpc.StatusException
import java.util.UUID
import java.util.concurrent.TimeUnit
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import sessiond.v1.SessionOuterClass.Session
import sessiond.v1.SessionOuterClass.StateChange
import sessiond.v1.SessionServiceGrpcKt.SessionServiceCoroutineStub
import sessiond.v1.SessionServiceOuterClass.AdvanceRequest
import sessiond.v1.SessionServiceOuterClass.Granted
import sessiond.v1.SessionServiceOuterClass.HoldRequest
import sessiond.v1.SessionServiceOuterClass.HoldResponse
import sessiond.v1.SessionServiceOuterClass.ReleaseRequest

/** The hold is over: the keys must not be used any more. */
class LostException(reason: String) : Exception("the hold is lost: $reason")

/** A hold. Its stream is the life line; its token goes with every write. */
class Hold private constructor(private val channel: ManagedChannel, private val name: String) {
    private val stub = SessionServiceCoroutineStub(channel)
    private val granted = CompletableDeferred<Granted>()
    private lateinit var token: ByteString

    /** The session with its keys, as it was when it was granted. */
    lateinit var session: Session
        private set

    companion object {
        /** Waits in line, and runs the body while the session is held. It is cancelled where the hold is lost. */
        suspend fun <T> held(channel: ManagedChannel, name: String, label: String, body: suspend (Hold) -> T): T =
            coroutineScope {
                val hold = Hold(channel, name)
                val lifeLine = launch { hold.keep(label) }
                hold.token = hold.granted.await().token
                hold.session = hold.granted.await().session
                try {
                    body(hold)
                } finally {
                    if (lifeLine.isActive) withContext(NonCancellable) { hold.release() }
                    lifeLine.cancel()
                }
            }
    }

    /** Durable when it returns. A retry has the same request id, so that it takes effect once. */
    suspend fun advance(change: StateChange): Long {
        val request = AdvanceRequest.newBuilder()
            .setName(name)
            .setToken(token)
            .setChange(change)
            .setRequestId(UUID.randomUUID().toString())
            .build()
        val deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(10)
        while (true) {
            try {
                val left = deadline - System.nanoTime()
                return stub.withDeadlineAfter(left, TimeUnit.NANOSECONDS).advance(request).revision
            } catch (error: StatusException) {
                if (!error.passes()) throw error
                comeBack()
            }
        }
    }

    private suspend fun release() {
        val request = ReleaseRequest.newBuilder().setName(name).setToken(token).build()
        stub.withDeadlineAfter(5, TimeUnit.SECONDS).release(request)
    }

    /**
     * Reads the hold's stream, and opens it again where it breaks: the daemon restarts, and waits for the token; or a place in
     * line is asked for again.
     */
    private suspend fun keep(label: String) {
        val request = HoldRequest.newBuilder().setName(name).setLabel(label).setWait(true)
        while (true) {
            try {
                val open = if (granted.isCompleted) stub else stub.withWaitForReady()
                open.hold(request.build()).collect { response ->
                    when (response.eventCase) {
                        HoldResponse.EventCase.WAITING -> println("waits in place ${response.waiting.position}")
                        HoldResponse.EventCase.GRANTED -> {
                            granted.complete(response.granted) // Once more after a resume: the same.
                            request.token = response.granted.token
                        }
                        HoldResponse.EventCase.LOST -> throw LostException(response.lost.reason.name)
                        else -> {}
                    }
                }
                return // Released.
            } catch (error: StatusException) {
                // Anything else, FENCED say, ends the scope: another may have the session now.
                if (!error.passes()) throw error
                comeBack()
            }
        }
    }

    private suspend fun comeBack() {
        delay(500)
        channel.resetConnectBackoff() // Left alone, it grows to two minutes.
    }
}
