//! The parker of a waiting thread. It uses the lock and the condition variable of std: they keep no
//! table of sleeping threads that a fork could copy while it changes.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Parks one thread until it is woken.
#[derive(Debug, Default)]
pub struct Sleeper {
    woken: Mutex<bool>,
    condition: Condvar,
}

impl Sleeper {
    /// The longest sleep: 10 s. The timers of an operating system do not count the time in which
    /// the machine was suspended. What became due meanwhile is noticed this long after it woke up.
    pub const LONGEST: Duration = Duration::from_secs(10);

    /// A parker that nobody has woken yet.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Sleeps until it is woken, or for `limit`, at most [`LONGEST`](Self::LONGEST). If it was woken
    /// before, it returns at once.
    pub fn sleep(&self, limit: Option<Duration>) {
        let mut woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
        if !*woken {
            woken = match limit {
                None => self.condition.wait(woken).unwrap_or_else(PoisonError::into_inner),
                Some(limit) => {
                    let result = self.condition.wait_timeout(woken, limit.min(Self::LONGEST));
                    result.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        *woken = false;
    }

    /// Wakes the thread.
    pub fn wake(&self) {
        *self.woken.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.condition.notify_all();
    }
}
