use std::{
    fs::{self, DirBuilder, File, Permissions},
    io,
    os::unix::{
        ffi::OsStrExt as _,
        fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
        net::UnixListener,
    },
    path::{Path, PathBuf},
};

use rustix::{
    io::Errno,
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with},
    process::geteuid,
};

use super::ListenError;
use crate::policy::Policy;

/// Longest path of a socket: the kernel's 108 bytes without the NUL byte after it (unix(7)).
const MAX_PATH_LEN: usize = 107;

/// The name that a socket has until it is ready to be called begins with this; [`RANDOM_LEN`] characters follow.
const PREFIX: &str = ".sock-";
const RANDOM_LEN: usize = 6;

/// A socket in the file system, which its user alone can connect to until its door is opened. Dropped, it removes its file,
/// if that is still its own.
#[derive(Debug)]
pub(super) struct SocketFile {
    door: Door,
    /// The directory with a shared lock on it: systemd-tmpfiles leaves alone what is in a locked directory, where it would
    /// take the socket for a dead one, since the kernel knows it by the name that it was bound to.
    _directory: Option<File>,
}

/// The file of a socket, by which clients come. Whoever gets in is asked for by the policy.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    path: PathBuf,
    device: u64,
    inode: u64,
}

/// What is at a path where a socket shall be.
enum Occupant {
    Nobody,
    /// A socket that nobody listens to.
    Stale,
    /// A socket that somebody listens to.
    Alive,
}

impl SocketFile {
    /// Listens at a path. Makes its directory if it is missing; takes the place of a socket that nobody listens to any more.
    ///
    /// # Errors
    /// Where somebody listens there, where something else is there, where other users could put their own socket there, and
    /// where the system refuses. What is there stays as it was.
    pub(super) fn bind(path: &Path) -> Result<(UnixListener, Self), ListenError> {
        let io = |source| ListenError::Io { socket: path.to_owned(), source };
        let directory = path.parent().ok_or_else(|| ListenError::NotASocket { path: path.to_owned() })?;
        check_length(path, directory)?;
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(io)?;
        let locked_directory = check_directory(directory, path)?;
        if let Occupant::Alive = occupant(path)? {
            return Err(ListenError::InUse { socket: path.display().to_string() });
        }
        let (listener, temporary) = tempfile::Builder::new()
            .prefix(PREFIX)
            .rand_bytes(RANDOM_LEN)
            .make_in(directory, |path| UnixListener::bind(path))
            .map_err(io)?
            .into_parts();
        // Nobody can know its name yet, so nobody connects before this.
        fs::set_permissions(&temporary, Permissions::from_mode(0o600)).map_err(io)?;
        let metadata = fs::symlink_metadata(&temporary).map_err(io)?;
        temporary.persist(path).map_err(|error| io(error.error))?;
        let (device, inode) = (metadata.dev(), metadata.ino());
        let door = Door { path: path.to_owned(), device, inode };
        Ok((listener, Self { door, _directory: locked_directory }))
    }

    pub(super) fn door(&self) -> Door {
        self.door.clone()
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.door.is_ours() {
            // A file that is left is taken for stale by the next daemon.
            let _ = fs::remove_file(&self.door.path);
        }
    }
}

impl Door {
    /// Lets all users of this host connect where the policy may be about others than the daemon's own user, and else that one
    /// alone. What goes wrong is logged: then fewer can connect than may.
    pub(crate) fn open_as_wide_as(&self, policy: &Policy) {
        if !self.is_ours() {
            return;
        }
        let is_for_others = policy.is_for_others();
        let mode = if is_for_others { 0o666 } else { 0o600 };
        let socket = self.path.display();
        if let Err(error) = fs::set_permissions(&self.path, Permissions::from_mode(mode)) {
            tracing::warn!(%socket, %error, "the socket's mode cannot be set to {mode:o}");
        }
        let passable = |directory| fs::metadata(directory).is_ok_and(|metadata| metadata.mode() & 0o001 != 0);
        if is_for_others && !self.path.parent().is_some_and(passable) {
            tracing::warn!(%socket, "other users cannot reach the socket: let them pass its directory with chmod o+x");
        }
    }

    fn is_ours(&self) -> bool {
        fs::symlink_metadata(&self.path)
            .is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == (self.device, self.inode))
    }
}

/// Makes the directory of a socket, if it is missing, so that others can pass it, though not look around.
pub(super) fn make_passable_directory(socket: &Path) -> Result<(), ListenError> {
    let Some(directory) = socket.parent().filter(|directory| !directory.exists()) else { return Ok(()) };
    let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
    let made = made.and_then(|()| fs::set_permissions(directory, Permissions::from_mode(0o711)));
    made.map_err(|source| ListenError::Io { socket: socket.to_owned(), source })
}

fn check_length(path: &Path, directory: &Path) -> Result<(), ListenError> {
    let len = |path: &Path| path.as_os_str().as_bytes().len();
    let longest = len(path).max(len(directory) + "/".len() + PREFIX.len() + RANDOM_LEN);
    if longest > MAX_PATH_LEN {
        return Err(ListenError::PathTooLong { path: path.to_owned(), excess: longest - MAX_PATH_LEN });
    }
    Ok(())
}

/// Makes sure that no other user can replace what is in a directory. Locks it if it is ours.
fn check_directory(directory: &Path, socket: &Path) -> Result<Option<File>, ListenError> {
    let io = |source| ListenError::Io { socket: socket.to_owned(), source };
    let file = File::open(directory).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    let (user, owner, mode) = (geteuid().as_raw(), metadata.uid(), metadata.mode());
    let sticky = mode & 0o1000 != 0;
    if (owner != user && owner != 0) || (mode & 0o022 != 0 && !sticky) {
        return Err(ListenError::UnsafeDirectory { directory: directory.to_owned() });
    }
    Ok((owner == user && mode & 0o077 == 0 && file.try_lock_shared().is_ok()).then_some(file))
}

