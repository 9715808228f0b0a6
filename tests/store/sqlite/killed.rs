//! Processes that are killed: nothing that was acknowledged is lost, and what they held comes back.

use std::io::Read;
use std::process::Child;
use std::time::Duration;

use outlay::store::sqlite::{SqliteOptions, SqliteStore};
use outlay::store::{Durable, ShareAsk, WindowSpan, fresh};
use outlay::{Clock, Era};
use rusqlite::Connection;

use super::child;
use super::speaker::{Place, Speaker, ask, has};
use crate::laws::number;
use crate::random::Random;

const SECOND: Duration = Duration::from_secs(1);
/// A sliding window of half a second.
const WINDOW: WindowSpan = WindowSpan::Sliding(500_000);

fn until_killed() {
    drop(std::io::stdin().read(&mut [0]));
}

/// Takes all of three limits, and stays until it is killed.
#[test]
fn holding_child() {
    let Some(url) = child::role() else { return };
    let store = SqliteStore::open(&url, SqliteOptions::default()).unwrap();
    let mut speaker = Speaker::new(fresh().unwrap());
    speaker.hello(&store);
    for (limit, span) in [(1, WindowSpan::Gauge), (2, WINDOW), (3, WindowSpan::Lifetime)] {
        let all = ShareAsk { until: 3_600_000_000, ..ask(limit, span, 10, 10) };
        assert_eq!(speaker.ask(&store, all).granted, 10);
    }
    child::tell("ready");
    until_killed();
}

#[cfg(target_os = "linux")]
#[test]
fn what_a_dead_process_held_comes_back_before_its_time_to_live_is_over() {
    if child::role().is_some() {
        return;
    }
    let place = Place::new();
    let store = place.open().unwrap();
    let mut speaker = Speaker::new(1);
    speaker.hello(&store);
    let mut dying = child::command(&[], "killed::holding_child", &place.url()).spawn().unwrap();
    assert_eq!(child::lines(&mut dying).next().as_deref(), Some("ready"));
    let mut granted = |limit, span| speaker.ask(&store, ask(limit, span, 10, 10)).granted;
    for (limit, span) in [(1, WindowSpan::Gauge), (2, WINDOW), (3, WindowSpan::Lifetime)] {
        assert_eq!(granted(limit, span), 0, "it lives");
    }
    // It is a zombie: dead, and not yet waited for.
    dying.kill().unwrap();
    let clock = Clock::System;
    let killed = clock.precise_tick();
    let mut after = |limit, span| {
        while granted(limit, span) == 0 {
            assert!(clock.precise_tick().since(killed) < 20 * SECOND, "its time to live is 30 s");
        }
        clock.precise_tick().since(killed)
    };
    let gauge = after(1, WindowSpan::Gauge);
    let sliding = after(2, WINDOW);
    dying.wait().unwrap();
    assert!(gauge < sliding && sliding >= SECOND / 2, "{gauge:?} {sliding:?}");
    assert_eq!(granted(3, WindowSpan::Lifetime), 0, "nobody knows what it has spent");
}

/// Asks for more and tells of more use, as fast as it can. It prints what was acknowledged.
#[test]
fn growing_child() {
    let Some(role) = child::role() else { return };
    let (durable, url) = role.split_once(' ').unwrap();
    let durable = if durable == "commit" { Durable::Commit } else { Durable::Grant };
    let store =
        SqliteStore::open(url, SqliteOptions { durable, ..SqliteOptions::default() }).unwrap();
    let mut speaker = Speaker::new(fresh().unwrap());
    speaker.hello(&store);
    let (era, mut have) = (Era { generation: 0, begins: 0 }, 0);
    for spent in 0.. {
        let more = has(ask(7, WindowSpan::Lifetime, 1 << 40, have + 2), era, have, spent);
        have = speaker.ask(&store, more).granted;
        child::tell(&format!("{:032x} {have} {spent}", speaker.id().0));
    }
}

struct Writer {
    child: Child,
    told: Vec<String>,
}

fn start(durable: &str, place: &Place, lines: usize) -> Writer {
    let role = format!("{durable} {}", place.url());
    let mut child = child::command(&[], "killed::growing_child", &role).spawn().unwrap();
    let mut said = child::lines(&mut child);
    let mut told: Vec<String> = said.by_ref().take(lines).collect();
    assert_eq!(told.len(), lines, "the child has ended");
    child.kill().unwrap();
    told.extend(said);
    Writer { child, told }
}

impl Writer {
    /// What was acknowledged is in the file.
    fn check(mut self, place: &Place) -> u64 {
        self.child.wait().unwrap();
        // A line that was cut is the last one.
        let whole = self.told.iter().rev().find(|line| line.split(' ').count() == 3).unwrap();
        let words: Vec<&str> = whole.split(' ').collect();
        let told: Vec<u64> = words[1..].iter().map(|word| word.parse().unwrap()).collect();
        let file = Connection::open(place.path()).unwrap();
        let id = u128::from_str_radix(words[0], 16).unwrap().to_be_bytes();
        let sql = "SELECT granted, spent FROM shares WHERE holder = ?1";
        let kept = file.query_row(sql, [id], |row| {
            Ok([row.get::<_, i64>(0)?, row.get(1)?].map(i64::unsigned_abs))
        });
        let [granted, spent] = kept.unwrap();
        assert!(granted >= told[0] && spent >= told[1], "{whole}: kept {granted} {spent}");
        let sound = file.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
        assert_eq!(sound.unwrap(), "ok");
        told[1] + 1
    }
}

/// `OUTLAY_KILLS=500` takes longer.
#[test]
fn two_writers_that_are_killed_lose_nothing_that_was_acknowledged() {
    if child::role().is_some() {
        return;
    }
    let (place, mut random) = (Place::new(), Random::new(number("OUTLAY_SEED", 1)));
    let cycles = number("OUTLAY_KILLS", 50);
    let mut acknowledged = 0;
    for _ in 0..cycles.div_ceil(2) {
        let mut lines = || usize::try_from(random.between(1, 30)).unwrap();
        let (one, other) = (lines(), lines());
        let [one, other] = std::thread::scope(|scope| {
            let one = scope.spawn(|| start("commit", &place, one));
            let other = scope.spawn(|| start("grant", &place, other));
            [one.join().unwrap(), other.join().unwrap()]
        });
        acknowledged += one.check(&place) + other.check(&place);
    }
    println!("{} kills, {acknowledged} acknowledged, 0 lost", cycles.div_ceil(2) * 2);
}
