use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::OwnedSemaphorePermit,
    time::{Sleep, sleep},
};
use tonic::transport::server::Connected;

use super::{gathering::Gathering, mending::Mending, transport::Transport};
use crate::caller::Caller;

/// What a client sends first: the preface of HTTP/2, and a frame of settings, of which the head is enough (RFC 9113, 3.4).
/// One that does not would take a place from others for nothing.
const OPENING_BYTES: usize = 24 + 9;
const OPENING_WITHIN: Duration = Duration::from_secs(5);

/// A client's connection. It counts against the limit until it is dropped.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: Gathering<Transport>,
    mending: Mending,
    opening: Option<Opening>,
    caller: Caller,
    _places: Vec<OwnedSemaphorePermit>,
}

/// What a client has not said yet of what every one says first, and until when it has to.
#[derive(Debug)]
struct Opening {
    missing: usize,
    deadline: Pin<Box<Sleep>>,
}

impl Connection {
    pub(super) fn new(transport: Transport, caller: Caller, places: Vec<OwnedSemaphorePermit>) -> Self {
        Self {
            stream: Gathering::new(transport),
            mending: Mending::new(),
            opening: Some(Opening::new()),
            caller,
            _places: places,
        }
    }
}

impl Opening {
    fn new() -> Self {
        Self { missing: OPENING_BYTES, deadline: Box::pin(sleep(OPENING_WITHIN)) }
    }
}

impl Connected for Connection {
    type ConnectInfo = Caller;

    fn connect_info(&self) -> Caller {
        self.caller.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        if let Some(opening) = &mut this.opening
            && opening.deadline.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let read = this.mending.poll_read(&mut this.stream, cx, buf);
        if let Some(opening) = &mut this.opening {
            opening.missing = opening.missing.saturating_sub(buf.filled().len() - before);
            if opening.missing == 0 {
                this.opening = None;
            }
        }
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
