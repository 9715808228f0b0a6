//! Another process on the store: this test program again, which does what it is told.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

const ROLE: &str = "OUTLAY_FACTS_PEER";

/// A process that uses a store.
pub(crate) struct Peer {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

/// A file for a store, in a folder of its own.
pub(crate) struct Place(tempfile::TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn peer(&self) -> Peer {
        Peer::start(&self.0.path().join("facts.db"))
    }

    pub(crate) fn peers(&self) -> [Peer; 2] {
        [self.peer(), self.peer()]
    }
}

/// The file of the store, if this process is a peer.
pub(crate) fn role() -> Option<PathBuf> {
    std::env::var_os(ROLE).map(PathBuf::from)
}

impl Peer {
    fn start(file: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "worker::a_peer_does_what_it_is_told", "--nocapture"])
            .env(ROLE, file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (to, from) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut peer = Self { child, to, from: BufReader::new(from) };
        assert_eq!(peer.heard(), "ready");
        peer
    }

    /// What it says to an order.
    pub(crate) fn ask(&mut self, order: &str) -> String {
        self.say(order);
        self.heard()
    }

    pub(crate) fn say(&mut self, order: &str) {
        writeln!(self.to, "{order}").unwrap();
    }

    /// The next thing that it says.
    pub(crate) fn heard(&mut self) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(self.from.read_line(&mut line).unwrap(), 0, "the peer has died");
            if let Some((_, said)) = line.trim_end().split_once("@@") {
                return said.to_owned();
            }
        }
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap();
    }

    /// Cuts it off: it runs no more, and does not know it.
    pub(crate) fn stop(&self) {
        self.signal(Signal::STOP);
    }

    pub(crate) fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    /// It dies without a word.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may be dead already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
