//! A workflow begins once and ends once, whichever processes do it.

use std::time::Duration;

use outlay::Clock;

use crate::peer::Place;

const BEAT: Duration = Duration::from_secs(5);

#[test]
fn of_two_processes_that_begin_a_workflow_at_once_one_wins() {
    let place = Place::new();
    let mut peers = place.peers();
    for round in 0..3 {
        let id = format!("w-{round}");
        peers.iter_mut().for_each(|peer| peer.say(&format!("begin {id}")));
        let mut said = peers.each_mut().map(super::peer::Peer::heard);
        said.sort();
        assert_eq!(said[0], "begun");
        assert!(said[1].starts_with(&format!("conflict workflow_id {id:?} is active already")));
    }
    assert_eq!(peers.each_mut().map(|peer| peer.ask("period")), ["3", "3"]);
    let refused = peers[0].ask("begin w-4");
    assert!(refused.starts_with("denied "), "{refused}");
    assert_eq!(peers[1].ask("running"), "3", "what was refused does not run");
}

#[test]
fn a_running_workflow_survives_a_restart_and_goes_on_with_its_counts() {
    let place = Place::new();
    let mut first = place.peer();
    assert_eq!(first.ask("begin w"), "begun");
    assert_eq!(first.ask("step w 2"), "stepped");
    assert_eq!(first.ask("sync"), "said");
    first.kill();
    let mut second = place.peer();
    assert!(second.ask("begin w").starts_with("conflict "));
    assert_eq!(second.ask("resume w"), "2 of 5");
    assert_eq!(second.ask("end w"), "true");
    assert_eq!(second.ask("begin w"), "begun");
    assert_eq!(second.ask("resume w"), "0 of 5", "it is another one");
}

#[test]
fn the_steps_of_all_processes_are_at_most_those_of_the_workflow() {
    let place = Place::new();
    let mut peers = place.peers();
    assert_eq!(peers[0].ask("begin w"), "begun");
    let mut stepped = 0;
    for at in [0, 1, 0, 1, 1, 0, 0, 1] {
        stepped += usize::from(peers[at].ask("step w 1") == "stepped");
    }
    assert!(stepped <= 5, "{stepped} steps");
    assert!(stepped >= 3, "{stepped} steps");
}

#[test]
fn a_workflow_ends_once_while_its_process_is_alive_and_that_learns_it_within_a_beat() {
    let place = Place::new();
    let [mut first, mut second] = place.peers();
    assert_eq!(first.ask("begin w"), "begun");
    assert_eq!(first.ask("hold w"), "holding");
    assert_eq!(second.ask("end w"), "true");
    assert_eq!(second.ask("end w"), "false");
    let now = || Clock::System.precise_tick();
    let ended = now();
    while now().since(ended) < BEAT {
        assert_eq!(second.ask("running"), "0");
    }
    first.say("1");
    let refused = first.heard();
    assert!(refused.starts_with("denied "), "a beat after its end: {refused}");
    assert_eq!(first.ask("end w"), "false");
}

#[test]
fn a_workflow_ends_once_though_its_process_is_cut_off() {
    let place = Place::new();
    let [mut first, mut second] = place.peers();
    assert_eq!(first.ask("begin w"), "begun");
    first.stop();
    assert_eq!(second.ask("end w"), "true");
    first.go_on();
    assert_eq!(first.ask("end w"), "false");
    assert_eq!(second.ask("end w"), "false");
    assert_eq!(first.ask("running"), "0");
}

#[test]
fn a_workflow_ends_once_though_its_process_is_dead() {
    let place = Place::new();
    let [mut first, mut second] = place.peers();
    assert_eq!(first.ask("begin w"), "begun");
    first.kill();
    assert_eq!(second.ask("end w"), "true");
    assert_eq!(second.ask("end w"), "false");
    assert_eq!(second.ask("begin w"), "begun");
}
