//! A file, string or directory of every format, as it should be.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use sessiond_session::{
    Attribute, Auth, AuthKey, ChannelState, Contents, DataCenter, Peer, PeerKind, Session, UpdateState, User,
    formats::{Format, Medium, Wanting, write},
};

/// A source of sessions that is nowhere yet: the bytes of a file, or the files of a directory.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) format: Format,
    pub(crate) passcode: Option<&'static str>,
    /// Each file's path in the directory. Without a directory it is one, of an empty path.
    pub(crate) files: Vec<(PathBuf, Vec<u8>)>,
}

impl Sample {
    /// A file, or a string.
    pub(crate) fn of(format: Format, bytes: impl Into<Vec<u8>>) -> Self {
        Self { format, passcode: None, files: vec![(PathBuf::new(), bytes.into())] }
    }

    /// The bytes, where it is no directory.
    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        self.files.first().filter(|(path, _)| path.as_os_str().is_empty()).map(|(_, bytes)| bytes.as_slice())
    }

    /// How many bytes it has.
    pub(crate) fn size(&self) -> usize {
        self.files.iter().map(|(_, bytes)| bytes.len()).sum()
    }

    /// Does something with it as a directory.
    pub(crate) fn with_directory<T>(&self, work: impl FnOnce(&Path) -> T) -> T {
        let directory = tempfile::tempdir().expect("a directory");
        for (path, bytes) in &self.files {
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().expect("it is in the directory")).expect("made");
            fs::write(path, bytes).expect("written");
        }
        work(directory.path())
    }
}

/// One of each format at least.
pub(crate) fn samples() -> Vec<Sample> {
    let mut samples: Vec<_> =
        Format::ALL.into_iter().filter(|format| format.is_written()).map(written).collect();
    samples.push(Sample::of(Format::GrammersTl, grammers_tl(&[4], &[1, 2, 3])));
    for (name, passcode) in [("open", None), ("locked", Some("1234")), ("locked-before-7.3", Some("1234"))] {
        let directory =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../session/tests/fixtures/tdata").join(name);
        samples.push(Sample { format: Format::Tdata, passcode, files: files(&directory) });
    }
    samples
}

/// What is written in a format.
pub(crate) fn written(format: Format) -> Sample {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("alice");
    write(&contents(), format, &Wanting::default(), &path).expect("written");
    let files = match format.medium() {
        Medium::Directory => files(&path),
        _ => vec![(PathBuf::new(), fs::read(&path).expect("there"))],
    };
    Sample { format, passcode: None, files }
}

/// A file of grammers up to 0.8, with data centers and channels of these ids.
pub(crate) fn grammers_tl(dcs: &[u32], channels: &[u32]) -> Vec<u8> {
    let count = |ids: &[u32]| u32::try_from(ids.len()).expect("few");
    let mut words = vec![0xa73e_b8ce, 3, 0x1cb5_c415, count(dcs)];
    for id in dcs {
        words.extend([0x756d_16b6, 7, *id, 0x33a7_9a95, 0, 0, 0, 0, 443, 0x0001_00fe]);
        words.extend([0x0101_0101; 64]);
    }
    words.extend([0x672f_428d, 7, 0, 2, 0x9972_75b5]);
    words.extend([0xd0ca_dcc1, 10, 20, 1_700_000_000, 40, 0x1cb5_c415, count(channels)]);
    for id in channels {
        words.extend([0xc2b0_f8cd, *id, 0, 99]);
    }
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn files(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(next) = directories.pop() {
        for entry in fs::read_dir(next).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                directories.push(path);
            } else {
                let within = path.strip_prefix(directory).expect("it is within").to_owned();
                files.push((within, fs::read(path).expect("there")));
            }
        }
    }
    files.sort();
    files
}

fn contents() -> Contents {
    let key = |byte: u8| Auth::Key(AuthKey::try_from([byte; 256].as_slice()).expect("256 bytes"));
    let home = DataCenter {
        id: 2,
        ipv4_addr: "149.154.167.51:443".parse().ok(),
        ipv6_addr: "[2001:db8::7]:443".parse().ok(),
        auth: key(2),
    };
    let other = DataCenter { id: 4, auth: key(4), ..DataCenter::default() };
    let channels = (1..40).map(|id| ChannelState { id, pts: 99 }).collect();
    let user = User { id: 7, dc: 2, bot: Some(true), username: Some("alice".into()) };
    let session = Session {
        dcs: vec![home, other],
        user: Some(user),
        state: Some(UpdateState { pts: 10, qts: 20, date: 1_700_000_000, seq: 40, channels }),
        home_dc: Some(2),
        test_mode: None,
    };
    let peers = (1..40).map(|id| peer(Peer::channel(id))).chain((1..40).map(peer)).collect();
    let attributes = vec![Attribute::number("api_id", 12_345), Attribute::number("created", 1_600_000_000)];
    Contents { session, peers, attributes }
}

fn peer(id: i64) -> Peer {
    let kind = if id > 0 { PeerKind::User } else { PeerKind::Supergroup };
    Peer {
        id,
        access_hash: Some(id.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64.cast_signed())),
        kind: Some(kind),
        usernames: Some(vec![format!("name{id}")]),
        phone: (id > 0).then(|| "34600123456".into()),
        name: Some("Alice".into()),
        seen: Some(1_700_000_000),
        ..Peer::default()
    }
}
