//! Which file systems are on this machine's own disks.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt as _,
};

use rustix::fs::{fstatfs, major, minor};

/// File systems whose disk is, or may be, another machine's: locks and shared memory, on which SQLite's WAL relies, do not
/// reach from one to the other. Numbers: linux/magic.h, and of those outside the kernel, coreutils' stat.
const NETWORK: [(u32, &str); 18] = [
    (0x0000_6969, "nfs"),
    (0x0000_517b, "smb"),
    (0xff53_4d42, "cifs"),
    (0xfe53_4d42, "smb2"),
    (0x0102_1997, "9p"),
    (0x5346_414f, "afs"),
    (0x6b41_4653, "afs"),
    (0x7375_7245, "coda"),
    (0x0000_564c, "ncp"),
    (0x00c3_6400, "ceph"),
    (0x0bd0_0bd0, "lustre"),
    (0x0116_1970, "gfs2"),
    (0x7461_636f, "ocfs2"),
    (0x4750_4653, "gpfs"),
    (0xaad7_aaea, "panfs"),
    (0xbacb_acbc, "vmhgfs"),
    (0x786f_4256, "vboxsf"),
    (0x7c7c_6673, "prl_fs"),
];

/// FUSE, behind which may be anything; `/proc/self/mountinfo` says what.
const FUSE: u32 = 0x6573_5546;

/// What behind FUSE is local: file systems of a block device, and the root of rootless containers.
const LOCAL_FUSE: [&str; 2] = ["fuseblk", "fuse.fuse-overlayfs"];

/// The kind of network file system that a directory is on. None: it is on a local one.
///
/// # Errors
/// Where the system does not tell.
pub(crate) fn network_kind(directory: &File) -> io::Result<Option<String>> {
    // The type's width and sign differ between machines; the numbers have 32 bits.
    let magic = fstatfs(directory)?.f_type as u32;
    if magic != FUSE {
        return Ok(NETWORK.iter().find(|(number, _)| *number == magic).map(|(_, kind)| (*kind).to_owned()));
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    Ok(fuse_kind(&mounts, directory.metadata()?.dev()))
}

/// The kind behind FUSE on a device, unless it is known to be local.
fn fuse_kind(mounts: &str, device: u64) -> Option<String> {
    let number = format!("{}:{}", major(device), minor(device));
    // "36 35 98:0 /root /mount options optional fields - type source options": proc_pid_mountinfo(5).
    let kind = mounts.lines().find_map(|mount| {
        let (before, after) = mount.split_once(" - ")?;
        (before.split(' ').nth(2)? == number).then(|| after.split(' ').next().unwrap_or_default())
    });
    match kind {
        Some(kind) if LOCAL_FUSE.contains(&kind) => None,
        kind => Some(kind.unwrap_or("fuse").to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::{fuse_kind, network_kind};

    const MOUNTS: &str = "\
        22 27 0:21 / /proc rw,relatime - proc proc rw\n\
        36 27 0:40 / /mnt/remote rw,nosuid - fuse.sshfs host:/srv rw,user_id=0\n\
        37 27 8:17 / /mnt/disk rw shared:3 master:1 - fuseblk /dev/sdb1 rw\n\
        38 27 0:41 / / rw - fuse.fuse-overlayfs overlay rw\n";

    #[test]
    fn behind_fuse_only_what_is_known_to_be_local_is_local() {
        let kind = |major, minor| fuse_kind(MOUNTS, rustix::fs::makedev(major, minor));
        assert_eq!(kind(0, 40).as_deref(), Some("fuse.sshfs"));
        assert_eq!(kind(8, 17), None);
        assert_eq!(kind(0, 41), None);
        assert_eq!(kind(0, 99).as_deref(), Some("fuse"));
    }

    #[test]
    fn a_local_directory_is_on_no_network() {
        let directory = tempfile::tempdir().expect("a directory");
        let directory = File::open(directory.path()).expect("opened");
        assert_eq!(network_kind(&directory).expect("known"), None);
    }
}
