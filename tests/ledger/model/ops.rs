//! What the property test tries: random accounts, and random operations on them.

use outlay::{Abandoned, CalendarUnit, OnError, Unit, Unsettled};
use proptest::prelude::*;

use super::meter::Kind;

pub(crate) const SECOND: u64 = 1_000_000_000;

/// One account to build.
#[derive(Clone, Debug)]
pub(crate) struct AccountPlan {
    pub(crate) meters: Vec<MeterPlan>,
    pub(crate) unsettled: Unsettled,
    pub(crate) on_error: OnError,
    pub(crate) workflow: bool,
}

/// One meter to build.
#[derive(Clone, Debug)]
pub(crate) struct MeterPlan {
    pub(crate) unit: Unit,
    pub(crate) max: Option<u64>,
    pub(crate) hard: bool,
    pub(crate) stop: u64,
    pub(crate) warn_at: Option<u64>,
    pub(crate) kind: Kind,
}

/// How much to ask for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Size {
    Small(u64),
    /// What the account's first meter has room for, and so much more or less.
    Room(i8),
    Huge,
}

/// What to ask of which accounts: (account, multiplier, which of its meters).
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) tokens: Size,
    pub(crate) cost: Size,
    pub(crate) asks: Vec<(usize, u64, u8)>,
}

/// How far the clock goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    By(u64),
    /// To the next window of a meter, and so many nanoseconds further or less far.
    Edge(usize, usize, i8),
    /// To the deadline of a lease.
    Deadline(usize, i8),
    /// To when something leaves a sliding window.
    Slot(usize, usize, i8),
}

/// What a commit says.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Said {
    Estimate,
    Tokens(u64),
    Less(u64),
    More(u64),
    Equal,
}

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Charge(Wish),
    Check(Wish),
    Reserve(Wish, Option<u64>),
    Commit(usize, Said),
    Release(usize),
    /// After so many requests.
    Abandon(usize, Abandoned, u64),
    Drop(usize),
    Clone(usize),
    Extend(usize, u64),
    Reset(usize, usize),
    SetMax(usize, usize, Option<u64>),
    GiveBack(usize, usize, u64),
    Close(usize),
    Advance(Step),
    StepWall(i64),
    /// Waits as long as the last refusal said (or one nanosecond less), then asks again.
    Retry(bool),
}

pub(crate) fn accounts() -> impl Strategy<Value = Vec<AccountPlan>> {
    prop::collection::vec(account(), 1..4)
}

fn account() -> impl Strategy<Value = AccountPlan> {
    let unsettled = prop_oneof![Just(Unsettled::Charge), Just(Unsettled::Release)];
    let on_error = prop_oneof![Just(OnError::Charge), Just(OnError::Release)];
    let meters = prop::collection::vec(meter(), 1..4);
    (meters, unsettled, on_error, any::<bool>()).prop_map(
        |(meters, unsettled, on_error, workflow)| AccountPlan {
            meters,
            unsettled,
            on_error,
            workflow,
        },
    )
}

fn meter() -> impl Strategy<Value = MeterPlan> {
    let max = prop_oneof![1 => Just(None), 8 => (0_u64..120).prop_map(Some)];
    let warn_at = prop::option::of(0_u64..130);
    let hard = prop::bool::weighted(0.85);
    let stop = prop_oneof![3 => Just(0_u64), 1 => 0_u64..30];
    (unit_and_kind(), max, hard, stop, warn_at).prop_map(
        |((unit, kind), max, hard, stop, warn_at)| {
            // A count of 1 for each request needs small limits.
            let counted = !matches!(unit, Unit::Tokens | Unit::Cost);
            let max = max.map(|max| if counted { max % 5 } else { max });
            let stop = if counted { 0 } else { stop };
            MeterPlan { unit, max, hard, stop, warn_at, kind }
        },
    )
}

fn unit_and_kind() -> impl Strategy<Value = (Unit, Kind)> {
    let unit = prop_oneof![
        4 => Just(Unit::Tokens),
        2 => Just(Unit::Cost),
        2 => Just(Unit::Calls),
        1 => Just(Unit::Steps),
        1 => Just(Unit::Jobs),
    ];
    let slots = Just((Unit::Slots, Kind::Gauge));
    prop_oneof![9 => (unit, kind()), 1 => slots]
}

