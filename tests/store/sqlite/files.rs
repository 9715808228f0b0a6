//! Files that are no store of ours: a clear error, and not a byte is written.

use std::fs;

use outlay::store::sqlite::{SqliteOptions, SqliteStore};
use outlay::{Error, StoreError};
use rusqlite::Connection;

use super::child;
use super::speaker::{Place, Speaker};

#[test]
fn a_file_of_another_program_is_refused() {
    let place = Place::new();
    let foreign = |sql: &str| {
        for end in ["", "-wal", "-shm"] {
            drop(fs::remove_file(place.folder.path().join(format!("b.db{end}"))));
        }
        Connection::open(place.path()).unwrap().execute_batch(sql).unwrap();
        place.refusal()
    };
    let said = foreign("CREATE TABLE users (name TEXT)");
    assert!(said.contains("a database of another program") && said.contains("1 tables"), "{said}");
    let said = foreign("PRAGMA application_id = 4660");
    assert!(said.contains("application_id is 0x1234, not 0x6f75746c"), "{said}");
    let said = foreign("PRAGMA user_version = 3");
    assert!(said.contains("a database of another program"), "{said}");
}

#[test]
fn the_log_of_another_program_is_left_alone() {
    let place = Place::new();
    let other = Connection::open(place.path()).unwrap();
    other.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (x)").unwrap();
    assert!(place.bytes()[1].as_ref().is_some_and(|log| !log.is_empty()));
    place.refusal();
    // Nor is it written back once the other program has gone without a word.
    let copy = Place::new();
    for end in ["", "-wal"] {
        let name = format!("b.db{end}");
        fs::copy(place.folder.path().join(&name), copy.folder.path().join(&name)).unwrap();
    }
    copy.refusal();
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    let place = Place::new();
    fs::write(place.path(), "budget = 3\n".repeat(100)).unwrap();
    let said = place.refusal();
    assert!(
        said.contains("is not a SQLite database") && said.contains("name another file"),
        "{said}"
    );
}

#[test]
fn the_tables_of_a_later_outlay_are_refused_unless_it_says_that_they_can_be_read() {
    let place = Place::new();
    drop(place.open().unwrap());
    let file = Connection::open(place.path()).unwrap();
    file.execute_batch("PRAGMA user_version = 2; UPDATE about SET min_reader = 2").unwrap();
    file.close().unwrap();
    let said = place.refusal();
    assert!(said.contains("made by a later outlay") && said.contains("update outlay"), "{said}");
    let file = Connection::open(place.path()).unwrap();
    file.execute_batch("UPDATE about SET min_reader = 1; ALTER TABLE facts ADD later INTEGER")
        .unwrap();
    file.close().unwrap();
    Speaker::new(1).hello(&place.open().unwrap());
}

#[test]
fn a_damaged_page_is_found_when_the_file_is_opened() {
    let place = Place::new();
    let store = place.open().unwrap();
    Speaker::new(1).hello(&store);
    drop(store);
    let mut bytes = fs::read(place.path()).unwrap();
    for page in 2..=4 {
        bytes[page * 4096..page * 4096 + 64].fill(0xa5);
    }
    fs::write(place.path(), bytes).unwrap();
    let error = place.open().unwrap_err();
    assert!(matches!(&error, Error::Store(error) if matches!(**error, StoreError::Corrupt(_))));
    let said = place.refusal();
    assert!(said.contains("move it aside"), "{said}");
}

/// A table is damaged while the file is open: nothing is written any more, not even later.
#[test]
fn a_row_that_outlay_never_writes_stops_the_store() {
    let place = Place::new();
    let store = place.open().unwrap();
    let mut speaker = Speaker::new(1);
    speaker.hello(&store);
    let file = Connection::open(place.path()).unwrap();
    let broken = "PRAGMA ignore_check_constraints = ON; UPDATE holders SET last = -7";
    file.execute_batch(broken).unwrap();
    let message = speaker.message(Vec::new());
    for _ in 0..2 {
        let error = super::speaker::say(&store, &message).unwrap_err();
        let said = error.to_string();
        assert!(matches!(&error, Error::Store(error) if matches!(**error, StoreError::Corrupt(_))));
        assert!(said.contains("last is -7") && said.contains("move it aside"), "{said}");
        file.execute_batch("UPDATE holders SET last = 1").unwrap();
    }
}

/// The test below runs it as a user who may not write.
#[test]
fn read_only_child() {
    let Some(path) = child::role() else { return };
    let url = format!("sqlite:///{path}");
    let error = SqliteStore::open(&url, SqliteOptions::default()).unwrap_err();
    child::tell(&error.to_string());
}

#[cfg(unix)]
#[test]
fn a_file_with_two_names_is_refused() {
    let place = Place::new();
    drop(place.open().unwrap());
    let other = place.folder.path().join("other.db");
    fs::hard_link(place.path(), &other).unwrap();
    let said = place.refusal();
    assert!(said.contains("it has several names (hard links)"), "{said}");
    fs::remove_file(other).unwrap();
    drop(place.open().unwrap());
}

#[test]
fn a_file_or_folder_that_may_not_be_written_is_refused() {
    use std::os::unix::fs::PermissionsExt;

    if child::role().is_some() {
        return;
    }
    let place = Place::new();
    Speaker::new(1).hello(&place.open().unwrap());
    let root = fs::metadata("/proc/self").is_ok_and(|own| {
        use std::os::unix::fs::MetadataExt;
        own.uid() == 0
    });
    let nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];
    let before: &[&str] = if root { &nobody } else { &[] };
    let said = |file: u32, folder: u32| {
        fs::set_permissions(place.path(), fs::Permissions::from_mode(file)).unwrap();
        fs::set_permissions(place.folder.path(), fs::Permissions::from_mode(folder)).unwrap();
        let path = place.path().display().to_string();
        let mut child = child::command(before, "files::read_only_child", &path).spawn().unwrap();
        let said = child::lines(&mut child).last();
        assert!(child.wait().unwrap().success());
        fs::set_permissions(place.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        said.unwrap()
    };
    let before = place.bytes();
    let file = said(0o444, 0o777);
    assert!(file.contains("b.db as a store: the file is read-only for this process"), "{file}");
    let folder = said(0o666, 0o555);
    assert!(folder.contains("its folder, where SQLite keeps") && folder.contains("read-only"));
    assert!(place.bytes() == before);
}
