//! A client that sends each message in a frame of its own, without a pause, as grpcio does.

use bytes::{BufMut as _, Bytes, BytesMut};
use h2::{
    RecvStream, SendStream,
    client::{ResponseFuture, SendRequest},
};
use http::{Method, Request};
use prost::Message;
use sessiond_proto::v1::{self, hold_response::Event};
use tokio::net::UnixStream;

use crate::harness::{Daemon, pts, within};

/// More small frames than h2 lets a client send ahead of who reads them, by default.
const CHANGES: i64 = 30_000;

/// One call: what is sent, and what is answered.
struct Call {
    sends: SendStream<Bytes>,
    answers: Answers,
    buffer: BytesMut,
}

/// What the daemon answers, once it has begun to.
enum Answers {
    Awaited(ResponseFuture),
    Begun(RecvStream),
}

impl Call {
    async fn begin(connection: &SendRequest<Bytes>, method: &str) -> Self {
        let mut connection = connection.clone().ready().await.expect("connected");
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("http://localhost/sessiond.v1.SessionService/{method}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        let (answer, sends) =
            connection.send_request(request.body(()).expect("valid"), false).expect("it is sent");
        Self { sends, answers: Answers::Awaited(answer), buffer: BytesMut::new() }
    }

    /// Sends a message in a frame of its own.
    fn send(&mut self, message: &impl Message) {
        let mut frame = BytesMut::new();
        frame.put_u8(0);
        frame.put_u32(u32::try_from(message.encoded_len()).expect("it is small"));
        message.encode(&mut frame).expect("a buffer takes any length");
        self.sends.send_data(frame.freeze(), false).expect("the stream is open");
    }

    async fn next<M: Message + Default>(&mut self) -> M {
        loop {
            if self.buffer.len() >= 5 {
                let length = u32::from_be_bytes(self.buffer[1..5].try_into().expect("four bytes")) as usize;
                if self.buffer.len() >= 5 + length {
                    let frame = self.buffer.split_to(5 + length);
                    return M::decode(&frame[5..]).expect("it is such a message");
                }
            }
            match &mut self.answers {
                Answers::Awaited(answer) => {
                    let answer = within(answer).await.expect("it is answered");
                    self.answers = Answers::Begun(answer.into_body());
                }
                Answers::Begun(answers) => {
                    let data = within(answers.data()).await.expect("more comes").expect("it is whole");
                    answers.flow_control().release_capacity(data.len()).expect("it was received");
                    self.buffer.extend_from_slice(&data);
                }
            }
        }
    }
}

#[tokio::test]
async fn a_client_that_sends_small_frames_without_a_pause_keeps_its_connection_and_its_hold() {
    let daemon = Daemon::start().await;
    let socket = UnixStream::connect(daemon.socket()).await.expect("it listens");
    let (connection, driver) = h2::client::handshake(socket).await.expect("HTTP/2");
    let driver = tokio::spawn(driver);
    let mut hold = Call::begin(&connection, "Hold").await;
    hold.send(&v1::HoldRequest { name: "alice".into(), ..Default::default() });
    hold.sends.send_data(Bytes::new(), true).expect("the stream is open");
    let Some(Event::Granted(granted)) = hold.next::<v1::HoldResponse>().await.event else {
        panic!("nobody else holds it")
    };

    let mut stream = Call::begin(&connection, "AdvanceStream").await;
    for sequence in 1..=CHANGES {
        let number = i32::try_from(sequence).expect("it is small");
        let first = sequence == 1;
        stream.send(&v1::AdvanceStreamRequest {
            name: if first { "alice".into() } else { String::new() },
            token: if first { granted.token.clone() } else { Vec::new() },
            change: Some(pts(number)),
            sequence,
        });
    }

    while stream.next::<v1::AdvanceStreamResponse>().await.sequence < CHANGES {}
    let client = daemon.client().await;
    let loaded = client.try_load("alice", &granted.token).await.expect("it is still held");
    let state = loaded.session.and_then(|session| session.state);
    assert_eq!(state.map(|state| i64::from(state.pts)), Some(CHANGES));
    assert!(!driver.is_finished(), "the connection was not ended");
}
