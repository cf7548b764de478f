use std::{
    io::{self, IoSlice, Read as _, Write as _},
    net::Shutdown,
    os::unix::net::UnixStream,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf, unix::AsyncFd},
    net,
};

/// A connected socket that is not woken when its peer reads.
///
/// tokio's own stream asks the kernel to be told of room to write for as long as it is open, and a peer that reads makes
/// room. So a client that takes its answer would wake the daemon first, which has nothing to do, and would wait for that
/// (some 25 us where a processor idles). Here the kernel is asked about room from the first time on that there is none. A
/// client that was once given more than it had read is in no such hurry.
#[derive(Debug)]
pub(super) struct Socket {
    /// None: the runtime would not watch it any more, which closed it.
    stream: Option<AsyncFd<UnixStream>>,
    /// Whether we are told of room to write.
    asks_about_room: bool,
    /// Who waits for something to read.
    reader: Option<Waker>,
}

impl Socket {
    /// Takes over a stream. Needs a runtime.
    ///
    /// # Errors
    /// Where the system does not watch it.
    pub(super) fn new(stream: net::UnixStream) -> io::Result<Self> {
        let stream = Some(watch(stream.into_std()?, Interest::READABLE)?);
        Ok(Self { stream, asks_about_room: false, reader: None })
    }

    fn stream(&mut self) -> io::Result<&mut AsyncFd<UnixStream>> {
        self.stream.as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    fn ask_about_room(&mut self) -> io::Result<()> {
        let stream = self.stream.take().ok_or(io::ErrorKind::NotConnected)?;
        self.stream = Some(watch(stream.into_inner(), Interest::READABLE | Interest::WRITABLE)?);
        self.asks_about_room = true;
        // It waited for what the kernel no longer knows about, and has to ask again.
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
        Ok(())
    }
}

#[expect(
    deprecated,
    reason = "what follows it is unsafe; a descriptor that is owned here stays the same and open"
)]
fn watch(stream: UnixStream, interest: Interest) -> io::Result<AsyncFd<UnixStream>> {
    AsyncFd::with_interest(stream, interest)
}

fn write(mut stream: &UnixStream, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
    match bufs {
        [buf] => stream.write(buf),
        bufs => stream.write_vectored(bufs),
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            let Poll::Ready(guard) = this.stream()?.poll_read_ready_mut(cx) else {
                this.reader.get_or_insert_with(|| cx.waker().clone()).clone_from(cx.waker());
                return Poll::Pending;
            };
            let mut guard = guard?;
            let room = buf.initialize_unfilled();
            let most = room.len();
            let Ok(read) = guard.try_io(|stream| stream.get_mut().read(room)) else { continue };
            let count = read?;
            if 0 < count && count < most {
                // That was all, and more is told: one call less that finds nothing.
                guard.clear_ready();
            }
            buf.advance(count);
            return Poll::Ready(Ok(()));
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if !this.asks_about_room {
            match write(this.stream()?.get_ref(), bufs) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => this.ask_about_room()?,
                written => return Poll::Ready(written),
            }
        }
        loop {
            let mut guard = ready!(this.stream()?.poll_write_ready_mut(cx))?;
            if let Ok(written) = guard.try_io(|stream| write(stream.get_ref(), bufs)) {
                return Poll::Ready(written);
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.stream()?.get_ref().shutdown(Shutdown::Write))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _, split},
        net::UnixStream,
        time::timeout,
    };

    use super::Socket;

    /// More than the kernel takes for a peer that does not read.
    const MUCH: usize = 8 << 20;

    fn pair() -> (Socket, UnixStream) {
        let (ours, peer) = UnixStream::pair().expect("two sockets");
        (Socket::new(ours).expect("watched"), peer)
    }

    #[tokio::test]
    async fn bytes_go_both_ways_until_the_peer_ends() {
        let (mut socket, mut peer) = pair();
        for part in [&b"a"[..], b"bc", b"defg"] {
            peer.write_all(part).await.expect("open");
            let mut read = vec![0; part.len()];
            socket.read_exact(&mut read).await.expect("open");
            socket.write_all(&read).await.expect("open");
            peer.read_exact(&mut read).await.expect("open");
            assert_eq!(read, part);
        }
        peer.shutdown().await.expect("open");
        assert_eq!(socket.read(&mut [0; 8]).await.expect("an end is no error"), 0);
        socket.shutdown().await.expect("open");
        assert_eq!(peer.read(&mut [0; 8]).await.expect("an end is no error"), 0);
    }

    #[tokio::test]
    async fn who_writes_more_than_there_is_room_for_waits_until_the_peer_reads() {
        let (mut socket, mut peer) = pair();
        let writing = tokio::spawn(async move {
            let sent: Vec<u8> = (0..MUCH).map(|at| (at % 251) as u8).collect();
            socket.write_all(&sent).await.expect("open");
            socket.shutdown().await.expect("open");
            sent
        });
        let mut read = Vec::new();
        peer.read_to_end(&mut read).await.expect("open");
        assert!(read == writing.await.expect("it does not panic"));
    }

    #[tokio::test]
    async fn who_waits_to_read_is_told_though_the_socket_has_become_full_meanwhile() {
        let (socket, mut peer) = pair();
        let (mut reading, mut writing) = split(socket);
        let reader = tokio::spawn(async move { reading.read_u8().await });
        tokio::task::yield_now().await;
        let writer = tokio::spawn(async move { writing.write_all(&vec![0; MUCH]).await });
        let full = async {
            while !writer.is_finished() {
                tokio::task::yield_now().await;
            }
        };
        assert!(timeout(Duration::from_millis(50), full).await.is_err());

        peer.write_u8(7).await.expect("open");
        assert_eq!(reader.await.expect("it does not panic").expect("open"), 7);
        writer.abort();
    }
}
