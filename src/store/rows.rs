//! What a store keeps, and how its side of the protocol reaches it.

use super::message::{Epoch, FactId, HolderId, LimitId, WindowSpan};
use crate::accounting::{Era, taken};

/// The store itself: one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StoreRow {
    /// Its present memory.
    pub epoch: Epoch,
    /// Until then it learns, and grants nothing. In the past if it does not.
    pub learns_until: i64,
    /// The latest time it has seen.
    pub latest: i64,
    /// When holders that are gone were last dropped.
    pub swept: i64,
}

/// A holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HolderRow {
    /// The number of its last message.
    pub last: u64,
    /// The epoch in which it has said all that it holds, if it is the present one.
    pub epoch: Epoch,
    /// When the store last heard of it.
    pub heard: i64,
    /// Which facts its last message has changed, a bit for each of the first 64.
    pub changed: u64,
}

/// A limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LimitRow {
    /// Its window.
    pub span: WindowSpan,
    /// The most that all may use.
    pub most: u64,
    /// When that was set.
    pub most_set: i64,
    /// The latest era.
    pub era: Era,
    /// When it ends, `i64::MAX` for never.
    pub ends: i64,
}

/// An era of a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct EraRow {
    /// When it ends, `i64::MAX` for never.
    pub ends: i64,
    /// What is counted as used for no holder: what facts hold.
    pub base: u64,
    /// What was given back of what holders have used. So much more fits the limit.
    pub back: u64,
    /// The largest sum that a holder had heard, while the store learns.
    pub heard: u64,
    /// What is counted as taken for holders that have not spoken since the store forgot.
    pub silent: u64,
    /// Until then that counts.
    pub silent_until: i64,
    /// What of the base was granted to holders that are gone, and may not have been used.
    pub lost: u64,
}

/// The share of one holder in one era.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ShareRow {
    /// What it may use.
    pub granted: u64,
    /// What it has used.
    pub spent: u64,
    /// What its leases hold.
    pub held: u64,
    /// No lease lasts longer.
    pub until: i64,
    /// When a message has last named it.
    pub heard: i64,
    /// The raise that its oldest waiter needs, 0 if nobody waits.
    pub need: u64,
    /// Since when that waiter waits.
    pub since: i64,
}

impl ShareRow {
    /// When it comes back to the store if its holder is not heard of. `None`: only by the end of
    /// its era.
    pub fn lapses(&self, span: WindowSpan, ttl: u64) -> Option<i64> {
        let quiet = after(self.heard, ttl);
        match span {
            WindowSpan::Sliding(period) => Some(after(quiet.max(self.until), period)),
            WindowSpan::Gauge => Some(quiet.max(self.until)),
            WindowSpan::Lifetime | WindowSpan::Fixed(_) | WindowSpan::Calendar => None,
        }
    }

    /// What counts as taken.
    pub fn taken(&self) -> u64 {
        taken(self.granted, self.spent, self.held)
    }

    /// What is free.
    pub const fn free(&self) -> u64 {
        self.granted.saturating_sub(self.spent.saturating_add(self.held))
    }
}

/// A fact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct FactRow {
    /// One more for each change. It goes on after a removal.
    pub version: u64,
    /// The value, empty for a fact that was removed.
    pub value: Vec<u8>,
    /// When it is forgotten, `i64::MAX` for never.
    pub until: i64,
    /// The eras in which it has added to limits.
    pub eras: Vec<(LimitId, Era)>,
}

/// The time `duration` after `time`, at most the end of time.
pub(super) fn after(time: i64, duration: u64) -> i64 {
    time.saturating_add(i64::try_from(duration).unwrap_or(i64::MAX))
}

/// The rows of a store, within one atomic step: either all that is put is kept, or nothing.
pub trait Rows {
    /// Why a row cannot be read or written.
    type Fault;

    /// The row of the store, `None` in an empty namespace.
    fn store(&mut self) -> Result<Option<StoreRow>, Self::Fault>;
    /// Writes the row of the store.
    fn put_store(&mut self, row: StoreRow) -> Result<(), Self::Fault>;
    /// A holder.
    fn holder(&mut self, id: HolderId) -> Result<Option<HolderRow>, Self::Fault>;
    /// Writes a holder.
    fn put_holder(&mut self, id: HolderId, row: HolderRow) -> Result<(), Self::Fault>;
    /// How many holders were heard of after `time`.
    fn live(&mut self, time: i64) -> Result<u32, Self::Fault>;
    /// Drops the holders that were last heard of before `time` and have no share in any era.
    fn drop_holders(&mut self, time: i64) -> Result<(), Self::Fault>;
    /// A limit.
    fn limit(&mut self, id: LimitId) -> Result<Option<LimitRow>, Self::Fault>;
    /// Writes a limit.
    fn put_limit(&mut self, id: LimitId, row: LimitRow) -> Result<(), Self::Fault>;
    /// An era of a limit.
    fn era(&mut self, limit: LimitId, era: Era) -> Result<Option<EraRow>, Self::Fault>;
    /// Writes an era.
    fn put_era(&mut self, limit: LimitId, era: Era, row: EraRow) -> Result<(), Self::Fault>;
    /// Drops the eras of a limit that ended before `time`, with their shares.
    fn drop_eras(&mut self, limit: LimitId, time: i64) -> Result<(), Self::Fault>;
    /// Calls `each` with every share of an era, in any order.
    fn shares(
        &mut self,
        limit: LimitId,
        era: Era,
        each: &mut dyn FnMut(HolderId, &ShareRow),
    ) -> Result<(), Self::Fault>;
    /// The share of one holder.
    fn share(
        &mut self,
        limit: LimitId,
        era: Era,
        holder: HolderId,
    ) -> Result<Option<ShareRow>, Self::Fault>;
    /// Writes a share.
    fn put_share(
        &mut self,
        limit: LimitId,
        era: Era,
        holder: HolderId,
        row: ShareRow,
    ) -> Result<(), Self::Fault>;
    /// Drops a share.
    fn drop_share(&mut self, limit: LimitId, era: Era, holder: HolderId)
    -> Result<(), Self::Fault>;
    /// Counts what holders that are gone for good have taken as used for no holder, and drops their
    /// shares: those that are dead, and those last heard of before `time`.
    fn fold(&mut self, time: i64) -> Result<(), Self::Fault> {
        let _ = time;
        Ok(())
    }
    /// The readable name of a limit. A store without names compares none.
    fn name(&mut self, limit: LimitId) -> Result<Option<String>, Self::Fault> {
        let _ = limit;
        Ok(None)
    }
    /// Writes the name of a limit.
    fn put_name(&mut self, limit: LimitId, name: &str) -> Result<(), Self::Fault> {
        let _ = (limit, name);
        Ok(())
    }
    /// A fact.
    fn fact(&mut self, id: FactId) -> Result<Option<FactRow>, Self::Fault>;
    /// Writes a fact. One that was removed keeps its version, with an empty value.
    fn put_fact(&mut self, id: FactId, row: FactRow) -> Result<(), Self::Fault>;
    /// Calls `each` with the facts of the group of `id`, in the order of their addresses, without
    /// those that were removed.
    fn facts(
        &mut self,
        id: FactId,
        each: &mut dyn FnMut(FactId, FactRow),
    ) -> Result<(), Self::Fault>;
    /// Forgets the facts that were to be kept until before `time`.
    fn drop_facts(&mut self, time: i64) -> Result<(), Self::Fault>;
}
