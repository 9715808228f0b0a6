//! The budget of an agent is one setting for all processes: the latest stands, and a restart knows it.

use crate::peer::{Peer, Place};

#[test]
fn a_budget_that_one_process_sets_another_one_knows_and_a_restart_does() {
    let place = Place::new();
    let [mut first, mut second] = place.peers();
    assert_eq!(second.ask("budget-info a"), "none");
    assert_eq!(first.ask("budget-set a 100 none"), "set");
    assert_eq!(second.ask("budget-info a"), "a: 0 of 100");
    assert_eq!(second.ask("budget-use a 30"), "used");
    assert_eq!(first.ask("budget-set b 7 7"), "set");
    assert!(second.ask("budget-all").contains("b: 0 of 7"));
    assert_eq!(second.ask("sync"), "said");
    first.kill();
    second.kill();
    assert_eq!(place.peer().ask("budget-all"), "a: 30 of 100, b: 0 of 7");
}

#[test]
fn of_two_processes_that_set_a_budget_at_once_one_stands_in_both() {
    let place = Place::new();
    let mut peers = place.peers();
    for round in 1..=5 {
        let sets = [format!("budget-set a {round}0 none"), format!("budget-set a {round}1 none")];
        peers.iter_mut().zip(&sets).for_each(|(peer, set)| peer.say(set));
        assert_eq!(peers.each_mut().map(Peer::heard), ["set", "set"]);
        let [one, other] = peers.each_mut().map(|peer| peer.ask("budget-info a"));
        assert_eq!(one, other);
        assert!(one == format!("a: 0 of {round}0") || one == format!("a: 0 of {round}1"), "{one}");
    }
}

#[test]
fn a_limit_that_another_process_has_lowered_or_raised_is_the_limit_here() {
    let place = Place::new();
    let [mut first, mut second] = place.peers();
    assert_eq!(first.ask("budget-set a 10 none"), "set");
    assert_eq!(second.ask("budget-use a 10"), "used");
    assert!(second.ask("budget-use a 1").starts_with("denied "));
    assert_eq!(first.ask("budget-set a 20 none"), "set");
    assert_eq!(second.ask("budget-info a"), "a: 10 of 20");
    assert_eq!(second.ask("budget-use a 10"), "used");
}

#[test]
fn a_budget_is_removed_once_and_one_that_is_set_anew_begins_anew() {
    let place = Place::new();
    let [mut first, mut second] = place.peers();
    assert_eq!(first.ask("budget-set a 10 none"), "set");
    assert_eq!(second.ask("budget-use a 10"), "used");
    assert_eq!(first.ask("budget-remove a"), "true");
    assert_eq!(second.ask("budget-remove a"), "false");
    assert_eq!(first.ask("budget-info a"), "none");
    assert_eq!(second.ask("budget-info a"), "none");
    assert!(second.ask("budget-use a 1").starts_with("denied "));
    assert_eq!(second.ask("budget-set a 10 none"), "set");
    assert_eq!(second.ask("budget-info a"), "a: 0 of 10");
    assert_eq!(first.ask("budget-use a 10"), "used");
}

#[test]
fn what_another_process_has_used_can_be_given_back_also_after_its_end() {
    let place = Place::new();
    let [mut first, mut second] = place.peers();
    assert_eq!(first.ask("budget-set a 100 none"), "set");
    assert_eq!(first.ask("budget-use a 100"), "used");
    assert_eq!(first.ask("sync"), "said");
    first.kill();
    assert_eq!(second.ask("budget-info a"), "a: 100 of 100");
    assert_eq!(second.ask("budget-release a 40"), "released");
    assert_eq!(second.ask("budget-info a"), "a: 60 of 100");
    assert_eq!(second.ask("budget-use a 40"), "used");
    assert!(second.ask("budget-use a 1").starts_with("denied "));
    assert_eq!(second.ask("budget-release a 1000"), "released");
    assert_eq!(second.ask("budget-info a"), "a: 0 of 100", "never below nothing");
}
