//! Who has a lock on a file, from `/proc` (proc(5), `/proc/locks`).

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use rustix::fs::{major, minor};

/// A line of `/proc/locks`: who has a lock, on which file.
#[derive(Debug, PartialEq, Eq)]
struct Lock {
    pid: u32,
    device: (u32, u32),
    inode: u64,
}

pub(super) fn lock_holders(path: &Path) -> Vec<u32> {
    let (Ok(file), Ok(locks)) = (fs::metadata(path), fs::read_to_string("/proc/locks")) else {
        return Vec::new();
    };
    let device = (major(file.dev()), minor(file.dev()));
    let identity = (file.dev(), file.ino());
    // Some file systems (btrfs, overlayfs) show another device there than stat does, so that the process has to be asked.
    let is_ours =
        |lock: &Lock| lock.inode == file.ino() && (lock.device == device || has_open(lock.pid, identity));
    locks.lines().filter_map(parse).filter(is_ours).map(|lock| lock.pid).collect()
}

pub(super) fn program(pid: u32) -> String {
    let name = fs::read(process(pid).join("comm")).unwrap_or_default();
    String::from_utf8_lossy(&name).chars().filter(|c| !c.is_control()).collect()
}

/// Reads `1: POSIX  ADVISORY  WRITE 3568 fe:00:2531452 1073741825 1073741825`. Whoever only waits (`1: -> POSIX ...`) has
/// no lock.
fn parse(line: &str) -> Option<Lock> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let kind = fields.next()?;
    let pid = fields.nth(2)?;
    let mut file = fields.next()?.split(':');
    if kind == "->" {
        return None;
    }
    let mut device = || u32::from_str_radix(file.next()?, 16).ok();
    Some(Lock { pid: pid.parse().ok()?, device: (device()?, device()?), inode: file.next()?.parse().ok()? })
}

fn has_open(pid: u32, identity: (u64, u64)) -> bool {
    let Ok(files) = fs::read_dir(process(pid).join("fd")) else {
        return false;
    };
    files
        .filter_map(|file| fs::metadata(file.ok()?.path()).ok())
        .any(|file| (file.dev(), file.ino()) == identity)
}

fn process(pid: u32) -> PathBuf {
    Path::new("/proc").join(pid.to_string())
}

#[cfg(test)]
mod tests {
    use super::{Lock, parse};

    #[test]
    fn a_lock_is_told_from_a_wait_for_one() {
        let line = "1: POSIX  ADVISORY  WRITE 3568 fe:1a:2531452 1073741825 1073741825";
        assert_eq!(parse(line), Some(Lock { pid: 3568, device: (0xfe, 0x1a), inode: 2_531_452 }));
        assert_eq!(parse("1: -> POSIX  ADVISORY  WRITE 3569 fe:1a:2531452 1073741825 1073741825"), None);
        assert_eq!(parse("2: OFDLCK ADVISORY  READ -1 fe:1a:7 0 EOF"), None, "a lock of no process");
        assert_eq!(parse(""), None);
    }
}
