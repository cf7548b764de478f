use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use proptest::{
    collection::vec,
    option,
    prelude::{Strategy, prop_assert, prop_assert_eq, proptest},
};

use super::{ChannelState, Session, StateChange, UpdateState};
use crate::MAX_CHANNELS;

fn channel(id: i64, pts: i32) -> ChannelState {
    ChannelState { id, pts }
}

#[test]
fn a_change_sets_what_it_mentions_and_nothing_else() {
    let mut state =
        UpdateState { pts: 1, qts: 2, date: 3, seq: 4, channels: vec![channel(7, 70), channel(9, 90)] };
    state.apply(&StateChange {
        pts: Some(0),
        channels: vec![channel(8, 80), channel(9, 91)],
        removed_channels: vec![7, 1],
        ..StateChange::default()
    });
    let expected =
        UpdateState { pts: 0, qts: 2, date: 3, seq: 4, channels: vec![channel(8, 80), channel(9, 91)] };
    assert_eq!(state, expected);
}

#[test]
fn two_changes_made_into_one_have_the_same_effect() {
    let first = StateChange {
        pts: Some(5),
        seq: Some(1),
        channels: vec![channel(1, 10), channel(2, 20)],
        removed_channels: vec![3],
        ..StateChange::default()
    };
    let second = StateChange {
        pts: Some(6),
        channels: vec![channel(3, 30), channel(2, 21)],
        removed_channels: vec![1],
        ..StateChange::default()
    };
    let start = UpdateState { channels: vec![channel(1, 1), channel(3, 3)], ..UpdateState::default() };
    let mut one_by_one = start.clone();
    one_by_one.apply(&first);
    one_by_one.apply(&second);
    let mut both = first;
    both.followed_by(second);
    let mut at_once = start;
    at_once.apply(&both);
    assert_eq!(at_once, one_by_one);
}

/// As few ids as it takes for changes to meet often. An id may be there twice, though no message says it twice.
fn channels() -> impl Strategy<Value = Vec<ChannelState>> {
    vec((1..16_i64, 0..4_i32).prop_map(|(id, pts)| channel(id, pts)), 0..12)
}

fn states() -> impl Strategy<Value = UpdateState> {
    (0..3_i32, channels()).prop_map(|(pts, channels)| {
        let by_id: BTreeMap<_, _> = channels.into_iter().map(|channel| (channel.id, channel)).collect();
        UpdateState { pts, channels: by_id.into_values().collect(), ..UpdateState::default() }
    })
}

fn changes() -> impl Strategy<Value = StateChange> {
    (option::of(0..4_i32), option::of(0..4_i64), channels(), vec(1..16_i64, 0..8)).prop_map(
        |(pts, date, channels, removed_channels)| StateChange {
            pts,
            date,
            channels,
            removed_channels,
            ..StateChange::default()
        },
    )
}

/// Does what a change says, one channel after the other.
fn naive(state: &UpdateState, change: &StateChange) -> UpdateState {
    let mut channels: BTreeMap<_, _> = state.channels.iter().map(|channel| (channel.id, *channel)).collect();
    channels.extend(change.channels.iter().map(|channel| (channel.id, *channel)));
    channels.retain(|id, _| !change.removed_channels.contains(id));
    UpdateState {
        pts: change.pts.unwrap_or(state.pts),
        qts: change.qts.unwrap_or(state.qts),
        date: change.date.unwrap_or(state.date),
        seq: change.seq.unwrap_or(state.seq),
        channels: channels.into_values().collect(),
    }
}

