//! Counters of a guard. A counter is the account of all rules that match the same requests.
//!
//! Rules with the same scope are always asked together. So they share one account and its lock, and
//! each rule has its own meters in it.

mod naming;
mod storing;
mod values;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;
use smallvec::SmallVec;

use self::naming::Named;
pub(super) use self::values::Values;
use super::forget::last_asked::LastAsked;
use super::rule_group::RuleGroup;
use super::rule_meter::{RuleMeter, RuleMeters, units_of};
use crate::accounting::{Invalid, Key, Limit, Meter, Tick, Unit, UsageEstimate};
use crate::budgets::policy::{Rule, Span};
use crate::ledger::{Account, Core, Error, METERS_MAX, MeterIndex, Silent};
use crate::store::Store;

/// From this number of meters on, meters of removed rules are used again.
const REUSED: usize = 200;

/// One in so many admitted requests also forgets counters.
const FORGETS: u64 = 4;

/// What a guard finds a counter by: the number of its group, and the values of its labels.
pub(super) type CounterKey = (u32, Values);

/// The counts of a group of rules for one set of label values.
pub(super) struct Counter {
    pub(super) account: Arc<Account>,
    /// Where it counts, if not in this process alone.
    store: Option<Arc<Store>>,
    named: Arc<Named>,
    /// How many requests it has admitted.
    pub(super) granted: AtomicU64,
    pub(super) last_asked: LastAsked,
    /// The number of its group.
    group: u32,
}

impl Counter {
    pub(super) fn new(
        core: &Arc<Core>,
        store: Option<&Arc<Store>>,
        group: &RuleGroup,
        (number, values): CounterKey,
    ) -> Result<Self, Error> {
        // What a provider says is known to this process alone.
        let store = store.filter(|_| !values.is_of_provider());
        let mut meters: SmallVec<[Meter; 2]> = SmallVec::new();
        for RuleMeter { rule, unit, .. } in group.meters.iter() {
            meters.push(storing::meter(store, (rule, *unit), &values, core.clock())?);
        }
        let is_per_run = group.is_of_runs() && values.names(&["run", "step_id"]);
        let named = Arc::new(Named { meters: RwLock::new(Arc::clone(&group.meters)), values });
        // The label values may be longer than a key. So the key only names the first rule.
        let key = Key::parse("name", group.name())?;
        let make = |named: &Arc<Named>| {
            Account::named(core, key, group.code(), meters, Arc::clone(named) as _)
        };
        let last_asked = LastAsked::new(is_per_run, core.clock().tick());
        let (account, kept) = match (store, group.rules.first()) {
            (Some(store), Some(rule)) => storing::account(store, rule, Arc::clone(&named), make)?,
            _ => (make(&named), Arc::clone(&named)),
        };
        let is_another = !Arc::ptr_eq(&kept, &named);
        let (store, granted) = (store.cloned(), AtomicU64::new(0));
        let counter = Self { account, store, named: kept, granted, last_asked, group: number };
        if is_another && !is_same(&counter.rule_meters(), &group.meters) {
            // Of several guards with this rule, the last one says what it allows.
            counter.take_over(group, core)?;
        }
        Ok(counter)
    }

    /// The rules and units of its meters, by number.
    pub(super) fn rule_meters(&self) -> RuleMeters {
        Arc::clone(&self.named.meters.read())
    }

    /// The labels that distinguish it from the other counters of the group.
    pub(super) fn values(&self) -> Vec<(String, String)> {
        self.named.values.pairs()
    }

    /// What the guard finds it by.
    pub(super) fn key(&self) -> CounterKey {
        (self.group, self.named.values.clone())
    }

    /// Whether a store has its account.
    pub(super) const fn is_stored(&self) -> bool {
        self.store.is_some()
    }

    /// Whether it has anything to say, if no run is kept for longer than it is.
    pub(super) fn silent(&self, forgets_runs_of: Tick) -> Silent {
        match self.last_asked.at() {
            Some(at) if at <= forgets_runs_of => Silent::Now,
            Some(at) => Silent::From(at),
            None => self.account.silent(),
        }
    }

    /// Refuses rules that would need too many meters while old ones have open leases.
    pub(super) fn check_room(&self, group: &RuleGroup) -> Result<(), Error> {
        let rule_meters = self.rule_meters();
        let stays = |m: &RuleMeter| group.rules.iter().any(|rule| rule.counts_like(&m.rule));
        let is_there = |rule: &Rule, unit| {
            rule_meters.iter().any(|m| m.unit == unit && m.rule.counts_like(rule))
        };
        let new =
            |rule: &Arc<Rule>| units_of(rule).iter().filter(|unit| !is_there(rule, **unit)).count();
        let new: usize = group.rules.iter().map(new).sum();
        let free = self.account.read(|meters, _| {
            let is_free = |(meter, of): &(&Meter, &RuleMeter)| !stays(of) && meter.reserved() == 0;
            meters.iter().zip(rule_meters.iter()).filter(is_free).count()
        })?;
        let room = (METERS_MAX + free).saturating_sub(rule_meters.len());
        if new <= room {
            return Ok(());
        }
        Err(Invalid::sentence(format!(
            "the new policy needs {new} more meters for the rules beside {:?}, but only {room} are \
             free: rules that it removes have open leases; try again when these leases have ended",
            group.name()
        ))
        .into())
    }

