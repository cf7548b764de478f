//! Hold and Watch as streams. Each is pulled: no task and no channel stands behind it.

use std::{convert::Infallible, pin::Pin, sync::Arc};

use bytes::Bytes;
use futures_util::{Stream, stream};
use http_body::Frame;
use sessiond_proto::v1;
use tokio::sync::OwnedSemaphorePermit;
use tonic::Status;
use v1::hold_response::Event;

use super::{Place, Refusal, permit::Permit, watch::trailers};
use crate::{
    engine::{Holder, LostReason},
    holds::{Granted, HoldEvent, HoldStream},
    watch::Watcher,
};

pub(super) type ResponseStream<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// A hold's. It has a place among those who wait until it is told something else.
pub(super) fn hold(
    stream: HoldStream,
    permit: Permit,
    places: (Place, Option<OwnedSemaphorePermit>),
) -> ResponseStream<v1::HoldResponse> {
    Box::pin(stream::unfold(Some((stream, permit, places)), |stream| async {
        let (mut stream, mut permit, (place, waiting)) = stream?;
        let event = match stream.next().await {
            Ok(event) => event?,
            Err(end) => return Some((Err(Refusal::from(end).into()), None)),
        };
        // That it is over, everybody is told.
        let permitted = if let HoldEvent::Lost(_) = event { Ok(()) } else { permit.ask_again() };
        match permitted {
            Ok(()) => {
                let waiting = waiting.filter(|_| matches!(event, HoldEvent::Waiting { .. }));
                Some((Ok(hold_response(event)), Some((stream, permit, (place, waiting)))))
            }
            Err(refusal) => Some((Err(refusal.into()), None)),
        }
    }))
}

/// The frames of a watch's body.
pub(super) fn watch(
    watcher: Watcher,
    permit: Permit,
    place: Place,
) -> impl Stream<Item = Result<Frame<Bytes>, Infallible>> + Send {
    stream::unfold(Some((watcher, permit, place)), |watcher| async {
        let (mut watcher, mut permit, place) = watcher?;
        let told = watcher.next().await.map_err(Refusal::from);
        match told.and_then(|messages| permit.ask_again().map(|()| messages)) {
            Ok(messages) => Some((Ok(Frame::data(messages)), Some((watcher, permit, place)))),
            Err(refusal) => Some((Ok(trailers(&refusal.into())), None)),
        }
    })
}

fn hold_response(event: HoldEvent) -> v1::HoldResponse {
    let event = match event {
        HoldEvent::Waiting { holder, position } => Event::Waiting(v1::Waiting {
            holder: holder.map(|holder: Arc<Holder>| (&*holder).into()),
            position: i32::try_from(position).unwrap_or(i32::MAX),
        }),
        HoldEvent::Granted(granted) => Event::Granted(granted.into()),
        HoldEvent::Lost(reason) => Event::Lost(lost(reason)),
    };
    v1::HoldResponse { event: Some(event) }
}

fn lost(reason: LostReason) -> v1::Lost {
    v1::Lost { reason: v1::LostReason::from(reason).into() }
}

impl From<Granted> for v1::Granted {
    fn from(granted: Granted) -> Self {
        let Granted { token, fence, revision, session, resume_within } = granted;
        Self {
            token: token.expose().to_vec(),
            fence,
            revision,
            session: session.map(Into::into),
            // At most ten minutes.
            resume_within: resume_within.try_into().ok(),
        }
    }
}
