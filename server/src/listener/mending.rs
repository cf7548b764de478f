mod header_block;
mod huffman;

use std::{
    io, mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, ReadBuf};

/// What a client says first (RFC 9113, 3.4).
const PREFACE_LEN: usize = 24;

/// Length, type, flags and stream of a frame (RFC 9113, 4.1).
const FRAME_HEADER_LEN: usize = 9;

/// Longest payload of a frame that we take, since we allow no longer one (RFC 9113, 6.5.2).
const MAX_PAYLOAD_LEN: usize = 16_384;

/// The type and the flags of a frame that begins a request (RFC 9113, 6.2).
const HEADERS: u8 = 1;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;

/// Length of what [`PRIORITY`] adds before the headers.
const PRIORITY_LEN: usize = 5;

/// What is read of a client, in which a socket's path, where it stands for `:authority`, is made a name that HTTP allows there.
///
/// By default gRPC's C core, with all that is built on it (Python, C++, Ruby, PHP), and gRPC for Java say
/// `:authority: tmp%2Fsessiond.sock` or `/tmp/sessiond.sock` on a Unix socket; h2 refuses such a request, since HTTP has no
/// such hosts (RFC 9110, 4.2). Here it becomes `tmp-2Fsessiond.sock`, in place: as long as it was, bit for bit, so that
/// nothing else moves and both ends' tables of headers stay alike. What it says is of no use to anybody here.
///
/// The first request tells what kind of client it is. Where its authority is well, nothing is looked at any more.
#[derive(Debug)]
pub(super) struct Mending {
    /// None: nothing of this client's wants mending.
    frames: Option<Frames>,
    /// What was read and is not passed on: the beginning of a frame that has to be seen whole, or what there was no room for.
    held: Vec<u8>,
    /// How many bytes of that wait for room alone.
    passed: usize,
}

/// Where in a client's frames we are.
#[derive(Debug)]
struct Frames {
    /// How many bytes are to come of what does not concern us.
    skip: usize,
    /// Whether an authority was mended.
    mended: bool,
}

impl Mending {
    pub(super) fn new() -> Self {
        let frames = Frames { skip: PREFACE_LEN, mended: false };
        Self { frames: Some(frames), held: Vec::new(), passed: 0 }
    }

    /// Reads from a client's stream, as its own `poll_read` does.
    pub(super) fn poll_read<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let start = buf.filled().len();
        while buf.filled().len() == start && buf.remaining() > 0 {
            if self.passed > 0 {
                self.pass_on(buf);
                continue;
            }
            ready!(Pin::new(&mut *stream).poll_read(cx, buf))?;
            if self.frames.is_none() {
                break;
            }
            let read = &mut buf.filled_mut()[start..];
            if read.is_empty() {
                // It is over. Whoever reads what is held sees that it was cut.
                self.passed = self.held.len();
                if self.passed == 0 {
                    break;
                }
            } else if self.held.is_empty() {
                let passed = self.mend(read);
                self.held.extend_from_slice(&read[passed..]);
                buf.set_filled(start + passed);
            } else {
                let mut held = mem::take(&mut self.held);
                held.extend_from_slice(read);
                buf.set_filled(start);
                self.passed = self.mend(&mut held);
                self.held = held;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Mends what is there. Answers how many bytes may be passed on; the others want to be seen again with more behind them.
    fn mend(&mut self, bytes: &mut [u8]) -> usize {
        let passed = self.frames.as_mut().and_then(|frames| frames.mend(bytes));
        passed.unwrap_or_else(|| {
            self.frames = None;
            bytes.len()
        })
    }

    /// Passes on what may be, as far as there is room.
    fn pass_on(&mut self, buf: &mut ReadBuf<'_>) {
        let count = self.passed.min(buf.remaining());
        buf.put_slice(&self.held[..count]);
        self.held.drain(..count);
        self.passed -= count;
        if self.held.is_empty() {
            self.held = Vec::new();
        }
    }
}

impl Frames {
    /// As [`Mending::mend`]. None: neither these bytes nor any that follow want mending.
    fn mend(&mut self, bytes: &mut [u8]) -> Option<usize> {
        let mut passed = 0;
        while passed < bytes.len() {
            let rest = &mut bytes[passed..];
            if self.skip > 0 {
                let count = self.skip.min(rest.len());
                self.skip -= count;
                passed += count;
                continue;
            }
            let Some(&[high, middle, low, kind, flags, ..]) = rest.first_chunk::<FRAME_HEADER_LEN>() else {
                break;
            };
            let payload_len = u32::from_be_bytes([0, high, middle, low]) as usize;
            if kind == HEADERS {
                if payload_len > MAX_PAYLOAD_LEN {
                    return None;
                }
                let Some(payload) = rest[FRAME_HEADER_LEN..].get_mut(..payload_len) else { break };
                self.mended |= header_block(flags, payload).is_some_and(header_block::mend);
                if !self.mended {
                    return None;
                }
            }
            self.skip = FRAME_HEADER_LEN + payload_len;
        }
        Some(passed)
    }
}

/// The headers in the payload of a frame, as far as they are in it. An authority is: it comes before what may be long (RFC
/// 9113, 8.3), and the frame ends only where it has no room. None: the frame is not sound.
fn header_block(flags: u8, payload: &mut [u8]) -> Option<&mut [u8]> {
    let (mut start, mut end) = (0, payload.len());
    if flags & PADDED != 0 {
        start += 1;
        end = end.checked_sub(usize::from(*payload.first()?))?;
    }
    if flags & PRIORITY != 0 {
        start += PRIORITY_LEN;
    }
    payload.get_mut(start..end)
}

#[cfg(test)]
mod tests;
