//! The demands of a request on each account, for callers that hold the accounts.

use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use crate::accounting::{Invalid, Terms, Unit, Usage};
use crate::ledger::account::Account;
use crate::ledger::account::identity::Step;
use crate::ledger::claim::{AskPlace, Claim, Demand, Demands, Request};
use crate::ledger::core::event::EventLabels;
use crate::ledger::error::Error;
use crate::ledger::fork::heir::Heritable;
use crate::ledger::queue::turn::QueuedClaim;

/// What a request asks of one account.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The account.
    pub account: Arc<Account>,
    /// The demands on its meters.
    pub demands: Demands,
    /// The factor of the committed tokens. The amounts in `demands` have it already.
    pub multiplier: u64,
    /// The mode of the request.
    pub terms: Terms,
    /// Whether a waiting request may wait for this account. Otherwise a refusal of this account is
    /// final.
    pub patient: bool,
    /// The labels of the request, for its events. `None` if nobody listens.
    pub labels: Option<EventLabels>,
    /// Where it stands among the asks of its request.
    pub place: AskPlace,
}

impl Ask {
    /// A request of `demands` on `account`.
    pub fn new(account: &Arc<Account>, demands: Demands) -> Self {
        let account = Arc::clone(account);
        let (place, labels) = (AskPlace::default(), None);
        let terms = Terms::Plain;
        Self { account, demands, multiplier: 1, terms, patient: true, place, labels }
    }

    fn merge(&mut self, other: &Self) {
        self.multiplier = self.multiplier.max(other.multiplier);
        self.patient &= other.patient;
        for demand in &other.demands {
            match self.demands.iter_mut().find(|asked| asked.meter == demand.meter) {
                None => self.demands.push(*demand),
                Some(asked) => asked.amount = demand.amount.max(asked.amount),
            }
        }
    }

    /// The same by reference.
    pub(crate) fn borrowed(&self) -> AskPart<'_> {
        let Self { account, demands, multiplier, terms, place, labels, .. } = self;
        let (multiplier, terms, place) = (*multiplier, *terms, *place);
        AskPart { account, demands, multiplier, terms, place, labels: labels.as_ref() }
    }

    /// Books what a call has used. Never refused; see [`Account::record_spent`].
    pub fn record_spent(&self, usage: &Usage) -> Result<(), Error> {
        self.account.record_spent_by(self.labels.as_ref(), &self.demands, usage)
    }
}

impl Account {
    /// Books what a call has used. Never refused. Concurrency slots are skipped: the call has
    /// already ended.
    pub fn record_spent(&self, demands: &[Demand], usage: &Usage) -> Result<(), Error> {
        self.record_spent_by(None, demands, usage)
    }

    /// The same for a request with these labels.
    fn record_spent_by(
        &self,
        labels: Option<&EventLabels>,
        demands: &[Demand],
        usage: &Usage,
    ) -> Result<(), Error> {
        self.locked(|state, step| {
            let step = &mut Step { labels, ..step.at(step.now) };
            let mut lasting: SmallVec<[Demand; 4]> = SmallVec::from_slice(demands);
            lasting.retain(|demand| state.meters[usize::from(demand.meter)].unit() != Unit::Slots);
            state.charge(&lasting, step);
            state.entries_mut().committed.add(usage);
        })
    }
}

/// The demands of a request on one account, by reference.
#[derive(Clone, Copy, Debug)]
pub struct AskPart<'a> {
    /// The account.
    pub account: &'a Arc<Account>,
    /// The demands on its meters.
    pub demands: &'a [Demand],
    /// The factor of the committed tokens. The amounts in `demands` have it already.
    pub multiplier: u64,
    /// The mode of the request.
    pub terms: Terms,
    /// The labels of the request, for its events. `None` if nobody listens.
    pub labels: Option<&'a EventLabels>,
    /// Where it stands among the asks of its request.
    pub place: AskPlace,
}

impl<'a> AskPart<'a> {
    /// The demands of `claim` on `account`.
    pub(crate) const fn of(account: &'a Arc<Account>, claim: Claim<'a>, place: AskPlace) -> Self {
        let Claim { demands, multiplier, terms, labels } = claim;
        Self { account, demands, multiplier, terms, place, labels }
    }

    /// A request of `demands` on one account alone.
    #[inline]
    pub const fn alone(account: &'a Arc<Account>, demands: &'a [Demand]) -> Self {
        let place = AskPlace { budget: 0, entry: 0 };
        Self { account, demands, multiplier: 1, terms: Terms::Plain, place, labels: None }
    }

    /// The same, owned.
    pub(crate) fn owned(&self) -> Ask {
        let Self { account, demands, multiplier, terms, place, labels } = *self;
        let (account, labels) = (Arc::clone(account), labels.cloned());
        let demands = Demands::from_slice(demands);
        Ask { account, demands, multiplier, terms, patient: false, labels, place }
    }

    /// The part of it that the account sees.
    #[inline]
    pub(crate) const fn claim(&self) -> Claim<'a> {
        let Self { demands, multiplier, terms, labels, .. } = *self;
        Claim { demands, multiplier, terms, labels }
    }
}

/// One ask for each account. Of two asks on one account, the larger amount of each meter counts.
pub(crate) fn distinct(asks: &[Ask]) -> Result<Vec<Ask>, Error> {
    if asks.is_empty() {
        let message = "the list of asks is empty; give an ask for at least one account";
        return Err(Invalid::sentence(message.to_owned()).into());
    }
    Ok(merge(asks))
}

/// The same asks of the accounts of this process. In a forked child those of its parent have heirs,
/// or none, and then it fails.
pub(super) fn here(asks: Vec<Ask>) -> Result<Vec<Ask>, Error> {
    if asks.iter().all(|ask| ask.account.core().same_process().is_ok()) {
        return Ok(asks);
    }
    let here = |ask: Ask| Ok(Ask { account: Arc::clone(ask.account.here_shared()?), ..ask });
    let asks: Vec<Ask> = asks.into_iter().map(here).collect::<Result<_, Error>>()?;
    Ok(merge(&asks))
}

pub(crate) fn merge(asks: &[Ask]) -> Vec<Ask> {
    let mut merged: Vec<Ask> = Vec::with_capacity(asks.len());
    for ask in asks {
        match merged.iter_mut().find(|other| Arc::ptr_eq(&other.account, &ask.account)) {
            None => merged.push(ask.clone()),
            Some(same) => same.merge(ask),
        }
    }
    merged
}

/// How long the lease of a request over these accounts lives.
pub(super) fn ttl<'a>(
    accounts: impl Iterator<Item = &'a Arc<Account>>,
    request: &Request,
) -> Duration {
    let shortest = || accounts.map(|account| account.core().policy().lease_ttl).min();
    request.ttl.or_else(shortest).unwrap_or_default()
}

/// Splits an ask into the account, which the wait keeps, and the claim, which the queues see.
pub(super) fn queued(ask: Ask, timeout: Option<Duration>) -> (Arc<Account>, QueuedClaim) {
    let Ask { account, demands, multiplier, terms, patient, place, labels } = ask;
    let since = account.core().clock().precise_tick();
    let deadline = timeout.map(|timeout| since.plus(timeout));
    let (id, this) = (account.id(), account.as_swept());
    let claim = QueuedClaim {
        id,
        account: this,
        demands,
        multiplier,
        terms,
        patient,
        deadline,
        since,
        place,
        labels,
    };
    (account, claim)
}
