package example

import io.grpc.Grpc
import io.grpc.InsecureChannelCredentials
import io.grpc.ManagedChannel
import io.grpc.StatusException
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.onEach
import kotlinx.coroutines.runBlocking
import sessiond.v1.SessionOuterClass.StateChange
import sessiond.v1.SessionServiceGrpcKt.SessionServiceCoroutineStub
import sessiond.v1.SessionServiceOuterClass.HoldRequest
import sessiond.v1.SessionServiceOuterClass.WatchRequest
import sessiond.v1.SessionServiceOuterClass.WatchResponse.EventCase

private const val NAME = "example"

/** Holds a session, moves its counters on, and sees it happen as any watcher does. */
fun main() = runBlocking {
    // Two connections: a watch that nobody reads may fill its own, and the hold and its writes go on.
    val holding = connect()
    val watching = connect()
    Hold.held(holding, NAME, "kotlin-1") { hold ->
        println("holds $NAME, pts ${hold.session.state.pts}")
        refused(watching)
        follow(watching, hold)
    }
    holding.shutdownNow()
    watching.shutdownNow()
    Unit
}

private fun connect(): ManagedChannel {
    val socket = "unix:" + System.getenv("SESSIOND_SOCKET")
    return Grpc.newChannelBuilder(socket, InsecureChannelCredentials.create()).build()
}

/** Another hold of the same session is refused, and says who is in the way. */
private suspend fun refused(channel: ManagedChannel) {
    val request = HoldRequest.newBuilder().setName(NAME).setLabel("kotlin-2").build()
    try {
        SessionServiceCoroutineStub(channel).hold(request).first()
    } catch (error: StatusException) {
        val info = error.info()
        println("refused: ${info.reason} ${info.getMetadataOrThrow("label")}")
    }
}

/** Watches from now on, and advances once nothing can be missed. */
private suspend fun follow(channel: ManagedChannel, hold: Hold) {
    val request = WatchRequest.newBuilder().addNames(NAME).build()
    val events = SessionServiceCoroutineStub(channel).watch(request)
    val change = events.onEach { event ->
        when (event.eventCase) {
            EventCase.SNAPSHOT -> println("snapshot of ${event.name}")
            EventCase.SYNCED -> hold.advance(StateChange.newBuilder().setPts(5001).build())
            else -> {} // A restart, a bookmark: docs/stubs.md.
        }
    }.first { event -> event.eventCase == EventCase.CHANGE }
    println("pts ${change.change.pts}")
}
