//! The public class of an allotment: an amount that is set aside for a sub-agent.
//!
//! The allotment is one lease of the parent. It holds what is set aside, so all allotments together
//! never exceed what the parent has. The child spends from its own account. What is left comes back
//! when the allotment is closed and the last of its requests has ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use smallvec::SmallVec;

use super::allotted::{AllotmentSize, Allotted, Source, UNITS};
use crate::accounting::{Invalid, LONGEST, RateHeaders, Terms, Unit, Usage};
use crate::budgets::guard::ask::GuardAsk;
use crate::budgets::guard::counter::{Counter, Values};
use crate::budgets::guard::matched::{Matched, Owned, OwnedAsk};
use crate::budgets::guard::rule_group::RuleGroup;
use crate::budgets::guard::state::{Guard, GuardRequest};
use crate::budgets::policy::{Labels, Mode, Rule, RuleKind, RuleLimit, Scope, Span, is_tool_call};
use crate::ledger::{
    Account, Ask, AskPart, Carried, Demands, Error, Heritable, Kept, Lease, Mailbox, MeterIndex,
    Request, Wait, reserve_quietly,
};

/// An amount of a guard's budgets, set aside for a sub-agent. Dropping it closes it.
#[derive(Clone)]
pub struct Allotment {
    guard: Arc<Guard>,
    allotted: Arc<Allotted>,
    labels: Vec<(String, String)>,
}

impl Guard {
    /// Sets an amount of all matching budgets aside, or refuses and changes nothing. Limiters and
    /// concurrency slots are not set aside. Requests of the child ask them as usual.
    pub fn allot(
        self: &Arc<Self>,
        labels: &Labels<'_>,
        of: AllotmentSize,
        ttl: Option<Duration>,
    ) -> Result<Allotment, Error> {
        self.allot_in(None, labels, of, ttl)
    }

    fn allot_in(
        self: &Arc<Self>,
        parent: Option<&Arc<Allotted>>,
        labels: &Labels<'_>,
        of: AllotmentSize,
        ttl: Option<Duration>,
    ) -> Result<Allotment, Error> {
        let guard = parent
            .map_or_else(|| self.here_shared(), |_| self.core.same_process().map(|()| self))?;
        if UNITS.iter().all(|unit| of.of(*unit).is_none()) {
            let message = "the allotment sets nothing aside; give it tokens, usd or calls";
            return Err(Invalid::sentence(message.to_owned()).into());
        }
        guard.ends.run(guard.core.clock());
        let matched = guard.asked(labels, false)?;
        let estimate = Usage::priced(of.tokens.unwrap_or(0), of.cost_micros_usd.unwrap_or(0));
        let calls = of.calls.unwrap_or(0);
        let (sources, mut owned) = set_aside(&matched, of, parent);
        if let Some(parent) = parent {
            let units: Vec<Unit> = UNITS.into_iter().filter(|u| of.of(*u).is_some()).collect();
            parent.ask_for(&estimate, calls, &units, &mut owned)?;
        }
        if owned.is_empty() {
            owned.push(OwnedAsk::last(&guard.nobody, Demands::new()));
        }
        let event_labels = matched.labels.as_ref();
        let asks: Vec<AskPart<'_>> =
            owned.iter().map(|one| one.part(Terms::Plain, event_labels)).collect();
        // An amount of a window is worth nothing in the next window, or after the end of the
        // allotment around it.
        let now = guard.core.clock().tick();
        let around = parent.map_or(LONGEST, |parent| parent.deadline.since(now));
        let ttl = ttl.unwrap_or(LONGEST).min(around).min(Allotted::resets_in(&sources)?);
        let request = Request { estimate, ttl: Some(ttl), stays: true, ..Request::default() };
        let asked = of.asked();
        let lease = reserve_quietly(&asks, &request).map_err(|refused| {
            let closed = parent.map_or(Ok(()), |parent| parent.check_open()).err();
            closed.unwrap_or_else(|| {
                if guard.core.listening() {
                    matched.tell_refused(&guard.core, &asked, &refused, false);
                }
                refused
            })
        })?;
        guard.tell_unmatched(&matched, &request.estimate);
        if guard.core.listening() {
            matched.tell_passed(&guard.core, &asked, Some(lease.id()), false);
        }
        let keeps = parent.map(|p| Arc::clone(p) as Arc<dyn Kept>);
        let lease = lease.carrying(Carried { keeps, ..Carried::none() });
        let counter = guard.allotted_counter(&of, Values::of(labels))?;
        let allotted = Arc::new_cyclic(|me| Allotted {
            counter,
            lease,
            of,
            sources,
            parent: parent.cloned(),
            closed: AtomicBool::new(false),
            deadline: now.plus(ttl),
            depth: parent.map_or(0, |parent| parent.depth + 1),
            reported: Mutex::default(),
            ends: Arc::clone(&guard.ends),
            me: me.clone(),
        });
        if ttl < LONGEST {
            guard.ends.add(allotted.deadline, allotted.depth, allotted.me.clone());
        }
        let labels = allotted.counter.values();
        Ok(Allotment { guard: Arc::clone(guard), allotted, labels })
    }

