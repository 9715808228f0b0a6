//! Several processes on one file.

use std::time::Duration;

use outlay::Window;
use outlay::store::{Durable, Store, StoreOptions};

use super::child::{self, Other};
use super::objects::{Place, account, charge, now, until, used};

const CHILD: &str = "processes::child";

/// Charges one token after the other, up to a number of them, then says how many it got.
#[test]
fn child() {
    let Some(role) = child::role() else { return };
    let [url, most, tokens, durable] = &role[..] else { panic!("{role:?}") };
    let (most, tokens): (u64, u64) = (most.parse().unwrap(), tokens.parse().unwrap());
    let durable = if durable == "commit" { Durable::Commit } else { Durable::Grant };
    let options = StoreOptions { durable, ..StoreOptions::default() };
    let store = Store::open(url, options).unwrap();
    let budget = account(&store, "a", most, Window::Lifetime);
    let mut got = 0;
    while got < tokens && charge(&budget, 1).is_ok() {
        got += 1;
    }
    child::tell(&got.to_string());
    child::wait();
    assert!(store.close(Duration::from_secs(5)));
}

#[test]
fn two_processes_share_one_budget() {
    let place = Place::new();
    let role = [&place.url(), "2000", "5000", "grant"];
    let mut others: Vec<Other> = (0..2).map(|_| Other::new(CHILD, &role)).collect();
    let got: Vec<u64> = others.iter_mut().map(|other| other.said().parse().unwrap()).collect();
    others.into_iter().for_each(Other::end);
    let store = place.open();
    let budget = account(&store, "a", 2_000, Window::Lifetime);
    store.sync().unwrap();
    assert_eq!(used(&budget), got.iter().sum::<u64>());
    assert!(got.iter().all(|got| *got > 0), "{got:?}");
    let mut sum = used(&budget);
    while charge(&budget, 1).is_ok() {
        sum += 1;
    }
    assert_eq!(sum, 2_000, "used to the last unit, and not above");
    println!("two processes got {got:?} of 2000");
}

#[test]
fn what_a_killed_process_had_drawn_is_written_off() {
    let place = Place::new();
    let mut other = Other::new(CHILD, &[&place.url(), "1000", "100", "grant"]);
    assert_eq!(other.said(), "100");
    other.process.kill().unwrap();
    other.process.wait().unwrap();
    let store = place.open();
    let budget = account(&store, "a", 1_000, Window::Lifetime);
    store.sync().unwrap();
    let mut sum = 0;
    while charge(&budget, 1).is_ok() {
        sum += 1;
    }
    let found = store.inspect().unwrap();
    let [limit] = &found[..] else { panic!("{found:?}") };
    assert_eq!(limit.name.as_deref(), Some("Test \"a\" tokens"));
    assert!(sum + 100 <= 1_000 && sum > 700, "{sum}");
    store.sync().unwrap();
    let limit = store.inspect().unwrap().remove(0);
    let dead: Vec<_> = limit.holders.iter().filter(|share| !share.live).collect();
    assert_eq!(dead.len(), 1, "{limit:?}");
    assert_eq!(
        dead[0].granted,
        1_000 - sum,
        "what it had drawn counts, whether it was used or not"
    );
    assert_eq!(limit.written_off, dead[0].granted - dead[0].spent);
}

#[test]
fn what_a_dead_process_has_committed_durably_is_known_to_the_unit() {
    let place = Place::new();
    let mut other = Other::new(CHILD, &[&place.url(), "1000", "40", "commit"]);
    assert_eq!(other.said(), "40");
    other.process.kill().unwrap();
    other.process.wait().unwrap();
    let store = place.open();
    let budget = account(&store, "a", 1_000, Window::Lifetime);
    store.sync().unwrap();
    let limit = store.inspect().unwrap().remove(0);
    assert_eq!(limit.used, 40, "each charge was on the disk before it returned");
    assert_eq!(used(&budget), 40 + limit.written_off, "what it had drawn counts as used");
}

#[test]
fn what_another_process_holds_free_comes_when_it_is_needed() {
    let place = Place::new();
    let mut other = Other::new(CHILD, &[&place.url(), "100", "10", "grant"]);
    assert_eq!(other.said(), "10");
    let store = place.open();
    let budget = account(&store, "a", 100, Window::Lifetime);
    charge(&budget, 90).unwrap();
    assert!(charge(&budget, 1).is_err());
    other.end();
    store.sync().unwrap();
    assert_eq!(used(&budget), 100);
}

#[test]
fn an_orderly_close_gives_all_back_within_200_ms() {
    let place = Place::new();
    let store = place.open();
    let budget = account(&store, "a", 1_000, Window::Lifetime);
    charge(&budget, 7).unwrap();
    until("a share is free", || {
        store.status().unwrap().shares.first().is_some_and(|share| share.free > 0)
    });
    let begun = now();
    assert!(store.close(Duration::from_millis(200)));
    println!("closed in {:?}", now().since(begun));
    let store = place.open();
    let limit = store.inspect().unwrap().remove(0);
    assert_eq!((limit.used, limit.out, limit.written_off), (7, 0, 0));
    assert_eq!(limit.holders, [], "no holder is left");
    assert_eq!(store.status().unwrap().live, 1);
}
