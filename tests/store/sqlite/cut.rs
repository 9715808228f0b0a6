//! A log that was cut, as by a disk that lost power: at each place the file is as it was at some
//! moment, and a holder that lives makes the store learn what it has lost.

use std::fs;

use outlay::store::{Outcome, WindowSpan};

use super::speaker::{Place, Speaker, ask, has, say};

const ALL: u64 = 1_000;

#[test]
fn a_log_that_is_cut_anywhere_lets_nothing_pass_above_the_limit() {
    let place = Place::new();
    let store = place.open().unwrap();
    let mut speaker = Speaker::new(1);
    speaker.hello(&store);
    let first = speaker.ask(&store, ask(5, WindowSpan::Lifetime, ALL, 30));
    let mut have = first.granted;
    for round in 1..12 {
        let more = has(ask(5, WindowSpan::Lifetime, ALL, have + 30), first.era, have, round * 20);
        have = speaker.ask(&store, more).granted;
    }
    // What is written back is not in the log: all of this is.
    let [file, log] =
        ["b.db", "b.db-wal"].map(|name| fs::read(place.folder.path().join(name)).unwrap());
    let next = has(ask(5, WindowSpan::Lifetime, ALL, have), first.era, have, 230);
    let next = speaker.message(vec![next]);
    let (mut lost, mut whole) = (0, 0);
    for cut in (0..log.len()).step_by(512).chain([log.len()]) {
        let copy = Place::new();
        fs::write(copy.path(), &file).unwrap();
        fs::write(copy.folder.path().join("b.db-wal"), &log[..cut]).unwrap();
        let store = copy.open().unwrap();
        let answer = say(&store, &next).unwrap();
        let mut other = Speaker::new(2);
        other.hello(&store);
        let granted = other.ask(&store, ask(5, WindowSpan::Lifetime, ALL, ALL - have)).granted;
        if answer.said == Outcome::Applied {
            assert_eq!((answer.given[0].granted, granted), (have, ALL - have), "cut at {cut}");
            whole += 1;
        } else {
            assert_eq!((answer.said, granted), (Outcome::SayAll, 0), "cut at {cut}");
            lost += 1;
        }
    }
    assert!(lost > 100 && whole >= 1, "{lost} {whole}");
    println!("{} cuts, {lost} with a loss, 0 above the limit", lost + whole);
}