proptest! {
    #[test]
    fn a_change_does_what_it_says_channel_by_channel(state in states(), change in changes()) {
        let mut changed = state.clone();
        changed.apply(&change);
        prop_assert_eq!(changed, naive(&state, &change));
    }

    #[test]
    fn many_changes_made_into_one_have_the_same_effect(state in states(), changes in vec(changes(), 0..5)) {
        let one_by_one = changes.iter().fold(state.clone(), |state, change| naive(&state, change));
        let mut pairwise = StateChange::default();
        changes.iter().for_each(|change| pairwise.followed_by(change.clone()));
        for one in [pairwise, StateChange::joined(changes)] {
            prop_assert_eq!(&naive(&state, &one), &one_by_one);
            let mut ids: Vec<_> = one.channels.iter().map(|channel| channel.id).collect();
            ids.extend(&one.removed_channels);
            prop_assert!(!ids.iter().enumerate().any(|(at, id)| ids[..at].contains(id)), "{:?}", one);
        }
    }

    #[test]
    fn a_merge_takes_the_channels_that_saw_something_or_are_new(here in states(), there in states()) {
        let mut expected: BTreeMap<_, _> = here.channels.iter().map(|channel| (channel.id, channel.pts)).collect();
        for channel in &there.channels {
            if channel.pts != 0 || !expected.contains_key(&channel.id) {
                expected.insert(channel.id, channel.pts);
            }
        }
        let mut session = Session { state: Some(here), ..Session::default() };
        session.merge(Session { state: Some(there), ..Session::default() });
        let merged = session.state.unwrap_or_default().channels;
        prop_assert_eq!(merged, expected.into_iter().map(|(id, pts)| channel(id, pts)).collect::<Vec<_>>());
    }
}

fn all(ids: impl Iterator<Item = i64>) -> StateChange {
    StateChange { channels: ids.map(|id| channel(id, 1)).collect(), ..StateChange::default() }
}

/// The least of three times, since others use this machine as well.
fn time(work: impl Fn()) -> Duration {
    let run = |_| {
        let begun = Instant::now();
        work();
        begun.elapsed()
    };
    (0..3).map(run).min().unwrap_or_default()
}

/// Ten times as much may take ten times as long and some more, and not a hundred times.
fn assert_linear(what: &str, work: impl Fn(i64)) {
    let most = i64::try_from(MAX_CHANNELS).expect("it is small");
    let (some, ten_times) = (time(|| work(most / 10)), time(|| work(most)));
    assert!(ten_times < some * 30, "{what}: {some:?} and, of ten times as many, {ten_times:?}");
}

#[test]
fn a_change_of_all_channels_costs_as_much_as_it_is_long() {
    assert_linear("removed one by one", |count| {
        let mut state = UpdateState::default();
        state.apply(&all(1..=count));
        state.apply(&StateChange { removed_channels: (1..=count).collect(), ..StateChange::default() });
        assert!(state.channels.is_empty());
    });
    assert_linear("new ones in descending order", |count| {
        let mut state = UpdateState::default();
        state.apply(&all((1..=count).rev()));
        assert!(state.channels.is_sorted_by_key(|channel| channel.id));
    });
}

#[test]
fn changes_of_all_channels_are_made_into_one_in_a_time_as_long_as_they_are() {
    assert_linear("three changes", |count| {
        let mut one = all((1..=count).rev());
        one.followed_by(all(1..=count));
        one.followed_by(StateChange { removed_channels: (1..=count).collect(), ..StateChange::default() });
        assert!(one.channels.is_empty());
    });
    assert_linear("one for each channel", |count| {
        let one = StateChange::joined((1..=count).rev().map(|id| all(id..=id)));
        assert_eq!(one.channels.len(), usize::try_from(count).expect("small"));
    });
}

#[test]
fn a_merge_of_all_channels_costs_as_much_as_they_are() {
    assert_linear("the even ones into the odd ones", |count| {
        let state = |first| {
            let channels = (first..=count).step_by(2).map(|id| channel(id, 1)).collect();
            Session { state: Some(UpdateState { channels, ..UpdateState::default() }), ..Session::default() }
        };
        let mut session = state(1);
        session.merge(state(2));
        assert_eq!(session.state.map(|state| state.channels.len()), usize::try_from(count).ok());
    });
}
