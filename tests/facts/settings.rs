//! Allowances, and the cooldowns of repositories.

use crate::peer::Place;

#[test]
fn an_allowance_is_known_to_all_and_after_a_restart() {
    let place = Place::new();
    let [mut first, mut second] = place.peers();
    assert_eq!(second.ask("allowed a"), "none");
    assert!(second.ask("start a j 1").starts_with("denied "));
    assert_eq!(first.ask("allow a 1000 10 2 0"), "set");
    assert_eq!(second.ask("allowed a"), "1000");
    assert_eq!(second.ask("allow a 50 10 2 0"), "set");
    assert_eq!(first.ask("allowed a"), "50");
    assert!(first.ask("start a j 51").contains("daily token limit exceeded"));
    first.kill();
    second.kill();
    let mut third = place.peer();
    assert_eq!(third.ask("start a j 50"), "started");
    assert_eq!(third.ask("allowed a"), "50");
}

#[test]
fn a_failure_in_one_process_cools_the_repository_in_all() {
    let place = Place::new();
    let [mut first, mut second] = place.peers();
    assert_eq!(first.ask("allow a 1000 10 5 0"), "set");
    assert_eq!(first.ask("cool r 3600"), "set");
    assert_eq!(second.ask("start-in a j-1 r"), "started");
    assert_eq!(first.ask("failed r"), "cools");
    let refused = second.ask("start-in a j-2 r");
    assert!(refused.contains("cooldown after failure"), "{refused}");
    first.kill();
    second.kill();
    assert!(place.peer().ask("start-in a j-2 r").contains("cooldown after failure"));
}
