//! Which process a holder is, and whether that process is dead.
//!
//! Only Linux tells it. Elsewhere a dead holder is a lost one: it is silent.

#[cfg(target_os = "linux")]
use std::fs;
#[cfg(target_os = "linux")]
use std::os::unix::fs::MetadataExt;

#[cfg(target_os = "linux")]
use rustix::io::Errno;
#[cfg(target_os = "linux")]
use rustix::process::{Pid, test_kill_process};

/// A process of this machine. No two are equal between two starts of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Process {
    /// The start of the machine.
    pub(super) boot: [u8; 16],
    /// The namespace of its number.
    pub(super) space: u64,
    /// Its number.
    pub(super) pid: u32,
    /// When it was started, in the kernel's ticks.
    pub(super) started: u64,
}

/// The id of this start of the machine.
#[cfg(target_os = "linux")]
pub(super) fn boot() -> Option<[u8; 16]> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    let id = u128::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 32)?;
    Some(id.to_be_bytes())
}

#[cfg(target_os = "linux")]
impl Process {
    /// This process. `None` if `/proc` does not tell.
    pub(super) fn me() -> Option<Self> {
        let pid = std::process::id();
        // A /proc of another namespace has other numbers.
        let shown = fs::read_link("/proc/self").ok()?;
        if shown.to_str()?.parse() != Ok(pid) {
            return None;
        }
        let space = fs::metadata("/proc/self/ns/pid").ok()?.ino();
        let (_, started) = stat(pid)?;
        Some(Self { boot: boot()?, space, pid, started })
    }

    /// Whether `self` is dead, as far as the process `me` can tell. If in doubt, it is not.
    pub(super) fn is_dead(&self, me: &Self) -> bool {
        if self.boot != me.boot {
            return true;
        }
        let number = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        let Some(number) = number.filter(|_| self.space == me.space) else { return false };
        if test_kill_process(number) == Err(Errno::SRCH) {
            return true;
        }
        // What is hidden is not dead.
        let Some((state, started)) = stat(self.pid) else { return false };
        started != self.started || (matches!(state, 'Z' | 'X') && !has_threads(self.pid))
    }
}

/// The state of a process, and when it was started.
#[cfg(target_os = "linux")]
fn stat(pid: u32) -> Option<(char, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program, in parentheses, may hold anything.
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(18)?.parse().ok()?))
}

/// Whether other threads of the process run on after its first one.
#[cfg(target_os = "linux")]
fn has_threads(pid: u32) -> bool {
    fs::read_dir(format!("/proc/{pid}/task")).is_ok_and(|tasks| tasks.count() > 1)
}

#[cfg(not(target_os = "linux"))]
pub(super) const fn boot() -> Option<[u8; 16]> {
    None
}

#[cfg(not(target_os = "linux"))]
impl Process {
    pub(super) const fn me() -> Option<Self> {
        None
    }

    pub(super) const fn is_dead(&self, _me: &Self) -> bool {
        false
    }
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_process_is_dead_once_it_has_ended_and_before_it_is_waited_for() {
        let me = Process::me().unwrap();
        assert!(!me.is_dead(&me));
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        let mut other = Process { pid: child.id(), ..me };
        let text = std::fs::read_to_string(format!("/proc/{}/stat", other.pid)).unwrap();
        other.started =
            text.rsplit_once(')').unwrap().1.split(' ').nth(20).unwrap().parse().unwrap();
        assert!(!other.is_dead(&me));
        child.kill().unwrap();
        while !other.is_dead(&me) {
            std::thread::yield_now(); // until the kernel has ended it: it is a zombie then
        }
        child.wait().unwrap();
        assert!(other.is_dead(&me));
    }

    #[test]
    fn another_start_of_the_machine_is_dead_and_another_namespace_unknown() {
        let me = Process::me().unwrap();
        assert!(Process { boot: [7; 16], ..me }.is_dead(&me));
        assert!(Process { started: me.started + 1, ..me }.is_dead(&me), "the number is used again");
        let hidden = Process { space: me.space + 1, pid: u32::MAX >> 1, ..me };
        assert!(!hidden.is_dead(&me));
        assert!(Process { pid: u32::MAX >> 1, ..me }.is_dead(&me));
    }
}
