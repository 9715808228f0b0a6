//! The accounts of agents, models and repositories, and the limits that were set for them.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};

use super::settings::{AgentAllowance, ModelQuota, RepoAction, RepoLimit};
use crate::accounting::{
    BUCKETS, CalendarUnit, Code, Denied, Invalid, Key, LONGEST, Limit, Meter, Show, Subject, Unit,
    Window,
};
use crate::budgets::stored::{Stored, announce, check_most};
use crate::ledger::{Account, Accounts, Core, Error, MeterIndex, Naming, Silent};
use crate::store::Store;

/// Meter of agents and models: tokens of the day.
pub(super) const TOKENS: MeterIndex = MeterIndex(0);
/// Meters of agents: jobs of the day, and running jobs.
pub(super) const JOBS: MeterIndex = MeterIndex(1);
pub(super) const SLOTS: MeterIndex = MeterIndex(2);
/// Meters of models: jobs begun in the last hour, and cost for ever.
pub(super) const REQUESTS: MeterIndex = MeterIndex(1);
pub(super) const COST: MeterIndex = MeterIndex(2);
/// Meters of repositories: two kinds of actions of the day, and the cooldown after a failure.
pub(super) const PULL_REQUESTS: MeterIndex = MeterIndex(0);
pub(super) const ISSUES: MeterIndex = MeterIndex(1);
pub(super) const COOLDOWN: MeterIndex = MeterIndex(2);

/// The action that a cooldown stands for. It is known to this process alone.
const COOLED: &str = "cooldown";

/// Of so many accounts what has no limit is kept for ever too, in case a limit is set later.
const KEPT: usize = 1_024;
const HOUR: Duration = Duration::from_secs(3600);

type Opener = fn(&Opening, Key) -> Result<Arc<Account>, Error>;

/// What the accounts of a service share.
pub(super) struct Opening {
    pub(super) core: Arc<Core>,
    pub(super) store: Option<Arc<Store>>,
    /// Whether the store says what the limits are.
    pub(super) follows: bool,
    pub(super) showing: Arc<Showing>,
}

impl Opening {
    /// An account in the store, if there is one. `actions` tells meters of one unit apart.
    fn open(
        &self,
        (table, id): (&str, &Key),
        meters: impl Iterator<Item = (Limit, Window, &'static str)>,
        words: Words,
    ) -> Result<Arc<Account>, Error> {
        let stored = Stored {
            store: self.store.as_ref(),
            class: "AllowanceService",
            id: id.as_str(),
            parts: &[("table", table)],
        };
        let meter = |(limit, window, action)| {
            let parts = [("table", table), ("action", action)];
            let parts = if action.is_empty() { &parts[..1] } else { &parts[..] };
            let store = stored.store.filter(|_| action != COOLED);
            let meter = Stored { store, parts, ..stored }.meter(limit, window);
            if self.follows { meter.following() } else { meter }
        };
        stored.account(meters.map(meter).collect(), |meters| {
            let words = Arc::new(words);
            Account::named(&self.core, id.clone(), Code::AllowanceExceeded, meters, words)
        })
    }
}

/// Accounts by id, and the limits that were set for some of them.
pub(super) struct Limited<S> {
    opening: Arc<Opening>,
    open: Opener,
    accounts: Accounts,
    /// Written under the lock of the account, so that it matches the limits of the account.
    settings: RwLock<HashMap<Key, Arc<S>>>,
    /// The limits of every id that has none of its own.
    each: RwLock<Option<Each<S>>>,
    /// Accounts in the order in which they are checked. Its lock is a leaf.
    checked: Mutex<VecDeque<Weak<Account>>>,
}

struct Each<S> {
    setting: Arc<S>,
    limits: Vec<Limit>,
}

impl<S> Limited<S> {
    pub(super) fn new(opening: &Arc<Opening>, open: Opener) -> Self {
        let opening = Arc::clone(opening);
        let (accounts, settings) = (Accounts::default(), RwLock::default());
        let (each, checked) = (RwLock::new(None), Mutex::default());
        Self { opening, open, accounts, settings, each, checked }
    }

    /// The account with that id, if there is one.
    pub(super) fn find(&self, id: &Key) -> Option<Arc<Account>> {
        self.accounts.get(id.as_str())
    }

    /// The account with that id. A new one has no limits.
    pub(super) fn account(&self, id: &Key) -> Result<Arc<Account>, Error> {
        if let Some(account) = self.find(id) {
            return Ok(account);
        }
        // Held until the account exists: a thread that sets limits for all ids then finds it.
        let each = self.each.read();
        let account = (self.open)(&self.opening, id.clone())?;
        if let Some(each) = &*each {
            account.adjust(|meters, _| set_limits(meters, &each.limits))?;
        }
        let present = self.accounts.get_or_insert(Arc::clone(&account));
        if Arc::ptr_eq(&present, &account) {
            self.checked.lock().push_back(Arc::downgrade(&account));
            self.forget_few();
        }
        Ok(present)
    }

