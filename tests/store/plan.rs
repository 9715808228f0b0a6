//! What happens in a world: its limits, its faults, and a list of steps, all from one seed.

use outlay::store::WindowSpan;

use crate::random::Random;

/// A second in microseconds.
const SECOND: u64 = 1_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spec {
    pub(crate) span: WindowSpan,
    pub(crate) most: u64,
}

/// What may go wrong in a world.
#[derive(Clone, Debug)]
pub(crate) struct Faults {
    /// No call uses more than its estimate, nothing is booked without a question, and the store
    /// keeps what it has written: then the limit holds at every instant.
    pub(crate) strict: bool,
    /// The store may forget all, or fail over to a copy that lags.
    pub(crate) memory: bool,
    /// The store forgets, but all holders live and speak.
    pub(crate) quiet: bool,
    /// The store's clock steps.
    pub(crate) steps: bool,
    /// It steps forward, too.
    pub(crate) leaps: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) holders: usize,
    pub(crate) specs: Vec<Spec>,
    pub(crate) faults: Faults,
    /// Answers are often slow, and holders often cut off.
    pub(crate) remote: bool,
    /// Limits are often reset.
    pub(crate) resets: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// Only time passes.
    Pass,
    /// A request for some of the limits.
    Call {
        holder: usize,
        limits: u8,
        amount: u64,
        ttl: u64,
        patience: u64,
    },
    /// A lease ends. So many tenths of its estimates were used.
    End {
        holder: usize,
        pick: usize,
        tenths: u64,
    },
    /// Something is booked without a question.
    Record {
        holder: usize,
        limit: usize,
        amount: u64,
    },
    /// The supply speaks, if it has something to say.
    Plan {
        holder: usize,
    },
    /// It speaks, and has its answer at once.
    Sync {
        holder: usize,
    },
    /// A packet arrives; it may arrive again later.
    Deliver {
        pick: usize,
        again: bool,
    },
    Drop {
        pick: usize,
    },
    Crash {
        holder: usize,
    },
    Fork {
        holder: usize,
        child: usize,
    },
    Hang {
        holder: usize,
    },
    Wake {
        holder: usize,
    },
    Cut {
        holder: usize,
    },
    /// Answers to it take so long.
    Slow {
        holder: usize,
        millis: u64,
    },
    Heal {
        holder: usize,
    },
    Forget,
    Copy,
    Failover,
    /// The store's clock steps by so many milliseconds.
    StepClock {
        millis: i64,
    },
    Reset {
        holder: usize,
        limit: usize,
    },
    /// The store calls what is free in.
    CallIn {
        holder: usize,
        limit: usize,
    },
    SetLimit {
        holder: usize,
        limit: usize,
        most: u64,
    },
    /// The holder has no use for a limit for now.
    Leave {
        holder: usize,
        limit: usize,
    },
    /// Its process ends in order, and another one begins.
    Go {
        holder: usize,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// Milliseconds that pass before it.
    pub(crate) after: u64,
    pub(crate) op: Op,
}

/// The world of a seed.
pub(crate) fn world(seed: u64) -> World {
    let mut random = Random::new(seed);
    let profile = seed % 8;
    let strict = seed.is_multiple_of(2);
    let quiet = profile == 4;
    let memory = profile == 5 || profile == 7;
    let leaps = profile == 1 || profile == 7;
    let tight = random.thousandths(500);
    let spec = |random: &mut Random| {
        let (span, most) = match random.below(6) {
            0 => (WindowSpan::Lifetime, random.between(50, 2_000)),
            1 => (WindowSpan::Fixed(random.between(3, 40) * SECOND), random.between(10, 300)),
            2 => (WindowSpan::Calendar, random.between(10, 300)),
            3 | 4 => (WindowSpan::Sliding(random.between(2, 20) * SECOND), random.between(10, 150)),
            _ => (WindowSpan::Gauge, random.between(2, 30)),
        };
        Spec { span, most: if tight { most / 4 + 2 } else { most } }
    };
    let count = if tight { random.between(1, 2) } else { random.between(1, 4) };
    let specs = (0..count).map(|_| spec(&mut random)).collect();
    let holders = usize::try_from(random.between(2, 4)).unwrap();
    let steps = leaps || random.thousandths(250);
    let resets = random.thousandths(300);
    let remote = !quiet && random.thousandths(300);
    World { holders, specs, faults: Faults { strict, memory, quiet, steps, leaps }, remote, resets }
}

/// The steps of a seed.
pub(crate) fn steps(seed: u64, world: &World, count: usize) -> Vec<Step> {
    let mut random = Random::new(seed ^ 0x5eed_5eed_5eed_5eed);
    let shaky = random.below(4);
    (0..count).map(|_| step(&mut random, world, shaky)).collect()
}

