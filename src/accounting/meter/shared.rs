//! What a meter knows of its share, if several processes share its limit.

use smallvec::SmallVec;

use crate::accounting::clock::Tick;
use crate::accounting::meter::holds::Hold;
use crate::accounting::share::{Era, Others, Share};

/// What a meter knows beside its limit, if the limit is shared. Boxed: few meters have it.
#[derive(Clone, Debug)]
pub(super) struct Sharing {
    pub(super) limit: u128,
    /// Whether the store says what the limit is.
    pub(super) follows: bool,
    pub(super) share: Share,
    /// Numbers of windows of this meter whose eras the store still counts.
    pub(super) past: SmallVec<[(u32, Era); 2]>,
    /// The latest moment that it was brought to.
    pub(super) now: Tick,
    /// Used and reserved as they were last counted, and what was asked for until then.
    pub(super) counted: u64,
    pub(super) asked: CallTotals,
    /// What was used when that was last asked.
    pub(super) booked: u64,
    /// What its supply heard last: the news, the share, what was taken of it, and who waited.
    pub(super) last_news: Option<(News, u64, u64, u64)>,
    /// What its owner wants to change, and the supply must still hear.
    pub(super) changes: Changes,
}

/// How much was asked of a meter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CallTotals {
    /// In how many calls.
    pub calls: u64,
    /// How much in all.
    pub amount: u64,
}

/// What the owner of a shared limit has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// A new window shall begin.
    pub reset: bool,
    /// The limit was set to that; `u64::MAX` is none.
    pub most: Option<u64>,
}

/// What a supply must hear of a meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// Little is free, or more is used than the share.
    Low,
    /// Something is free, and was called in.
    Surplus,
}

impl Sharing {
    /// What holders have given back of what they had used.
    pub(super) fn given_back(&self) -> u64 {
        self.share.others().back
    }

    /// One that has no share yet.
    pub(super) fn new(limit: u128, share: Share) -> Self {
        let (past, now) = (SmallVec::new(), Tick::from_nanos(0));
        let (asked, changes) = (CallTotals::default(), Changes::default());
        let (counted, booked, last_news) = (0, 0, None);
        Self { limit, follows: false, share, past, now, counted, asked, booked, last_news, changes }
    }

    /// Whether the share gives `amount` beside `taken`. Some limits keep a part
    /// back: only landings may use what is left of them beside all that others may use. `ordinary`
    /// is what all other requests may use.
    pub(super) fn gives(&self, taken: u64, amount: u64, ordinary: Option<u64>) -> bool {
        let Others { used, out, .. } = *self.share.others();
        let most = ordinary.map(|all| all.saturating_sub(used.saturating_add(out)));
        self.share.admits(taken, amount, self.now)
            && most.is_none_or(|most| taken.saturating_add(amount) <= most)
    }

    /// The limit was set: what the share has above it goes at once, and the supply must hear of it.
    pub(super) fn cut(&mut self, most: u64, spent: u64, held: u64) {
        let Others { used, out, .. } = *self.share.others();
        let fair = most.saturating_sub(used.saturating_add(out));
        self.share.lower(fair, spent, held);
        self.share.set_limit();
        self.changes.most = Some(most);
    }

    /// Calls `act` with the share of the window with this number. Also returns whether that window
    /// has ended.
    pub(super) fn visit<R>(
        &mut self,
        now: Tick,
        number: u32,
        act: impl FnOnce(&mut Share) -> R,
    ) -> (R, bool) {
        self.now = now;
        let (era, ended) = (self.share.era(), self.share.ended());
        let result = act(&mut self.share);
        let has_ended = self.share.ended() != ended;
        if has_ended {
            self.past.extend(era.map(|era| (number, era)));
            let kept = &self.share;
            self.past.retain(|(_, era)| kept.past().iter().any(|past| past.era == *era));
            self.counted = 0;
        }
        (result, has_ended)
    }

    /// Ends a hold of an era that is over. Returns whether the store still counts that era.
    pub(super) fn settle(&mut self, hold: &Hold, used: u64) -> bool {
        let era = self.past.iter().find(|(number, _)| *number == hold.era);
        let Some((_, era)) = era.copied() else { return false };
        self.share.settle(era, hold.amount, used);
        true
    }
}
