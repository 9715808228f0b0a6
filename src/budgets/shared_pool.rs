//! A pool of tokens and money that many agents share by leases.

use std::sync::Arc;
use std::time::Duration;

use super::stored::{Stored, check_most, core};
use crate::accounting::{
    Clock, Code, Denied, Invalid, Key, Limit, Unit, Usage, UsageEstimate, Window,
};
use crate::ledger::{
    Account, Actual, Ask, AskPart, Demand, Error, Heritable, Lease, LeaseError, Mailbox,
    MeterIndex, Policy, Request, Wait, reserve_blocking, reserve_one,
};
use crate::store::Store;

const TOKENS: MeterIndex = MeterIndex(0);
const COST: MeterIndex = MeterIndex(1);

/// The limits of a [`SharedPool`].
#[derive(Clone, Debug)]
pub struct PoolOptions {
    /// Tokens in all, `None` for no limit.
    pub capacity_tokens: Option<u64>,
    /// Micro-USD in all, `None` for no limit.
    pub capacity_cost_micros_usd: Option<u64>,
    /// The last tokens, which are kept back. At most the capacity.
    pub stop_threshold_tokens: u64,
    /// The last micro-USD, which are kept back. At most the capacity.
    pub stop_threshold_cost_micros_usd: u64,
    /// How abandoned leases end.
    pub policy: Policy,
    /// The clock. With a store: that of the store.
    pub clock: Clock,
    /// Where the counts are kept, for all processes. Default: in this object alone.
    pub store: Option<Arc<Store>>,
    /// What tells the pool from others in its store. Default "pool".
    pub name: String,
}

impl Default for PoolOptions {
    /// No limit at all.
    fn default() -> Self {
        Self {
            capacity_tokens: None,
            capacity_cost_micros_usd: None,
            stop_threshold_tokens: 0,
            stop_threshold_cost_micros_usd: 0,
            policy: Policy::default(),
            clock: Clock::System,
            store: None,
            name: "pool".to_owned(),
        }
    }
}

/// What is left in a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remaining {
    /// Tokens, `None` for no limit.
    pub tokens: Option<u64>,
    /// Micro-USD, `None` for no limit.
    pub cost_micros_usd: Option<u64>,
    /// Whether a limited amount is at or below its stop threshold.
    pub below_threshold: bool,
}

/// A pool of tokens and money that is never refilled.
#[derive(Debug)]
pub struct SharedPool {
    account: Arc<Account>,
    stop: [u64; 2],
}

impl SharedPool {
    /// A full pool.
    pub fn new(options: PoolOptions) -> Result<Self, Error> {
        let tokens = pool_limit(
            Unit::Tokens,
            "stop_threshold_tokens",
            options.capacity_tokens,
            options.stop_threshold_tokens,
        )?;
        let cost = pool_limit(
            Unit::Cost,
            "stop_threshold_cost_micros_usd",
            options.capacity_cost_micros_usd,
            options.stop_threshold_cost_micros_usd,
        )?;
        let store = options.store.as_ref();
        Key::parse("name", &options.name)?;
        check_most(store, "capacity_tokens", options.capacity_tokens)?;
        check_most(store, "capacity_cost_micros_usd", options.capacity_cost_micros_usd)?;
        let core = core(store, options.clock, options.policy)?;
        let stored = Stored { store, class: "SharedPool", id: &options.name, parts: &[] };
        let limits = [tokens, cost];
        let meters = limits.iter().map(|limit| stored.meter(limit.clone(), Window::Lifetime));
        let account = stored.account_with(&limits, meters.collect(), |meters| {
            Account::new(&core, Key::fixed("pool"), Code::ThresholdExceeded, meters)
        })?;
        let stop = [options.stop_threshold_tokens, options.stop_threshold_cost_micros_usd];
        Ok(Self { account, stop })
    }

    /// Holds the estimate until the lease ends, or refuses and changes nothing.
    #[inline(always)] // a request is large: not copied on its way
    pub fn reserve(&self, request: Request) -> Result<Lease, Error> {
        self.reserve_now(&request)
    }

    #[inline]
    fn reserve_now(&self, request: &Request) -> Result<Lease, Error> {
        self.check_cap(request)?;
        let demands = &demands(&request.estimate);
        reserve_one(AskPart::alone(&self.account, demands), request)
    }

