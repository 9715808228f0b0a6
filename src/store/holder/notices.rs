//! What happens between a process and its store, for those who listen.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StoreEventKind {
    /// A request lacked a share.
    Short,
    /// A share has grown.
    Drawn,
    /// The store does not answer.
    Down,
    /// It answers again.
    Back,
    /// It has lost writes, and learns from all processes what they have.
    Forgot,
}

impl StoreEventKind {
    /// Its name: `short`, `drawn`, `store_down`, `store_back` or `forgot`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::Drawn => "drawn",
            Self::Down => "store_down",
            Self::Back => "store_back",
            Self::Forgot => "forgot",
        }
    }
}

/// Something that happened between a process and its store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreEvent {
    /// What.
    pub kind: StoreEventKind,
    /// The name of the limit, if it was about one.
    pub limit: Option<String>,
    /// How much was drawn.
    pub amount: Option<u64>,
    /// Why the store does not answer.
    pub problem: Option<String>,
}

impl StoreEvent {
    pub(super) const fn of(kind: StoreEventKind) -> Self {
        Self { kind, limit: None, amount: None, problem: None }
    }
}

type Hears = Arc<dyn Fn(&StoreEvent) + Send + Sync>;

/// Those who listen.
#[derive(Default)]
pub(super) struct Notices {
    any: AtomicBool,
    listeners: Mutex<Vec<Hears>>,
}

impl Notices {
    pub(super) fn add(&self, listener: Hears) {
        self.listeners.lock().push(listener);
        self.any.store(true, Ordering::Release);
    }

    /// Whether anybody listens.
    pub(super) fn is_heard(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    /// Calls all listeners. No lock is held.
    pub(super) fn tell(&self, event: &StoreEvent) {
        let listeners: Vec<Hears> = self.listeners.lock().clone();
        listeners.iter().for_each(|listener| listener(event));
    }
}

impl fmt::Debug for Notices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notices").field("any", &self.is_heard()).finish()
    }
}
