//! What `/proc` tells about processes (proc(5)).

use std::{fs, os::unix::fs::MetadataExt as _, path::Path, sync::LazyLock};

/// Where pids and start times mean something: the boot, and in it the namespace of pids. As text
/// `BOOT_ID/NAMESPACE`, the kernel's boot id and the inode of the namespace.
pub(super) static HERE: LazyLock<String> = LazyLock::new(|| {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let namespace = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    // It reads "pid:[4026531836]".
    let namespace: String = namespace.to_string_lossy().chars().filter(char::is_ascii_digit).collect();
    format!("{}/{namespace}", boot.trim())
});

/// What there is to know of the process that has a pid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stat {
    /// When it started, in clock ticks since boot.
    Started(u64),
    /// It has ended, and its parent has not asked for its end yet.
    Zombie,
}

/// Reads `/proc/PID/stat`. None: there is no such process, or it is hidden from us.
pub(super) fn stat(pid: i32) -> Option<Stat> {
    parse(&fs::read(format!("/proc/{pid}/stat")).ok()?)
}

/// The program that a process runs.
#[derive(Debug, Default)]
pub(crate) struct Executable {
    /// Its path, safe to show: what is not text or would steer a terminal is replaced. Empty: we may not know.
    pub(crate) path: String,
    /// Whether it is the file that we see at that path. Not so where the file was replaced or removed, and where the process
    /// has other files mounted there.
    pub(crate) is_at_its_path: bool,
}

pub(super) fn executable(pid: i32) -> Executable {
    let link = format!("/proc/{pid}/exe");
    let path = fs::read_link(&link).unwrap_or_default();
    let identity = |path: &Path| fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
    // The link leads to the file itself, whatever is at its path.
    let runs = identity(Path::new(&link));
    let is_at_its_path = runs.is_some() && runs == identity(&path);
    Executable { path: path.to_string_lossy().replace(char::is_control, "\u{FFFD}"), is_at_its_path }
}

/// A process's groups beside the effective one. Empty: it has none, or we may not know.
pub(super) fn groups(pid: i32) -> Vec<u32> {
    let status = fs::read(format!("/proc/{pid}/status")).unwrap_or_default();
    // The process's name is in it too, with its line breaks escaped.
    let groups = status.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(b"Groups:"));
    let groups = groups.and_then(|groups| std::str::from_utf8(groups).ok()).unwrap_or_default();
    groups.split_ascii_whitespace().filter_map(|group| group.parse().ok()).collect()
}

fn parse(stat: &[u8]) -> Option<Stat> {
    // "PID (COMM) STATE PPID ...", and the process chooses what is between the parentheses: fields count from the last one.
    let end = stat.iter().rposition(|&byte| byte == b')')?;
    let mut fields = std::str::from_utf8(&stat[end + 1..]).ok()?.split_ascii_whitespace();
    // The state is field 3, the start time field 22.
    match fields.next()? {
        "Z" | "X" => Some(Stat::Zombie),
        _ => Some(Stat::Started(fields.nth(18)?.parse().ok()?)),
    }
}

#[cfg(test)]
mod tests {
    use super::{HERE, Stat, parse};

    #[test]
    fn a_process_cannot_choose_its_start_time_by_its_name() {
        let fields = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4242 20 21";
        for name in ["bash", "a b", "x) S 1 2 3", ") Z (", "é"] {
            assert_eq!(
                parse(format!("17 ({name}) {fields}\n").as_bytes()),
                Some(Stat::Started(4242)),
                "{name}"
            );
        }
        assert_eq!(parse(b"17 (\xff) Z 1"), Some(Stat::Zombie));
        assert_eq!(parse(b"17 (bash) S 1"), None);
        assert_eq!(parse(b""), None);
    }

    #[test]
    fn here_is_a_boot_and_a_namespace() {
        let (boot, namespace) = HERE.split_once('/').expect("two parts");
        assert_eq!(boot.len(), 36);
        assert!(namespace.parse::<u64>().is_ok(), "{namespace}");
    }
}
