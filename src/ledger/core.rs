//! What the accounts of one budget, pool or manager share: the clock, the policy, the listeners and
//! the sweep.

pub(crate) mod event;
pub(crate) mod policy;
pub(crate) mod sweep;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use smallvec::SmallVec;

use self::event::Event;
use self::policy::Policy;
use self::sweep::Sweep;
use super::error::Error;
use super::fork;
use super::sync::Mutex;
use crate::accounting::Clock;

type Listener = Arc<dyn Fn(&Event) + Send + Sync>;

/// What the accounts of one budget, pool or manager share.
pub struct Core {
    clock: Clock,
    policy: Policy,
    generation: u64,
    listening: AtomicBool,
    listeners: Mutex<Vec<Listener>>,
    pub(crate) sweep: Sweep,
}

impl Core {
    /// A core whose accounts read their time from `clock`.
    pub fn new(clock: Clock, policy: Policy) -> Arc<Self> {
        Arc::new(Self {
            clock,
            policy,
            generation: fork::generation(),
            listening: AtomicBool::new(false),
            listeners: Mutex::new(Vec::new()),
            sweep: Sweep::new(),
        })
    }

    /// The clock.
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// How abandoned leases end.
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Calls `listener` for every event from now on, never under a lock.
    pub fn subscribe(&self, listener: impl Fn(&Event) + Send + Sync + 'static) {
        self.listeners.lock().push(Arc::new(listener));
        // Release pairs with the load in `listening`: a thread that reads true also sees the
        // listener.
        self.listening.store(true, Ordering::Release);
    }

    /// Notifies the listeners of an event that no account caused.
    pub(crate) fn publish(&self, event: &Event) {
        if self.listening() {
            self.tell(event);
        }
    }

    /// Whether anybody listens.
    #[inline]
    pub(crate) fn listening(&self) -> bool {
        self.listening.load(Ordering::Acquire)
    }

    /// Calls the listeners. The caller holds no lock.
    pub(crate) fn tell(&self, event: &Event) {
        // Nearly always one: kept without an allocation while it is called.
        let listeners: SmallVec<[Listener; 2]> = self.listeners.lock().iter().cloned().collect();
        for listener in &listeners {
            listener(event);
        }
    }

    /// Fails if this process is a forked child of the process that made the account.
    #[inline]
    pub(crate) fn same_process(&self) -> Result<(), Error> {
        if self.generation == fork::generation() { Ok(()) } else { Err(Error::Forked) }
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core").field("clock", &self.clock).field("policy", &self.policy).finish()
    }
}
