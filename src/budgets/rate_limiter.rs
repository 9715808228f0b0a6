//! A rate limiter: a sliding window of actual usage, with waiting.

mod models;

use std::sync::Arc;
use std::time::Duration;

use smallvec::{SmallVec, smallvec};

use self::models::Models;
use super::stored::{Stored, check_most, core, span_text};

use crate::accounting::{
    Audience, BUCKETS, Clock, Code, Invalid, Key, Limit, Meter, RateHeaders, Terms, Unit,
    UsageEstimate, Window,
};
use crate::ledger::{
    Account, Ask, AskPart, Core, Demand, Error, Heritable, Lease, Mailbox, MeterIndex, Policy,
    Request, Sleeper, Wait, reserve_blocking, reserve_one,
};
use crate::store::Store;

const TOKENS: MeterIndex = MeterIndex(0);
/// The usual window of providers' limits.
const MINUTE: Duration = Duration::from_secs(60);

/// The options of a [`RateLimiter`], beside its limit.
#[derive(Clone, Debug)]
pub struct RateOptions {
    /// A caller is admitted while less than this share of the limit (above 0, at most 1) is used.
    /// Default 0.8.
    pub threshold: f64,
    /// How abandoned leases end.
    pub policy: Policy,
    /// The clock. With a store: that of the store.
    pub clock: Clock,
    /// Where the usage is kept, for all processes. Default: in this object alone.
    pub store: Option<Arc<Store>>,
    /// What tells the limiter from others in its store. Default "limiter".
    pub name: String,
}

impl Default for RateOptions {
    fn default() -> Self {
        let (policy, name) = (Policy::default(), "limiter".to_owned());
        Self { threshold: 0.8, policy, clock: Clock::System, store: None, name }
    }
}

/// How many tokens may be used in any span of a window.
///
/// ```
/// use outlay::{RateLimiter, RateOptions};
/// let limiter = RateLimiter::new(1_000, RateOptions::default())?;
/// assert!(limiter.try_acquire(200)?);
/// limiter.record_usage(900)?; // more than was asked for: it is booked
/// assert!(!limiter.try_acquire(0)?); // 80 % are used
/// # Ok::<(), outlay::Error>(())
/// ```
#[derive(Debug)]
pub struct RateLimiter {
    account: Arc<Account>,
    limit: u64,
    window: Duration,
    threshold: f64,
    models: Models,
}

impl RateLimiter {
    /// At most `tokens_per_minute` in any 60 seconds.
    pub fn new(tokens_per_minute: u64, options: RateOptions) -> Result<Self, Error> {
        Self::per(tokens_per_minute, MINUTE, options)
    }

    /// At most `tokens` in any span of `period`.
    pub fn per(tokens: u64, period: Duration, options: RateOptions) -> Result<Self, Error> {
        let RateOptions { threshold, policy, clock, store, name } = options;
        if !(threshold > 0.0 && threshold <= 1.0) {
            return Err(Invalid::policy("threshold", "a number above 0 and at most 1").into());
        }
        Key::parse("name", &name)?;
        check_most(store.as_ref(), "tokens", Some(tokens))?;
        let core = core(store.as_ref(), clock, policy)?;
        let stored = Stored {
            store: store.as_ref(),
            class: "RateLimiter",
            id: &name,
            parts: &[("window", &span_text(period))],
        };
        let (limit, window) = limit(&core, [tokens, gate(tokens, threshold)], period)?;
        let meters = smallvec![stored.meter(limit.clone(), window)];
        let account = stored.account_with(&[limit], meters, |meters| {
            Account::new(&core, Key::fixed("limiter"), Code::RateLimitExceeded, meters)
        })?;
        let models = Models::default();
        Ok(Self { account, limit: tokens, window: period, threshold, models })
    }

    /// Admits a caller, or not. `tokens` above zero are held until the next
    /// [`record_usage`](Self::record_usage), or for one bucket of the window.
    #[inline]
    pub fn try_acquire(&self, tokens: u64) -> Result<bool, Error> {
        Ok(self.account.take_admission(&[Demand::new(TOKENS, tokens)], |_| ())?.is_ok())
    }

    /// [`try_acquire`](Self::try_acquire), with the refusal as an error.
    #[inline]
    pub fn acquire(&self, tokens: u64) -> Result<(), Error> {
        self.account.take_admission(&[Demand::new(TOKENS, tokens)], |refused| refused.error())?
    }

    /// [`try_acquire`](Self::try_acquire) that waits in this thread, behind earlier waits.
    pub fn acquire_slot_blocking(
        &self,
        tokens: u64,
        timeout: Option<Duration>,
    ) -> Result<(), Error> {
        if self.try_acquire(tokens)? {
            return Ok(());
        }
        let sleeper = Sleeper::new();
        let wait = self.wait_for_slot(tokens, timeout, Mailbox::for_thread(&sleeper))?;
        wait.block(&sleeper).map(drop)
    }

    /// Queues for an admission. `mailbox` is notified when the wait has ended.
    pub fn wait_for_slot(
        &self,
        tokens: u64,
        timeout: Option<Duration>,
        mailbox: Arc<Mailbox>,
    ) -> Result<Wait, Error> {
        let ask = Ask::new(&self.account, smallvec![Demand::new(TOKENS, tokens)]);
        Wait::for_admission(Ask { terms: Terms::Gated, ..ask }, timeout, mailbox)
    }

    /// Holds the estimate against the full limit until the lease ends, or refuses.
    #[inline]
    pub fn reserve(&self, estimate: UsageEstimate, ttl: Option<Duration>) -> Result<Lease, Error> {
        let demands = &[Demand::new(TOKENS, estimate.total_tokens)];
        let ask = AskPart::alone(&self.account, demands);
        reserve_one(ask, &Request { ttl, ..estimate.into() })
    }

