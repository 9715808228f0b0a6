//! Labels: what is found for a set of them is kept for that set alone.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::kit::{World, asks, refused};

const EACH: &str = r#"
    [[budget]]
    name = "agents"
    scope = { agent = "*" }
    limit = { calls = 1 }
    [[budget]]
    name = "teams"
    scope = { team = "*" }
    limit = { calls = 9 }
"#;

#[test]
fn t2_labels_that_read_the_same_in_a_row_have_counters_of_their_own() {
    let world = World::new(EACH);
    let two = [("agent", "x"), ("team", "y")];
    drop(world.guard.reserve(&two, asks(1)).unwrap());
    refused(world.guard.reserve(&two, asks(1)));
    drop(world.guard.reserve(&[("agent", "xteamy")], asks(1)).unwrap());
}

/// Names and values of which many read the same in a row.
fn labels() -> impl Strategy<Value = BTreeMap<String, String>> {
    let name = prop_oneof![Just("agent"), Just("team"), Just("a"), Just("agentx")];
    let value = "(a|x|team|agent|gent){1,3}";
    prop::collection::btree_map(name.prop_map(str::to_owned), value, 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn t2_what_is_kept_for_labels_is_theirs(sets in prop::collection::vec(labels(), 1..60)) {
        let world = World::new(EACH);
        for set in &sets {
            let pairs: Vec<(&str, &str)> =
                set.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let found = world.guard.explain(&pairs).unwrap();
            let values: Vec<_> = found.into_iter().flat_map(|counter| counter.values).collect();
            let mine = ["agent", "team"].into_iter().filter_map(|name| {
                Some((name.to_owned(), set.get(name)?.clone()))
            });
            prop_assert_eq!(values, mine.collect::<Vec<_>>());
        }
    }
}
