use std::{fs, path::Path, thread};

use rustix::{fs::statfs, system::uname};
use serde::Serialize;

/// What the figures were measured on. Nothing of it names the machine.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    processors: usize,
    processor: String,
    memory_gb: u64,
    kernel: String,
    file_system: String,
    /// Processes that wanted a processor in the minute before: above 1, others were at work.
    load: f64,
}

impl Machine {
    /// This machine, with the disk of that folder.
    pub(crate) fn of(folder: &Path) -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let processor = field(&read("/proc/cpuinfo"), "model name").unwrap_or("unknown").to_owned();
        let kibibytes =
            field(&read("/proc/meminfo"), "MemTotal").and_then(|total| total.split(' ').next()?.parse().ok());
        let memory_gb = kibibytes.map_or(0, |kibibytes: u64| kibibytes >> 20);
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let load =
            read("/proc/loadavg").split(' ').next().and_then(|load| load.parse().ok()).unwrap_or_default();
        Self { processors, processor, memory_gb, kernel: kernel(), file_system: file_system(folder), load }
    }
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { processors, processor, memory_gb, kernel, file_system, load } = self;
        write!(
            f,
            "{processors} processors ({processor}), {memory_gb} GB, {kernel}, {file_system}; load before: {load}"
        )
    }
}

/// The value of a line `NAME: VALUE`.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_once(':').map(|(_, value)| value.trim())
}

/// System and release, without what somebody has added to its name.
fn kernel() -> String {
    let system = uname();
    let release = system.release().to_string_lossy();
    let version = release.split(['-', '+']).next().unwrap_or_default();
    format!("{} {version}", system.sysname().to_string_lossy())
}

fn file_system(folder: &Path) -> String {
    // Numbers of linux/magic.h.
    match statfs(folder).map(|file_system| file_system.f_type) {
        Ok(0xef53) => "ext4".into(),
        Ok(0x5846_5342) => "xfs".into(),
        Ok(0x9123_683e) => "btrfs".into(),
        Ok(0x0102_1994) => "tmpfs: no disk at all".into(),
        Ok(0x794c_7630) => "overlayfs".into(),
        Ok(number) => format!("file system {number:#x}"),
        Err(_) => "unknown file system".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn a_field_is_found_by_its_name() {
        let text = "processor\t: 0\nmodel name\t: A Processor\n";
        assert_eq!(field(text, "model name"), Some("A Processor"));
        assert_eq!(field(text, "flags"), None);
    }
}
