//! A thread that sleeps until it is woken. std's lock and condition variable: they know no table of
//! sleeping threads that a fork could copy while another thread changes it.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// One thread's bed.
#[derive(Debug, Default)]
pub struct Sleeper {
    woken: Mutex<bool>,
    condition: Condvar,
}

impl Sleeper {
    /// A sleeper that nobody has woken.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Sleeps until it is woken, or for `limit`. Woken before, it returns at once.
    pub fn sleep(&self, limit: Option<Duration>) {
        let mut woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
        if !*woken {
            woken = match limit {
                None => self.condition.wait(woken).unwrap_or_else(PoisonError::into_inner),
                Some(limit) => {
                    let result = self.condition.wait_timeout(woken, limit);
                    result.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        *woken = false;
    }

    /// Wakes it.
    pub fn wake(&self) {
        *self.woken.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.condition.notify_all();
    }
}
