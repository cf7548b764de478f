//! What is kept beside a session: peers and attributes.

use sessiond_session::{
    Attribute, MAX_ATTRIBUTE_BYTES, MAX_ATTRIBUTE_VALUE, MAX_ATTRIBUTES, MAX_EXTRA, Peer, PeerKind,
};
use zeroize::Zeroizing;

use super::{Subject, advance, bearer, log, logged_in, name, save, write};
use crate::{
    engine::{
        AttributeRange, Bearer, Error, Event, Keep, News, Op, Outcome, PeerFilter, PeerKey, Revision,
        Selection, Word,
    },
    principal::Principal,
};

pub(super) fn peer(id: i64) -> Peer {
    Peer {
        id,
        access_hash: Some(id * 10),
        name: Some(format!("peer {id}")),
        seen: Some(1_000),
        ..Peer::default()
    }
}

fn named(id: i64, username: &str, seen: i64) -> Peer {
    Peer { usernames: Some(vec![username.into()]), seen: Some(seen), ..peer(id) }
}

fn attribute(key: &str, value: &[u8]) -> Attribute {
    Attribute { key: key.into(), value: Zeroizing::new(value.to_vec()), secret: false }
}

impl Subject {
    pub(super) async fn keep(&self, keep: Keep) -> Result<Outcome, Error> {
        self.commit(write("a", 1, Op::Keep(keep))).await
    }

    pub(super) async fn put(&self, peers: impl IntoIterator<Item = Peer>) -> Outcome {
        self.keep(Keep::PutPeers(peers.into_iter().collect())).await.expect("put")
    }

    pub(super) async fn set(&self, attributes: impl IntoIterator<Item = Attribute>) -> Outcome {
        let attributes = attributes.into_iter().collect();
        self.keep(Keep::PutAttributes { attributes, delete: Vec::new() }).await.expect("put")
    }

    pub(super) async fn find(&self, key: PeerKey) -> Option<Peer> {
        let (mut found, _) = self.engine.peers(&name("a"), bearer(1), vec![key]).await.expect("looked up");
        found.pop().expect("an answer for each key")
    }

    pub(super) async fn peer(&self, id: i64) -> Option<Peer> {
        self.find(PeerKey::Id(id)).await
    }

    pub(super) async fn id_of(&self, word: Word) -> Option<i64> {
        self.find(PeerKey::Word(word)).await.map(|peer| peer.id)
    }

    /// Peers as they are listed.
    pub(super) async fn listed(&self, filter: PeerFilter) -> Vec<Peer> {
        let listing = self.engine.list_peers(&name("a"), bearer(1), filter).await.expect("listed");
        self.rest(Some(listing)).await.expect("told")
    }

    pub(super) async fn rest(&self, mut listing: Option<crate::engine::Listing>) -> Result<Vec<Peer>, Error> {
        let mut told = Vec::new();
        while let Some(rest) = listing.take() {
            let (peers, rest) = self.engine.next_peers(rest).await?;
            told.extend(peers);
            listing = rest;
        }
        Ok(told)
    }

    pub(super) async fn ids(&self, filter: PeerFilter) -> Vec<i64> {
        self.listed(filter).await.into_iter().map(|peer| peer.id).collect()
    }

    pub(super) async fn keys(&self, prefix: &str) -> Vec<String> {
        let range = AttributeRange { prefix: prefix.into(), after: None, count: 100_000, bytes: usize::MAX };
        let (told, _) = self.engine.list_attributes(&name("a"), bearer(1), range).await.expect("listed");
        told.into_iter().map(|attribute| attribute.key).collect()
    }

    pub(super) async fn value(&self, key: &str) -> Option<Attribute> {
        let told = self.engine.attributes(&name("a"), bearer(1), vec![key.into()]).await;
        told.expect("looked up").0.pop()
    }

    pub(super) fn head(&self) -> Revision {
        self.engine.snapshot().revision
    }
}