    fn allotted_counter(&self, of: &AllotmentSize, values: Values) -> Result<Counter, Error> {
        let limit = |unit: &Unit| RuleLimit { unit: *unit, max: of.of(*unit), kept_back: 0 };
        let rule = Rule {
            name: "allotment".to_owned(),
            kind: RuleKind::Allotment,
            scope: Scope::default(),
            limits: UNITS.iter().map(limit).collect(),
            span: Span::Lifetime,
            mode: Mode::Hard,
            warn_at: Vec::new(),
            wait: None,
            adaptive: false,
            show: self.in_force.read().policy.defaults.show,
            on_down: None,
            place: u32::MAX,
        };
        Counter::new(&self.core, None, &RuleGroup::of(rule), (0, values))
    }
}

impl Allotment {
    /// Holds the estimate in the allotment, and under the limits that are not set aside.
    pub fn reserve(&self, labels: &Labels<'_>, request: GuardRequest) -> Result<Lease, Error> {
        self.guard.reserve_in(Some(&self.allotted), &self.with(labels), request)
    }

    /// [`reserve`](Self::reserve), or `None` if it is refused and may [`wait`](Self::wait).
    pub fn try_reserve(
        &self,
        labels: &Labels<'_>,
        request: GuardRequest,
    ) -> Result<Option<Lease>, Error> {
        self.guard.try_reserve_in(Some(&self.allotted), &self.with(labels), request)
    }

    /// The asks of a request, to reserve them together with others or to wait for them.
    pub fn ask(&self, labels: &Labels<'_>, request: &GuardRequest) -> Result<GuardAsk, Error> {
        self.guard.ask_in(Some(&self.allotted), &self.with(labels), request)
    }

    /// [`ask`](Self::ask) for a call that is about to be made; see [`Guard::ask_call`]. If
    /// `covered` says that all accounts of the allotment are paid already, the allotment itself is
    /// not asked.
    pub fn ask_call(
        &self,
        labels: &Labels<'_>,
        request: &GuardRequest,
        covered: impl Fn(&Arc<Account>) -> bool,
    ) -> Result<GuardAsk, Error> {
        let labels = self.with(labels);
        let mut ask = self.guard.ask_call_in(Some(&self.allotted), &labels, request)?;
        let sources = self.allotted.source_accounts();
        if !sources.is_empty() && sources.iter().all(covered) {
            let own = self.allotted.own_accounts();
            ask.asks.retain(|ask| !own.iter().any(|own| Arc::ptr_eq(own, &ask.account)));
        }
        Ok(ask)
    }

    /// All accounts that its requests pay: its own, and those it was taken from.
    pub fn accounts(&self) -> Vec<Arc<Account>> {
        [self.allotted.own_accounts(), self.allotted.source_accounts()].concat()
    }

    /// Queues for a lease; see [`Guard::wait`].
    pub fn wait(
        &self,
        labels: &Labels<'_>,
        request: &GuardRequest,
        timeout: Option<Duration>,
        mailbox: Arc<Mailbox>,
    ) -> Result<(Wait, Carried), Error> {
        self.guard.wait_in(Some(&self.allotted), &self.with(labels), request, timeout, mailbox)
    }

    /// Whether a request would pass now; see [`Guard::check`].
    pub fn check(&self, labels: &Labels<'_>, request: &GuardRequest) -> Result<(), Error> {
        self.guard.check_in(Some(&self.allotted), &self.with(labels), request)
    }

    /// Charges one step to the workflows that match, or refuses. Steps are not set aside.
    pub fn step(&self, labels: &Labels<'_>) -> Result<(), Error> {
        self.step_call(labels)?.charge()
    }

