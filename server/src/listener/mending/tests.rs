use std::{
    pin::Pin,
    task::{Context, Poll},
};

use http::uri::Authority;
use proptest::prelude::*;
use tokio::io::{AsyncRead, AsyncReadExt as _, ReadBuf, duplex};

use super::{FRAME_HEADER_LEN, HEADERS, Mending, PADDED, PREFACE_LEN, PRIORITY, huffman};

/// A client's stream that comes in parts, as they are read into buffers of this size.
struct Parts {
    stream: tokio::io::DuplexStream,
    mending: Mending,
}

impl AsyncRead for Parts {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let this = &mut *self;
        this.mending.poll_read(&mut this.stream, cx, buf)
    }
}

/// What comes out of a stream that is read at most so many bytes at a time, and whether it is still looked at.
fn read(sent: &[u8], part: usize) -> (Vec<u8>, bool) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let (stream, mut client) = duplex(part);
        let mut parts = Parts { stream, mending: Mending::new() };
        let sent = sent.to_vec();
        tokio::spawn(async move { tokio::io::AsyncWriteExt::write_all(&mut client, &sent).await });
        let mut read = Vec::new();
        let mut buffer = vec![0; part.div_ceil(2)];
        loop {
            match parts.read(&mut buffer).await.expect("it is open") {
                0 => return (read, parts.mending.frames.is_some()),
                count => read.extend_from_slice(&buffer[..count]),
            }
        }
    })
}

fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).expect("it is short").to_be_bytes();
    [&len[1..], &[kind, flags, 0, 0, 0, 1], payload].concat()
}

/// The beginning of a stream: what every client sends before its first request.
fn beginning() -> Vec<u8> {
    [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(4, 0, &[0; 6]), frame(8, 0, &[0, 0, 1, 0])].concat()
}

fn string(text: &[u8]) -> Vec<u8> {
    [&[u8::try_from(text.len()).expect("it is short")], text].concat()
}

fn coded(text: &[u8]) -> Vec<u8> {
    let octets = huffman::encode(text);
    [&[0x80 | u8::try_from(octets.len()).expect("it is short")], &*octets].concat()
}

/// Ways in which clients write an authority, before and after other fields.
fn blocks(text: &[u8]) -> Vec<Vec<u8>> {
    let path = [&[0x40], &*string(b":path"), &string(b"/x.Y/Z")].concat();
    let [name, huffman_name] = [string(b":authority"), coded(b":authority")];
    [vec![0x41], vec![0x01], vec![0x11], [&[0x40], &*name].concat(), [&[0x00], &*huffman_name].concat()]
        .into_iter()
        .flat_map(|start| {
            let (path, more) = (&path, &[0x83, 0x86]);
            [string(text), coded(text)]
                .map(|value| [&[0x3f, 0xe1, 0x1f], &**path, &start, &value, more].concat())
        })
        .collect()
}

#[test]
fn a_path_becomes_a_name_of_the_same_length_however_it_is_written_and_read() {
    for (path, name) in [
        (&b"/tmp/x.sock"[..], "-tmp-x.sock"),
        (b"tmp%2Fa%20b.sock", "tmp-2Fa-20b.sock"),
        (b"/a b/c_d", "-a-b-c_d"),
    ] {
        for block in blocks(path) {
            let sent = [beginning(), frame(HEADERS, 4, &block), frame(0, 1, b"/tmp/x.sock")].concat();
            for part in [1, 2, 7, 50, 1_000] {
                let (read, looked_at) = read(&sent, part);
                assert!(looked_at);
                assert_eq!(read.len(), sent.len());
                let at = PREFACE_LEN + 15 + 13 + FRAME_HEADER_LEN;
                let authority = super::header_block::value(&read[at..at + block.len()]).expect("it is there");
                assert_eq!(authority.escape_ascii().to_string(), name);
                assert!(read.ends_with(b"/tmp/x.sock"), "what is no header is as it was");
            }
        }
    }
}

