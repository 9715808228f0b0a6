//! Stores and forks. Alone in its file: the number of forks is one for the whole process.
#![cfg(all(not(loom), feature = "sqlite"))]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::{Arc, mpsc};
use std::time::Duration;

use outlay::store::sqlite::{self, SqliteOptions, SqliteStore};
use outlay::store::{Answer, HolderId, Message, Outcome};
use outlay::{Error, after_fork_in_child};

fn say(store: &SqliteStore, holder: u128) -> Result<Answer, Error> {
    let (asks, together, facts) = (Vec::new(), Vec::new(), Vec::new());
    let (holder, number, epoch, whole) = (HolderId(holder), 1, None, false);
    let message = Message {
        holder,
        number,
        epoch,
        whole,
        asks,
        together,
        facts,
        names: Vec::new(),
        bye: false,
    };
    let (sender, receiver) = mpsc::channel();
    store.send(Arc::new(message), move |answer| sender.send(answer).unwrap());
    receiver.recv_timeout(Duration::from_secs(60)).unwrap()
}

/// How many descriptors of this process name the file.
fn descriptors(path: &std::path::Path) -> usize {
    let Ok(all) = std::fs::read_dir("/proc/self/fd") else { return 0 };
    let names = all.filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok());
    names.filter(|name| name.starts_with(path)).count()
}

#[test]
fn a_child_opens_its_own_and_leaves_that_of_its_parent_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("b.db");
    let url = format!("sqlite:///{}", path.display());
    let open = || SqliteStore::open(&url, SqliteOptions::default());
    let parents = open().unwrap();
    assert_eq!(say(&parents, 1).unwrap().live, 1);
    // In the parent it is closed before the fork, and opens again.
    sqlite::before_fork();
    assert_eq!(descriptors(&path), 0);
    sqlite::after_fork_in_parent();
    assert_eq!(say(&parents, 2).unwrap().live, 2);
    // In the child it is refused; one that is opened there is another.
    sqlite::before_fork();
    after_fork_in_child();
    assert_eq!(say(&parents, 3).unwrap_err(), Error::Forked);
    assert!(parents.close(Duration::ZERO), "there is nothing to close here");
    let childs = open().unwrap();
    assert!(!Arc::ptr_eq(&parents, &childs));
    let answer = say(&childs, 3).unwrap();
    assert_eq!((answer.said, answer.live), (Outcome::Applied, 3));
    drop(parents);
    assert_eq!(say(&childs, 4).unwrap().live, 4);
    // A fork that nobody has announced: the locks of the file would be those of the parent.
    after_fork_in_child();
    let said = open().unwrap_err().to_string();
    assert!(said.contains("call before_fork() before a fork"), "{said}");
}
