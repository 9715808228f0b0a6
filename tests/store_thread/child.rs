//! Other processes: this test program again, with one of its tests.

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};

const ROLE: &str = "OUTLAY_THREAD_CHILD";

/// What the parent has told this process to do, if it is a child of a test.
pub(super) fn role() -> Option<Vec<String>> {
    let role = std::env::var(ROLE).ok()?;
    Some(role.split(' ').map(str::to_owned).collect())
}

/// A process that runs the test `name` with a role. It ends once it is dropped.
pub(super) struct Other {
    pub(super) process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Other {
    pub(super) fn new(name: &str, role: &[&str]) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", name, "--nocapture", "--test-threads", "1"]);
        command.env(ROLE, role.join(" ")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    /// The next line that it says.
    pub(super) fn said(&mut self) -> String {
        let marked = |line: std::io::Result<String>| {
            line.unwrap().split_once("@@").map(|(_, said)| said.to_owned())
        };
        self.lines.by_ref().find_map(marked).unwrap()
    }

    /// Lets it end, and waits for that.
    pub(super) fn end(mut self) {
        drop(self.process.stdin.take());
        assert!(self.process.wait().unwrap().success());
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Says a line to the parent.
pub(super) fn tell(line: &str) {
    println!("@@{line}");
}

/// Waits until the parent lets this process end.
pub(super) fn wait() {
    let mut line = String::new();
    while std::io::stdin().read_line(&mut line).is_ok_and(|bytes| bytes > 0) {}
}
