//! Facts: a change is made once, whoever else makes one, and however often its message comes.

use outlay::Era;
use outlay::store::{
    Answer, Change, Epoch, Fact, HeardOfOthers, HolderId, LimitId, Message, Moved, Now, Outcome,
    ShareAsk, StoreRules, WhichEra, WindowSpan, apply, create,
};

use crate::memory::Memory;

const RULES: StoreRules = StoreRules { ttl: 30_000_000, strict: false, keep: 86_400_000_000 };
const LIMIT: LimitId = LimitId(7);
const ERA: Era = Era { generation: 0, begins: 0 };

struct Store {
    rows: Memory,
    rules: StoreRules,
    epoch: Option<Epoch>,
}

impl Store {
    fn new() -> Self {
        Self { rows: Memory::default(), rules: RULES, epoch: None }
    }

    fn apply(&mut self, message: &Message) -> Answer {
        let now = Now { time: 1_000, fresh: 5 };
        let Ok(answer) = apply(&mut self.rows, &self.rules, now, message);
        self.epoch = answer.epoch;
        answer
    }

    fn hello(&mut self, holder: u128) {
        let hello = message(self, holder, 1, Vec::new());
        assert_eq!(self.apply(&hello).said, Outcome::Applied);
    }
}

fn message(store: &Store, holder: u128, number: u64, facts: Vec<Fact>) -> Message {
    let (asks, together) = (Vec::new(), Vec::new());
    let epoch = store.epoch.filter(|_| number > 1);
    Message {
        holder: HolderId(holder),
        number,
        epoch,
        whole: false,
        asks,
        together,
        facts,
        names: Vec::new(),
        bye: false,
    }
}

fn begin(seen: u64, value: u8, add: u64) -> Fact {
    let moved = vec![Moved { limit: LIMIT, era: ERA, add, take_off: 0 }];
    Fact { id: 1, seen, change: Change::Put(vec![value], moved) }
}

fn end(seen: u64, take_off: u64) -> Fact {
    let moved = vec![Moved { limit: LIMIT, era: ERA, add: 0, take_off }];
    Fact { id: 1, seen, change: Change::Remove(moved) }
}

fn ask(want: u64) -> ShareAsk {
    ShareAsk {
        limit: LIMIT,
        span: WindowSpan::Lifetime,
        most: 10,
        most_set: 0,
        era: WhichEra::Present,
        edges: None,
        reset: None,
        have: 0,
        want,
        spent: 0,
        held: 0,
        until: 0,
        need: want,
        waited: 0,
        heard: HeardOfOthers::default(),
        leaves: false,
    }
}

#[test]
fn of_two_that_begin_one_job_one_wins_and_each_learns_which() {
    let mut store = Store::new();
    store.hello(1);
    store.hello(2);
    let mut first = message(&store, 1, 2, vec![begin(0, 1, 4)]);
    first.asks = vec![ask(0)];
    let second = message(&store, 2, 2, vec![begin(0, 2, 4)]);
    assert!(store.apply(&first).facts[0].changed);
    let refused = store.apply(&second);
    assert!(!refused.facts[0].changed);
    assert_eq!(refused.facts[0].value, [1], "it learns what stands");
    for _ in 0..3 {
        assert!(store.apply(&first).facts[0].changed, "the answer may have been lost");
        assert!(!store.apply(&second).facts[0].changed);
    }
    assert_eq!(store.rows.eras[&(LIMIT, ERA)].0.base, 4, "held once");
}

#[test]
fn a_job_ends_once_in_any_process_and_a_repeated_end_says_so_though_others_went_on() {
    let mut store = Store::new();
    store.hello(1);
    store.hello(2);
    let mut begins = message(&store, 1, 2, vec![begin(0, 1, 4)]);
    begins.asks = vec![ask(0)];
    store.apply(&begins);
    let ends = message(&store, 2, 2, vec![end(1, 3)]);
    assert!(store.apply(&ends).facts[0].changed);
    let late = message(&store, 1, 3, vec![end(1, 3)]);
    assert!(!store.apply(&late).facts[0].changed, "it was over");
    let again = message(&store, 1, 4, vec![begin(2, 9, 2)]);
    assert!(store.apply(&again).facts[0].changed);
    let repeated = store.apply(&ends);
    assert!(repeated.facts[0].changed, "its own change was made");
    assert_eq!(repeated.facts[0].version, 3);
    assert_eq!(store.rows.eras[&(LIMIT, ERA)].0.base, 4 - 3 + 2);
}

#[test]
fn a_fact_that_does_not_fit_changes_nothing_and_shares_count_against_it() {
    let mut store = Store::new();
    store.hello(1);
    store.hello(2);
    let mut shares = message(&store, 2, 2, Vec::new());
    shares.asks = vec![ask(7)];
    assert_eq!(store.apply(&shares).given[0].granted, 7);
    let too_large = message(&store, 1, 2, vec![begin(0, 1, 4)]);
    let refused = store.apply(&too_large);
    assert!(!refused.facts[0].changed && refused.facts[0].version == 0);
    let fits = message(&store, 1, 3, vec![begin(0, 1, 3)]);
    assert!(store.apply(&fits).facts[0].changed);
    let mut full = message(&store, 1, 4, Vec::new());
    full.asks = vec![ask(1)];
    assert_eq!(store.apply(&full).given[0].granted, 0);
}

#[test]
fn a_strict_store_refuses_an_empty_namespace_until_it_is_created() {
    let mut store = Store::new();
    store.rules.strict = true;
    let hello = message(&store, 1, 1, Vec::new());
    assert_eq!(store.apply(&hello).said, Outcome::Empty);
    assert_eq!(store.rows, Memory::default(), "nothing was written");
    let Ok(()) = create(&mut store.rows, Now { time: 1, fresh: 2 });
    assert_eq!(store.apply(&hello).said, Outcome::Applied);
}
