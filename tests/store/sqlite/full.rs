//! A disk that is full: nothing is granted, nothing is lost, and it goes on once there is room.

use std::fs;
use std::process::Command;

use outlay::store::sqlite::{SqliteOptions, SqliteStore};
use outlay::store::{Outcome, WindowSpan};
use outlay::{Error, StoreError};
use rusqlite::Connection;

use super::child;
use super::speaker::{Speaker, ask, say};

/// Runs in a mount namespace of its own, with a file system of 512 KiB.
#[test]
fn full_child() {
    let Some(folder) = child::role() else { return };
    let mount = ["-t", "tmpfs", "-o", "size=512k", "outlay", &folder];
    if !Command::new("mount").args(mount).status().is_ok_and(|status| status.success()) {
        return child::tell("no mount");
    }
    let url = format!("sqlite:///{folder}/b.db");
    let store = SqliteStore::open(&url, SqliteOptions::default()).unwrap();
    let mut speaker = Speaker::new(1);
    speaker.hello(&store);
    let mut granted = 0;
    let refused = (0..).find_map(|limit| {
        let message = speaker.message(vec![ask(limit, WindowSpan::Lifetime, 100, 7)]);
        match say(&store, &message) {
            Ok(answer) => {
                assert_eq!(answer.given[0].granted, 7);
                granted += 1;
                None
            }
            Err(error) => Some((message, error)),
        }
    });
    let (message, error) = refused.unwrap();
    assert!(granted > 5, "{granted}");
    let said = error.to_string();
    assert!(matches!(&error, Error::Store(error) if matches!(**error, StoreError::Unavailable(_))));
    assert!(
        said.contains("b.db: the disk is full") && said.contains("goes on by itself"),
        "{said}"
    );
    assert!(say(&store, &message).is_err(), "it is still full");
    // There is room again.
    let grown = Command::new("mount").args(["-o", "remount,size=4m", &folder]).status();
    assert!(grown.unwrap().success());
    let answer = say(&store, &message).unwrap();
    assert_eq!((answer.said, answer.given[0].granted), (Outcome::Applied, 7));
    drop(store);
    let file = Connection::open(format!("{folder}/b.db")).unwrap();
    let kept = |sql| file.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(kept("SELECT sum(granted) FROM shares"), 7 * (granted + 1));
    assert_eq!(file.query_row("PRAGMA integrity_check", [], |row| row.get(0)), Ok("ok".to_owned()));
    child::tell("done");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_grants_nothing_and_loses_nothing() {
    if child::role().is_some() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display().to_string();
    let own = Command::new("unshare").args(["-m", "true"]).status();
    let before: &[&str] = if own.is_ok_and(|status| status.success()) {
        &["unshare", "-m"]
    } else {
        &["unshare", "-rm"]
    };
    let spawned = child::command(before, "full::full_child", &path).spawn();
    let said = spawned.map(|mut child| {
        let said = child::lines(&mut child).last();
        let ended = child.wait().unwrap();
        (ended.success(), said)
    });
    match said {
        Ok((true, Some(said))) if said == "done" => {}
        Ok((_, None)) if !may_mount(before) => eprintln!("NOT RUN: no mount namespace here"),
        Ok((true, Some(said))) if said == "no mount" => eprintln!("NOT RUN: no mount here"),
        other => panic!("{other:?}"),
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "the mount was seen outside");
}

#[cfg(target_os = "linux")]
fn may_mount(before: &[&str]) -> bool {
    let (program, words) = before.split_first().unwrap();
    Command::new(program).args(words).arg("true").status().is_ok_and(|status| status.success())
}
