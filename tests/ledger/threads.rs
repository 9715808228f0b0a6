//! Real threads on one account: admitted is exactly the limit, and the threads did meet.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use outlay::{
    Abandoned, Account, Actual, AgentTokenBudget, Ask, BudgetLimit, BudgetManager, Clock, Code,
    Core, Demand, Key, Limit, ManualClock, Meter, Policy, PoolOptions, Request, SharedPool,
    TokenBudgetOptions, Unit, Usage, Window, WorkflowQuota,
};

const THREADS: usize = 8;
const ROUNDS: u64 = 200;
/// Not a multiple of the threads, so that the end is shared.
const LIMIT: u64 = 101;
const HOUR: Duration = Duration::from_secs(3600);

fn clock() -> Clock {
    Clock::Manual(Arc::new(ManualClock::new()))
}

/// Every thread asks until it is refused, from the same start; what was admitted by each thread.
fn crowd(admit: impl Fn() -> bool + Sync) -> [u64; THREADS] {
    let start = Barrier::new(THREADS);
    let mut admitted = [0; THREADS];
    std::thread::scope(|scope| {
        let ask = || {
            start.wait();
            let mut count = 0;
            while admit() {
                count += 1;
                // Two cores: without this a thread may take all before the next one runs.
                std::thread::yield_now();
            }
            count
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(ask)).collect();
        for (count, thread) in admitted.iter_mut().zip(threads) {
            *count = thread.join().unwrap();
        }
    });
    admitted
}

/// 200 rounds of [`crowd`]: exactly the limit each time, and in most rounds several threads had
/// a part of it.
fn exactly_the_limit<T: Sync>(new: impl Fn() -> T, admit: impl Fn(&T) -> bool + Sync) {
    let mut contended = 0;
    for round in 0..ROUNDS {
        let account = new();
        let admitted = crowd(|| admit(&account));
        assert_eq!(admitted.iter().sum::<u64>(), LIMIT, "round {round}: {admitted:?}");
        contended += u64::from(admitted.iter().filter(|count| **count > 0).count() > 1);
    }
    assert!(contended > ROUNDS / 10, "the threads met in {contended} of {ROUNDS} rounds only");
}

#[test]
fn eight_threads_on_one_token_budget_get_exactly_the_limit() {
    let new = || {
        let options = TokenBudgetOptions { clock: clock(), ..TokenBudgetOptions::default() };
        AgentTokenBudget::new("a", LIMIT, HOUR, options).unwrap()
    };
    exactly_the_limit(new, |budget| budget.consume("query", 1).is_ok());
}

#[test]
fn eight_threads_on_one_agent_of_a_manager_get_exactly_the_limit() {
    let new = || {
        let manager = BudgetManager::new(clock(), Policy::default());
        let limit = BudgetLimit {
            agent_id: "a".into(),
            token_budget: Some(LIMIT),
            calls_budget: None,
            window: Some(HOUR),
        };
        manager.set_budget(&limit).unwrap();
        manager
    };
    exactly_the_limit(new, |manager| manager.reserve("a", 1).is_ok());
}

#[test]
fn eight_threads_on_one_workflow_get_exactly_its_steps() {
    let new = || {
        let quota = WorkflowQuota::new(1, LIMIT, HOUR, clock()).unwrap();
        quota.begin_workflow("w", false).unwrap()
    };
    exactly_the_limit(new, |token| token.execute_step(1).is_ok());
}

#[test]
fn eight_threads_on_one_quota_begin_exactly_its_workflows() {
    let new = || (WorkflowQuota::new(LIMIT, 1, HOUR, clock()).unwrap(), AtomicU64::new(0));
    exactly_the_limit(new, |(quota, next)| {
        let id = next.fetch_add(1, Ordering::Relaxed).to_string();
        quota.begin_workflow(&id, false).is_ok()
    });
}

#[test]
fn eight_threads_on_one_pool_get_exactly_the_capacity() {
    let new = || {
        let options = PoolOptions {
            capacity_tokens: Some(LIMIT + 9),
            stop_threshold_tokens: 9,
            capacity_cost_micros_usd: Some(10 * LIMIT),
            clock: clock(),
            ..PoolOptions::default()
        };
        SharedPool::new(options).unwrap()
    };
    exactly_the_limit(new, |pool| match pool.reserve(Usage::priced(1, 10).into()) {
        Ok(lease) => lease.commit(Actual::Estimate).is_ok(),
        Err(_) => false,
    });
}

