//! What clients have begun to send and do not finish. A message is collected until it is whole; that of many streams, each
//! a little short of the largest that there may be, would be gigabytes.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::Request;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::{Status, body::Body};

use super::{MAX_MESSAGE, Refusal};
use crate::caller::Caller;

/// How gRPC frames a message: whether it is compressed, and its length in four bytes, big endian
/// (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>).
const HEAD: usize = 5;

/// Messages up to this many bytes are not counted: they are bounded by the count of requests.
const SMALL: usize = 64 << 10;

/// The same request; of all whose caller has the same room, only so many large messages are collected at a time.
pub(crate) fn bounded(request: Request<Body>) -> Request<Body> {
    let Some(caller) = request.extensions().get::<Caller>() else { return request };
    let room = Arc::clone(&caller.room);
    request.map(|body| Body::new(Bounded { body, room, head: [0; HEAD], read: 0, rest: 0, taken: None }))
}

struct Bounded {
    body: Body,
    room: Arc<Semaphore>,
    /// Of the next message, as far as it was read.
    head: [u8; HEAD],
    read: usize,
    /// Bytes of the current message that are still to come.
    rest: usize,
    /// The room for it.
    taken: Option<OwnedSemaphorePermit>,
}

impl Bounded {
    /// Takes note of what came.
    fn note(&mut self, mut data: &[u8]) -> Result<(), Refusal> {
        while !data.is_empty() {
            if self.rest > 0 {
                let part = self.rest.min(data.len());
                self.rest -= part;
                data = &data[part..];
                continue;
            }
            let part = data.len().min(HEAD - self.read);
            self.head[self.read..self.read + part].copy_from_slice(&data[..part]);
            self.read += part;
            data = &data[part..];
            if self.read == HEAD {
                self.read = 0;
                self.begin()?;
            }
        }
        Ok(())
    }

    /// Begins a message, of which the head is there.
    fn begin(&mut self) -> Result<(), Refusal> {
        let [_, length @ ..] = self.head;
        self.rest = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        // The one before is with whoever asked for it.
        self.taken = None;
        // One that is too large, the decoder refuses by its head.
        if (SMALL..=MAX_MESSAGE).contains(&self.rest) {
            let bytes = u32::try_from(self.rest).unwrap_or(u32::MAX);
            let taken = Arc::clone(&self.room).try_acquire_many_owned(bytes);
            self.taken = Some(taken.map_err(|_| Refusal::Unfinished)?);
        }
        Ok(())
    }
}

impl HttpBody for Bounded {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
            && let Err(refusal) = self.note(data)
        {
            return Poll::Ready(Some(Err(refusal.into())));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Semaphore;
    use tonic::body::Body;

    use super::{Bounded, HEAD, MAX_MESSAGE, SMALL};

    fn bounded(room: &Arc<Semaphore>) -> Bounded {
        let room = Arc::clone(room);
        Bounded { body: Body::empty(), room, head: [0; HEAD], read: 0, rest: 0, taken: None }
    }

    fn message(len: usize) -> Vec<u8> {
        let head = u32::try_from(len).expect("it is short").to_be_bytes();
        [&[0][..], &head, &vec![7; len]].concat()
    }

    #[test]
    fn a_large_message_has_room_until_the_next_one_begins_however_it_is_cut() {
        for cut in [1, 4, 5, 1_000, 1 << 20] {
            let room = Arc::new(Semaphore::new(2 * SMALL));
            let mut body = bounded(&room);
            let note =
                |body: &mut Bounded, data: &[u8]| data.chunks(cut).try_for_each(|part| body.note(part));
            assert!(note(&mut body, &[message(9), message(SMALL + 1)].concat()).is_ok());
            assert_eq!(room.available_permits(), SMALL - 1, "{cut}");
            assert!(bounded(&room).note(&message(SMALL)).is_err());
            assert!(note(&mut body, &message(SMALL - 1)).is_ok());
            assert_eq!(room.available_permits(), 2 * SMALL);
            assert!(note(&mut body, &message(SMALL)).is_ok());
            drop(body);
            assert_eq!(room.available_permits(), 2 * SMALL);
        }
    }

    #[test]
    fn small_ones_and_those_that_are_refused_anyway_take_no_room() {
        let room = Arc::new(Semaphore::new(0));
        let mut body = bounded(&room);
        assert!(body.note(&[message(0), message(SMALL - 1), message(1)].concat()).is_ok());
        assert!(body.note(&message(MAX_MESSAGE + 1)[..HEAD]).is_ok());
    }
}
