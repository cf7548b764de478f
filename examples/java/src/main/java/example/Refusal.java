package example;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.ErrorInfo;
import io.grpc.Status;
import io.grpc.protobuf.StatusProto;

/** Why a call was refused. */
final class Refusal {
    private Refusal() {}

    /** Match its reason, never the text. Without one: it is not the daemon's. */
    static ErrorInfo of(Throwable error) {
        try {
            for (Any detail : StatusProto.fromThrowable(error).getDetailsList()) {
                if (detail.is(ErrorInfo.class)) {
                    return detail.unpack(ErrorInfo.class);
                }
            }
        } catch (InvalidProtocolBufferException unreadable) {
            // As if there were none.
        }
        return ErrorInfo.getDefaultInstance();
    }

    /** Whether the same request may be answered otherwise: no daemon is there, or its disk has failed. */
    static boolean passes(Throwable error) {
        return Status.fromThrowable(error).getCode() == Status.Code.UNAVAILABLE
                || of(error).getReason().equals("STORAGE_FAILED");
    }
}
