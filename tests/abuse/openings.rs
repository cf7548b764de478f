//! Connections on which nothing comes, or too little.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
    time::timeout,
};

use crate::harness::{Daemon, within};

/// What a client sends first: the preface, and a frame of settings without any (RFC 9113, 3.4).
const OPENING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// Longer than the daemon waits for it.
const LONGER: Duration = Duration::from_secs(8);

/// Reads until the daemon closes the connection.
async fn closed(mut socket: UnixStream) {
    let mut read = Vec::new();
    // That the daemon breaks it off is as well.
    let _ = within(socket.read_to_end(&mut read)).await;
}

#[tokio::test]
async fn a_connection_that_does_not_open_is_closed_and_one_that_does_stays() {
    let daemon = Daemon::start().await;
    let connect = async |sent: &[u8]| {
        let mut socket = UnixStream::connect(daemon.socket()).await.expect("it listens");
        socket.write_all(sent).await.expect("it is taken");
        socket
    };
    let slow = [
        connect(b"").await,
        connect(b"P").await,
        connect(&OPENING[..24]).await,
        connect(&OPENING[..OPENING.len() - 1]).await,
    ];
    let mut dripping = connect(b"").await;
    let mut open = connect(OPENING).await;
    let drip = async {
        for byte in OPENING {
            tokio::time::sleep(Duration::from_millis(400)).await;
            if dripping.write_all(&[*byte]).await.is_err() {
                return;
            }
        }
        panic!("it waits for ever");
    };
    let all = async { futures_util::future::join_all(slow.map(closed)).await };
    let ((), _) = tokio::join!(drip, all);
    // It has said its settings, and waits for what comes.
    let mut read = [0; 4_096];
    while let Ok(read) = timeout(LONGER, open.read(&mut read)).await {
        assert_ne!(read.expect("it goes on"), 0, "it is closed");
    }
}

#[tokio::test]
async fn those_who_do_not_open_keep_nobody_out_for_long() {
    let daemon = Daemon::start().await;
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(UnixStream::connect(daemon.socket()).await.expect("it listens"));
    }
    daemon.client().await.load("alice").await;
    futures_util::future::join_all(silent.into_iter().map(closed)).await;
    daemon.client().await.load("alice").await;
}

#[tokio::test]
async fn what_is_no_http_and_headers_without_end_are_cut_off() {
    let daemon = Daemon::start().await;
    // A frame of headers that are not at their end, and continuations of it (RFC 9113, 6.10).
    let frame = |kind: u8, payload: &[u8]| {
        let len = u32::try_from(payload.len()).expect("it is short").to_be_bytes();
        [&len[1..], &[kind, 0, 0, 0, 0, 1], payload].concat()
    };
    let headers = frame(1, &[0x82]);
    // A field with a name of its own, never to be remembered, again and again.
    let field = [&[0x10, 3][..], b"x-y", &[100], &[b'z'; 100]].concat();
    let continuation = frame(9, &field.repeat(150));
    let endless = [OPENING.to_vec(), headers, continuation.repeat(400)].concat();
    for sent in [b"GET / HTTP/1.1\r\nhost: x\r\n\r\n".repeat(10), vec![0; 1 << 20], endless] {
        let mut socket = UnixStream::connect(daemon.socket()).await.expect("it listens");
        let (mut reading, mut writing) = socket.split();
        let mut read = Vec::new();
        // It may be cut off before it is all sent.
        let _ =
            within(async { tokio::join!(writing.write_all(&sent), reading.read_to_end(&mut read)) }).await;
    }
    daemon.client().await.load("alice").await;
}
