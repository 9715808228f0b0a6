//! The one message of a holder to its store, and the answer. Each says the whole, so it may come
//! late, twice or never.
//!
//! All times are microseconds by the store's clock, all durations microseconds. Amounts are whole
//! numbers, and there are no floats.

use crate::accounting::{Era, ShareKind};

/// One incarnation of one process: 128 random bits, drawn at its first use and never kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HolderId(pub u128);

/// A limit: the hash of what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LimitId(pub u128);

/// A memory of a store. A store that has lost writes begins a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Epoch {
    /// How many there were before, as far as it is known.
    pub count: u64,
    /// Random bits.
    pub id: u128,
}

/// The window of a limit, as far as the store must know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WindowSpan {
    /// It never ends.
    Lifetime,
    /// It is followed by another one of the same length.
    Fixed(u64),
    /// Its edges come from the holders, who know the calendar.
    Calendar,
    /// Usage counts for one period.
    Sliding(u64),
    /// Only what is open counts.
    Gauge,
}

impl WindowSpan {
    /// What a share of such a limit is.
    pub const fn kind(self) -> ShareKind {
        match self {
            Self::Lifetime | Self::Fixed(_) | Self::Calendar => ShareKind::Amount,
            Self::Sliding(_) => ShareKind::Rate,
            Self::Gauge => ShareKind::Open,
        }
    }
}

/// When an era begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Edges {
    /// Its first moment.
    pub begins: i64,
    /// The first moment after it.
    pub ends: i64,
}

/// Which era an ask is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WhichEra {
    /// The present one, whatever it is. Nothing was used, held or granted of it.
    Present,
    /// This one.
    This(Era),
    /// The one after this one. Nothing was used or held of it.
    Next(Era),
}

/// What a holder has last heard of all others. A store that forgot needs it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct HeardOfOthers {
    /// What they had used.
    pub used: u64,
    /// What they had taken and not used.
    pub out: u64,
}

/// What a holder says of one limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ShareAsk {
    /// Which limit.
    pub limit: LimitId,
    /// Its window.
    pub span: WindowSpan,
    /// The most that all may use, `u64::MAX` for no limit.
    pub most: u64,
    /// When that was set, by the store's clock. The latest stands.
    pub most_set: i64,
    /// Which era it is about.
    pub era: WhichEra,
    /// The edges of that era, as the holder knows or computes them.
    pub edges: Option<Edges>,
    /// Begin a new era, unless the limit was reset since this generation.
    pub reset: Option<u32>,
    /// The share that the holder uses now.
    pub have: u64,
    /// The share that it would have.
    pub want: u64,
    /// What it has used of it. In a sliding window: what its ring holds.
    pub spent: u64,
    /// What its open leases hold.
    pub held: u64,
    /// No lease of this share lasts longer, counted from the sending.
    pub until: u64,
    /// The share that lets its oldest waiter pass, 0 if nobody waits.
    pub need: u64,
    /// How long that waiter has waited.
    pub waited: u64,
    /// What the holder has last heard of all others.
    pub heard: HeardOfOthers,
    /// The holder has no use for this limit any more, and forgets what it has used of it: that is
    /// counted for no holder from now on. It holds nothing.
    pub leaves: bool,
}

/// The era of a limit in which a fact moves an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MovedEra {
    /// This one.
    This(Era),
    /// The present one.
    Present,
    /// The one in which this fact has first added to that limit. Once the store counts that era no
    /// more, nothing moves.
    Held,
}

/// What a fact changes beside its value: the amount that the store itself counts as used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Moved {
    /// Of which limit.
    pub limit: LimitId,
    /// Of which era.
    pub era: MovedEra,
    /// What is added. It must fit, unless `anyway`.
    pub add: u64,
    /// What is taken off, never below 0.
    pub take_off: u64,
    /// Whether what is added counts even if it does not fit: it has been used.
    pub anyway: bool,
    /// The most that all may use from now on, if that is set.
    pub most: Option<u64>,
    /// Whether a new generation of the limit begins: what was used before counts no more.
    pub reset: bool,
}

impl Moved {
    /// Adds `add` to the present era, if it fits.
    pub const fn add(limit: LimitId, add: u64) -> Self {
        let (era, take_off, anyway) = (MovedEra::Present, 0, false);
        Self { limit, era, add, take_off, anyway, most: None, reset: false }
    }

    /// Adds `add` to the present era: it has been used.
    pub const fn booked(limit: LimitId, add: u64) -> Self {
        Self { anyway: true, ..Self::add(limit, add) }
    }

    /// Replaces what the fact holds of a limit by what was used of it, in the era of the hold.
    pub const fn settled(limit: LimitId, held: u64, used: u64) -> Self {
        Self { era: MovedEra::Held, take_off: held, ..Self::booked(limit, used) }
    }

    /// Sets a limit.
    pub const fn set(limit: LimitId, most: u64) -> Self {
        Self { most: Some(most), ..Self::add(limit, 0) }
    }
}

