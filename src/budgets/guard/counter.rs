//! Counters of a guard. A counter is the account of all rules that match the same requests.
//!
//! Rules with the same scope are always asked together. So they share one account and its lock, and
//! each rule has its own meters in it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;
use smallvec::SmallVec;

use super::last_asked::LastAsked;
use super::rule_group::RuleGroup;
use crate::accounting::{
    Code, Denied, Invalid, Key, Kind, Limit, Meter, Subject, Unit, UsageEstimate,
};
use crate::budgets::policy::{Pattern, Rule, RuleKind, Span};
use crate::ledger::{Account, Core, Error, METERS_MAX, MeterIndex, Naming};

/// The rule and the unit of one meter.
#[derive(Clone)]
pub(super) struct RuleMeter {
    pub(super) rule: Arc<Rule>,
    pub(super) unit: Unit,
    /// Whether the rule is in force. If not, its counts are kept.
    pub(super) in_force: bool,
}

/// From this number of meters on, meters of removed rules are used again.
const REUSED: usize = 200;

type Meters = Arc<RwLock<Vec<RuleMeter>>>;

/// The counts of a group of rules for one set of label values.
pub(super) struct Counter {
    pub(super) account: Arc<Account>,
    meters: Meters,
    /// The labels that distinguish it from the other counters of the group.
    pub(super) values: Vec<(String, String)>,
    /// How many requests it has admitted.
    pub(super) granted: AtomicU64,
    pub(super) last_asked: LastAsked,
}

/// The units that a rule counts, limited or not.
fn units_of(rule: &Rule) -> SmallVec<[Unit; 4]> {
    // An allotment reports the usage of each at its end.
    let always: &[Unit] = match rule.kind {
        RuleKind::Allotment => &[Unit::Tokens, Unit::Cost, Unit::Calls],
        _ => &[],
    };
    let mut units = SmallVec::from_slice(always);
    for limit in &rule.limits {
        if !units.contains(&limit.unit) {
            units.push(limit.unit);
        }
    }
    units
}

impl Counter {
    pub(super) fn new(
        core: &Arc<Core>,
        group: &RuleGroup,
        values: Vec<(String, String)>,
    ) -> Result<Self, Error> {
        let mut rule_meters = Vec::new();
        let mut meters: SmallVec<[Meter; 4]> = SmallVec::new();
        for rule in &group.rules {
            for unit in units_of(rule) {
                meters.push(Meter::new(rule.limit(unit), rule.span.window(core.clock())?));
                rule_meters.push(RuleMeter { rule: Arc::clone(rule), unit, in_force: true });
            }
        }
        let rule_meters = Arc::new(RwLock::new(rule_meters));
        let naming = RuleNaming { meters: Arc::clone(&rule_meters), values: values.clone() };
        // The label values may be longer than a key. So the key only names the first rule.
        let key = Key::parse("name", group.name())?;
        let account = Account::named(core, key, group.code(), meters, naming);
        let is_per_run =
            group.is_of_runs() && values.iter().any(|(name, _)| name == "run" || name == "step_id");
        let last_asked = LastAsked::new(is_per_run, core.clock().tick());
        Ok(Self { account, meters: rule_meters, values, granted: AtomicU64::new(0), last_asked })
    }

    /// The rules and units of its meters, by number.
    pub(super) fn rule_meters(&self) -> Vec<RuleMeter> {
        self.meters.read().clone()
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
            meters.iter().zip(&rule_meters).filter(is_free).count()
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
        let mut rule_meters = self.rule_meters();
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
                    let meter = Meter::new(rule.limit(unit), rule.span.window(core.clock())?);
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
                let limit = rule_meter.rule.limit(rule_meter.unit);
                let limit =
                    if rule_meter.in_force { limit } else { Limit::new(rule_meter.unit, None) };
                meter.set_limit(&limit);
                meter.rewarn();
            }
        })?;
        *self.meters.write() = rule_meters;
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

    /// Whether it has no open holds.
    pub(super) fn is_free(&self) -> Result<bool, Error> {
        self.account.read(|meters, _| meters.iter().all(|meter| meter.reserved() == 0))
    }

    /// Counts one admitted request.
    pub(super) fn count(&self) {
        // Relaxed: it is only read for an estimate.
        self.granted.fetch_add(1, Ordering::Relaxed);
    }
}

/// Adds to a refusal which rule refused.
struct RuleNaming {
    meters: Meters,
    values: Vec<(String, String)>,
}

/// A counter of one of these alone says nothing of others.
const OWNERS: [&str; 4] = ["agent", "run", "workflow", "user"];

impl RuleNaming {
    /// Whether the counter is of one agent, run, workflow or user alone.
    fn is_of_one(&self, rule: &Rule) -> bool {
        let is_owner = |name: &String| OWNERS.contains(&name.as_str());
        let named = |(name, pattern): &(String, Pattern)| {
            is_owner(name) && matches!(pattern, Pattern::Exactly(_))
        };
        rule.kind == RuleKind::Allotment
            || self.values.iter().any(|(name, _)| is_owner(name))
            || rule.scope.0.iter().any(named)
    }
}

impl Naming for RuleNaming {
    fn name(&self, denied: &mut Denied, meter: MeterIndex) {
        let Some(RuleMeter { rule, unit, .. }) =
            self.meters.read().get(usize::from(meter)).cloned()
        else {
            return;
        };
        denied.code = match rule.kind.code() {
            Code::WorkflowQuotaExceeded if unit != Unit::Steps => Code::BudgetExceeded,
            code => code,
        };
        (denied.kind, denied.unit) = (Kind::of(denied.code, unit), unit);
        (denied.reason, denied.subject) = (None, Some(Subject::Rule(rule.name.clone())));
        (denied.show, denied.shared) = (rule.show, !self.is_of_one(&rule));
        let label = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        denied.scope = match rule.step() {
            Some((workflow, step)) => {
                vec![label(RuleKind::Workflow.name(), &workflow), label("step", step)]
            }
            None => vec![label(rule.kind.name(), &rule.name)],
        };
        denied.scope.extend(self.values.iter().cloned());
        // Values come last: they say which counter of the rule it was.
        let label = if denied.code == Code::WorkflowQuotaExceeded { "workflow" } else { "agent" };
        let id = denied.scope.iter().rev().find(|(name, _)| name == label);
        denied.id = id.and_then(|(_, value)| Key::parse(label, value).ok());
    }

    fn place(&self, meter: MeterIndex) -> Option<u32> {
        let rule_meters = self.meters.read();
        // A group may have no meter at all. It is of a guard all the same.
        Some(rule_meters.get(usize::from(meter)).map_or(u32::MAX, |m| m.rule.place))
    }

    fn rule(&self, meter: MeterIndex) -> Option<Key> {
        let rule_meters = self.meters.read();
        rule_meters.get(usize::from(meter)).and_then(|m| Key::parse("name", &m.rule.name).ok())
    }
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
