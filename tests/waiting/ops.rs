//! What the histories are made of.

use outlay::Usage;
use proptest::prelude::*;

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) start: u64,
    pub(crate) threshold: f64,
    pub(crate) stop: u64,
    pub(crate) charges: [bool; 2],
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Which {
    Limiter,
    Pool,
    Both,
    Reversed,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Finish {
    /// That part of the estimate.
    Less(u64),
    Equal,
    More(u64),
    Release,
    Drop,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    By(u64),
    /// To when the next wait ends: a nanosecond before, then there.
    ToEnd,
}

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Reserve {
        which: Which,
        usage: Usage,
        ttl: u64,
    },
    TryAcquire {
        tokens: u64,
    },
    Wait {
        which: Which,
        usage: Usage,
        ttl: u64,
        timeout: Option<u64>,
    },
    WaitSlot {
        tokens: u64,
        timeout: Option<u64>,
    },
    End {
        pick: usize,
        finish: Finish,
    },
    /// A wait leaves, whether it waits or was given something.
    Leave {
        pick: usize,
    },
    Take {
        pick: usize,
    },
    Record {
        tokens: u64,
    },
    Observe {
        status: u16,
        max: Option<u64>,
        tokens: Option<(u64, Option<u64>)>,
        requests: Option<(u64, Option<u64>)>,
    },
    Advance {
        step: Step,
    },
    SetLimit {
        meter: usize,
        max: u64,
    },
    Reset {
        meter: usize,
    },
    Close {
        account: usize,
    },
}

pub(crate) fn plan() -> impl Strategy<Value = Plan> {
    let share = prop_oneof![Just(0.8), Just(1.0), Just(0.5)];
    (0_u64..100, share, 0_u64..60, any::<[bool; 2]>())
        .prop_map(|(start, threshold, stop, charges)| Plan { start, threshold, stop, charges })
}

fn amount() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => Just(0_u64),
        16 => 1_u64..40,
        28 => 40_u64..=110,
        1 => Just(u64::MAX),
    ]
}

fn usage() -> impl Strategy<Value = Usage> {
    let cost = prop_oneof![3 => Just(0_u64), 4 => 1_u64..100, 1 => amount()];
    (amount(), cost).prop_map(|(tokens, cost)| Usage::priced(tokens, cost))
}

fn which() -> impl Strategy<Value = Which> {
    prop_oneof![
        3 => Just(Which::Limiter),
        3 => Just(Which::Pool),
        2 => Just(Which::Both),
        2 => Just(Which::Reversed),
    ]
}

fn ttl() -> impl Strategy<Value = u64> {
    prop_oneof![3 => 1_u64..100, 3 => 100_u64..2_000, 2 => Just(1_000_000_000)]
}

fn timeout() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![
        3 => Just(None),
        1 => Just(Some(0)),
        4 => (1_u64..1_500).prop_map(Some),
        1 => Just(Some(100_000)),
    ]
}

fn left() -> impl Strategy<Value = Option<(u64, Option<u64>)>> {
    let reset = prop_oneof![Just(None), (0_u64..900).prop_map(Some)];
    let left = prop_oneof![2 => Just(0_u64), 3 => 1_u64..120];
    prop_oneof![2 => Just(None), 1 => (left, reset).prop_map(Some)]
}

fn observe() -> impl Strategy<Value = Op> {
    let status = prop_oneof![3 => Just(200_u16), 1 => Just(429_u16)];
    let max = prop_oneof![3 => Just(None), 1 => (20_u64..200).prop_map(Some)];
    (status, max, left(), left()).prop_map(|(status, max, tokens, requests)| Op::Observe {
        status,
        max,
        tokens,
        requests,
    })
}

fn finish() -> impl Strategy<Value = Finish> {
    prop_oneof![
        4 => (1_u64..20).prop_map(Finish::Less),
        2 => Just(Finish::Equal),
        1 => (1_u64..80).prop_map(Finish::More),
        3 => Just(Finish::Release),
        2 => Just(Finish::Drop),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let pick = || 0_usize..64;
    let step = prop_oneof![
        3 => (0_u64..40).prop_map(Step::By),
        3 => (40_u64..700).prop_map(Step::By),
        1 => (700_u64..20_000).prop_map(Step::By),
        6 => Just(Step::ToEnd),
    ];
    prop_oneof![
        8 => (which(), usage(), ttl())
            .prop_map(|(which, usage, ttl)| Op::Reserve { which, usage, ttl }),
        3 => amount().prop_map(|tokens| Op::TryAcquire { tokens }),
        24 => (which(), usage(), ttl(), timeout())
            .prop_map(|(which, usage, ttl, timeout)| Op::Wait { which, usage, ttl, timeout }),
        6 => (amount(), timeout()).prop_map(|(tokens, timeout)| Op::WaitSlot { tokens, timeout }),
        10 => (pick(), finish()).prop_map(|(pick, finish)| Op::End { pick, finish }),
        6 => pick().prop_map(|pick| Op::Leave { pick }),
        12 => pick().prop_map(|pick| Op::Take { pick }),
        3 => (0_u64..60).prop_map(|tokens| Op::Record { tokens }),
        2 => observe(),
        14 => step.prop_map(|step| Op::Advance { step }),
        3 => (0_usize..3, 20_u64..400).prop_map(|(meter, max)| Op::SetLimit { meter, max }),
        4 => (0_usize..3).prop_map(|meter| Op::Reset { meter }),
    ]
}

/// A history; in a few of them an account is closed on the way.
pub(crate) fn history() -> impl Strategy<Value = Vec<Op>> {
    let close = prop_oneof![9 => Just(None), 1 => (0_usize..60, 0_usize..2).prop_map(Some)];
    (prop::collection::vec(op(), 1..150), close).prop_map(|(mut ops, close)| {
        if let Some((at, account)) = close {
            ops.insert(at.min(ops.len()), Op::Close { account });
        }
        ops
    })
}