async fn what_is_put_is_found_by_what_is_known_of_it(subject: Subject) {
    subject.hold("a", 1).await;
    let full = Peer {
        kind: Some(PeerKind::Forum),
        bot: Some(false),
        usernames: Some(vec!["First".into(), "Second".into()]),
        phone: Some("49123".into()),
        extra: [("x.y".into(), vec![1, 2])].into(),
        ..peer(-1_000_000_000_005)
    };
    let outcome = subject.put([full.clone(), peer(7)]).await;
    assert_eq!((outcome.applied, outcome.revision), (2, subject.head()));
    assert!(subject.peer(full.id).await.as_ref() == Some(&full));
    for word in [
        Word::username("SECOND"),
        Word::username("first"),
        Word::phone("49123".into()),
        Word::name(format!("peer {}", full.id)),
    ] {
        assert_eq!(subject.id_of(word).await, Some(full.id));
    }
    assert_eq!(subject.id_of(Word::name("first".into())).await, None);
    subject.put([Peer { usernames: Some(Vec::new()), ..Peer { id: full.id, ..Peer::default() } }]).await;
    assert_eq!(subject.id_of(Word::username("first")).await, None);
    assert_eq!(subject.id_of(Word::phone("49123".into())).await, Some(full.id), "the rest stays");
}

async fn of_several_the_one_seen_last_is_found_and_none_known_only_as_min(subject: Subject) {
    subject.hold("a", 1).await;
    let min = Peer { min: Some(true), phone: Some("1".into()), ..named(9, "x", 9_000) };
    subject.put([named(1, "x", 1_000), named(2, "X", 3_000), named(3, "x", 2_000), min]).await;
    assert_eq!(subject.id_of(Word::username("x")).await, Some(2));
    assert_eq!(subject.id_of(Word::phone("1".into())).await, None);
    assert_eq!(subject.id_of(Word::name("peer 9".into())).await, Some(9), "by name it is");
    subject.put([named(3, "x", 4_000)]).await;
    assert_eq!(subject.id_of(Word::username("x")).await, Some(3));
    subject.put([Peer { min: Some(false), ..Peer { id: 9, ..Peer::default() } }]).await;
    assert_eq!(subject.id_of(Word::username("x")).await, Some(9), "now it is known in full");
    subject.keep(Keep::DeletePeers(vec![9, 3, 2])).await.expect("deleted");
    assert_eq!(subject.id_of(Word::username("x")).await, Some(1));
}

async fn a_put_that_changes_nothing_is_no_commit(subject: Subject) {
    subject.hold("a", 1).await;
    let first = subject.put([peer(1), peer(2)]).await.revision;
    subject.commit(advance("a", 1, 5)).await.expect("advanced");
    let head = subject.head();
    let again = subject.put([peer(1), Peer { seen: Some(1_599), ..peer(2) }]).await;
    assert_eq!((again.revision, again.applied, subject.head()), (head, 0, head));
    assert!(first < head);
    let seen = subject.put([peer(1), Peer { seen: Some(1_600), ..peer(2) }]).await;
    assert_eq!((seen.revision, seen.applied), (head + 1, 1));
    assert_eq!(subject.set([attribute("k", b"v")]).await.revision, head + 2);
    assert_eq!(subject.set([attribute("k", b"v")]).await.revision, head + 2);
    for nothing in [
        Keep::DeletePeers(vec![77]),
        Keep::DeleteAttributes { keys: vec!["x".into()], prefix: Some("y".into()) },
        Keep::PutAttributes { attributes: Vec::new(), delete: vec!["x".into()] },
    ] {
        let outcome = subject.keep(nothing).await.expect("nothing to do");
        assert_eq!((outcome.revision, outcome.applied), (head + 2, 0));
    }
}

async fn who_is_not_told_when_is_seen_now(subject: Subject) {
    subject.hold("a", 1).await;
    subject.put([Peer { seen: None, ..peer(1) }]).await;
    let now = jiff::Timestamp::now().as_second();
    let seen = subject.peer(1).await.and_then(|peer| peer.seen).expect("it is filled in");
    assert!((now - 60..=now).contains(&seen));
}

async fn the_account_itself_is_one_peer_at_the_most(subject: Subject) {
    let myself = |id| Peer { is_self: Some(true), ..peer(id) };
    let selves = async |subject: &Subject| {
        let peers = subject.listed(PeerFilter::default()).await;
        peers.iter().filter(|peer| peer.is_self == Some(true)).map(|peer| peer.id).collect::<Vec<_>>()
    };
    subject.hold("a", 1).await;
    subject.put([myself(1)]).await;
    subject.put([myself(2)]).await;
    assert_eq!(selves(&subject).await, [2]);
    subject.put([myself(3), myself(1), myself(4), peer(3)]).await;
    assert_eq!(selves(&subject).await, [4]);
    subject.put([Peer { is_self: Some(false), ..peer(4) }]).await;
    assert_eq!(selves(&subject).await, Vec::<i64>::new());
    subject.put([myself(1)]).await;
    subject.keep(Keep::DeletePeers(vec![1])).await.expect("deleted");
    subject.put([myself(2)]).await;
    assert_eq!(selves(&subject).await, [2]);
}

