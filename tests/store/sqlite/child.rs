//! Other processes: this test program again, with one of its tests.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

const ROLE: &str = "OUTLAY_CHILD";

/// What the parent has told this process to do, if it is a child of a test.
pub(super) fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

/// A process that runs the test `name` of this folder with a role. `before` are the words of the
/// program that starts it, if there is one.
pub(super) fn command(before: &[&str], name: &str, role: &str) -> Command {
    let own = std::env::current_exe().unwrap();
    let mut command = match before.split_first() {
        None => Command::new(own),
        Some((program, words)) => {
            let mut command = Command::new(program);
            command.args(words).arg(own);
            command
        }
    };
    command.args(["--exact", &format!("sqlite::{name}"), "--nocapture", "--test-threads", "1"]);
    command.env(ROLE, role).stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

/// The lines that a child prints and that begin with a mark.
pub(super) fn lines(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    let out = BufReader::new(child.stdout.take().unwrap());
    let lines = out.lines().map_while(Result::ok);
    lines.filter_map(|line| line.split_once("@@").map(|(_, said)| said.to_owned()))
}

/// Says a line to the parent.
pub(super) fn tell(line: &str) {
    println!("@@{line}");
}