    /// Updates the rules of the group. What was counted stays.
    pub(super) fn take_over(&self, group: &RuleGroup, core: &Core) -> Result<(), Error> {
        // Not under the lock of `meters`: a refusal reads them under the lock of the account.
        let mut rule_meters = self.rule_meters().to_vec();
        for known in rule_meters.iter_mut() {
            let now = group.rules.iter().find(|rule| rule.counts_like(&known.rule));
            known.in_force = now.is_some_and(|rule| units_of(rule).contains(&known.unit));
            if let Some(rule) = now {
                known.rule = Arc::clone(rule);
            }
        }
        for rule in &group.rules {
            let was_there = rule_meters.iter().any(|m| m.rule.counts_like(rule));
            for unit in units_of(rule) {
                let is_it = |m: &RuleMeter| m.unit == unit && m.rule.counts_like(rule);
                if !rule_meters.iter().any(is_it) {
                    let (store, values) = (self.store.as_ref(), &self.named.values);
                    let meter = storing::meter(store, (rule, unit), values, core.clock())?;
                    if rule_meters.len() >= REUSED
                        && let Some(place) = self.free_meter(&rule_meters)?
                    {
                        self.account.adjust(|meters, _| meters[place] = meter)?;
                        let rule = Arc::clone(rule);
                        rule_meters[place] = RuleMeter { rule, unit, in_force: true };
                        continue;
                    }
                    let number = self.account.add_meter(meter)?;
                    if was_there {
                        self.begin(number, unit, rule)?;
                    }
                    rule_meters.push(RuleMeter { rule: Arc::clone(rule), unit, in_force: true });
                }
            }
        }
        self.account.adjust(|meters, _| {
            for (meter, rule_meter) in meters.iter_mut().zip(rule_meters.iter()) {
                if meter.is_shared() && !rule_meter.in_force {
                    // Nobody asks it here any more. Others may.
                    continue;
                }
                let limit = rule_meter.rule.limit(rule_meter.unit);
                let limit =
                    if rule_meter.in_force { limit } else { Limit::new(rule_meter.unit, None) };
                meter.set_limit(&limit);
                meter.rewarn();
            }
        })?;
        let is_fresh = rule_meters.len() == group.meters.len()
            && rule_meters.iter().zip(group.meters.iter()).all(|(m, fresh)| {
                m.in_force && m.unit == fresh.unit && Arc::ptr_eq(&m.rule, &fresh.rule)
            });
        *self.named.meters.write() =
            if is_fresh { Arc::clone(&group.meters) } else { rule_meters.into() };
        Ok(())
    }

    /// A meter of a removed rule, without open holds.
    fn free_meter(&self, rule_meters: &[RuleMeter]) -> Result<Option<usize>, Error> {
        self.account.read(|meters, _| {
            let free = |(meter, of): (&Meter, &RuleMeter)| !of.in_force && meter.reserved() == 0;
            meters.iter().zip(rule_meters).position(free)
        })
    }

    /// Starts a limit that was added later. If its window never ends, it counts all tokens and cost
    /// that were ever committed.
    fn begin(&self, number: MeterIndex, unit: Unit, rule: &Rule) -> Result<(), Error> {
        if matches!(rule.span, Span::Lifetime | Span::Run) {
            let used = amount(unit, &self.account.committed()?, 0);
            self.account.adjust(|meters, _| meters[usize::from(number)].restore_used(used))?;
        }
        Ok(())
    }

    /// The scope of a refusal by one of its rules.
    pub(super) fn refusal_scope(&self, rule: &Rule) -> Vec<(String, String)> {
        naming::refusal_scope(rule, &self.named.values)
    }

    /// Whether its next admitted request also forgets counters.
    #[inline]
    pub(super) fn is_to_forget(&self) -> bool {
        self.granted.load(Ordering::Relaxed).is_multiple_of(FORGETS)
    }

    /// Counts one admitted request.
    pub(super) fn count(&self) {
        // Relaxed: it is only read for an estimate.
        self.granted.fetch_add(1, Ordering::Relaxed);
    }
}

/// Whether they count by the same rules.
fn is_same(one: &RuleMeters, other: &RuleMeters) -> bool {
    let same = |(one, other): (&RuleMeter, &RuleMeter)| {
        one.in_force == other.in_force && one.unit == other.unit && one.rule == other.rule
    };
    one.len() == other.len() && one.iter().zip(other.iter()).all(same)
}

/// What a request asks for, by unit.
pub(super) type Amounts = SmallVec<[(Unit, u64); 2]>;

/// The amounts of an estimate: its tokens and its cost.
pub(super) fn amounts_of(estimate: &UsageEstimate) -> Amounts {
    let asked = [(Unit::Tokens, estimate.total_tokens), (Unit::Cost, estimate.cost_micros_usd)];
    asked.into_iter().filter(|(_, amount)| *amount > 0).collect()
}

/// The amount that one request asks of a unit.
pub(super) const fn amount(unit: Unit, estimate: &UsageEstimate, calls: u64) -> u64 {
    match (estimate.amount(unit), unit) {
        (Some(amount), _) => amount,
        (None, Unit::Slots) => 1,
        (None, _) => calls,
    }
}

/// Refuses labels that are no ids.
pub(super) fn checked_labels(labels: &[(&str, &str)]) -> Result<(), Invalid> {
    labels.iter().try_for_each(|(name, value)| {
        Key::check("a label", name)?;
        Key::check(name, value)
    })
}
