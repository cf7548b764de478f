package example

import io.grpc.Grpc
import io.grpc.InsecureChannelCredentials
import io.grpc.ManagedChannel
import java.nio.file.Path
import kotlin.io.path.readText
import kotlin.system.exitProcess
import kotlinx.coroutines.async
import kotlinx.coroutines.delay
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import sessiond.v1.SessionOuterClass.StateChange
import sessiond.v1.SessionServiceGrpcKt.SessionServiceCoroutineStub
import sessiond.v1.SessionServiceOuterClass.ListRequest

private const val NAME = "example"

/**
 * A hold, a write and a place in line outlast the daemon. `sessiond run` starts it again; the file that is given has its process
 * id. Its resume window is 2 s.
 */
fun main(args: Array<String>) {
    runBlocking {
        val second = Hold.held(connect(), NAME, "first") { first ->
            val second = this@runBlocking.async {
                Hold.held(connect(), NAME, "second") { it.session.state.pts }
            }
            untilItWaits()
            val pid = Path.of(args[0]).readText().trim().toLong()
            ProcessHandle.of(pid).orElseThrow().destroyForcibly()
            first.advance(StateChange.newBuilder().setPts(5002).build())
            println("advanced")
            delay(4_000) // A hold that had not come back would be over by now.
            untilItWaits()
            println(if (second.isCompleted) "lost" else "held")
            second
        }
        println("the next has pts ${withTimeout(10_000) { second.await() }}")
    }
    exitProcess(0)
}

private suspend fun untilItWaits() {
    val sessions = SessionServiceCoroutineStub(connect()).withWaitForReady()
    while (sessions.list(ListRequest.getDefaultInstance()).getSessions(0).waiting == 0) delay(50)
}

private fun connect(): ManagedChannel {
    val socket = "unix:" + System.getenv("SESSIOND_SOCKET")
    return Grpc.newChannelBuilder(socket, InsecureChannelCredentials.create()).build()
}