#[test]
fn a_client_that_needs_it_is_mended_again_and_any_other_is_looked_at_once() {
    let good = |block: &[u8]| [beginning(), frame(HEADERS, 4, block)].concat();
    let bad = blocks(b"/x").remove(0);
    let first = [good(&bad), frame(HEADERS, 4, &[0x82, 0x83]), frame(HEADERS, 4, &bad)].concat();
    assert!(!read(&first, 30).0.ends_with(&bad));
    for other in [blocks(b"localhost").remove(0), vec![0x82, 0x83], vec![]] {
        let sent = [good(&other), frame(HEADERS, 4, &bad)].concat();
        assert_eq!(read(&sent, 30), (sent, false));
    }
}

#[test]
fn padding_and_priority_are_not_headers() {
    let block = blocks(b"/x").remove(0);
    let payload = [&[3], &[0x41; 5][..], &block, &[0x41, 0x41, 0x41]].concat();
    let sent = [beginning(), frame(HEADERS, 4 | PADDED | PRIORITY, &payload)].concat();
    let (read, _) = read(&sent, 1_000);
    assert!(read.ends_with(&[0x83, 0x86, 0x41, 0x41, 0x41]), "the padding is as it was");
    assert_ne!(read, sent);
}

#[test]
fn what_cannot_be_mended_passes_as_it_is() {
    let long = vec![b'x'; super::MAX_PAYLOAD_LEN + 1];
    let cut = [&beginning(), &[0, 0, 50, HEADERS, 4, 0, 0, 0, 1, 0x41, 3][..]].concat();
    let mut sent = vec![[beginning(), frame(HEADERS, 4, &long)].concat(), cut];
    // A coded `#` and a coded brace: nothing that HTTP allows is as long as these.
    for text in [&b"/a#b"[..], b"/a}"] {
        let block = [&[0x41], &*coded(text)].concat();
        sent.push([beginning(), frame(HEADERS, 4, &block)].concat());
    }
    for sent in sent {
        assert_eq!(read(&sent, 100).0, sent);
    }
}

proptest! {
    #[test]
    fn whatever_is_sent_comes_out_as_long_as_it_was(
        rest in proptest::collection::vec(any::<u8>(), 0..300),
        payload in proptest::collection::vec(any::<u8>(), 0..60),
        flags in any::<u8>(),
        part in 1_usize..100,
    ) {
        for sent in [rest.clone(), [beginning(), frame(HEADERS, flags, &payload), rest].concat()] {
            prop_assert_eq!(read(&sent, part).0.len(), sent.len());
        }
    }

    #[test]
    fn a_request_that_is_well_is_not_changed(
        text in "([a-z%]{1,5}@)?([a-zA-Z0-9._~-]{1,20}|\\[[0-9a-f:]{2,8}\\])(:[0-9]{1,5})?",
        choice in 0_usize..10,
        part in 1_usize..100,
    ) {
        prop_assert!(Authority::try_from(text.as_bytes()).is_ok());
        let block = blocks(text.as_bytes()).swap_remove(choice);
        let sent = [beginning(), frame(HEADERS, 4, &block), frame(HEADERS, 4, &blocks(b"/x")[0])].concat();
        prop_assert_eq!(read(&sent, part), (sent, false));
    }

    #[test]
    fn any_path_becomes_a_name_that_is_allowed(path in "/[a-zA-Z0-9 /%:@.,_?|+-]{1,80}", choice in 0_usize..10) {
        let mut block = blocks(path.as_bytes()).swap_remove(choice);
        let len = block.len();
        prop_assert!(super::header_block::mend(&mut block));
        let name = super::header_block::value(&block).expect("it is there");
        prop_assert!(Authority::try_from(&*name).is_ok(), "{}", name.escape_ascii());
        prop_assert_eq!((block.len(), name.len()), (len, path.len()));
    }
}