async fn what_is_deleted_is_gone_and_can_be_put_again(subject: Subject) {
    subject.hold("a", 1).await;
    subject.put([named(1, "x", 1), peer(2), peer(3)]).await;
    let deleted = subject.keep(Keep::DeletePeers(vec![2, 2, 99])).await.expect("deleted");
    assert_eq!(deleted.applied, 1);
    let all = subject.keep(Keep::DeleteAllPeers).await.expect("deleted");
    assert_eq!((all.applied, all.revision), (2, subject.head()));
    assert_eq!(subject.keep(Keep::DeleteAllPeers).await.expect("nothing to do").applied, 0);
    assert!(subject.listed(PeerFilter::default()).await.is_empty());
    assert_eq!(subject.id_of(Word::username("x")).await, None);
    subject.put([Peer { access_hash: None, ..peer(1) }]).await;
    assert_eq!(subject.peer(1).await.map(|peer| (peer.access_hash, peer.usernames)), Some((None, None)));
}

async fn attributes_are_set_told_and_deleted_by_key_and_by_prefix(subject: Subject) {
    subject.hold("a", 1).await;
    let empty = attribute("m.ref/1", b"");
    subject
        .set([attribute("m.kv/a", b"1"), attribute("m.kv/b", b"2"), empty.clone(), attribute("z", b"3")])
        .await;
    assert_eq!(subject.keys("").await, ["m.kv/a", "m.kv/b", "m.ref/1", "z"]);
    assert_eq!(subject.keys("m.kv").await, ["m.kv/a", "m.kv/b"]);
    assert_eq!(subject.value("m.ref/1").await, Some(empty));
    assert_eq!(subject.value("m.ref/2").await, None);
    let both =
        Keep::PutAttributes { attributes: vec![attribute("y", b"4")], delete: vec!["z".into(), "z".into()] };
    let outcome = subject.keep(both).await.expect("both");
    assert_eq!((outcome.revision, outcome.applied), (subject.head(), 2));
    let by_prefix =
        Keep::DeleteAttributes { keys: vec!["y".into(), "m.kv/a".into()], prefix: Some("m.".into()) };
    assert_eq!(subject.keep(by_prefix).await.expect("deleted").applied, 4);
    assert!(subject.keys("").await.is_empty());
    let page = AttributeRange { prefix: "k".into(), after: Some("k2".into()), count: 2, bytes: usize::MAX };
    subject.set((0..9).map(|n| attribute(&format!("k{n}"), b"v"))).await;
    let (told, _) = subject.engine.list_attributes(&name("a"), bearer(1), page.clone()).await.expect("told");
    assert_eq!(told.iter().map(|told| told.key.as_str()).collect::<Vec<_>>(), ["k3", "k4"]);
    let short = AttributeRange { bytes: 4, count: 9, ..page };
    let (told, _) = subject.engine.list_attributes(&name("a"), bearer(1), short).await.expect("told");
    assert_eq!(told.len(), 2, "no more once there are so many bytes");
}

async fn a_secret_attribute_stays_secret(subject: Subject) {
    subject.hold("a", 1).await;
    let secret = Attribute { secret: true, ..attribute("k", b"v") };
    subject.set([attribute("k", b"v")]).await;
    subject.set([secret.clone()]).await;
    assert_eq!(subject.value("k").await, Some(secret));
    let both = vec![attribute("other", b"1"), attribute("k", b"v")];
    let refused = subject.keep(Keep::PutAttributes { attributes: both, delete: Vec::new() }).await;
    assert!(matches!(refused, Err(Error::Secret(key)) if key == "k"));
    assert_eq!(subject.keys("").await, ["k"], "all or nothing");
    subject.keep(Keep::DeleteAttributes { keys: vec!["k".into()], prefix: None }).await.expect("deleted");
    subject.set([attribute("k", b"v")]).await;
}

