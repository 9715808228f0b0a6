//! The asks of a request to a guard: for requests over several budgets, waits and checks.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::allotments::Allotted;
use super::counter::amounts_of;
use super::decision::Undecided;
use super::reserve::carried;
use super::state::{Guard, GuardRequest};
use crate::accounting::{Terms, UsageEstimate};
use crate::budgets::policy::Labels;
use crate::ledger::{Ask, Carried, Error, Mailbox, Request, Wait, charge, check};

/// All asks of a request to a guard, to reserve them together with others.
#[derive(Debug)]
pub struct GuardAsk {
    /// The accounts.
    pub asks: Vec<Ask>,
    /// The estimate with its cost.
    pub estimate: UsageEstimate,
    /// What the lease must carry.
    pub carried: Carried,
    /// How long the policy lets it wait, or `None` if it is refused at once.
    pub wait: Option<Duration>,
}

impl GuardAsk {
    /// Books it at once, or refuses and changes nothing.
    pub(super) fn charge(self) -> Result<(), Error> {
        if self.asks.is_empty() {
            return Ok(());
        }
        match charge(&self.asks) {
            Ok(()) => self.carried.tell_passed(None),
            Err(refused) => {
                self.carried.refused(&refused);
                return Err(refused);
            }
        }
        Ok(())
    }
}

impl Guard {
    /// The asks of a request, to reserve them together with others or to wait for them.
    pub fn ask(&self, labels: &Labels<'_>, request: &GuardRequest) -> Result<GuardAsk, Error> {
        self.ask_in(None, labels, request)
    }

    pub(super) fn ask_in(
        &self,
        allotted: Option<&Arc<Allotted>>,
        labels: &Labels<'_>,
        request: &GuardRequest,
    ) -> Result<GuardAsk, Error> {
        let guard = self.here_for(allotted)?;
        let matched = guard.asked(labels, request.spent)?;
        let estimate = guard.priced(&matched, allotted, labels, request)?;
        let terms = if request.landing { Terms::Landing } else { Terms::Plain };
        let owned = guard.demands(&matched, &estimate, allotted)?;
        let labels = matched.labels.as_ref();
        let asks = owned.into_iter().map(|one| one.ask(terms, labels)).collect();
        Ok(GuardAsk { asks, estimate, carried: carried(&matched, allotted), wait: matched.wait })
    }

    /// [`ask`](Self::ask) for a call that is about to be made. Once it has passed, soft limits
    /// report what they would have refused, and it counts for the advice.
    pub fn ask_call(&self, labels: &Labels<'_>, request: &GuardRequest) -> Result<GuardAsk, Error> {
        self.ask_call_in(None, labels, request)
    }

    pub(super) fn ask_call_in(
        &self,
        allotted: Option<&Arc<Allotted>>,
        labels: &Labels<'_>,
        request: &GuardRequest,
    ) -> Result<GuardAsk, Error> {
        let guard = self.here_for(allotted)?;
        let mut ask = guard.ask_in(allotted, labels, request)?;
        let matched = guard.matched(labels)?;
        let over = guard.soft_over(&matched, &ask.estimate)?;
        guard.tell_unmatched(&matched, &ask.estimate);
        guard.forget_sometimes(&matched);
        ask.carried.decides = Some(Arc::new(Undecided {
            core: Arc::clone(&guard.core),
            matched,
            amounts: (!request.spent).then(|| amounts_of(&ask.estimate)),
            over,
            counts: true,
            decided: AtomicBool::new(false),
        }));
        Ok(ask)
    }

    /// Queues for a lease, if a pool or a limiter lets requests wait. `mailbox` is notified when
    /// the wait has ended. Without a `timeout` it waits as long as the policy says.
    pub fn wait(
        &self,
        labels: &Labels<'_>,
        request: &GuardRequest,
        timeout: Option<Duration>,
        mailbox: Arc<Mailbox>,
    ) -> Result<(Wait, Carried), Error> {
        self.wait_in(None, labels, request, timeout, mailbox)
    }

    pub(super) fn wait_in(
        &self,
        allotted: Option<&Arc<Allotted>>,
        labels: &Labels<'_>,
        request: &GuardRequest,
        timeout: Option<Duration>,
        mailbox: Arc<Mailbox>,
    ) -> Result<(Wait, Carried), Error> {
        let ask = self.ask_call_in(allotted, labels, request)?;
        let own = Request { estimate: ask.estimate, ttl: request.ttl, ..Request::default() };
        let waits = ask.wait.is_some();
        let waiting = match timeout.or(ask.wait) {
            timeout if waits => Wait::for_lease(&ask.asks, own, timeout, mailbox),
            // No rule lets it wait for others.
            _ => Wait::for_store(&ask.asks, own, None, mailbox),
        };
        let at_once = matches!(&waiting, Err(Error::Denied(_)));
        if at_once {
            allotted.map_or(Ok(()), |allotted| allotted.check_open())?;
        }
        let carried = Carried { waited: waits && !at_once, ..ask.carried };
        // A wait without time ends here.
        let wait = waiting.inspect_err(|refused| carried.refused(refused))?;
        Ok((wait, carried))
    }

    /// Whether a request would pass now. Soft limits are checked as if they were hard.
    pub fn check(&self, labels: &Labels<'_>, request: &GuardRequest) -> Result<(), Error> {
        self.check_in(None, labels, request)
    }

    pub(super) fn check_in(
        &self,
        allotted: Option<&Arc<Allotted>>,
        labels: &Labels<'_>,
        request: &GuardRequest,
    ) -> Result<(), Error> {
        let ask = self.ask_in(allotted, labels, request)?;
        let strict = |ask: Ask| Ask {
            terms: if request.landing { Terms::Landing } else { Terms::Strict },
            ..ask
        };
        let asks: Vec<Ask> = ask.asks.into_iter().map(strict).collect();
        check(&asks)
    }
}
