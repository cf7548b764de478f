use std::ops::RangeInclusive;

use futures_util::stream;
use sessiond_proto::v1;

use super::{Held, channel, pts, random_session, within};

/// Numbers that look random and are the same for the same seed: SplitMix64.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new() -> Self {
        let mut seed = [0; 8];
        getrandom::fill(&mut seed).expect("random numbers");
        Self::seeded(u64::from_le_bytes(seed))
    }

    pub(crate) fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// A number from 0 up to, but not including, a limit.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % limit as u64).expect("below a usize")
    }
}

impl Held {
    /// Sets the pts to one after the other, by AdvanceStream. Answers the revision of the last.
    pub(crate) async fn advance_through(&self, counters: RangeInclusive<i32>) -> i64 {
        let last = i64::try_from(counters.clone().count()).expect("few enough");
        let (name, token) = (self.name.clone(), self.token.clone());
        let requests = (1..).zip(counters).map(move |(sequence, counter)| v1::AdvanceStreamRequest {
            name: name.clone(),
            token: token.clone(),
            change: Some(pts(counter)),
            sequence,
        });
        let answers = self.client.sessions.clone().advance_stream(stream::iter(requests)).await;
        let mut answers = answers.expect("begun").into_inner();
        loop {
            let answer = within(answers.message()).await.expect("it goes on").expect("not yet at its end");
            if answer.sequence == last {
                return answer.revision;
            }
        }
    }

    /// Writes something, whatever comes up.
    pub(crate) async fn write_something(&self, random: &mut Random) {
        let counter = i32::try_from(random.below(1_000)).expect("small");
        let id = 1 + i64::try_from(random.below(5)).expect("small");
        match random.below(8) {
            0 => drop(self.save(random_session()).await),
            1 => drop(self.merge(random_session()).await),
            2 => drop(self.delete().await),
            3 => {
                let change = v1::StateChange { removed_channels: vec![id], ..Default::default() };
                self.advance(change).await;
            }
            4 | 5 => {
                let change = v1::StateChange { channels: vec![channel(id, counter)], ..Default::default() };
                self.advance(change).await;
            }
            _ => drop(self.advance(pts(counter)).await),
        }
    }
}