async fn belongings_have_limits(subject: Subject) {
    subject.hold("a", 1).await;
    let half = |key: &str| Peer { extra: [(key.into(), vec![1; MAX_EXTRA / 2])].into(), ..peer(1) };
    subject.put([half("a")]).await;
    let refused = subject.keep(Keep::PutPeers(vec![peer(2), half("b")])).await;
    assert!(matches!(refused, Err(Error::Limit(_))));
    assert!(subject.peer(2).await.is_none(), "all or nothing");

    let most: Vec<_> = (0..MAX_ATTRIBUTES).map(|n| attribute(&format!("{n:05}"), b"")).collect();
    subject.set(most).await;
    let one = |attribute: Attribute, delete: &[&str]| Keep::PutAttributes {
        attributes: vec![attribute],
        delete: delete.iter().map(ToString::to_string).collect(),
    };
    assert!(matches!(subject.keep(one(attribute("x", b""), &[])).await, Err(Error::Limit(_))));
    subject.keep(one(attribute("x", b""), &["00000"])).await.expect("one goes and one comes");
    subject.keep(Keep::DeleteAttributes { keys: Vec::new(), prefix: Some("0".into()) }).await.expect("room");

    let large = |key: &str| attribute(key, &vec![1; MAX_ATTRIBUTE_VALUE]);
    let fit = MAX_ATTRIBUTE_BYTES / MAX_ATTRIBUTE_VALUE - 4;
    subject.set((0..fit).map(|n| large(&format!("l{n}")))).await;
    let more = (0..8).map(|n| large(&format!("m{n}"))).collect();
    let refused = subject.keep(Keep::PutAttributes { attributes: more, delete: Vec::new() }).await;
    assert!(matches!(refused, Err(Error::Limit(_))));
    let keys = |count| (0..count).map(|n| format!("l{n}")).collect();
    assert!(matches!(subject.engine.attributes(&name("a"), bearer(1), keys(60)).await, Err(Error::Limit(_))));
    assert_eq!(subject.engine.attributes(&name("a"), bearer(1), keys(40)).await.expect("fits").0.len(), 40);
}

async fn only_the_holder_reads_and_writes_belongings(subject: Subject) {
    let fails = async |shown: Bearer| {
        let write = crate::engine::Write {
            bearer: Some(shown.clone()),
            ..write("a", 1, Op::Keep(Keep::PutPeers(vec![peer(5)])))
        };
        let a = name("a");
        let engine = &subject.engine;
        [
            subject.commit(write).await.err(),
            engine.peers(&a, shown.clone(), vec![PeerKey::Id(1)]).await.err(),
            engine.list_peers(&a, shown.clone(), PeerFilter::default()).await.err(),
            engine.attributes(&a, shown.clone(), vec!["k".into()]).await.err(),
            engine
                .list_attributes(
                    &a,
                    shown,
                    AttributeRange { count: 1, bytes: 1, ..AttributeRange::default() },
                )
                .await
                .err(),
        ]
    };
    let fenced = |errors: [Option<Error>; 5]| errors.iter().all(|error| matches!(error, Some(Error::Fenced)));
    assert!(fenced(fails(bearer(1)).await), "nobody holds it");
    subject.hold("a", 1).await;
    subject.put([peer(1)]).await;
    assert!(fenced(fails(bearer(2)).await));
    let other_user = fails(Bearer { principal: Principal::Uid(1), ..bearer(1) }).await;
    assert!(other_user.iter().all(|error| matches!(error, Some(Error::NotPermitted))));
    subject.commit(write("a", 1, Op::Release)).await.expect("released");
    assert!(fenced(fails(bearer(1)).await), "a released token serves no more");
}

