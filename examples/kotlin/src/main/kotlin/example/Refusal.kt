package example

import com.google.rpc.ErrorInfo
import io.grpc.Status
import io.grpc.StatusException
import io.grpc.protobuf.StatusProto

/** Why a call was refused: match its reason, never the text. Without one: it is not the daemon's. */
fun StatusException.info(): ErrorInfo =
    StatusProto.fromThrowable(this)!!.detailsList.firstOrNull { it.`is`(ErrorInfo::class.java) }
        ?.unpack(ErrorInfo::class.java) ?: ErrorInfo.getDefaultInstance()

/** Whether the same request may be answered otherwise: no daemon is there, or its disk has failed. */
fun StatusException.passes(): Boolean = status.code == Status.Code.UNAVAILABLE || info().reason == "STORAGE_FAILED"