fn step(random: &mut Random, world: &World, shaky: u64) -> Step {
    let [some, many] = if world.remote { [996, 999] } else { [960, 990] };
    let after = match random.below(1_000) {
        0..600 => random.below(10),
        pause if pause < some => random.below(120),
        pause if pause < many => random.below(1_500),
        _ => random.below(9_000),
    };
    let quiet = world.faults.quiet;
    let after = if quiet { after.min(400) } else { after };
    let holder = usize::try_from(random.below(world.holders as u64)).unwrap();
    let op = match random.below(1_000) {
        0..30 if !world.faults.strict => {
            let limit = limit(random, world);
            Op::Record { holder, limit, amount: random.between(1, 30) }
        }
        0..330 => call(random, world, holder),
        330..540 => {
            let pick = usize::try_from(random.below(64)).unwrap();
            let over = !world.faults.strict && random.thousandths(150);
            let tenths = if over { random.between(11, 30) } else { random.between(0, 10) };
            Op::End { holder, pick, tenths }
        }
        560..975 if quiet => Op::Sync { holder },
        540..546 => Op::CallIn { holder, limit: limit(random, world) },
        // In a quiet world all live and speak.
        546..550 if !quiet => Op::Leave { holder, limit: limit(random, world) },
        550..560 if world.resets => Op::Reset { holder, limit: limit(random, world) },
        560..580 if world.remote => remote(random, holder),
        560..680 => Op::Sync { holder },
        680..800 => Op::Plan { holder },
        800..975 => carry(random, shaky),
        _ => fault(random, world, holder),
    };
    Step { after, op }
}

fn limit(random: &mut Random, world: &World) -> usize {
    usize::try_from(random.below(world.specs.len() as u64)).unwrap()
}

fn carry(random: &mut Random, shaky: u64) -> Op {
    let ordered = random.thousandths(900 - shaky * 200);
    let pick = if ordered { 0 } else { usize::try_from(random.below(64)).unwrap() };
    if random.thousandths(shaky * 60) {
        return Op::Drop { pick };
    }
    Op::Deliver { pick, again: random.thousandths(shaky * 80) }
}

fn call(random: &mut Random, world: &World, holder: usize) -> Op {
    let all = world.specs.len() as u64;
    let limits = if random.thousandths(300) {
        random.between(1, (1 << all) - 1)
    } else {
        1 << random.below(all)
    };
    let amount = match random.below(20) {
        0 => random.between(10, 60),
        1..6 => random.between(3, 12),
        _ => random.between(1, 3),
    };
    let longest = if random.thousandths(100) { 15_000 } else { 2_500 };
    // A fifth are charged at once, without a lease.
    let ttl = if random.thousandths(200) { 0 } else { random.between(100, longest) };
    let patience = random.between(50, 3_000);
    Op::Call { holder, limits: u8::try_from(limits).unwrap(), amount, ttl, patience }
}

fn remote(random: &mut Random, holder: usize) -> Op {
    match random.below(10) {
        0..3 => Op::Slow { holder, millis: random.between(2_000, 5_800) },
        3..7 => Op::Cut { holder },
        _ => Op::Heal { holder },
    }
}

fn fault(random: &mut Random, world: &World, holder: usize) -> Op {
    let limit = limit(random, world);
    let Faults { memory, quiet, steps, leaps, .. } = world.faults;
    let child = usize::try_from(random.below(world.holders as u64)).unwrap();
    if quiet {
        return if random.thousandths(400) { Op::Forget } else { Op::Pass };
    }
    match random.below(20) {
        0 | 1 => Op::Crash { holder },
        2 => Op::Fork { holder, child },
        3 => Op::Hang { holder },
        4..6 => Op::Wake { holder },
        6 | 7 => Op::Cut { holder },
        8 | 9 => Op::Slow { holder, millis: random.between(500, 5_500) },
        10 | 18 => Op::Heal { holder },
        11 if memory => Op::Forget,
        12 if memory => Op::Copy,
        13 if memory => Op::Failover,
        14 if steps => {
            let millis = i64::try_from(random.below(5_000)).unwrap();
            Op::StepClock {
                millis: if leaps && random.thousandths(500) { millis } else { -millis },
            }
        }
        15 => Op::Reset { holder, limit },
        16 => Op::Go { holder },
        17 => {
            let most = world.specs[limit].most * random.between(5, 20) / 10;
            Op::SetLimit { holder, limit, most: most.max(1) }
        }
        _ => Op::Pass,
    }
}