async fn belongings_move_no_revision_and_nobody_is_told(subject: Subject) {
    let fence = subject.hold("a", 1).await;
    let revision = subject.commit(save("a", 1, logged_in(1))).await.expect("saved").revision;
    let subscription =
        subject.engine.subscribe(Selection { names: [name("a")].into(), ..Selection::default() });
    subject.put([peer(1)]).await;
    subject.set([attribute("k", b"v")]).await;
    assert_eq!(subject.head(), revision + 2);
    assert_eq!(subject.revision("a").await, revision);
    assert!(matches!(subscription.news(revision), News::None(head) if head == revision + 2));
    let next = subject.commit(advance("a", 1, 1)).await.expect("advanced").revision;
    let News::Batches(batches, through) = subscription.news(revision + 2) else { panic!("there is some") };
    assert_eq!((batches[0].first(), through), (next, next));
    let told = log(&*subject.engine, fence).await;
    let kept = |(at, previous, event): &(Revision, Revision, String)| {
        (*at, *previous, event == &format!("{:?}", Event::Kept))
    };
    assert_eq!(
        told.iter().map(kept).collect::<Vec<_>>(),
        [
            (revision, 0, false),
            (revision + 1, revision, true),
            (revision + 2, revision, true),
            (next, revision, false)
        ]
    );
}

async fn deleting_a_session_drops_its_belongings(subject: Subject) {
    subject.hold("a", 1).await;
    subject.hold("b", 2).await;
    let others = Op::Keep(Keep::PutPeers(vec![peer(1)]));
    subject.commit(write("b", 2, others)).await.expect("put");
    for has_session in [true, false] {
        if has_session {
            subject.commit(save("a", 1, logged_in(1))).await.expect("saved");
        }
        subject.put((1..=900).map(peer)).await;
        subject.set([attribute("k", b"v")]).await;
        let head = subject.head();
        let deleted = subject.commit(write("a", 1, Op::Delete)).await.expect("deleted").revision;
        assert_eq!((deleted, subject.head()), if has_session { (head + 1, head + 1) } else { (0, head + 1) });
        assert!(subject.listed(PeerFilter::default()).await.is_empty());
        assert!(subject.keys("").await.is_empty() && subject.value("k").await.is_none());
    }
    let head = subject.head();
    subject.commit(write("a", 1, Op::Delete)).await.expect("nothing to delete");
    assert_eq!(subject.head(), head);
    let found = subject.engine.peers(&name("b"), bearer(2), vec![PeerKey::Id(1)]).await.expect("told").0;
    assert!(found[0].is_some(), "those of others stay");
}

async fn belongings_survive_a_restart_as_does_that_they_were_deleted(subject: Subject) {
    subject.hold("a", 1).await;
    subject.put([named(1, "x", 1), peer(2)]).await;
    subject.set([Attribute { secret: true, ..attribute("k", b"v") }, attribute("l", b"w")]).await;
    let head = subject.head();
    let (peers, one, two) =
        (subject.listed(PeerFilter::default()).await, subject.value("k").await, subject.value("l").await);
    let subject = subject.restarted().await;
    assert_eq!(subject.head(), head);
    assert!(subject.listed(PeerFilter::default()).await == peers);
    assert_eq!((subject.value("k").await, subject.value("l").await), (one, two));
    assert_eq!(subject.id_of(Word::username("X")).await, Some(1));
    // More than are removed at a time.
    for ids in (1..=5_000_i64).collect::<Vec<_>>().chunks(1_000) {
        subject.put(ids.iter().map(|id| peer(*id))).await;
    }
    subject.commit(write("a", 1, Op::Delete)).await.expect("deleted");
    let subject = subject.restarted().await;
    assert!(subject.listed(PeerFilter::default()).await.is_empty() && subject.keys("").await.is_empty());
    subject.put([peer(3)]).await;
    assert_eq!(subject.ids(PeerFilter::default()).await, [3]);
}

/// What holds for every engine, and for those on a disk beside it.
macro_rules! engine {
    ($engine:ident $($durable:ident),* $(,)?) => {
        rules! { $engine:
            what_is_put_is_found_by_what_is_known_of_it,
            of_several_the_one_seen_last_is_found_and_none_known_only_as_min,
            a_put_that_changes_nothing_is_no_commit,
            who_is_not_told_when_is_seen_now,
            the_account_itself_is_one_peer_at_the_most,
            what_is_deleted_is_gone_and_can_be_put_again,
            attributes_are_set_told_and_deleted_by_key_and_by_prefix,
            a_secret_attribute_stays_secret,
            belongings_have_limits,
            only_the_holder_reads_and_writes_belongings,
            belongings_move_no_revision_and_nobody_is_told,
            deleting_a_session_drops_its_belongings,
            $($durable,)*
        }
    };
}

engine!(memory);
engine!(sqlite belongings_survive_a_restart_as_does_that_they_were_deleted);
