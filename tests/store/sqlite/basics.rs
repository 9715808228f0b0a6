//! One store of a process: its options, its thread, its clock, its commits.

use std::fs;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use outlay::store::sqlite::{Database, SqliteOptions, SqliteStore};
use outlay::store::{Durable, LimitId, Now, Outcome, StoreRules, WindowSpan};
use outlay::{Clock, Error, ManualClock};
use rusqlite::Connection;

use super::speaker::{Place, Speaker, ask, has, say};

const DAY: u64 = 86_400_000_000;

fn with(place: &Place, options: SqliteOptions) -> Arc<SqliteStore> {
    SqliteStore::open(&place.url(), options).unwrap()
}

#[test]
fn equal_options_are_one_store_and_others_are_refused() {
    let place = Place::new();
    let store = place.open().unwrap();
    assert!(Arc::ptr_eq(&store, &place.open().unwrap()));
    let folder = place.folder.path().display().to_string();
    let winding = format!("sqlite:///{folder}/./%62.db");
    let same = SqliteStore::open(&winding, SqliteOptions::default()).unwrap();
    assert!(Arc::ptr_eq(&store, &same), "it is the same file");
    let process = SqliteOptions { durable: Durable::Process, ..SqliteOptions::default() };
    let error = SqliteStore::open(&place.url(), process.clone()).unwrap_err();
    let said = error.to_string();
    assert!(matches!(error, Error::Invalid(_)) && said.contains("is open with"), "{said}");
    assert!(said.contains("durable: Grant") && said.contains("durable: Process"), "{said}");
    assert!(store.close(Duration::from_secs(60)));
    assert_eq!(with(&place, process).options().durable, Durable::Process);
}

#[test]
fn namespaces_know_nothing_of_each_other() {
    let place = Place::new();
    let named = |name: &str| {
        with(&place, SqliteOptions { namespace: name.to_owned(), ..SqliteOptions::default() })
    };
    let stores = [named("one"), named("other")];
    for store in &stores {
        let mut speaker = Speaker::new(1);
        assert_eq!(speaker.hello(store).live, 1);
        assert_eq!(speaker.ask(store, ask(5, WindowSpan::Lifetime, 10, 10)).granted, 10);
    }
}

/// Counts the commits in the log: frames that say how large the file is.
fn commits(place: &Place) -> usize {
    let log = place.bytes()[1].clone().unwrap();
    let size = u32::from_be_bytes(log[8..12].try_into().unwrap());
    let frames = log[32..].chunks_exact(24 + usize::try_from(size).unwrap());
    frames.filter(|frame| frame[4..8] != [0; 4] && frame[8..16] == log[16..24]).count()
}

