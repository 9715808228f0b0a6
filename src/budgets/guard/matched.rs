//! Matches: the rules, accounts and prices for requests with the same labels. They are found once
//! and cached.

pub(super) mod cache;

use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use super::counter::{Counter, amount};
use super::in_force::InForce;
use super::rule_group::RuleGroup;
use super::unmatched::Stray;
use crate::accounting::{CallPrice, Clock, Unit, UsageEstimate};
use crate::budgets::allowances::PaidAccount;
use crate::budgets::policy::Mode;
use crate::ledger::{Account, AskPart, Demand, Demands, MeterIndex};

/// The accounts of a request, with its demands and whether it may wait for them.
pub(super) type Owned<'a> = SmallVec<[(&'a Arc<Account>, Demands, bool); 8]>;

/// A counter that a request asks, and the numbers of its meters.
pub(super) struct Asked {
    pub(super) counter: Arc<Counter>,
    pub(super) demands: SmallVec<[(MeterIndex, Unit); 4]>,
    pub(super) patient: bool,
    /// Whether an amount of it can be set aside.
    pub(super) can_be_allotted: bool,
    /// Its meters whose limits are not hard.
    pub(super) soft: Vec<MeterIndex>,
}

/// Everything that applies to one set of labels.
pub(super) struct Matched {
    pub(super) generation: u64,
    /// In the order of the policy.
    pub(super) asked: Vec<Asked>,
    /// The order in which the ledger locks them.
    pub(super) order: Vec<usize>,
    /// Accounts of allowances, which are charged tokens and cost.
    pub(super) allowances: Vec<PaidAccount>,
    pub(super) price: Option<Arc<CallPrice>>,
    /// Whether money is limited here, so that a price is needed.
    pub(super) needs_price: bool,
    /// The shortest time for which a rule lets requests wait.
    pub(super) wait: Option<Duration>,
    pub(super) is_tool: bool,
    /// Whether a required label is missing.
    pub(super) lacks_a_label: bool,
    /// The labels, if no rule matches them.
    pub(super) stray: Option<Box<Stray>>,
    /// Whether one of the counters belongs to a run.
    pub(super) is_per_run: bool,
    /// Workflows whose steps are counted, and the numbers of their meters.
    pub(super) steps: Vec<(Arc<Counter>, MeterIndex)>,
}

impl Matched {
    /// Notes that the counters of runs are asked now, so that they are not forgotten yet.
    #[inline]
    pub(super) fn touch_runs(&self, clock: &Clock) {
        if self.is_per_run {
            let now = clock.tick();
            self.asked.iter().for_each(|asked| asked.counter.last_asked.touch(now));
        }
    }

    /// The position in the policy of the rule of that meter.
    pub(super) fn rule(&self, ask: &AskPart<'_>, meter: MeterIndex, in_force: &InForce) -> usize {
        let is_it = |asked: &&Asked| Arc::ptr_eq(&asked.counter.account, ask.account);
        let rule_meters = self.asked.iter().find(is_it).map(|asked| asked.counter.rule_meters());
        let rule =
            rule_meters.and_then(|all| all.get(usize::from(meter)).map(|m| Arc::clone(&m.rule)));
        let rules = &in_force.policy.rules;
        let place = rule.and_then(|rule| rules.iter().position(|other| other.counts_like(&rule)));
        place.unwrap_or(usize::MAX)
    }

    /// The position of an account in the order of the policy. Accounts without a rule come last.
    pub(super) fn place(&self, account: &Arc<Account>) -> usize {
        let is_it = |asked: &Asked| Arc::ptr_eq(&asked.counter.account, account);
        self.asked.iter().position(is_it).unwrap_or(usize::MAX)
    }
}

impl Asked {
    /// The counter of a group, with the demands of a request. The call of a tool has other demands.
    pub(super) fn of(counter: &Arc<Counter>, group: &RuleGroup, is_tool: bool) -> Self {
        let rule_meters = counter.rule_meters();
        let in_force = (0..)
            .map(MeterIndex)
            .zip(rule_meters.iter())
            .filter(|(_, rule_meter)| rule_meter.in_force);
        let asks = |unit: Unit| match unit {
            Unit::Steps => false,
            Unit::ToolCalls => is_tool,
            _ => true,
        };
        let demands = in_force.clone().filter(|(_, rule_meter)| asks(rule_meter.unit));
        let soft = in_force.filter(|(_, rule_meter)| rule_meter.rule.mode != Mode::Hard);
        Self {
            counter: Arc::clone(counter),
            demands: demands.map(|(number, rule_meter)| (number, rule_meter.unit)).collect(),
            patient: group.is_patient(),
            can_be_allotted: group.can_be_allotted(),
            soft: soft.map(|(number, _)| number).collect(),
        }
    }

    pub(super) fn is_soft(&self, number: MeterIndex) -> bool {
        self.soft.contains(&number)
    }

    /// Meters and amounts, without those that `paid` says are paid elsewhere.
    pub(super) fn amounts(
        &self,
        estimate: &UsageEstimate,
        calls: u64,
        paid: impl Fn(&Counter, MeterIndex, Unit) -> bool,
    ) -> Demands {
        let mine = |&&(number, unit): &&(MeterIndex, Unit)| !paid(&self.counter, number, unit);
        let asked = self.demands.iter().filter(mine);
        asked.map(|&(number, unit)| Demand::new(number, amount(unit, estimate, calls))).collect()
    }
}