    /// Forgets two accounts for each new one, if they say nothing: no limit of their own is set,
    /// nothing is open, and their windows are over. The cost of a model that has a ceiling, or is one
    /// of few, counts for ever.
    fn forget_few(&self) {
        // Not within `remove_if`, which has a part of the set locked.
        let are_many = self.accounts.len() > KEPT;
        // An account of a store is found again while anybody has it.
        let is_stored = self.opening.store.is_some();
        for _ in 0..2 {
            let oldest = self.checked.lock().pop_front();
            let Some(account) = oldest.and_then(|account| account.upgrade()) else { continue };
            // Nothing but the set may hold it, beside this function. See the forgetting of a guard.
            let is_forgotten = self.says_nothing(&account, are_many)
                && self.accounts.remove_if(account.key().as_str(), |present| {
                    Arc::ptr_eq(present, &account)
                        && (is_stored || Arc::strong_count(present) == 2)
                        && self.says_nothing(present, are_many)
                });
            if !is_forgotten {
                self.checked.lock().push_back(Arc::downgrade(&account));
            }
        }
    }

    fn says_nothing(&self, account: &Account, are_many: bool) -> bool {
        let silent = if are_many { account.silent_within_limits() } else { account.silent() };
        silent == Silent::Now && !self.settings.read().contains_key(account.key())
    }

    /// The account with that id, if there is one or if limits are set for every id.
    pub(super) fn known(&self, id: &Key) -> Result<Option<Arc<Account>>, Error> {
        let is_set_for_each = self.each.read().is_some();
        if is_set_for_each { self.account(id).map(Some) } else { Ok(self.find(id)) }
    }

    /// The limits of that id, or those of every id.
    pub(super) fn setting(&self, id: &Key) -> Option<Arc<S>> {
        self.own(id.as_str())
            .or_else(|| self.each.read().as_ref().map(|each| Arc::clone(&each.setting)))
    }

    /// The limits that were set for that id.
    pub(super) fn own(&self, id: &str) -> Option<Arc<S>> {
        self.settings.read().get(id).cloned()
    }

    /// Removes the limits of an id. Used and reserved amounts stay. `limits` are unlimited, and
    /// apply if none are set for every id.
    pub(super) fn unset(&self, id: &Key, limits: &[Limit]) -> Result<(), Error> {
        let Some(account) = self.find(id) else { return Ok(()) };
        let each = self.each.read().as_ref().map(|each| each.limits.clone());
        account.adjust(|meters, _| {
            set_limits(meters, each.as_deref().unwrap_or(limits));
            self.settings.write().remove(id);
        })
    }

    /// Sets or changes the limits of every id that has none of its own, or removes them. To remove
    /// them, `limits` are unlimited. Used and reserved amounts stay.
    pub(super) fn set_each(&self, setting: Option<S>, limits: &[Limit]) -> Result<(), Error> {
        let accounts = {
            let mut each = self.each.write();
            let set = |setting| Each { setting: Arc::new(setting), limits: limits.to_vec() };
            let before = std::mem::replace(&mut *each, setting.map(set));
            if before.is_some() || each.is_some() { self.accounts.all() } else { Vec::new() }
        };
        // Not under that lock: a wait may be served, and listeners notified.
        accounts.iter().try_for_each(|account| {
            account.adjust(|meters, _| {
                if !self.settings.read().contains_key(account.key()) {
                    set_limits(meters, limits);
                }
            })
        })
    }

    /// Refuses a limit that the store does not keep.
    pub(super) fn check(&self, argument: &str, most: u64) -> Result<(), Invalid> {
        check_most(self.opening.store.as_ref(), argument, Some(most))
    }

    /// Takes limits of an id that its store knows already.
    pub(super) fn learn(&self, id: Key, setting: S, limits: &[Limit]) -> Result<(), Error> {
        self.account(&id)?.adjust(|meters, _| {
            for (meter, limit) in meters.iter_mut().zip(limits) {
                meter.learn_limit(limit);
            }
            self.settings.write().insert(id, Arc::new(setting));
        })
    }

    /// Sets or changes the limits of an id. Used and reserved amounts stay.
    pub(super) fn set(&self, id: Key, setting: S, limits: &[Limit]) -> Result<(), Error> {
        let account = self.account(&id)?;
        account.adjust(|meters, _| {
            set_limits(meters, limits);
            self.settings.write().insert(id, Arc::new(setting));
        })?;
        self.opening.store.as_ref().map_or(Ok(()), |store| announce(store, &account))
    }
}

fn set_limits(meters: &mut [Meter], limits: &[Limit]) {
    meters.iter_mut().zip(limits).for_each(|(meter, limit)| meter.set_limit(limit));
}

impl<S> fmt::Debug for Limited<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limited").field("accounts", &self.accounts).finish_non_exhaustive()
    }
}

impl RepoAction {
    /// The meter that counts it.
    pub(super) const fn meter(self) -> MeterIndex {
        match self {
            Self::PullRequest => PULL_REQUESTS,
            Self::Issue => ISSUES,
        }
    }
}

