//! Matches: the rules, accounts and prices for requests with the same labels. They are found once
//! and cached.

pub(super) mod cache;

use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use super::counter::{Counter, amount};
use super::rule_group::RuleGroup;
use super::unmatched::Stray;
use crate::accounting::{CallPrice, Clock, Terms, Unit, UsageEstimate};
use crate::budgets::allowances::PaidAccount;
use crate::budgets::policy::Mode;
use crate::ledger::{Account, Ask, AskPart, AskPlace, Demand, Demands, EventLabels, MeterIndex};

/// What a request asks of one account.
pub(super) struct OwnedAsk<'a> {
    pub(super) account: &'a Arc<Account>,
    pub(super) demands: Demands,
    /// Whether it may wait for the account.
    pub(super) patient: bool,
    /// Its place in the policy, if it has no rules of its own.
    pub(super) entry: u32,
}

impl<'a> OwnedAsk<'a> {
    /// What is asked of an account that nobody waits for, after all rules.
    pub(super) const fn last(account: &'a Arc<Account>, demands: Demands) -> Self {
        Self { account, demands, patient: false, entry: u32::MAX }
    }

    /// The same by reference.
    pub(super) fn part<'b>(&'b self, terms: Terms, labels: Option<&'b EventLabels>) -> AskPart<'b> {
        let place = AskPlace { entry: self.entry, ..AskPlace::default() };
        let Self { account, demands, .. } = self;
        AskPart { account, demands, multiplier: 1, terms, place, labels }
    }

    /// The same with an account of its own.
    pub(super) fn ask(self, terms: Terms, labels: Option<&EventLabels>) -> Ask {
        let place = AskPlace { entry: self.entry, ..AskPlace::default() };
        let ask = Ask::new(self.account, self.demands);
        Ask { terms, patient: self.patient, place, labels: labels.cloned(), ..ask }
    }
}

/// What a request asks of all its accounts.
pub(super) type Owned<'a> = SmallVec<[OwnedAsk<'a>; 8]>;

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
    /// What providers say of the model, for each of them that they lower.
    pub(super) by_provider: Vec<Asked>,
    /// The order in which the ledger locks them.
    pub(super) order: Vec<usize>,
    /// Accounts of allowances, which are charged tokens and cost, and their places in the policy.
    pub(super) allowances: Vec<(PaidAccount, u32)>,
    pub(super) price: Option<Arc<CallPrice>>,
    /// Whether money is limited here, so that a price is needed.
    pub(super) needs_price: bool,
    /// The shortest time for which a rule lets requests wait.
    pub(super) wait: Option<Duration>,
    pub(super) is_tool: bool,
    /// Whether a required label is missing.
    pub(super) lacks_a_label: bool,
    /// The labels as events carry them, if somebody listens.
    pub(super) labels: Option<EventLabels>,
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