#[test]
fn requests_over_two_accounts_get_exactly_the_smaller_limit() {
    let new = || {
        let core = Core::new(clock(), Policy::default());
        [account(&core, LIMIT), account(&core, 2 * LIMIT)]
    };
    let turn = AtomicU64::new(0);
    exactly_the_limit(new, |[a, b]| {
        let mut asks = [ask(a, 1), ask(b, 1)];
        // Half of the requests name the accounts the other way round.
        if turn.fetch_add(1, Ordering::Relaxed) % 2 == 1 {
            asks.reverse();
        }
        outlay::charge(&asks).is_ok()
    });
}

fn account(core: &Arc<Core>, max: u64) -> Arc<Account> {
    let meter = Meter::new(Limit::new(Unit::Tokens, Some(max)), Window::Lifetime);
    Account::new(core, Key::parse("id", "a").unwrap(), Code::BudgetExceeded, [meter])
}

fn ask(account: &Arc<Account>, amount: u64) -> Ask {
    Ask::new(account, [Demand::new(0, amount)].into_iter().collect())
}

/// A small generator of numbers: the same every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// One lease over some of the accounts, ended at random; what must be used by it in each account.
fn random_lease(accounts: &[Arc<Account>], dice: &mut Dice) -> [i64; 3] {
    let estimate = 1 + dice.roll(9);
    let wanted = 1 + usize::try_from(dice.roll(7)).unwrap();
    let mut asks: Vec<(usize, Ask)> = (0..accounts.len())
        .filter(|index| wanted >> index & 1 == 1)
        .map(|index| (index, ask(&accounts[index], estimate)))
        .collect();
    if dice.roll(2) == 1 {
        asks.reverse();
    }
    let mut used = [0; 3];
    let requests: Vec<Ask> = asks.iter().map(|(_, ask)| ask.clone()).collect();
    let Ok(lease) = outlay::reserve(&requests, &Request::from(Usage::tokens(estimate))) else {
        return used;
    };
    // Others get a turn while the lease is open.
    std::thread::yield_now();
    let booked = match dice.roll(7) {
        0 => {
            lease.release().unwrap();
            0
        }
        1 => {
            drop(lease);
            estimate
        }
        2 => {
            lease.abandon(Abandoned::Error);
            0
        }
        3 => {
            let copy = lease.clone();
            drop(lease);
            copy.commit(Actual::Estimate).unwrap();
            estimate
        }
        more => {
            let actual = dice.roll(2 * more);
            lease.commit(Actual::Tokens(actual)).unwrap();
            actual
        }
    };
    for (index, _) in asks {
        used[index] = i64::try_from(booked).unwrap();
    }
    used
}

#[test]
fn leases_over_three_accounts_with_random_ends_lose_and_invent_nothing() {
    let core = Core::new(clock(), Policy::default());
    let accounts = [account(&core, 40), account(&core, u64::MAX), account(&core, u64::MAX)];
    let watching = std::sync::atomic::AtomicBool::new(true);
    let (sums, most) = std::thread::scope(|scope| {
        let work = |seed| {
            let accounts = &accounts;
            move || {
                let mut dice = Dice(seed);
                let mut sums = [0_i64; 3];
                for _ in 0..4_000 {
                    let used = random_lease(accounts, &mut dice);
                    sums.iter_mut().zip(used).for_each(|(sum, used)| *sum += used);
                    // The small account is emptied now and then, or it would refuse for ever.
                    if dice.roll(50) == 0 {
                        let given = accounts[0].adjust(|meters, _| {
                            let used = meters[0].used();
                            meters[0].give_back(used);
                            used
                        });
                        sums[0] -= i64::try_from(given.unwrap()).unwrap();
                    }
                }
                sums
            }
        };
        let threads: Vec<_> = (0..THREADS as u64).map(|seed| scope.spawn(work(seed + 1))).collect();
        let watch = scope.spawn(|| most_open(&accounts[1], &watching));
        let watched = Watched(&watching);
        let mut sums = [0_i64; 3];
        for thread in threads {
            let part = thread.join().unwrap();
            sums.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
        }
        drop(watched);
        (sums, watch.join().unwrap())
    });
    for (account, sum) in accounts.iter().zip(sums) {
        let seen = account.read(|meters, _| (meters[0].used(), meters[0].reserved())).unwrap();
        assert_eq!((i64::try_from(seen.0).unwrap(), seen.1), (sum, 0));
        assert!(account.open_leases().unwrap().is_empty());
    }
    assert!(most > 1, "never were two leases open at once: the threads did not meet");
}

/// Says that nobody works any more when it is dropped, by a worker that panics too.
struct Watched<'a>(&'a std::sync::atomic::AtomicBool);

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// The most leases that were open at once, as long as somebody works.
fn most_open(account: &Arc<Account>, watching: &std::sync::atomic::AtomicBool) -> usize {
    let mut most = 0;
    while watching.load(Ordering::Relaxed) {
        most = most.max(account.open_leases().unwrap().len());
        std::thread::yield_now();
    }
    most
}