/// What becomes of a fact.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// Nothing: it is read.
    Read,
    /// It has this value from now on, which is not empty, and amounts move with it.
    Put(Vec<u8>, Vec<Moved>),
    /// It is no more, and amounts move with it.
    Remove(Vec<Moved>),
}

impl Change {
    /// The amounts that move.
    pub fn moved(&self) -> &[Moved] {
        match self {
            Self::Read => &[],
            Self::Put(_, moved) | Self::Remove(moved) => moved,
        }
    }
}

/// The address of a fact: 32 bits of what it belongs to, then 96 of its own name. So all facts of a
/// group lie together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FactId(pub u128);

impl FactId {
    /// The fact `name` of a group. Both are hashes.
    pub const fn of(group: u128, name: u128) -> Self {
        Self(group << NAME_BITS | name & NAME)
    }

    /// The first and the last address of its group.
    pub const fn group(self) -> (Self, Self) {
        (Self(self.0 & !NAME), Self(self.0 | NAME))
    }
}

const NAME_BITS: u32 = 96;
const NAME: u128 = (1 << NAME_BITS) - 1;

/// Something that all holders must agree on: a job, a workflow, a setting.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fact {
    /// Its address.
    pub id: FactId,
    /// The version that the holder has seen, 0 if there never was one, [`ANY`](Self::ANY) or
    /// [`NONE`](Self::NONE). A change of another version is refused.
    pub seen: u64,
    /// For how long the store keeps it from now on, in microseconds, `u64::MAX` for ever. A read
    /// never shortens that.
    pub keep: u64,
    /// The change.
    pub change: Change,
}

impl Fact {
    /// Whatever stands is changed. What is removed must stand.
    pub const ANY: u64 = u64::MAX;
    /// No such fact stands. There may have been one that was removed.
    pub const NONE: u64 = u64::MAX - 1;

    /// Reads a fact.
    pub const fn read(id: FactId) -> Self {
        Self { id, seen: Self::ANY, keep: 0, change: Change::Read }
    }
}

/// What a holder says: all of what it says at once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Message {
    /// The holder that speaks.
    pub holder: HolderId,
    /// One more for each message. It is repeated unchanged until it is answered.
    pub number: u64,
    /// The epoch that it knows, `None` before the first answer.
    pub epoch: Option<Epoch>,
    /// Whether it says all that it holds, as a store that forgot has asked.
    pub whole: bool,
    /// What it says of limits.
    pub asks: Vec<ShareAsk>,
    /// Indices of asks that are raised all or none. The groups share no ask.
    pub together: Vec<Vec<usize>>,
    /// What it says of facts: at most 64 of them, the others are ignored.
    pub facts: Vec<Fact>,
    /// The readable names of limits, where the store may not know them.
    pub names: Vec<(LimitId, String)>,
    /// It is the last one of this holder.
    pub bye: bool,
}

/// What the store did with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It was applied, now or before.
    Applied,
    /// It is older than one that was applied. It changed nothing.
    Old,
    /// The store does not know what this holder has. It granted nothing: say all.
    SayAll,
    /// The namespace is empty, and nobody has created it.
    Empty,
}

/// What the store says of one limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ShareGiven {
    /// The era that the ask was booked in.
    pub era: Era,
    /// The share that the holder may have of that era.
    pub granted: u64,
    /// When that era ends, counted from the answer. `None`: nothing ends it.
    pub ends_in: Option<u64>,
    /// The same as a point of the store's time, to compute the edges of the next era.
    pub edges: Option<Edges>,
    /// Whether the store still counts that era.
    pub known: bool,
    /// The generation in force. An era of an earlier one is void.
    pub generation: u32,
    /// The limit in force, and when it was set.
    pub most: u64,
    /// When that was set.
    pub most_set: i64,
    /// What all have used of the era.
    pub used: u64,
    /// What others have taken and not used.
    pub out: u64,
    /// What of it is free with live holders, as they have last said.
    pub free: u64,
    /// Whether somebody else waits for what is free, and has waited for longer.
    pub scarce: bool,
}

/// What the store says of one fact.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FactGiven {
    /// Whether the change was made.
    pub changed: bool,
    /// The version in force, 0 for none.
    pub version: u64,
    /// The value in force, empty for none.
    pub value: Vec<u8>,
    /// The first amount of the change that did not fit.
    pub lacks: Option<u32>,
}

impl FactGiven {
    /// Whether there is such a fact.
    pub fn stands(&self) -> bool {
        !self.value.is_empty()
    }
}

/// The answer to a message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Answer {
    /// The number of the message.
    pub number: u64,
    /// What was done with it.
    pub said: Outcome,
    /// The epoch of the store.
    pub epoch: Option<Epoch>,
    /// The store's time.
    pub time: i64,
    /// How many holders live.
    pub live: u32,
    /// For each ask, in its order. Empty unless the message was applied.
    pub given: Vec<ShareGiven>,
    /// For each fact, in its order.
    pub facts: Vec<FactGiven>,
    /// Limits that the store knows by another name: their hashes are equal. Nothing was changed
    /// there.
    pub refused: Vec<LimitId>,
}