    /// [`reserve`](Self::reserve) that waits in this thread.
    pub fn reserve_blocking(
        &self,
        estimate: UsageEstimate,
        ttl: Option<Duration>,
        timeout: Option<Duration>,
    ) -> Result<Lease, Error> {
        let ask = self.ask(&estimate);
        reserve_blocking(&[ask], Request { ttl, ..estimate.into() }, timeout)
    }

    /// Queues for a lease. `mailbox` is notified when the wait has ended.
    pub fn wait(
        &self,
        estimate: UsageEstimate,
        ttl: Option<Duration>,
        timeout: Option<Duration>,
        mailbox: Arc<Mailbox>,
    ) -> Result<Wait, Error> {
        let ask = self.ask(&estimate);
        Wait::for_lease(&[ask], Request { ttl, ..estimate.into() }, timeout, mailbox)
    }

    /// The ask of a request of `estimate`.
    pub fn ask(&self, estimate: &UsageEstimate) -> Ask {
        Ask::new(&self.account, smallvec![Demand::new(TOKENS, estimate.total_tokens)])
    }

    /// The asks of a request of `estimate` that may name its model: of the limiter, and of what it
    /// has heard of that model.
    pub fn asks(
        &self,
        estimate: &UsageEstimate,
        model: Option<&str>,
    ) -> Result<SmallVec<[Ask; 2]>, Error> {
        let mut asks: SmallVec<[Ask; 2]> = smallvec![self.ask(estimate)];
        if let Some(model) = model {
            asks[0].terms = Terms::Named;
            let demands = smallvec![Demand::new(TOKENS, estimate.total_tokens)];
            asks.push(Ask::new(&self.model_account(model)?, demands));
        }
        Ok(asks)
    }

    /// The account of a model.
    fn model_account(&self, model: &str) -> Result<Arc<Account>, Error> {
        let core = self.account.here()?.core();
        let limits = [self.limit, gate(self.limit, self.threshold)];
        let meter =
            || limit(core, limits, self.window).map(|(limit, window)| Meter::new(limit, window));
        self.models.here()?.account(model, core, meter)
    }

    /// Books usage. Never refused. The oldest amount that [`try_acquire`](Self::try_acquire) and
    /// its like hold is released.
    pub fn record_usage(&self, tokens: u64) -> Result<(), Error> {
        self.account.record_admitted(&[Demand::new(TOKENS, tokens)])
    }

    /// What was used in the window.
    pub fn current_usage(&self) -> Result<u64, Error> {
        self.account.read(|meters, _| meters[0].used())
    }

    /// The time until [`try_acquire`](Self::try_acquire) could admit `tokens`: zero for now, `None`
    /// for never.
    pub fn retry_after(&self, tokens: u64) -> Result<Option<Duration>, Error> {
        self.account.retry_after(&[Demand::new(TOKENS, tokens)], Terms::Gated)
    }

    /// Updates the limit from the headers of a provider's response, for all calls. See
    /// [`hear`](Self::hear).
    pub fn observe<'a>(
        &self,
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
        status: u16,
    ) -> Result<(), Error> {
        let said = RateHeaders::read(headers, self.account.core().clock().wall_ns());
        self.hear(&said, status, None)
    }

    /// Updates the limit from what a provider's response says: no more than the provider reports is
    /// ever admitted. After status 429 nothing is admitted until the reported time, and then at most
    /// a slot's worth in each slot of one window. With a `model`, all this holds for its calls,
    /// and for those that do not name theirs.
    pub fn hear(&self, said: &RateHeaders, status: u16, model: Option<&str>) -> Result<(), Error> {
        let hear = |account: &Account, to| {
            account.adjust(|meters, now| meters[0].hear(said, status, to, now.tick))
        };
        let Some(model) = model else { return hear(&self.account, Audience::Whole) };
        hear(&self.account, Audience::Nameless)?;
        hear(&*self.model_account(model)?, Audience::Whole)
    }

    /// Tokens in a window.
    pub const fn limit(&self) -> u64 {
        self.limit
    }

    /// The length of the window.
    pub const fn window(&self) -> Duration {
        self.window
    }

    /// The share of the limit from which on no caller is admitted.
    pub const fn threshold(&self) -> f64 {
        self.threshold
    }

    /// The account behind it. In a forked child: that of this process, if it can be made.
    pub fn account(&self) -> &Arc<Account> {
        self.account.here_shared().unwrap_or(&self.account)
    }
}

/// A limit with this gate, and its window.
fn limit(
    core: &Core,
    [tokens, gate]: [u64; 2],
    period: Duration,
) -> Result<(Limit, Window), Invalid> {
    let window = Window::sliding(period, BUCKETS, core.clock().tick())?;
    Ok((Limit::new(Unit::Tokens, Some(tokens)).gate(gate), window))
}

/// The least usage that is not below `threshold` of `limit`.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a limit; both are positive, and a cast to an integer saturates"
)]
fn gate(limit: u64, threshold: f64) -> u64 {
    ((limit as f64 * threshold).ceil() as u64).min(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gate_is_the_least_usage_that_is_not_below_the_threshold() {
        for (limit, threshold, expected) in
            [(1000, 0.8, 800), (10, 0.75, 8), (1, 0.8, 1), (0, 0.8, 0), (7, 1.0, 7)]
        {
            assert_eq!(gate(limit, threshold), expected, "{limit} x {threshold}");
        }
        assert_eq!(gate(u64::MAX, 1.0), u64::MAX);
    }

    #[test]
    fn a_threshold_that_is_no_share_is_refused() {
        for threshold in [0.0, -0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert!(
                RateLimiter::new(1, RateOptions { threshold, ..RateOptions::default() }).is_err()
            );
        }
    }
}
