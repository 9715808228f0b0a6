//! The same accounts in both worlds, from one plan.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use outlay::{
    Account, Clock, Code, Core, EventKind, Key, Limit, ManualClock, Meter, Policy, Window,
};

use super::book;
use super::meter::{self, Kind};
use super::ops::{AccountPlan, MeterPlan, SECOND};

/// How long a lease lives that is not told.
pub(crate) const LEASE_TTL: u64 = 50 * SECOND;

pub(crate) type Told = Arc<Mutex<Vec<(usize, EventKind)>>>;

/// What `plan` says of one account, as the crate builds it.
pub(crate) fn real_account(
    index: usize,
    plan: &AccountPlan,
    clock: &Arc<ManualClock>,
    told: &Told,
) -> Arc<Account> {
    let policy = Policy {
        on_cancel: outlay::Unsettled::Charge,
        lease_ttl: Duration::from_nanos(LEASE_TTL),
        unsettled: plan.unsettled,
        on_error: plan.on_error,
    };
    let core = Core::new(Clock::Manual(Arc::clone(clock)), policy);
    let listener = Arc::clone(told);
    core.subscribe(move |event| {
        if let Ok(mut told) = listener.lock() {
            told.push((index, event.kind));
        }
    });
    let code = match plan.workflow {
        true => Code::WorkflowQuotaExceeded,
        false => Code::BudgetExceeded,
    };
    let key = Key::parse("id", &format!("account {index}")).unwrap();
    let now = core.clock().now(true);
    let meter = |plan: &MeterPlan| Meter::new(limit(plan), window(plan.kind, now));
    Account::new(&core, key, code, plan.meters.iter().map(meter))
}

/// The same account in the naive book.
pub(crate) fn naive_account(plan: &AccountPlan) -> book::Account {
    let meter = |plan: &MeterPlan| {
        let mut meter = meter::Meter::new(plan.unit, plan.max, plan.kind);
        (meter.hard, meter.stop, meter.warn_at) = (plan.hard, plan.stop, plan.warn_at);
        meter
    };
    book::Account {
        meters: plan.meters.iter().map(meter).collect(),
        unsettled: plan.unsettled,
        on_error: plan.on_error,
        closed: false,
    }
}

/// The limit of a meter.
pub(crate) fn limit(plan: &MeterPlan) -> Limit {
    let limit = Limit::new(plan.unit, plan.max).hard(plan.hard).stop(plan.stop);
    match plan.warn_at {
        Some(mark) => limit.warn_at(mark),
        None => limit,
    }
}

fn window(kind: Kind, now: outlay::Moment) -> Window {
    match kind {
        Kind::Lifetime => Window::Lifetime,
        Kind::Gauge => Window::Gauge,
        Kind::Fixed(period) => Window::fixed(Duration::from_nanos(period), now.tick).unwrap(),
        Kind::Calendar(unit) => Window::calendar(unit, "UTC", now).unwrap(),
        Kind::Sliding { width, slots } => {
            let period = Duration::from_nanos(width * u64::from(slots));
            Window::sliding(period, slots, now.tick).unwrap()
        }
    }
}
