//! A guard: all limits of a policy at once.
//!
//! A request has labels. Every rule whose scope they match applies to it, and all that apply
//! decide in one step.

mod advice;
mod allot;
mod ask;
mod change;
mod counter;
mod lookup;
mod matched;
mod part;
mod report;
mod rules;
mod runs;
mod unmatched;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use dashmap::DashMap;
use parking_lot::RwLock;
use smallvec::SmallVec;

pub use advice::Advice;
pub use allot::Allotment;
pub use ask::GuardAsk;
pub use part::PartOf;
pub use report::{Explained, Figures};
pub use unmatched::Warner;

use self::change::set_allowances;
use self::counter::Counter;
use self::matched::{Matched, Owned};
use self::part::Part;
use self::rules::Group;
use self::runs::Runs;
use self::unmatched::Unmatched;
use super::allowances::AllowanceService;
use super::policy::{EstimateMode, GuardPolicy, Labels, UnknownPrice};
use crate::accounting::{
    Clock, Code, Denied, Invalid, Key, Price, PriceTable, Terms, Unit, Usage, UsageEstimate,
};
use crate::ledger::{
    Account, Ask, AskPart, Carried, Core, Demands, Error, Event, EventKind, Kept, Lease, Request,
    group,
};

/// What a request asks beside its labels.
#[derive(Clone, Copy, Debug, Default)]
pub struct GuardRequest {
    /// What the call may use. Without a cost, the price of its model says what it may cost.
    pub estimate: UsageEstimate,
    /// How long the lease lives; default, the policy's `lease_ttl`.
    pub ttl: Option<Duration>,
    /// Whether it may use what is kept back for a final answer.
    pub landing: bool,
    /// Whether it is spent already and only to be booked: then no label is required of it.
    pub spent: bool,
}

impl From<UsageEstimate> for GuardRequest {
    fn from(estimate: UsageEstimate) -> Self {
        Self { estimate, ..Self::default() }
    }
}

/// What applies to some labels, found once: see [`Guard::known`].
#[derive(Clone)]
pub struct Known(Arc<Matched>);

/// All limits of a policy, decided in one step.
///
/// ```
/// use outlay::{Clock, Guard, GuardPolicy, Usage};
/// let policy = GuardPolicy::from_toml("policy.toml", r#"
///     [[budget]]
///     name = "per-agent"
///     scope = { agent = "*" }
///     limit = { tokens = 1_000 }
/// "#)?;
/// let guard = Guard::new(policy, Clock::System)?;
/// let lease = guard.reserve(&[("agent", "a-1")], Usage::tokens(800).into())?;
/// assert!(guard.reserve(&[("agent", "a-1")], Usage::tokens(800).into()).is_err());
/// assert!(guard.reserve(&[("agent", "a-2")], Usage::tokens(800).into()).is_ok());
/// lease.commit(Usage::tokens(300).into())?;
/// # Ok::<(), outlay::Error>(())
/// ```
pub struct Guard {
    core: Arc<Core>,
    laid: RwLock<Arc<Laid>>,
    generation: AtomicU64,
    /// By the number of the group and the values of its labels.
    counters: DashMap<(usize, String), Arc<Counter>>,
    matched: DashMap<Box<[u8]>, Arc<Matched>>,
    runs: Runs,
    prices: RwLock<PriceTable>,
    allowances: Arc<AllowanceService>,
    /// Asked where no rule applies, so that there is a lease all the same.
    nobody: Arc<Account>,
    resolver: Option<Resolver>,
    unmatched: Unmatched,
}

/// Says what a model of a provider costs that the policy does not price; asked once for each.
pub type Resolver = Box<dyn Fn(&str, Option<&str>) -> Result<Option<Price>, Error> + Send + Sync>;

/// The policy in force, and its rules in groups. A group keeps its number.
#[derive(Debug)]
struct Laid {
    policy: GuardPolicy,
    groups: Vec<Group>,
}

impl Laid {
    fn new(policy: GuardPolicy, known: &[Group]) -> Self {
        let groups = Group::all(&policy, known);
        Self { policy, groups }
    }
}

impl Guard {
    /// A guard of `policy`.
    pub fn new(policy: GuardPolicy, clock: Clock) -> Result<Self, Error> {
        let core = Core::new(clock.clone(), policy.defaults.leases);
        let meters = std::iter::empty();
        let nobody = Account::new(&core, Key::fixed("guard"), Code::BudgetExceeded, meters);
        let allowances = Arc::new(AllowanceService::new(clock));
        set_allowances(&allowances, &policy)?;
        let prices = RwLock::new(policy.prices.clone());
        Ok(Self {
            core,
            laid: RwLock::new(Arc::new(Laid::new(policy, &[]))),
            generation: AtomicU64::new(0),
            counters: DashMap::new(),
            matched: DashMap::new(),
            runs: Runs::new(),
            prices,
            allowances,
            nobody,
            resolver: None,
            unmatched: Unmatched::default(),
        })
    }

