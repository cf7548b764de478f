//! What clients say for `:authority`, byte for byte: a socket's path, by default, where gRPC is its C core or Java's.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
};

use crate::harness::{Daemon, within};

/// Kinds of frames (RFC 9113, 6).
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;

/// Flags of them.
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let len = u8::try_from(payload.len()).expect("it is short");
    [&[0, 0, len, kind, flags, 0, 0, 0, stream], payload].concat()
}

fn string(text: &[u8]) -> Vec<u8> {
    [&[u8::try_from(text.len()).expect("it is short")], text].concat()
}

/// What a client sends before its first request.
fn beginning() -> Vec<u8> {
    [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(SETTINGS, 0, 0, &[])].concat()
}

/// The headers of a health check, with an authority as it is given.
fn headers(authority: &[u8]) -> Vec<u8> {
    let field = |name: &[u8], value: &[u8]| [&[0x40], &*string(name), &string(value)].concat();
    [
        field(b":path", b"/grpc.health.v1.Health/Check"),
        authority.to_vec(),
        vec![0x83, 0x86],
        field(b"content-type", b"application/grpc"),
        field(b"te", b"trailers"),
    ]
    .concat()
}

/// The kind of the next frame that ends an answer, or refuses one.
async fn answer(socket: &mut UnixStream) -> u8 {
    loop {
        let mut header = [0; 9];
        within(socket.read_exact(&mut header)).await.expect("it goes on");
        let mut payload = vec![0; usize::from(u16::from_be_bytes([header[1], header[2]]))];
        within(socket.read_exact(&mut payload)).await.expect("it goes on");
        let is_end = header[3] == HEADERS && header[4] & END_STREAM != 0;
        if is_end || header[3] == RST_STREAM {
            return header[3];
        }
    }
}

#[tokio::test]
async fn a_request_to_a_sockets_path_is_answered_whichever_way_it_is_written() {
    let daemon = Daemon::start().await;
    let written_out: [&[u8]; 5] = [
        // Python's grpcio 1.85.1 has a name of its own and an escaped path, grpc-java 1.85.1 an index and a plain one.
        &[&[0x40][..], &string(b":authority"), &string(b"tmp%2Fsessiond.sock")].concat(),
        &[&[0x41][..], &string(b"/tmp/sessiond.sock")].concat(),
        &[&[0x01][..], &string(b"/tmp/a b:c?d.sock")].concat(),
        // `/x/x` and `%/x`, Huffman-coded (RFC 7541, appendix B).
        &[0x41, 0x84, 0x63, 0xcb, 0x1e, 0x7f],
        &[0x11, 0x83, 0x55, 0x8f, 0x3f],
    ];
    for authority in written_out {
        let mut socket = UnixStream::connect(daemon.socket()).await.expect("it listens");
        let block = headers(authority);
        let request = |stream, block: &[u8]| {
            [frame(HEADERS, END_HEADERS, stream, block), frame(DATA, END_STREAM, stream, &[0; 5])].concat()
        };
        let sent = [beginning(), request(1, &block), request(3, &block)].concat();
        for part in sent.chunks(30) {
            socket.write_all(part).await.expect("it is taken");
        }
        for _ in [1, 3] {
            assert_eq!(answer(&mut socket).await, HEADERS, "{}", authority.escape_ascii());
        }
        // Both ends remember the same fields: it is found where it was put, before two others, and after the new path.
        if authority[0] & 0x40 != 0 {
            let remembered = headers(&[0x80 | (62 + 2 + 1)]);
            socket.write_all(&request(5, &remembered)).await.expect("it is taken");
            assert_eq!(answer(&mut socket).await, HEADERS);
        }
    }
}

#[tokio::test]
async fn any_other_authority_that_http_does_not_allow_is_still_refused() {
    let daemon = Daemon::start().await;
    let mut socket = UnixStream::connect(daemon.socket()).await.expect("it listens");
    let block = headers(&[&[0x41][..], &string(b"")].concat());
    let sent = [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        frame(SETTINGS, 0, 0, &[]),
        frame(HEADERS, END_HEADERS | END_STREAM, 1, &block),
    ];
    socket.write_all(&sent.concat()).await.expect("it is taken");
    assert_eq!(answer(&mut socket).await, RST_STREAM);
}