    /// [`reserve`](Self::reserve) that waits in this thread, behind earlier waits. A request that
    /// can never fit is refused at once.
    pub fn reserve_blocking(
        &self,
        request: Request,
        timeout: Option<Duration>,
    ) -> Result<Lease, Error> {
        match self.reserve_now(&request) {
            Err(Error::Denied(denied)) if denied.code == Code::ThresholdExceeded => {
                reserve_blocking(&[self.ask(&request.estimate)], request, timeout)
            }
            other => other,
        }
    }

    /// Queues for a lease. `mailbox` is notified when the wait has ended.
    pub fn wait(
        &self,
        request: Request,
        timeout: Option<Duration>,
        mailbox: Arc<Mailbox>,
    ) -> Result<Wait, Error> {
        self.check_cap(&request)?;
        Wait::for_lease(&[self.ask(&request.estimate)], request, timeout, mailbox)
    }

    /// Refuses a request whose estimate is above its own cap.
    #[inline]
    fn check_cap(&self, request: &Request) -> Result<(), Error> {
        match request.request_budget.broken_by(&request.estimate) {
            None => Ok(()),
            Some((unit, cap, asked)) => {
                self.account.here()?;
                Err(Denied::by_request(unit, cap, asked).into())
            }
        }
    }

    /// The ask of a request of `estimate`.
    pub fn ask(&self, estimate: &UsageEstimate) -> Ask {
        Ask::new(&self.account, demands(estimate).into())
    }

    /// Ends `lease` with its usage, which is booked in any case. Then refuses if the usage broke
    /// the own cap of the request.
    pub fn record_used(&self, lease: &Lease, actual: impl Into<Actual>) -> Result<(), Error> {
        let actual = actual.into();
        if !lease.is_of(&self.account) && !lease.is_of(self.account.here_shared()?) {
            return Err(LeaseError::Unknown.into());
        }
        let usage = actual.by_ref().usage(lease.estimate());
        lease.commit(actual)?;
        match lease.request_budget().broken_by(&usage) {
            Some((unit, cap, used)) => Err(Denied::by_request(unit, cap, used).into()),
            None => Ok(()),
        }
    }

    /// What is left, counted from the capacity.
    pub fn remaining(&self) -> Result<Remaining, Error> {
        self.account.read(|meters, _| {
            let left = [meters[0].remaining(), meters[1].remaining()];
            let low = |index: usize| left[index].is_some_and(|left| left <= self.stop[index]);
            Remaining {
                tokens: left[0],
                cost_micros_usd: left[1],
                below_threshold: low(0) || low(1),
            }
        })
    }

    /// The committed usage, with the charges for unsettled leases.
    pub fn committed(&self) -> Result<Usage, Error> {
        self.account.committed()
    }

    /// What open leases hold.
    pub fn reserved(&self) -> Result<Usage, Error> {
        self.account.reserved()
    }

    /// The open leases, oldest first.
    pub fn open_leases(&self) -> Result<Vec<Lease>, Error> {
        self.account.open_leases()
    }

    /// Whether money is limited.
    pub fn cost_capped(&self) -> Result<bool, Error> {
        self.account.read(|meters, _| meters[1].limit().is_some())
    }

    /// The account behind it. In a forked child: that of this process, if it can be made.
    pub fn account(&self) -> &Arc<Account> {
        self.account.here_shared().unwrap_or(&self.account)
    }
}

fn demands(estimate: &UsageEstimate) -> [Demand; 2] {
    [Demand::new(TOKENS, estimate.total_tokens), Demand::new(COST, estimate.cost_micros_usd)]
}

fn pool_limit(
    unit: Unit,
    argument: &str,
    capacity: Option<u64>,
    stop: u64,
) -> Result<Limit, Invalid> {
    match capacity {
        None if stop > 0 => Err(Invalid::sentence(format!(
            "{argument} is {stop}, but the pool has no capacity to keep it from; give the capacity, \
             or leave the threshold at 0"
        ))),
        Some(capacity) if stop > capacity => {
            let allowed = format!("at most the capacity, {capacity}, not {stop}");
            Err(Invalid::policy(argument, &allowed))
        }
        _ => Ok(Limit::new(unit, capacity).stop(stop)),
    }
}
