use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is written so soon after something else is one of many: answers to a batch, or an event that many watch.
const SOON: Duration = Duration::from_micros(100);

/// Most bytes that wait to be written together. A client that does not read costs so much beside what HTTP/2 keeps for it.
const ROOM: usize = 64 << 10;

/// Where nothing waits, so many bytes or more are written as they are, since a copy of them would cost more than a call.
const LARGE: usize = 16 << 10;

/// A buffer that has grown beyond this is given back once it is empty.
const KEPT: usize = 4 << 10;

/// A stream to which small writes that follow each other closely go out together, in one system call.
///
/// Tasks that were woken together each have a little to write to the same client. The first is written at once, so that
/// nobody who is alone waits; what comes soon after it waits until every task that is ready by then has run.
#[derive(Debug)]
pub(super) struct Gathering<S> {
    stream: S,
    waiting: BytesMut,
    /// When something was written last.
    written: Option<Instant>,
    /// Whether the others have had their turn since something waits.
    gave_way: bool,
}

impl<S> Gathering<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, waiting: BytesMut::new(), written: None, gave_way: false }
    }

    fn is_soon(&self) -> bool {
        self.written.is_some_and(|written| written.elapsed() < SOON)
    }
}

impl<S: AsyncWrite + Unpin> Gathering<S> {
    /// Writes what waits.
    fn poll_write_waiting(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.waiting.is_empty() {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, &self.waiting))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.waiting.advance(count),
            }
        }
        if self.waiting.capacity() > KEPT {
            self.waiting = BytesMut::new();
        }
        self.written = Some(Instant::now());
        self.gave_way = false;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gathering<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gathering<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.waiting.is_empty() && bufs.iter().map(|buf| buf.len()).sum::<usize>() >= LARGE {
            return Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        }
        if this.waiting.len() >= ROOM {
            ready!(this.poll_write_waiting(cx))?;
        }
        let mut taken = 0;
        for buf in bufs {
            let part = &buf[..buf.len().min(ROOM - this.waiting.len())];
            this.waiting.extend_from_slice(part);
            taken += part.len();
        }
        Poll::Ready(Ok(taken))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.waiting.is_empty() {
            if self.is_soon() && !std::mem::replace(&mut self.gave_way, true) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            ready!(self.poll_write_waiting(cx))?;
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_write_waiting(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::IoSlice,
        pin::{Pin, pin},
        task::{Context, Poll, Waker},
    };

    use tokio::io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, duplex};

    use super::{Gathering, LARGE, ROOM};

    fn flush(stream: &mut Gathering<DuplexStream>) -> Poll<()> {
        pin!(stream).poll_flush(&mut Context::from_waker(Waker::noop())).map(|flushed| flushed.expect("open"))
    }

    #[tokio::test]
    async fn the_first_is_written_at_once_and_what_comes_soon_waits_for_one_turn() {
        let (stream, mut peer) = duplex(1 << 20);
        let mut stream = Gathering::new(stream);
        stream.write_all(b"first").await.expect("open");
        assert!(flush(&mut stream).is_ready());
        stream.write_all(b"second").await.expect("open");
        // As if the test ran on a machine that stood still meanwhile.
        stream.written = Some(std::time::Instant::now() + std::time::Duration::from_secs(60));
        assert!(flush(&mut stream).is_pending());
        stream.write_all(b"third").await.expect("open");
        assert!(flush(&mut stream).is_ready());
        let mut read = [0; 16];
        peer.read_exact(&mut read).await.expect("written");
        assert_eq!(&read, b"firstsecondthird");
    }

    #[tokio::test]
    async fn all_of_it_arrives_in_order_however_large_the_parts_are() {
        let (stream, mut peer) = duplex(1_000);
        let mut stream = Gathering::new(stream);
        let sizes = [1, 300, LARGE - 1, 5, LARGE, 7, ROOM, ROOM + 1, 3 * ROOM, 2];
        let parts: Vec<Vec<u8>> = sizes.iter().zip(0..).map(|(size, at)| vec![at; *size]).collect();
        let sent = parts.concat();
        let writing = tokio::spawn(async move {
            for part in parts {
                stream.write_all(&part).await.expect("open");
            }
            stream.shutdown().await.expect("open");
        });
        let mut read = Vec::new();
        peer.read_to_end(&mut read).await.expect("open");
        assert!(read == sent, "{} bytes of {}", read.len(), sent.len());
        writing.await.expect("it does not panic");
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_costs_a_bounded_buffer() {
        let (stream, _peer) = duplex(1);
        let mut stream = Gathering::new(stream);
        let mut context = Context::from_waker(Waker::noop());
        let part = [0; 1_000];
        let parts = [IoSlice::new(&part), IoSlice::new(&part)];
        for _ in 0..ROOM {
            if Pin::new(&mut stream).poll_write_vectored(&mut context, &parts).is_pending() {
                return assert!(stream.waiting.len() <= ROOM);
            }
        }
        panic!("it takes everything");
    }
}
