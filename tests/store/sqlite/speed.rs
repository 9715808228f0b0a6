//! How many grants a file takes in a second.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use outlay::Clock;
use outlay::store::sqlite::{SqliteOptions, SqliteStore};
use outlay::store::{Durable, WindowSpan};

use super::speaker::{Place, Speaker, ask};
use crate::laws::number;

/// Grants a second, with so many messages under way at a time.
fn rate(durable: Durable, under_way: u128, rounds: u64) -> u64 {
    let place = Place::new();
    let options = SqliteOptions { durable, ..SqliteOptions::default() };
    let store = SqliteStore::open(&place.url(), options).unwrap();
    let mut speakers: Vec<Speaker> = (0..under_way).map(Speaker::new).collect();
    speakers.iter_mut().for_each(|speaker| drop(speaker.hello(&store)));
    let started = Clock::System.precise_tick();
    for round in 0..u128::from(rounds) {
        let (sender, receiver) = mpsc::channel();
        for (at, speaker) in (0..).zip(&mut speakers) {
            // Each of another limit, as in a store of many keys.
            let more = ask(round << 32 | at, WindowSpan::Lifetime, 1_000, 5);
            let (message, sender) = (Arc::new(speaker.message(vec![more])), sender.clone());
            store.send(message, move |answer| sender.send(answer.unwrap().given[0]).unwrap());
        }
        drop(sender);
        assert!(receiver.iter().all(|given| given.granted == 5));
    }
    let micros =
        Clock::System.precise_tick().since(started).max(Duration::from_micros(1)).as_micros();
    u64::try_from(u128::from(rounds) * under_way * 1_000_000 / micros).unwrap()
}

/// `OUTLAY_GRANTS=3000 cargo test --release --test store grants_in_a_second -- --nocapture`
/// measures.
#[test]
fn grants_in_a_second() {
    let rounds = number("OUTLAY_GRANTS", 20);
    for (name, durable) in [("FULL", Durable::Grant), ("NORMAL", Durable::Process)] {
        let [alone, together] = [(1, rounds), (32, rounds / 8)]
            .map(|(under_way, rounds)| rate(durable, under_way, rounds));
        println!(
            "synchronous={name}: {alone} grants a second one by one, {together} with 32 at a time"
        );
        assert!(alone > 0 && together > 0);
    }
}