    /// Asks `resolver` for the prices that the policy does not name. It is called without a lock.
    #[must_use]
    pub fn resolving(mut self, resolver: Resolver) -> Self {
        self.resolver = Some(resolver);
        self
    }

    /// Holds the estimate under all limits that match, or refuses and changes nothing.
    pub fn reserve(&self, labels: &Labels<'_>, request: GuardRequest) -> Result<Lease, Error> {
        self.reserve_in(None, labels, request)
    }

    /// What applies to requests with these labels, for those who ask again and again.
    pub fn known(&self, labels: &Labels<'_>) -> Result<Known, Error> {
        self.matched(labels).map(Known)
    }

    /// [`reserve`](Self::reserve) by what is known of its labels; `None` where that is out of date,
    /// or no price is known, or a label is missing: then the labels say more.
    #[inline]
    pub fn reserve_known(
        &self,
        known: &Known,
        request: GuardRequest,
    ) -> Result<Option<Lease>, Error> {
        let matched = &known.0;
        let priced = matched.price.is_some() || !matched.needs_price;
        let askable = priced && !matched.lacks_a_label;
        if matched.generation != self.present_generation() || !askable {
            return Ok(None);
        }
        self.core.same_process()?;
        let estimate = self.priced(matched, None, &[], request.estimate)?;
        self.reserve_matched(None, matched, estimate, request, false).map(Some)
    }

    fn reserve_in(
        &self,
        part: Option<&Arc<Part>>,
        labels: &Labels<'_>,
        request: GuardRequest,
    ) -> Result<Lease, Error> {
        self.core.same_process()?;
        let matched = self.asked(labels, request.spent)?;
        let estimate = self.priced(&matched, part, labels, request.estimate)?;
        self.reserve_matched(part, &matched, estimate, request, false)
    }

    /// [`reserve`](Self::reserve), or `None` where it is refused and may [`wait`](Self::wait).
    pub fn try_reserve(
        &self,
        labels: &Labels<'_>,
        request: GuardRequest,
    ) -> Result<Option<Lease>, Error> {
        self.try_reserve_in(None, labels, request)
    }

    fn try_reserve_in(
        &self,
        part: Option<&Arc<Part>>,
        labels: &Labels<'_>,
        request: GuardRequest,
    ) -> Result<Option<Lease>, Error> {
        self.core.same_process()?;
        let matched = self.asked(labels, request.spent)?;
        let estimate = self.priced(&matched, part, labels, request.estimate)?;
        let waits = matched.wait.is_some();
        match self.reserve_matched(part, &matched, estimate, request, waits) {
            Err(Error::Denied(_)) if waits => Ok(None),
            other => other.map(Some),
        }
    }