fn occupant(path: &Path) -> Result<Occupant, ListenError> {
    let io = |source| ListenError::Io { socket: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Occupant::Nobody),
        Err(error) => return Err(io(error)),
        Ok(metadata) if !metadata.file_type().is_socket() => {
            return Err(ListenError::NotASocket { path: path.to_owned() });
        }
        Ok(_) => {}
    }
    // Without blocking, because whoever listens may be stuck with a full queue.
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let connected = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
        .and_then(|socket| connect(&socket, &SocketAddrUnix::new(path)?));
    match connected {
        Err(Errno::CONNREFUSED) => Ok(Occupant::Stale),
        Err(Errno::NOENT) => Ok(Occupant::Nobody),
        // A full queue, or another kind of socket: somebody is there.
        Ok(()) | Err(Errno::AGAIN | Errno::PROTOTYPE) => Ok(Occupant::Alive),
        Err(error) => Err(io(error.into())),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::{
            fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, symlink},
            net::{UnixDatagram, UnixListener, UnixStream},
        },
        path::Path,
    };

    use super::{ListenError, SocketFile};

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).expect("there").permissions().mode() & 0o7777
    }

    #[test]
    fn a_socket_and_its_directory_are_for_its_user_alone() {
        let parent = tempfile::tempdir().expect("a directory");
        let path = parent.path().join("run/sessiond/sessiond.sock");
        let (_listener, _file) = SocketFile::bind(&path).expect("bound");
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().expect("one")), 0o700);
        assert_eq!(fs::read_dir(path.parent().expect("one")).expect("readable").count(), 1);
        UnixStream::connect(&path).expect("it listens");
    }

    #[test]
    fn a_socket_that_a_killed_daemon_left_is_replaced() {
        let parent = tempfile::tempdir().expect("a directory");
        let path = parent.path().join("sessiond.sock");
        drop(UnixListener::bind(&path).expect("bound"));
        let (_listener, _file) = SocketFile::bind(&path).expect("nobody listens");
        UnixStream::connect(&path).expect("it listens");
    }

    #[test]
    fn a_socket_that_somebody_listens_to_is_left_alone() {
        let parent = tempfile::tempdir().expect("a directory");
        let path = parent.path().join("sessiond.sock");
        let (_listener, _file) = SocketFile::bind(&path).expect("bound");
        assert!(matches!(SocketFile::bind(&path), Err(ListenError::InUse { .. })));

        let other = parent.path().join("other.sock");
        let _datagrams = UnixDatagram::bind(&other).expect("bound");
        assert!(matches!(SocketFile::bind(&other), Err(ListenError::InUse { .. })));
        UnixStream::connect(&path).expect("it still listens");
    }

    #[test]
    fn a_listener_with_a_full_queue_is_alive() {
        let parent = tempfile::tempdir().expect("a directory");
        let path = parent.path().join("sessiond.sock");
        let listener = UnixListener::bind(&path).expect("bound");
        rustix::net::listen(&listener, 0).expect("a queue of one");
        let _waiting = UnixStream::connect(&path).expect("queued");
        assert!(matches!(SocketFile::bind(&path), Err(ListenError::InUse { .. })));
    }

    #[test]
    fn what_is_no_socket_is_never_replaced() {
        let parent = tempfile::tempdir().expect("a directory");
        let file = parent.path().join("file");
        fs::write(&file, "content").expect("written");
        let link = parent.path().join("link");
        symlink(&file, &link).expect("linked");
        for path in [&file, &link, &parent.path().to_owned()] {
            assert!(matches!(SocketFile::bind(path), Err(ListenError::NotASocket { .. })), "{path:?}");
        }
        assert_eq!(fs::read_to_string(file).expect("there"), "content");
    }

    #[test]
    fn a_socket_removes_its_own_file_and_no_other() {
        let parent = tempfile::tempdir().expect("a directory");
        let path = parent.path().join("sessiond.sock");
        let (_listener, file) = SocketFile::bind(&path).expect("bound");
        drop(file);
        assert!(!path.exists());

        let (listener, first) = SocketFile::bind(&path).expect("bound");
        drop(listener);
        let (_listener, _second) = SocketFile::bind(&path).expect("nobody listens");
        drop(first);
        assert!(fs::symlink_metadata(&path).expect("the second's").file_type().is_socket());
    }

    #[test]
    fn where_others_could_put_their_own_socket_none_is_made() {
        let parent = tempfile::tempdir().expect("a directory");
        let path = parent.path().join("sessiond.sock");
        for (mode, safe) in [(0o777, false), (0o775, false), (0o755, true), (0o1777, true)] {
            fs::set_permissions(parent.path(), fs::Permissions::from_mode(mode)).expect("ours");
            assert_eq!(SocketFile::bind(&path).is_ok(), safe, "{mode:o}");
        }
    }

    #[test]
    fn a_path_that_the_kernel_has_no_room_for_is_told_by_how_much() {
        let parent = tempfile::tempdir().expect("a directory");
        let room = 107 - parent.path().as_os_str().len() - 1;
        let fits = parent.path().join("x".repeat(room));
        let (_listener, file) = SocketFile::bind(&fits).expect("it fits");
        assert_eq!(fs::symlink_metadata(&fits).expect("there").ino(), file.door.inode);
        let error = SocketFile::bind(&parent.path().join("x".repeat(room + 2))).expect_err("too long");
        assert!(matches!(error, ListenError::PathTooLong { excess: 2, .. }), "{error}");
    }
}
