//! Facts: a change is made once, whoever else makes one, and however often its message comes.

use outlay::Era;
use outlay::store::{
    Answer, Change, Epoch, Fact, FactId, HeardOfOthers, HolderId, LimitId, Message, Moved,
    MovedEra, Now, Outcome, Rows, ShareAsk, StoreRules, WhichEra, WindowSpan, apply, create,
};

use crate::memory::Memory;

const RULES: StoreRules = StoreRules { ttl: 30_000_000, strict: false, keep: 86_400_000_000 };
const ID: FactId = FactId(1);
const LIMIT: LimitId = LimitId(7);
const ERA: Era = Era { generation: 0, begins: 0 };

struct Store {
    rows: Memory,
    rules: StoreRules,
    epoch: Option<Epoch>,
    time: i64,
}

impl Store {
    fn new() -> Self {
        Self { rows: Memory::default(), rules: RULES, epoch: None, time: 1_000 }
    }

    fn apply(&mut self, message: &Message) -> Answer {
        let now = Now { time: self.time, fresh: 5 };
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
    let moved = vec![Moved { era: MovedEra::This(ERA), ..Moved::add(LIMIT, add) }];
    Fact { id: ID, seen, keep: u64::MAX, change: Change::Put(vec![value], moved) }
}

fn end(seen: u64, take_off: u64) -> Fact {
    let moved = vec![Moved::settled(LIMIT, take_off, 0)];
    Fact { id: ID, seen, keep: u64::MAX, change: Change::Remove(moved) }
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

/// A fact that holds 4 of the present era of a limit.
fn hold(seen: u64) -> Fact {
    let change = Change::Put(b"runs".to_vec(), vec![Moved::add(LIMIT, 4)]);
    Fact { id: ID, seen, keep: u64::MAX, change }
}

fn base(store: &Store, era: Era) -> u64 {
    store.rows.eras.get(&(LIMIT, era)).map_or(0, |(row, _)| row.base)
}

#[test]
fn a_hold_is_settled_in_its_era_and_what_is_more_in_the_present_one() {
    let mut store = Store::new();
    let fixed = ShareAsk { span: WindowSpan::Fixed(5_000), ..ask(0) };
    store.hello(1);
    let mut begins = message(&store, 1, 2, vec![hold(0)]);
    begins.asks = vec![fixed];
    let begun = store.apply(&begins);
    assert!(begun.facts[0].changed);
    assert_eq!(begun.given[0].used, 4, "the answer has what the fact has moved");
    let first = begun.given[0].era;
    store.time += 5_000;
    let moved = vec![Moved::settled(LIMIT, 4, 3), Moved::booked(LIMIT, 20)];
    let end = Fact { id: ID, seen: 1, keep: u64::MAX, change: Change::Remove(moved) };
    let mut ends = message(&store, 1, 3, vec![end]);
    ends.asks = vec![fixed];
    let ended = store.apply(&ends);
    assert!(ended.facts[0].changed, "what was used counts though it does not fit");
    assert_ne!(ended.given[0].era, first);
    assert_eq!((base(&store, first), base(&store, ended.given[0].era)), (3, 20));
}

#[test]
fn a_fact_that_need_not_be_kept_is_none_and_a_read_keeps_it_for_longer() {
    let mut store = Store::new();
    store.hello(1);
    let kept = Fact { keep: 100, ..begin(0, 1, 0) };
    let put = message(&store, 1, 2, vec![kept]);
    assert!(store.apply(&put).facts[0].changed);
    let read = |store: &mut Store, number, keep| {
        let fact = Fact { keep, ..Fact::read(ID) };
        let said = message(store, 1, number, vec![fact]);
        store.apply(&said).facts[0].clone()
    };
    store.time += 100;
    assert!(read(&mut store, 3, 50).stands());
    store.time += 50;
    assert!(read(&mut store, 4, 0).stands());
    store.time += 1;
    let gone = read(&mut store, 5, 0);
    assert_eq!((gone.stands(), gone.version), (false, 1), "it is not known any more");
}

#[test]
fn only_a_fact_that_never_was_is_begun_where_none_may_have_been() {
    let mut store = Store::new();
    store.hello(1);
    let changes = |store: &mut Store, number, fact: Fact| {
        let said = message(store, 1, number, vec![fact]);
        store.apply(&said).facts[0].changed
    };
    assert!(!changes(&mut store, 2, end(Fact::ANY, 0)), "there is nothing to remove");
    assert!(changes(&mut store, 3, begin(Fact::NONE, 1, 0)));
    assert!(!changes(&mut store, 4, begin(Fact::NONE, 2, 0)), "one stands");
    assert!(changes(&mut store, 5, begin(Fact::ANY, 2, 0)));
    assert!(changes(&mut store, 6, end(Fact::ANY, 0)));
    assert!(!changes(&mut store, 7, begin(0, 3, 0)), "there was one");
    assert!(changes(&mut store, 8, begin(Fact::NONE, 3, 0)));
}

#[test]
fn a_fact_sets_a_limit_and_begins_it_anew() {
    let mut store = Store::new();
    store.hello(1);
    let mut uses = message(&store, 1, 2, vec![hold(0)]);
    uses.asks = vec![ask(0)];
    assert_eq!(store.apply(&uses).given[0].most, 10);
    let moved = vec![Moved { reset: true, ..Moved::set(LIMIT, 7) }];
    let set = Fact { id: FactId(2), ..Fact { change: Change::Put(vec![1], moved), ..hold(0) } };
    let mut sets = message(&store, 1, 3, vec![set]);
    sets.asks = vec![ask(0)];
    let given = store.apply(&sets).given[0];
    assert_eq!((given.most, given.generation), (7, 1));
    let mut looks = message(&store, 1, 4, Vec::new());
    looks.asks = vec![ask(0)];
    let given = store.apply(&looks).given[0];
    assert_eq!((given.era.generation, given.used), (1, 0));
    assert_eq!(base(&store, ERA), 4, "a hold is settled where it was made");
}

#[test]
fn what_is_given_back_of_what_others_have_used_fits_again_and_never_more() {
    let mut store = Store::new();
    store.hello(1);
    store.hello(2);
    let mut uses = message(&store, 1, 2, Vec::new());
    uses.asks = vec![ask(10)];
    store.apply(&uses);
    let spent = ShareAsk { era: WhichEra::This(ERA), have: 10, spent: 10, need: 0, ..ask(10) };
    let mut reports = message(&store, 1, 3, Vec::new());
    reports.asks = vec![spent];
    assert_eq!(store.apply(&reports).given[0].used, 10);
    let back = |take_off| {
        let moved = vec![Moved { take_off, ..Moved::add(LIMIT, 0) }];
        Fact { change: Change::Put(vec![1], moved), ..hold(Fact::ANY) }
    };
    let mut gives = message(&store, 2, 2, vec![back(4)]);
    gives.asks = vec![ask(0)];
    assert_eq!(store.apply(&gives).given[0].used, 6);
    let mut draws = message(&store, 2, 3, Vec::new());
    draws.asks = vec![ask(5)];
    assert_eq!(store.apply(&draws).given[0].granted, 0, "4 were given back");
    let mut draws = message(&store, 2, 4, vec![back(1_000)]);
    draws.asks = vec![ask(4)];
    let given = store.apply(&draws).given[0];
    assert_eq!((given.granted, given.used), (4, 0));
    let mut greedy = message(&store, 2, 5, Vec::new());
    greedy.asks = vec![ShareAsk { era: WhichEra::This(ERA), have: 4, ..ask(21) }];
    assert_eq!(store.apply(&greedy).given[0].granted, 4, "used and drawn is all that comes back");
}

#[test]
fn the_facts_of_a_group_lie_together_without_those_that_were_removed() {
    let mut store = Store::new();
    store.hello(1);
    let group = |name| FactId::of(7, name);
    let facts = [group(1), group(2), FactId::of(8, 3)];
    let put = facts.map(|id| Fact { id, ..begin(0, 1, 0) });
    let puts = message(&store, 1, 2, put.to_vec());
    store.apply(&puts);
    let removes = message(&store, 1, 3, vec![Fact { id: group(1), ..end(1, 0) }]);
    assert!(store.apply(&removes).facts[0].changed);
    let mut found = Vec::new();
    let Ok(()) = store.rows.facts(group(0), &mut |id, row| found.push((id, row.value)));
    assert_eq!(found, [(group(2), vec![1])]);
}