    #[inline]
    fn reserve_matched(
        &self,
        part: Option<&Arc<Part>>,
        matched: &Matched,
        estimate: UsageEstimate,
        request: GuardRequest,
        waits: bool,
    ) -> Result<Lease, Error> {
        let over = self.soft_over(matched, &estimate)?;
        let terms = if request.landing { Terms::Landing } else { Terms::Plain };
        let owned = self.demands(matched, &estimate, part)?;
        let asks: SmallVec<[AskPart<'_>; 8]> = owned
            .iter()
            .map(|(account, demands, _)| AskPart { account, demands, multiplier: 1, terms })
            .collect();
        let request = Request { estimate, ttl: request.ttl, ..Request::default() };
        let lease = match group::reserve_parts(&asks, &request) {
            Err(Error::Denied(denied)) if !waits => {
                return Err(self.first_refusal(matched, &asks, denied));
            }
            other => other?,
        };
        matched.asked.iter().for_each(|asked| asked.counter.count());
        over.iter().for_each(|event| self.core.publish(event));
        self.tell_unmatched(matched, &estimate);
        Ok(lease.carrying(carried(matched, part)))
    }

    /// Of all that refuse, the first in the order of the policy.
    #[cold]
    fn first_refusal(&self, matched: &Matched, asks: &[AskPart<'_>], denied: Box<Denied>) -> Error {
        let laid = Arc::clone(&self.laid.read());
        let mut single: Vec<(usize, &AskPart<'_>, (u8, u64))> = Vec::new();
        for ask in asks {
            let demands = ask.demands.iter();
            single.extend(demands.map(|&demand| (matched.rule(ask, demand.0, &laid), ask, demand)));
        }
        single.sort_by_key(|(place, ..)| *place);
        let refuses = |(_, ask, demand): &(usize, &AskPart<'_>, (u8, u64))| {
            ask.account.check_on(&[*demand], ask.terms).err()
        };
        let first = single.iter().find_map(refuses);
        let all: Vec<Ask> = asks.iter().map(|ask| ask.to_ask()).collect();
        // The request can pass when all of them let it.
        match (first, group::check(&all).err()) {
            (Some(Error::Denied(mut first)), Some(Error::Denied(all))) => {
                first.retry_after = all.retry_after;
                self.tell_denied(&first);
                first.into()
            }
            (Some(first), _) => first,
            (None, all) => all.unwrap_or(Error::Denied(denied)),
        }
    }

    #[cold]
    fn tell_denied(&self, denied: &Denied) {
        let rule = denied.scope.first().and_then(|(_, name)| Key::parse("name", name).ok());
        let amounts = SmallVec::from_slice(&[(denied.unit, denied.requested)]);
        let (key, tick) = (rule.unwrap_or(Key::fixed("guard")), self.core.clock().tick());
        let (kind, lease, labels) = (EventKind::Denied, None, Vec::new());
        self.core.publish(&Event { kind, key, lease, amounts, tick, labels });
    }

    /// The allowances of the policy.
    pub const fn allowances(&self) -> &Arc<AllowanceService> {
        &self.allowances
    }

    /// How the policy wants calls estimated, and the output tokens it reserves where nobody limits
    /// them; `None` where it does not say.
    pub fn estimating(&self) -> (Option<EstimateMode>, Option<u64>) {
        let defaults = &self.laid.read().policy.defaults;
        (defaults.estimate, defaults.output_tokens)
    }

    /// What its accounts share.
    pub const fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// The estimate with its cost. A call that nobody can price is refused where money is limited.
    fn priced(
        &self,
        matched: &Matched,
        part: Option<&Arc<Part>>,
        labels: &Labels<'_>,
        estimate: UsageEstimate,
    ) -> Result<UsageEstimate, Error> {
        if estimate.cost_micros_usd > 0 || matched.is_tool {
            return Ok(estimate);
        }
        if let Some(price) = &matched.price {
            return Ok(Usage { cost_micros_usd: price.cost(&estimate), ..estimate });
        }
        let denies = self.laid.read().policy.defaults.unknown_price == UnknownPrice::Deny;
        let sets_aside = part.is_some_and(|part| part.sets_aside(Unit::Cost));
        if denies && (matched.needs_price || sets_aside) {
            let model = super::policy::scope::label(labels, "model");
            let what = model.map_or_else(
                || "known: cost is limited here, and the request has no label model=".to_owned(),
                |model| format!("a table that names the model {model:?}: cost is limited"),
            );
            return Err(Invalid::policy("prices", &what).into());
        }
        Ok(estimate)
    }

    /// The accounts, and the meters and amounts, that a request asks.
    fn demands<'a>(
        &'a self,
        matched: &'a Matched,
        estimate: &UsageEstimate,
        part: Option<&'a Arc<Part>>,
    ) -> Result<Owned<'a>, Error> {
        let paid = |counter: &Counter, meter, _| part.is_some_and(|part| part.pays(counter, meter));
        let mut owned: Owned<'_> = SmallVec::new();
        matched.ask(self.core.clock());
        for asked in matched.order.iter().map(|index| &matched.asked[*index]) {
            let demands = asked.amounts(estimate, 1, paid);
            if !demands.is_empty() {
                owned.push((&asked.counter.account, demands, asked.patient));
            }
        }
        for (account, units) in &matched.allowances {
            let amount = |&(meter, unit)| (meter, matched::amount(unit, estimate, 1));
            owned.push((account, units.iter().map(amount).collect(), false));
        }
        if let Some(part) = part {
            part.asks(estimate, &mut owned)?;
        }
        if owned.is_empty() {
            owned.push((&self.nobody, Demands::new(), false));
        }
        Ok(owned)
    }
}

fn carried(matched: &Matched, part: Option<&Arc<Part>>) -> Carried {
    let keeps = part.map(|part| Arc::clone(part) as Arc<dyn Kept>);
    Carried { price: matched.price.clone(), keeps }
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard").field("laid", &self.laid.read()).finish_non_exhaustive()
    }
}
