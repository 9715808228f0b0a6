//! What the accounts of one budget, pool or manager share: the clock, the policy, the listeners and
//! the sweep.

pub(crate) mod event;
mod listeners;
pub(crate) mod policy;
pub(crate) mod sweep;

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use once_cell::race::OnceBox;

use self::event::{Event, EventKind};
use self::listeners::{EventListeners, Listener};
use self::policy::Policy;
use self::sweep::Sweep;
use super::error::Error;
use super::fork;
use super::supply::Supply;
use crate::accounting::Clock;

/// What the accounts of one budget, pool or manager share.
pub struct Core {
    clock: Clock,
    policy: Policy,
    generation: u64,
    /// The [bits](EventKind::bit) of the kinds of events that somebody listens to.
    heard: AtomicU16,
    listeners: EventListeners,
    /// How a forked child makes its account, as the account knows it.
    pub(crate) recipe: OnceBox<Box<dyn Any + Send + Sync>>,
    pub(crate) sweep: Sweep,
    /// What brings the shares of meters whose limits other processes share.
    supply: Option<Arc<dyn Supply>>,
}

impl Core {
    /// A core whose accounts read their time from `clock`.
    pub fn new(clock: Clock, policy: Policy) -> Arc<Self> {
        Self::of(clock, policy, None)
    }

    /// The same, where `supply` brings the shares of [shared](crate::Meter::shared) meters.
    pub fn shared(clock: Clock, policy: Policy, supply: Arc<dyn Supply>) -> Arc<Self> {
        Self::of(clock, policy, Some(supply))
    }

    fn of(clock: Clock, policy: Policy, supply: Option<Arc<dyn Supply>>) -> Arc<Self> {
        Arc::new(Self {
            clock,
            policy,
            generation: fork::generation(),
            heard: AtomicU16::new(0),
            listeners: EventListeners::default(),
            recipe: OnceBox::new(),
            sweep: Sweep::new(),
            supply,
        })
    }

    /// The clock.
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What brings the shares of shared meters, if anything does.
    pub const fn supply(&self) -> Option<&Arc<dyn Supply>> {
        self.supply.as_ref()
    }

    /// How abandoned leases end.
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Calls `listener` for every event from now on, never under a lock.
    pub fn subscribe(&self, listener: impl Fn(&Event) + Send + Sync + 'static) {
        self.add_listener(u16::MAX, Arc::new(listener));
    }

    /// The same for events of one kind. Nobody makes the others for it.
    pub fn subscribe_to(&self, kind: EventKind, listener: impl Fn(&Event) + Send + Sync + 'static) {
        self.add_listener(kind.bit(), Arc::new(listener));
    }

    fn add_listener(&self, kinds: u16, listener: Listener) {
        self.listeners.add(kinds, listener);
        // Release pairs with the load in `heard`: a thread that reads a bit also sees the listener.
        self.heard.fetch_or(kinds, Ordering::Release);
    }

    /// Notifies the listeners of an event that no account caused.
    pub(crate) fn publish(&self, event: &Event) {
        if self.hears(event.kind) {
            self.tell(event);
        }
    }

    /// Whether anybody listens to anything.
    #[inline]
    pub(crate) fn listening(&self) -> bool {
        self.heard() != 0
    }

    /// Whether anybody listens to events of a kind.
    #[inline]
    pub(crate) fn hears(&self, kind: EventKind) -> bool {
        self.heard() & kind.bit() != 0
    }

    #[inline]
    fn heard(&self) -> u16 {
        self.heard.load(Ordering::Acquire)
    }

    /// Calls the listeners. The caller holds no lock.
    pub(crate) fn tell(&self, event: &Event) {
        let bit = event.kind.bit();
        for (_, listener) in self.listeners.iter().filter(|(kinds, _)| kinds & bit != 0) {
            listener(event);
        }
    }

    /// Notifies the listeners of `parent`, too: that of the parent process.
    pub(crate) fn take_listeners(&self, parent: &Self) {
        for (kinds, listener) in parent.listeners.iter() {
            self.add_listener(kinds, Arc::clone(listener));
        }
    }

    /// The number of forks before the process that made it.
    #[inline]
    pub(crate) const fn generation(&self) -> u64 {
        self.generation
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