    /// One step, to be charged together with others; see [`Guard::step_call`].
    pub fn step_call(&self, labels: &Labels<'_>) -> Result<GuardAsk, Error> {
        self.check_open()?;
        self.guard.step_call(&self.with(labels))
    }

    /// The asks of one step; see [`Guard::step_asks`].
    pub fn step_asks(&self, labels: &Labels<'_>) -> Result<Vec<Ask>, Error> {
        self.check_open()?;
        self.guard.step_asks(&self.with(labels))
    }

    /// Updates limiters from what a provider's response says; see [`Guard::hear`].
    pub fn hear(&self, labels: &Labels<'_>, said: &RateHeaders, status: u16) -> Result<(), Error> {
        self.guard.core.same_process()?;
        self.guard.hear(&self.with(labels), said, status)
    }

    /// Sets an amount of this allotment aside.
    pub fn allot(
        &self,
        labels: &Labels<'_>,
        of: AllotmentSize,
        ttl: Option<Duration>,
    ) -> Result<Self, Error> {
        self.guard.allot_in(Some(&self.allotted), &self.with(labels), of, ttl)
    }

    /// What is left of the allotment: tokens, micro-USD and calls. `None` for a unit that was not
    /// set aside.
    pub fn remaining(&self) -> Result<AllotmentSize, Error> {
        self.guard.core.same_process()?;
        self.guard.ends.run(self.guard.core.clock());
        self.allotted.counter.account.read(|meters, _| {
            let left = |unit| meters.iter().find(|m| m.unit() == unit).and_then(|m| m.remaining());
            AllotmentSize {
                tokens: left(Unit::Tokens),
                cost_micros_usd: left(Unit::Cost),
                calls: left(Unit::Calls),
            }
        })
    }

    /// Closes it to requests. What is left goes back once its last lease has ended and every handle
    /// is dropped.
    pub fn close(&self) {
        self.allotted.closed.store(true, Ordering::Relaxed);
    }

    /// Refuses what is asked once it is closed, and in a forked child: it is a part of its parent's.
    fn check_open(&self) -> Result<(), Error> {
        self.guard.core.same_process()?;
        self.allotted.check_open()
    }

    /// Its labels.
    pub fn labels(&self) -> &[(String, String)] {
        &self.labels
    }

    /// The guard that it was taken from.
    pub const fn guard(&self) -> &Arc<Guard> {
        &self.guard
    }

    /// The labels of a request. Its own come before those of the allotment. The call of a tool does
    /// not take the model of the allotment.
    fn with<'a>(&'a self, labels: &Labels<'a>) -> Vec<(&'a str, &'a str)> {
        let mut all: Vec<(&str, &str)> = labels.to_vec();
        let own_tool = is_tool_call(labels);
        for (name, value) in &self.labels {
            let is_given = labels.iter().any(|(own, _)| own == name);
            let is_foreign = own_tool && name == "model";
            if !is_given && !is_foreign {
                all.push((name, value));
            }
        }
        all
    }
}

impl std::fmt::Debug for Allotment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Allotment").field("labels", &self.labels).finish_non_exhaustive()
    }
}

/// The counters from which an amount is set aside, and the demands on their accounts.
fn set_aside<'a>(
    matched: &'a Matched,
    of: AllotmentSize,
    parent: Option<&Arc<Allotted>>,
) -> (Vec<Source>, Owned<'a>) {
    let estimate = Usage::priced(of.tokens.unwrap_or(0), of.cost_micros_usd.unwrap_or(0));
    let (mut sources, mut owned): (_, Owned<'_>) = (Vec::new(), SmallVec::new());
    for asked in matched.asked.iter().filter(|asked| asked.can_be_allotted) {
        let not_mine = |counter: &Counter, meter, unit| {
            of.of(unit).is_none() || parent.is_some_and(|parent| parent.pays(counter, meter))
        };
        let demands = asked.amounts(&estimate, of.calls.unwrap_or(0), not_mine);
        if !demands.is_empty() {
            let held =
                |(number, _): &&(MeterIndex, Unit)| demands.iter().any(|of| of.meter == *number);
            let meters = asked.demands.iter().filter(held).copied().collect();
            sources.push(Source { counter: Arc::clone(&asked.counter), meters });
            owned.push(OwnedAsk::last(&asked.counter.account, demands));
        }
    }
    (sources, owned)
}
