//! The accounts whose meters have the shares of a holder.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::view::{Edging, Meters, View, micros};
use crate::accounting::{Calendar, Meter, Share, Tick, Window};
use crate::ledger::{Account, Error, SupplyMember};
use crate::store::message::{LimitId, WindowSpan};

/// A limit that an account has brought, for [`HolderSupply::add`](super::HolderSupply::add).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberLimit {
    /// Which limit.
    pub id: LimitId,
    /// Its window.
    pub span: WindowSpan,
    /// The most that all may use, `u64::MAX` for no limit.
    pub most: u64,
    /// Whether the account says what the limit is, whatever the store knows.
    pub insists: bool,
}

/// An account, and which limits it has.
#[derive(Debug)]
struct Member {
    account: Arc<dyn SupplyMember>,
    limits: Vec<LimitId>,
    /// Since when nobody else has it.
    unused: Option<Tick>,
}

/// The accounts of a holder, by the limits of their meters. It keeps them alive until the store has
/// what they have left.
#[derive(Debug, Default)]
pub struct Registry {
    /// By address: each is kept, so no other account has its address.
    members: BTreeMap<usize, Member>,
    by_limit: BTreeMap<LimitId, usize>,
    /// Accounts with a limit that another account has, which nobody may have any more.
    successors: Vec<Arc<dyn SupplyMember>>,
}

/// A limit that is new, and how the edges of its windows are computed.
#[derive(Debug)]
pub(in crate::store) struct NewLimit {
    pub(in crate::store) known: MemberLimit,
    pub(in crate::store) edging: Option<Box<dyn Edging>>,
}

impl Registry {
    /// Adds an account, and returns the limits of its shared meters. Call it again after a meter was
    /// added.
    pub fn add(&mut self, account: &Arc<Account>) -> Result<Vec<MemberLimit>, Error> {
        let member: Arc<dyn SupplyMember> = Arc::clone(account) as _;
        Ok(self.join(&member)?.into_iter().map(|new| new.known).collect())
    }

    /// Adds an account, and returns the limits that are new. A limit that another account has stays
    /// with that one until nobody has it any more.
    pub(in crate::store) fn join(
        &mut self,
        account: &Arc<dyn SupplyMember>,
    ) -> Result<Vec<NewLimit>, Error> {
        let mut limits = Vec::new();
        account.read_meters(&mut |meters, _| limits.extend(meters.iter().filter_map(new_limit)))?;
        let number = Arc::as_ptr(account).cast::<()>().addr();
        let taken = |new: &NewLimit| self.by_limit.get(&new.known.id).copied();
        if limits.iter().any(|new| taken(new).is_some_and(|owner| owner != number)) {
            let waits = self.successors.iter().any(|other| same(other, account));
            if !waits {
                self.successors.push(Arc::clone(account));
            }
        }
        limits.retain(|new| taken(new).is_none());
        if limits.is_empty() {
            return Ok(limits);
        }
        let fresh = || Member { account: Arc::clone(account), limits: Vec::new(), unused: None };
        let member = self.members.entry(number).or_insert_with(fresh);
        for new in &limits {
            member.limits.push(new.known.id);
            self.by_limit.insert(new.known.id, number);
        }
        Ok(limits)
    }

    /// The account whose meter has the share of a limit.
    fn member(&self, limit: LimitId) -> Option<&Member> {
        self.members.get(self.by_limit.get(&limit)?)
    }

    /// All accounts.
    pub(in crate::store) fn accounts(&self) -> impl Iterator<Item = &Arc<dyn SupplyMember>> {
        self.members.values().map(|member| &member.account).chain(&self.successors)
    }

    /// All limits.
    pub(in crate::store) fn limits(&self) -> Vec<LimitId> {
        self.by_limit.keys().copied().collect()
    }

    /// The limits of accounts that nobody else has had for `long`, or that another account waits for.
    pub(in crate::store) fn unused(&mut self, now: Tick, long: Duration) -> Vec<LimitId> {
        let wanted = !self.successors.is_empty();
        let mut limits = Vec::new();
        for member in self.members.values_mut() {
            if Arc::strong_count(&member.account) > 1 {
                member.unused = None;
                continue;
            }
            let since = *member.unused.get_or_insert(now);
            if wanted || now.since(since) >= long {
                limits.extend(&member.limits);
            }
        }
        limits
    }

    /// The store has all of a limit. If it has all of its account, the account goes, unless somebody
    /// has it again.
    pub(in crate::store) fn forget(&mut self, limit: LimitId) {
        let Some(number) = self.by_limit.remove(&limit) else { return };
        let Some(member) = self.members.get_mut(&number) else { return };
        member.limits.retain(|other| *other != limit);
        if member.limits.is_empty()
            && let Some(member) = self.members.remove(&number)
            && Arc::strong_count(&member.account) > 1
        {
            self.successors.push(member.account);
        }
    }

    /// Accounts that wait for others to go.
    pub(in crate::store) fn successors(&mut self) -> Vec<Arc<dyn SupplyMember>> {
        self.successors.retain(|account| Arc::strong_count(account) > 1);
        std::mem::take(&mut self.successors)
    }
}

impl Meters for Registry {
    fn visit(&mut self, limit: LimitId, act: &mut dyn FnMut(&View, &mut Share)) {
        if let Some(member) = self.member(limit) {
            // It fails only in a forked child, which has a registry of its own.
            let _ = member.account.visit_limit(limit.0, act);
        }
    }
}

fn same(one: &Arc<dyn SupplyMember>, other: &Arc<dyn SupplyMember>) -> bool {
    std::ptr::addr_eq(Arc::as_ptr(one), Arc::as_ptr(other))
}

/// The edges of a calendar in its time zone.
#[derive(Debug)]
struct CalendarEdges(Box<Calendar>);

impl Edging for CalendarEdges {
    fn around(&self, time: i64) -> (i64, i64) {
        let (begins, ends) = self.0.edges_around(time.saturating_mul(1_000));
        (begins.div_euclid(1_000), ends.div_euclid(1_000))
    }
}

fn new_limit(meter: &Meter) -> Option<NewLimit> {
    let long = |period: Option<Duration>| micros(period.unwrap_or_default());
    let mut edging: Option<Box<dyn Edging>> = None;
    let span = match meter.window() {
        Window::Lifetime => WindowSpan::Lifetime,
        window @ Window::Fixed { .. } => WindowSpan::Fixed(long(window.period())),
        Window::Calendar(calendar) => {
            edging = Some(Box::new(CalendarEdges(calendar.clone())));
            WindowSpan::Calendar
        }
        window @ Window::Sliding(_) => WindowSpan::Sliding(long(window.period())),
        Window::Gauge => WindowSpan::Gauge,
    };
    let (id, most) = (LimitId(meter.shared_limit()?), meter.most_of_all());
    let known = MemberLimit { id, span, most, insists: !meter.follows() };
    Some(NewLimit { known, edging })
}
