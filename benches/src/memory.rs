//! How much memory a process has, as the kernel counts it.

use anyhow::Context as _;
use rustix::process::Pid;

/// Resident memory of a process, in bytes.
///
/// # Errors
/// There is no such process.
pub(crate) fn resident(pid: Pid) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    kibibytes(&status, "VmRSS:").map(|kibibytes| kibibytes * 1024.0).context("the kernel does not say")
}

fn kibibytes(status: &str, field: &str) -> Option<f64> {
    status.lines().find_map(|line| line.strip_prefix(field))?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::kibibytes;

    #[test]
    fn resident_memory_is_read_from_the_status() {
        let status = "Name:\tsessiond\nVmHWM:\t  200 kB\nVmRSS:\t  123 kB\n";
        assert_eq!(kibibytes(status, "VmRSS:"), Some(123.0));
        assert_eq!(kibibytes(status, "VmSwap:"), None);
    }
}
