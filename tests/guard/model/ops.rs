//! What may happen in a history of a guard.

use proptest::prelude::*;

use super::naive::{Amounts, RULES};

/// The limits of the rules; `None` where there is no such rule.
pub(crate) type Limits = [Option<u64>; RULES.len()];
/// What is set aside of tokens, micro-USD and calls.
pub(crate) type Of = [Option<u64>; 3];

#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// Agent, estimate, time to live in seconds.
    Reserve(usize, Amounts, Option<u64>),
    /// Part, estimate, time to live.
    ReserveIn(usize, Amounts, Option<u64>),
    /// Lease, what was used.
    Commit(usize, Amounts),
    Release(usize),
    Drop(usize),
    /// Lease, seconds from now.
    Extend(usize, u64),
    /// Agent, what is set aside, time to live.
    Allot(usize, Of, Option<u64>),
    /// Part, what is set aside, time to live.
    AllotIn(usize, Of, Option<u64>),
    Close(usize),
    /// Seconds.
    Advance(u64),
    Update(Limits),
}

/// How many histories are run: so many as OUTLAY_HISTORIES says, else 2,000.
pub(crate) fn histories() -> u32 {
    std::env::var("OUTLAY_HISTORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(2_000)
}

pub(crate) fn limits() -> impl Strategy<Value = Limits> {
    let all = prop_oneof![Just(None), Just(Some(60)), Just(Some(120)), Just(Some(400))];
    let each = prop_oneof![Just(None), Just(Some(40)), Just(Some(90)), Just(Some(300))];
    let calls = prop_oneof![Just(None), Just(Some(2)), Just(Some(20))];
    let money = prop_oneof![Just(None), Just(Some(80)), Just(Some(500))];
    (all, each, calls, money).prop_map(|(all, each, calls, money)| [all, each, calls, money])
}

/// Tokens and money below these, and the one call that each request is.
fn amounts(tokens: u64, cost: u64) -> impl Strategy<Value = Amounts> {
    (0..tokens, 0..cost).prop_map(|(tokens, cost)| [tokens, cost, 1])
}

fn of(tokens: u64) -> impl Strategy<Value = Of> {
    let tokens = prop::option::weighted(0.6, 0..tokens);
    let (cost, calls) =
        (prop::option::weighted(0.4, 0..60_u64), prop::option::weighted(0.4, 0..4_u64));
    (tokens, cost, calls).prop_map(|(tokens, cost, calls)| [tokens, cost, calls])
}

fn ttl() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![2 => Just(None), 1 => (1..900_u64).prop_map(Some), 1 => (900..8_000_u64).prop_map(Some)]
}

/// When a part ends: often before the leases in it.
fn end() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![1 => Just(None), 2 => (1..700_u64).prop_map(Some)]
}

pub(crate) fn op() -> impl Strategy<Value = Op> {
    let seconds = prop_oneof![0..60_u64, 300..700_u64, 3_500..3_700_u64, 7_000..20_000_u64];
    prop_oneof![
        6 => (0..2_usize, amounts(50, 40), ttl()).prop_map(|(a, n, ttl)| Op::Reserve(a, n, ttl)),
        9 => (0..8_usize, amounts(40, 30), ttl()).prop_map(|(p, n, ttl)| Op::ReserveIn(p, n, ttl)),
        8 => (0..8_usize, amounts(70, 60)).prop_map(|(lease, n)| Op::Commit(lease, n)),
        2 => (0..8_usize).prop_map(Op::Release),
        2 => (0..8_usize).prop_map(Op::Drop),
        1 => (0..8_usize, 1..5_000_u64).prop_map(|(lease, n)| Op::Extend(lease, n)),
        3 => (0..2_usize, of(60), end()).prop_map(|(agent, n, ttl)| Op::Allot(agent, n, ttl)),
        3 => (0..8_usize, of(40), end()).prop_map(|(part, n, ttl)| Op::AllotIn(part, n, ttl)),
        2 => (0..8_usize).prop_map(Op::Close),
        3 => seconds.prop_map(Op::Advance),
        1 => limits().prop_map(Op::Update),
    ]
}