pub(super) fn agent_limits(allowance: &AgentAllowance) -> [Limit; 3] {
    [
        below(Unit::Tokens, allowance.daily_token_limit),
        at_most(Unit::Jobs, allowance.daily_job_limit).at_start(),
        at_most(Unit::Slots, allowance.concurrent_jobs),
    ]
}

pub(super) fn model_limits(quota: &ModelQuota) -> [Limit; 3] {
    [
        below(Unit::Tokens, quota.daily_token_budget),
        at_most(Unit::Calls, quota.hourly_rate_limit).at_start(),
        below(Unit::Cost, quota.cost_ceiling_micros_usd),
    ]
}

pub(super) fn repo_limits(limit: &RepoLimit) -> [Limit; 2] {
    [below(Unit::Actions, limit.max_daily_prs), below(Unit::Actions, limit.max_daily_issues)]
}

/// What the models of a service read of names and totals, when one of them is refused.
#[derive(Debug, Default)]
pub(super) struct Showing(AtomicU8);

impl Showing {
    pub(super) fn set(&self, show: Show) {
        // Relaxed: a refusal of this moment may still have the old texts.
        self.0.store(show as u8, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> Show {
        let number = usize::from(self.0.load(Ordering::Relaxed));
        Show::ALL.get(number).copied().unwrap_or_default()
    }
}

/// Completes the refusals of an account of allowances.
struct Words {
    /// What the sentence says it is about, with its name.
    subject: Option<Subject>,
    /// What ran out, by meter. The last one stands for all others.
    reasons: &'static [&'static str],
    showing: Arc<Showing>,
}

impl Naming for Words {
    fn name(&self, denied: &mut Denied, meter: MeterIndex) {
        let reason = self.reasons.get(usize::from(meter)).or(self.reasons.last());
        denied.reason = reason.map(|text| (*text).to_owned());
        denied.subject.clone_from(&self.subject);
        denied.show = self.showing.get();
        denied.shared = self.subject.is_some();
    }
}

/// A limit of `max`, where 0 means no limit.
fn at_most(unit: Unit, max: u64) -> Limit {
    Limit::new(unit, (max > 0).then_some(max))
}

/// The same. Jobs begin only while less than all of it is used or held.
fn below(unit: Unit, max: u64) -> Limit {
    if max > 0 { at_most(unit, max).gate(max) } else { at_most(unit, max) }
}

pub(super) fn open_agent(opening: &Opening, id: Key) -> Result<Arc<Account>, Error> {
    let core = &opening.core;
    let windows = [day(core)?, day(core)?, Window::Gauge];
    let meters = meters(agent_limits(&AgentAllowance::default()), windows, [""; 3]);
    let reasons =
        &["daily token limit exceeded", "daily job limit exceeded", "concurrent job limit reached"];
    let words = Words { subject: None, reasons, showing: Arc::clone(&opening.showing) };
    opening.open(("agent", &id), meters, words)
}

pub(super) fn open_model(opening: &Opening, id: Key) -> Result<Arc<Account>, Error> {
    let core = &opening.core;
    let hour = Window::sliding(HOUR, BUCKETS, core.clock().tick())?;
    let windows = [day(core)?, hour, Window::Lifetime];
    let meters = meters(model_limits(&ModelQuota::default()), windows, [""; 3]);
    let reasons = &[
        "global model token budget exceeded",
        "hourly rate limit exceeded",
        "cost ceiling reached",
    ];
    let subject = Some(Subject::Model(id.as_str().to_owned()));
    let words = Words { subject, reasons, showing: Arc::clone(&opening.showing) };
    opening.open(("model", &id), meters, words)
}

pub(super) fn open_repo(opening: &Opening, id: Key) -> Result<Arc<Account>, Error> {
    let windows = [day(&opening.core)?, day(&opening.core)?];
    let actions = meters(repo_limits(&RepoLimit::default()), windows, ["pr", "issue"]);
    // Requests ask it for zero, which passes unless it is closed.
    let cooldown = (Limit::new(Unit::Actions, Some(0)), Window::Lifetime, COOLED);
    let reasons = &[
        "daily pull request limit exceeded",
        "daily issue limit exceeded",
        "cooldown after failure",
    ];
    let meters = actions.chain([cooldown]);
    let subject = Some(Subject::Repo(id.as_str().to_owned()));
    let words = Words { subject, reasons, showing: Arc::clone(&opening.showing) };
    opening.open(("repo", &id), meters, words)
}

fn meters<const N: usize>(
    limits: [Limit; N],
    windows: [Window; N],
    actions: [&'static str; N],
) -> impl Iterator<Item = (Limit, Window, &'static str)> {
    let limits = limits.into_iter().zip(windows).zip(actions);
    limits.map(|((limit, window), action)| (limit, window, action))
}

fn day(core: &Core) -> Result<Window, Invalid> {
    Window::calendar(CalendarUnit::Day, "UTC", core.clock().now(true))
}

/// A duration that may be zero.
pub(super) fn checked_duration(argument: &str, duration: Duration) -> Result<(), Invalid> {
    if duration > LONGEST {
        return Err(Invalid::policy(argument, "at most 100 years"));
    }
    Ok(())
}