fn kind() -> impl Strategy<Value = Kind> {
    let calendar = prop_oneof![
        Just(CalendarUnit::Hour),
        Just(CalendarUnit::Day),
        Just(CalendarUnit::Week),
        Just(CalendarUnit::Month)
    ];
    prop_oneof![
        2 => Just(Kind::Lifetime),
        3 => prop_oneof![Just(60 * SECOND), Just(3600 * SECOND), Just(1_000_000_007)]
            .prop_map(Kind::Fixed),
        2 => calendar.prop_map(Kind::Calendar),
        3 => prop_oneof![Just((SECOND, 60)), Just((8_000_000_007, 5)), Just((1 << 34, 1))]
            .prop_map(|(width, slots)| Kind::Sliding { width, slots }),
    ]
}

fn size() -> impl Strategy<Value = Size> {
    prop_oneof![
        12 => (0_u64..40).prop_map(Size::Small),
        6 => (-1_i8..3).prop_map(Size::Room),
        1 => Just(Size::Huge),
    ]
}

fn wish() -> impl Strategy<Value = Wish> {
    let ask = (0_usize..3, prop_oneof![4 => Just(1_u64), 1 => 0_u64..4], any::<u8>());
    let asks = prop_oneof![
        3 => prop::collection::vec(ask.clone(), 1..2),
        2 => prop::collection::vec(ask, 2..5),
    ];
    (size(), size(), asks).prop_map(|(tokens, cost, asks)| Wish { tokens, cost, asks })
}

fn ttl() -> impl Strategy<Value = u64> {
    prop_oneof![
        1 => Just(0),
        6 => (1_u64..200).prop_map(|seconds| seconds * SECOND),
        2 => Just(60 * SECOND),
        1 => Just(u64::MAX),
    ]
}

fn said() -> impl Strategy<Value = Said> {
    prop_oneof![
        Just(Said::Estimate),
        Just(Said::Equal),
        (0_u64..60).prop_map(Said::Tokens),
        (1_u64..30).prop_map(Said::Less),
        (1_u64..80).prop_map(Said::More),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0_u64..100).prop_map(|seconds| Step::By(seconds * SECOND)),
        1 => (0_u64..100_000).prop_map(|seconds| Step::By(seconds * SECOND)),
        3 => (0_usize..3, 0_usize..3, -1_i8..2).prop_map(|(a, m, by)| Step::Edge(a, m, by)),
        4 => (any::<usize>(), -1_i8..2).prop_map(|(lease, by)| Step::Deadline(lease, by)),
        2 => (0_usize..3, 0_usize..3, -1_i8..2).prop_map(|(a, m, by)| Step::Slot(a, m, by)),
    ]
}

pub(crate) fn operations() -> impl Strategy<Value = Vec<Op>> {
    prop::collection::vec(operation(), 1..80)
}

fn operation() -> impl Strategy<Value = Op> {
    let lease = any::<usize>;
    let why = prop_oneof![
        Just(Abandoned::Unsettled),
        Just(Abandoned::Error),
        Just(Abandoned::Unbilled),
        Just(Abandoned::Cancelled),
    ];
    let requests = prop_oneof![3 => Just(1_u64), 1 => 0_u64..4];
    let max = prop::option::weighted(0.9, 0_u64..150);
    prop_oneof![
        8 => wish().prop_map(Op::Charge),
        2 => wish().prop_map(Op::Check),
        14 => (wish(), prop::option::weighted(0.8, ttl())).prop_map(|(w, t)| Op::Reserve(w, t)),
        10 => (lease(), said()).prop_map(|(index, said)| Op::Commit(index, said)),
        4 => lease().prop_map(Op::Release),
        4 => (lease(), why, requests).prop_map(|(at, why, n)| Op::Abandon(at, why, n)),
        4 => lease().prop_map(Op::Drop),
        2 => lease().prop_map(Op::Clone),
        2 => (lease(), ttl()).prop_map(|(index, ttl)| Op::Extend(index, ttl)),
        2 => (0_usize..3, 0_usize..3).prop_map(|(a, m)| Op::Reset(a, m)),
        2 => (0_usize..3, 0_usize..3, max).prop_map(|(a, m, max)| Op::SetMax(a, m, max)),
        1 => (0_usize..3, 0_usize..3, 0_u64..50).prop_map(|(a, m, n)| Op::GiveBack(a, m, n)),
        1 => prop::bool::weighted(0.1).prop_flat_map(|_| 0_usize..12).prop_map(Op::Close),
        14 => step().prop_map(Op::Advance),
        1 => prop_oneof![-400_000_i64..0, 0_i64..400_000].prop_map(Op::StepWall),
        3 => any::<bool>().prop_map(Op::Retry),
    ]
}
