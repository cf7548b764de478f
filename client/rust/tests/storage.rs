//! The daemon as a storage.

use std::sync::{Arc, Mutex};

use sessiond_client::{DaemonSession, LostReason, Session, Storage};
use sessiond_proto::v1::{self, hold_response::Event};
use tokio::join;

use crate::fake::{Events, Fake, expect_call};

const TOKEN: [u8; 32] = [7; 32];

async fn grant(fake: &mut Fake) -> (v1::HoldRequest, Events<v1::HoldResponse>) {
    let (request, events) = expect_call!(fake, Hold);
    let granted = v1::Granted { token: TOKEN.to_vec(), fence: 3, ..v1::Granted::default() };
    let event = v1::HoldResponse { event: Some(Event::Granted(granted)) };
    events.send(Ok(event)).await.expect("the client listens");
    (request, events)
}

#[tokio::test]
async fn a_storage_holds_when_it_is_first_used_and_deletes_after_it_was_closed() {
    let mut fake = Fake::start().await;
    let storage = DaemonSession::new(fake.client().await, "alice").expect("a name");
    let library = async {
        assert_eq!(storage.load().await.expect("it is held"), None);
        storage.save(&Session::default()).await.expect("it is held");
        storage.close().await.expect("it was held");
        storage.close().await.expect("once more is nothing");
        storage.delete().await.expect("the token still serves it");
    };
    let daemon = async {
        let (request, _events) = grant(&mut fake).await;
        assert!(request.wait);
        let (request, answer) = expect_call!(fake, Load);
        assert_eq!(request.token, TOKEN);
        let _ = answer.send(Ok(v1::LoadResponse::default()));
        let (request, answer) = expect_call!(fake, Save);
        assert_eq!(request.mode(), v1::SaveMode::Merge);
        let _ = answer.send(Ok(v1::SaveResponse { revision: 4 }));
        let (_, answer) = expect_call!(fake, Release);
        let _ = answer.send(Ok(v1::ReleaseResponse {}));
        let (request, answer) = expect_call!(fake, Delete);
        assert_eq!(request.token, TOKEN);
        let _ = answer.send(Ok(v1::DeleteResponse { revision: 5 }));
    };
    join!(library, daemon);
}

#[tokio::test]
async fn a_storage_tells_that_its_hold_was_lost() {
    let mut fake = Fake::start().await;
    let (tell, told) = tokio::sync::oneshot::channel();
    let tell = Arc::new(Mutex::new(Some(tell)));
    let storage = DaemonSession::new(fake.client().await, "alice").expect("a name").on_lost(move |reason| {
        let tell = tell.lock().expect("no panic").take().expect("it is told once");
        let _ = tell.send(reason);
    });
    let daemon = async {
        let (_, events) = grant(&mut fake).await;
        let (_, answer) = expect_call!(fake, Load);
        let _ = answer.send(Ok(v1::LoadResponse::default()));
        let lost = v1::Lost { reason: v1::LostReason::EndedByAdmin.into() };
        events
            .send(Ok(v1::HoldResponse { event: Some(Event::Lost(lost)) }))
            .await
            .expect("the client listens");
    };
    let (loaded, ()) = join!(storage.load(), daemon);
    loaded.expect("it was held");
    assert_eq!(told.await, Ok(LostReason::EndedByAdmin));
    let saved = storage.save(&Session::default()).await;
    assert!(saved.expect_err("it is lost").to_string().contains("an operator"));
}
