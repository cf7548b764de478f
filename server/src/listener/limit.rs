use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{allowance::Allowances, caller::Caller, policy::Policy};

/// Descriptors of a connection: its socket, and the handle of the process behind it.
const FILES_PER_CONNECTION: u64 = 2;

/// Of the descriptors that the daemon may have, connections get one in this many; the others are for the store and for the
/// files of held sessions.
const SHARE: u64 = 4;

/// Fewest connections, however few descriptors there are, and most, however many: each may cost memory, up to 1 MB.
const BOUNDS: (u64, u64) = (16, 8192);

/// Of the places, those who have connected over TCP and have not shown yet who they are get one in this many.
const HANDSHAKES_SHARE: u64 = 4;

/// Most connections at a time of callers who are not permitted. They are only told so, and shall keep nobody else out.
const STRANGERS: usize = 8;

/// Limits how many clients are connected at a time. Clones share the limit.
#[derive(Debug, Clone)]
pub(super) struct ConnectionLimit {
    places: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
    allowances: Allowances,
    handshakes: usize,
}

impl ConnectionLimit {
    /// The limit that fits a process which may have this many files open.
    pub(super) fn for_open_files(open_files: u64) -> Self {
        let connections = (open_files / SHARE / FILES_PER_CONNECTION).clamp(BOUNDS.0, BOUNDS.1);
        Self {
            places: Arc::new(Semaphore::new(connections as usize)),
            strangers: Arc::new(Semaphore::new(STRANGERS)),
            allowances: Allowances::of_connections(connections as usize),
            handshakes: (connections / HANDSHAKES_SHARE) as usize,
        }
    }

    /// A place for one more, once there is one. Dropped, it is free again.
    pub(super) async fn place(&self) -> OwnedSemaphorePermit {
        let places = Arc::clone(&self.places);
        if places.available_permits() == 0 {
            tracing::warn!("too many connections: no more are taken until one is closed");
        }
        places.acquire_owned().await.expect("the semaphore is never closed")
    }

    /// Most clients at a time that are showing who they are. Each has a place too.
    pub(super) fn handshakes(&self) -> usize {
        self.handshakes
    }

    /// The places of a connection that got one, by who is at its end; that caller has its allowance from now on. None: there are
    /// too many like that.
    pub(super) fn admit(
        &self,
        policy: &Policy,
        caller: &mut Caller,
        place: OwnedSemaphorePermit,
    ) -> Option<Vec<OwnedSemaphorePermit>> {
        if policy.admits(caller).is_ok() {
            caller.allowance = self.allowances.of(&caller.principal());
            let Some(allowance) = &caller.allowance else { return Some(vec![place]) };
            caller.room = allowance.room();
            return Some(vec![place, allowance.connection()?]);
        }
        let stranger = Arc::clone(&self.strangers).try_acquire_owned().ok()?;
        Some(vec![place, stranger])
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tokio::net::UnixStream;

    use super::{ConnectionLimit, STRANGERS};
    use crate::{caller::Caller, policy::Policy};

    #[test]
    fn connections_get_a_share_of_the_descriptors() {
        let limit = |open_files| ConnectionLimit::for_open_files(open_files).places.available_permits();
        assert_eq!(limit(1024), 128);
        assert_eq!(limit(20_000), 2500);
        assert_eq!(limit(64), 16);
        assert_eq!(limit(u64::MAX), 8192);
    }

    #[test]
    fn beyond_the_limit_one_waits_until_another_goes() {
        let limit = ConnectionLimit::for_open_files(0);
        let mut places: Vec<_> =
            (0..16).map(|_| limit.place().now_or_never().expect("there is a place")).collect();
        assert!(limit.place().now_or_never().is_none());
        places.pop();
        assert!(limit.place().now_or_never().is_some());
    }

    #[tokio::test]
    async fn strangers_keep_nobody_out() {
        let (_client, server) = UnixStream::pair().expect("two sockets");
        let mut caller = Caller::of(&server).expect("known");
        let mut stranger = Caller::remote(None, "192.0.2.1:1".parse().expect("an address"));
        let policy = Policy::open(None).expect("no file");
        let limit = ConnectionLimit::for_open_files(0);
        let mut admitted = Vec::new();
        for _ in 0..STRANGERS {
            admitted.push(limit.admit(&policy, &mut stranger, limit.place().await).expect("not too many"));
        }
        assert!(limit.admit(&policy, &mut stranger, limit.place().await).is_none());
        assert!(limit.admit(&policy, &mut caller, limit.place().await).is_some());
        admitted.pop();
        assert!(limit.admit(&policy, &mut stranger, limit.place().await).is_some());
    }

    #[tokio::test]
    async fn another_user_gets_a_share_of_the_connections_and_leaves_the_others() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("policy.toml");
        std::fs::write(&file, "[[rule]]\ncertificate = '*'\nsessions = '*'\nallow = 'watch'\n")
            .expect("written");
        let policy = Policy::open(Some(file)).expect("valid");
        let limit = ConnectionLimit::for_open_files(0);
        let caller =
            |name: &str| Caller::remote(Some(name.into()), "192.0.2.1:1".parse().expect("an address"));
        let mut admitted = Vec::new();
        for _ in 0..4 {
            admitted.push(limit.admit(&policy, &mut caller("a"), limit.place().await).expect("its share"));
        }
        assert!(limit.admit(&policy, &mut caller("a"), limit.place().await).is_none());
        let mut other = caller("b");
        assert!(limit.admit(&policy, &mut other, limit.place().await).is_some());
        assert!(other.allowance.is_some());
    }
}
