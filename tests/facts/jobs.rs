//! A job begins once and ends once, whichever processes report it. What it holds is held by its fact.

use std::time::Duration;

use outlay::Clock;

use crate::peer::{Peer, Place};

fn allowed(place: &Place) -> [Peer; 2] {
    let mut peers = place.peers();
    assert_eq!(peers[0].ask("allow a 1000 10 2 0"), "set");
    peers
}

#[test]
fn of_two_processes_that_begin_a_job_at_once_one_wins() {
    let place = Place::new();
    let mut peers = allowed(&place);
    peers.iter_mut().for_each(|peer| peer.say("start a j 400"));
    let mut said = peers.each_mut().map(Peer::heard);
    said.sort();
    assert!(said[0].starts_with("conflict job_id \"j\" of agent \"a\" runs or has ended"));
    assert_eq!(said[1], "started");
    let usage = "0 tokens, 1 jobs, 1 run";
    assert_eq!(peers.each_mut().map(|peer| peer.ask("usage a")), [usage, usage]);
}

#[test]
fn what_jobs_hold_is_within_the_limits_over_all_processes() {
    let place = Place::new();
    let [mut first, mut second] = allowed(&place);
    assert_eq!(first.ask("start a j-1 600"), "started");
    let tokens = second.ask("start a j-2 600");
    assert!(tokens.contains("daily token limit exceeded"), "{tokens}");
    assert_eq!(second.ask("start a j-2 400"), "started");
    let slots = first.ask("start a j-3 0");
    assert!(slots.starts_with("denied "), "{slots}");
    assert_eq!(first.ask("report a j-2 cancelled 400"), "true");
    assert_eq!(first.ask("start a j-3 100"), "started");
}

#[test]
fn a_job_ends_once_in_any_process_and_half_of_a_failed_one_comes_back() {
    let place = Place::new();
    let [mut first, mut second] = allowed(&place);
    assert_eq!(first.ask("start a j 400"), "started");
    assert_eq!(second.ask("report a j failed 301"), "true");
    assert_eq!(second.ask("report a j completed 301"), "false");
    assert_eq!(first.ask("report a j completed 301"), "false");
    assert_eq!(first.ask("report a j started 400"), "false");
    assert_eq!(first.ask("usage a"), "151 tokens, 1 jobs, 0 run");
    assert!(first.ask("start a j 1").starts_with("conflict "), "a job begins once");
}

#[test]
fn two_processes_that_end_a_job_at_once_settle_it_once() {
    let place = Place::new();
    let mut peers = allowed(&place);
    for round in 1..=3 {
        let (job, end) = (format!("start a j-{round} 100"), format!("report a j-{round}"));
        assert_eq!(peers[round % 2].ask(&job), "started");
        peers.iter_mut().for_each(|peer| peer.say(&format!("{end} completed 70")));
        let mut said = peers.each_mut().map(Peer::heard);
        said.sort();
        assert_eq!(said, ["false", "true"]);
        let usage = format!("{} tokens, {round} jobs, 0 run", 70 * round);
        assert_eq!(peers[0].ask("usage a"), usage);
    }
}

#[test]
fn a_job_ends_once_though_its_process_is_cut_off_or_dead() {
    let place = Place::new();
    let [mut first, mut second] = allowed(&place);
    assert_eq!(first.ask("start a j-1 400"), "started");
    assert_eq!(first.ask("start a j-2 400"), "started");
    first.stop();
    assert_eq!(second.ask("report a j-1 completed 500"), "true");
    first.go_on();
    assert_eq!(first.ask("report a j-1 completed 500"), "false");
    assert_eq!(first.ask("usage a"), "500 tokens, 1 jobs, 1 run".replace("1 jobs", "2 jobs"));
    first.kill();
    assert_eq!(second.ask("report a j-2 cancelled 0"), "true");
    assert_eq!(second.ask("report a j-2 cancelled 0"), "false");
    assert_eq!(second.ask("usage a"), "500 tokens, 2 jobs, 0 run");
}

#[test]
fn an_end_that_comes_before_its_beginning_counts_once() {
    let place = Place::new();
    let [mut first, mut second] = allowed(&place);
    assert_eq!(first.ask("report a j completed 40"), "true");
    assert_eq!(second.ask("report a j completed 40"), "false");
    assert_eq!(second.ask("report a j started 40"), "true");
    assert_eq!(first.ask("report a j started 40"), "false");
    assert_eq!(second.ask("usage a"), "40 tokens, 1 jobs, 0 run");
}

#[test]
fn a_job_that_runs_for_too_long_is_known_to_all_and_its_slot_is_free() {
    let place = Place::new();
    let [mut first, mut second] = place.peers();
    assert_eq!(first.ask("allow a 1000 10 1 1"), "set");
    assert_eq!(first.ask("start a j-1 400"), "started");
    assert!(second.ask("start a j-2 400").starts_with("denied "));
    first.kill();
    let now = || Clock::System.precise_tick();
    let begun = now();
    while second.ask("overdue") != "j-1" {
        assert!(now().since(begun) < Duration::from_secs(20));
    }
    assert_eq!(second.ask("start a j-2 400"), "started");
    assert_eq!(second.ask("usage a"), "400 tokens, 2 jobs, 1 run", "it is charged its estimate");
    assert_eq!(second.ask("report a j-1 completed 100"), "true");
    assert_eq!(second.ask("usage a"), "100 tokens, 2 jobs, 1 run");
}