#[test]
fn what_comes_while_a_commit_is_under_way_shares_the_next_one() {
    let place = Place::new();
    let store = place.open().unwrap();
    Speaker::new(1).hello(&store);
    let other = Connection::open(place.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (before, (sender, receiver)) = (commits(&place), mpsc::channel());
    for holder in 0..50 {
        let message = Arc::new(Speaker::new(100 + holder).message(Vec::new()));
        let sender = sender.clone();
        store.send(message, move |answer| sender.send(answer).unwrap());
    }
    assert!(receiver.try_recv().is_err(), "another process writes");
    other.execute_batch("ROLLBACK").unwrap();
    let answers: Vec<_> = receiver.iter().take(50).map(Result::unwrap).collect();
    assert_eq!(answers[49].live, 51);
    let made = commits(&place) - before;
    assert!((1..=2).contains(&made), "{made} commits for 50 messages");
}

#[test]
fn a_file_that_another_process_holds_is_said_to_be_locked() {
    let place = Place::new();
    let patience = Duration::from_millis(30);
    let store = with(&place, SqliteOptions { patience, ..SqliteOptions::default() });
    let other = Connection::open(place.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut speaker = Speaker::new(1);
    let message = speaker.message(Vec::new());
    let said = say(&store, &message).unwrap_err().to_string();
    assert!(said.contains("b.db is locked: another process has written to it for 30ms"), "{said}");
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(say(&store, &message).unwrap().said, Outcome::Applied);
}

#[test]
fn the_time_is_that_of_the_clock_and_never_goes_back() {
    let place = Place::new();
    let clock = Arc::new(ManualClock::new());
    let store = with(
        &place,
        SqliteOptions { clock: Arc::clone(&clock).into(), ..SqliteOptions::default() },
    );
    let mut speaker = Speaker::new(1);
    clock.set_wall(5_000_000_000);
    assert_eq!(speaker.hello(&store).time, 5_000_000);
    let mut time = |wall| {
        clock.set_wall(wall);
        say(&store, &speaker.message(Vec::new())).unwrap().time
    };
    assert_eq!(time(1_000_000_000), 5_000_000);
    assert_eq!(time(9_000_000_000_000_000), 9_000_000_000_000);
    assert!(!store.has_leapt());
}

#[cfg(target_os = "linux")]
#[test]
fn a_leap_of_the_wall_clock_is_not_believed() {
    let place = Place::new();
    let store = place.open().unwrap();
    let mut speaker = Speaker::new(1);
    let time = speaker.hello(&store).time;
    assert!(!store.has_leapt());
    // The store has seen a time three hours ago, a moment ago: so the wall clock has leapt since.
    let file = Connection::open(place.path()).unwrap();
    let before = time - 3 * 3_600_000_000;
    file.execute("UPDATE stores SET latest = ?1", [before]).unwrap();
    let answer = say(&store, &speaker.message(Vec::new())).unwrap();
    assert!(store.has_leapt());
    assert!((before..before + 60_000_000).contains(&answer.time), "{} {before}", answer.time);
    // After a new start of the machine it is believed.
    let other = "UPDATE stores SET boot = x'00112233445566778899aabbccddeeff'";
    file.execute_batch(other).unwrap();
    let answer = say(&store, &speaker.message(Vec::new())).unwrap();
    assert!(answer.time >= time && !store.has_leapt());
}

#[test]
fn a_strict_store_waits_until_it_is_created() {
    let place = Place::new();
    let store = with(&place, SqliteOptions { strict: true, ..SqliteOptions::default() });
    let mut speaker = Speaker::new(1);
    let hello = speaker.message(Vec::new());
    assert_eq!(say(&store, &hello).unwrap().said, Outcome::Empty);
    store.create().unwrap();
    assert_eq!(say(&store, &hello).unwrap().said, Outcome::Applied);
    store.create().unwrap();
    assert_eq!(say(&store, &hello).unwrap().live, 1, "what exists stays");
}

#[test]
fn a_store_that_is_closed_takes_nothing_and_leaves_no_log() {
    let place = Place::new();
    let store = place.open().unwrap();
    let mut speaker = Speaker::new(1);
    speaker.hello(&store);
    assert!(place.bytes()[1].is_some());
    assert!(store.close(Duration::from_secs(60)));
    assert_eq!(place.bytes()[1], None, "the log was not written back");
    let said = say(&store, &speaker.message(Vec::new())).unwrap_err().to_string();
    assert!(said.contains("b.db is closed"), "{said}");
}

#[test]
fn jobs_that_were_sent_before_the_close_are_done() {
    let place = Place::new();
    let store = place.open().unwrap();
    let (sender, receiver) = mpsc::channel();
    for holder in 0..20 {
        let sender = sender.clone();
        let message = Arc::new(Speaker::new(holder).message(Vec::new()));
        store.send(message, move |answer| sender.send(answer).unwrap());
    }
    drop((store, sender));
    assert_eq!(receiver.iter().filter(Result::is_ok).count(), 20);
}

#[test]
fn a_file_that_was_removed_is_a_store_that_forgot() {
    let place = Place::new();
    let store = place.open().unwrap();
    let (mut speaker, mut other) = (Speaker::new(1), Speaker::new(2));
    speaker.hello(&store);
    let first = speaker.ask(&store, ask(5, WindowSpan::Fixed(DAY), 10, 10));
    assert_eq!(first.granted, 10);
    fs::remove_file(place.path()).unwrap();
    let ask_again = has(ask(5, WindowSpan::Fixed(DAY), 10, 10), first.era, 10, 3);
    let answer = say(&store, &speaker.message(vec![ask_again])).unwrap();
    assert_eq!(answer.said, Outcome::SayAll);
    // It learns: nobody gets anything before all have said what they have.
    other.hello(&store);
    assert_eq!(other.ask(&store, ask(5, WindowSpan::Fixed(DAY), 10, 1)).granted, 0);
}

#[test]
fn who_waits_is_seen_by_the_others_once() {
    let place = Place::new();
    // Another process, as far as SQLite can tell: a connection of its own.
    let one = place.open().unwrap();
    let (mut rich, mut poor) = (Speaker::new(1), Speaker::new(2));
    rich.hello(&one);
    let look = || {
        let (sender, receiver) = mpsc::channel();
        one.look(rich.id(), move |found| sender.send(found).unwrap());
        receiver.recv_timeout(Duration::from_secs(60)).unwrap().unwrap()
    };
    assert_eq!(look(), [], "nobody waits");
    let mut database = Database::open(&place.path(), Duration::from_secs(5)).unwrap();
    let rules = StoreRules { ttl: 30_000_000, strict: false, keep: DAY };
    let time = Clock::System.wall_ns() / 1_000;
    let now = Now { time, fresh: 1 };
    database.apply("default", &rules, now, &poor.message(Vec::new())).unwrap();
    let waits = ask(5, WindowSpan::Gauge, 0, 3);
    database.apply("default", &rules, now, &poor.message(vec![waits])).unwrap();
    assert_eq!(look(), [LimitId(5)]);
    assert_eq!(look(), [], "nothing was written since");
}

#[test]
fn the_largest_amounts_mean_no_limit() {
    let place = Place::new();
    let store = place.open().unwrap();
    let mut speaker = Speaker::new(1);
    speaker.hello(&store);
    let given = speaker.ask(&store, ask(5, WindowSpan::Lifetime, u64::MAX, 40));
    assert_eq!((given.granted, given.most), (40, u64::MAX));
    let exact = (1 << 60) + 1;
    let given =
        speaker.ask(&store, has(ask(5, WindowSpan::Lifetime, u64::MAX, exact), given.era, 40, 7));
    assert_eq!((given.granted, given.used), (exact, 7));
    speaker.ask(
        &store,
        has(ask(5, WindowSpan::Lifetime, u64::MAX, exact), given.era, exact, u64::MAX - 5),
    );
    let mut other = Speaker::new(2);
    other.hello(&store);
    assert_eq!(other.ask(&store, ask(5, WindowSpan::Lifetime, u64::MAX, 1)).used, u64::MAX);
}
