//! The mailbox of a waiting thread or event loop: which waits have ended, and when to refresh an
//! account.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::sleeper::Sleeper;
use crate::accounting::{Clock, Follower, Tick};
use crate::ledger::account_id::AccountId;
use crate::ledger::sync::Mutex;

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// The mailbox of an event loop with many waits, or of a thread with one.
pub struct Mailbox {
    id: u64,
    /// Whether it belongs to one wait. Of such mailboxes only the first in a queue watches the
    /// clock.
    alone: bool,
    inbox: Mutex<Inbox>,
    wake: Box<dyn Fn() + Send + Sync>,
}

#[derive(Default)]
struct Inbox {
    posted: Vec<u64>,
    /// The accounts on which its waits are queued.
    watched: BTreeMap<AccountId, Watched>,
}

struct Watched {
    account: Weak<dyn Follower>,
    waits: usize,
    /// When to refresh the account. `None` if time alone changes nothing, or if its clock is moved
    /// by hand.
    refresh_at: Option<Tick>,
}

impl Mailbox {
    /// A mailbox for any number of waits. It calls `wake` when a wait has ended, or when the next
    /// refresh is earlier than scheduled. It holds no lock during the call.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        Self::of(false, Box::new(wake))
    }

    /// A mailbox for one wait.
    pub fn alone(wake: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        Self::of(true, Box::new(wake))
    }

    /// The mailbox of a sleeping thread.
    pub fn for_thread(sleeper: &Arc<Sleeper>) -> Arc<Self> {
        let sleeper = Arc::clone(sleeper);
        Self::alone(move || sleeper.wake())
    }

    fn of(alone: bool, wake: Box<dyn Fn() + Send + Sync>) -> Arc<Self> {
        // Relaxed: each number must be given once, and nothing else is ordered by it.
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        Arc::new(Self { id, alone, inbox: Mutex::new(Inbox::default()), wake })
    }

    /// The tickets of the waits that have ended since the last call, oldest end first.
    pub fn take_posted(&self) -> Vec<u64> {
        std::mem::take(&mut self.inbox.lock().posted)
    }

    /// Refreshes the accounts that are due, so that free capacity goes to the waits whose turn it
    /// is. Returns the time until the next refresh.
    pub fn refresh(&self) -> Option<Duration> {
        let now = Clock::System.precise_tick();
        let due: Vec<Weak<dyn Follower>> = {
            let mut inbox = self.inbox.lock();
            let watched = inbox.watched.values_mut();
            watched.filter_map(|watched| watched.take_if_due(now)).collect()
        };
        for account in due.iter().filter_map(Weak::upgrade) {
            account.moved();
        }
        self.next_refresh()
    }

    /// The time until the next refresh, or `None` if none is scheduled.
    pub fn next_refresh(&self) -> Option<Duration> {
        let now = Clock::System.precise_tick();
        let inbox = self.inbox.lock();
        let next = inbox.watched.values().filter_map(|watched| watched.refresh_at).min();
        next.map(|at| at.since(now))
    }

    pub(crate) const fn id(&self) -> u64 {
        self.id
    }

    pub(crate) const fn is_alone(&self) -> bool {
        self.alone
    }

    /// Notes that one more of its waits is queued on the account with that id. Takes no other lock
    /// under its own.
    pub(crate) fn watch(&self, id: AccountId, account: impl FnOnce() -> Weak<dyn Follower>) {
        let mut inbox = self.inbox.lock();
        let fresh = || Watched { account: account(), waits: 0, refresh_at: None };
        let watched = inbox.watched.entry(id).or_insert_with(fresh);
        watched.waits += 1;
    }

    /// Notes that one of its waits has left the queue of `account`.
    pub(crate) fn unwatch(&self, account: AccountId) {
        let mut inbox = self.inbox.lock();
        if let Some(watched) = inbox.watched.get_mut(&account) {
            watched.waits -= 1;
            if watched.waits == 0 {
                inbox.watched.remove(&account);
            }
        }
    }

    /// Schedules a refresh of `account`. Returns true if it is earlier than the one scheduled
    /// already.
    pub(crate) fn arm(&self, account: AccountId, at: Tick) -> bool {
        let mut inbox = self.inbox.lock();
        let Some(watched) = inbox.watched.get_mut(&account) else {
            return false;
        };
        let news = watched.refresh_at.is_none_or(|known| at < known);
        if news {
            watched.refresh_at = Some(at);
        }
        news
    }

    /// Posts that the wait with that ticket has ended.
    pub(crate) fn post(&self, ticket: u64) {
        self.inbox.lock().posted.push(ticket);
    }

    /// Wakes the owner. The caller holds no lock.
    pub(crate) fn wake(&self) {
        (self.wake)();
    }
}

impl Watched {
    /// The account, if it is due. The caller holds it until the lock of the mailbox is free, so
    /// that nothing is dropped under that lock.
    fn take_if_due(&mut self, now: Tick) -> Option<Weak<dyn Follower>> {
        self.refresh_at.take_if(|at| *at <= now).map(|_| Weak::clone(&self.account))
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox").field("id", &self.id).finish_non_exhaustive()
    }
}
