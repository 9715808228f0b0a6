//! The supply as the accounts see it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use outlay::store::OnDown;
use outlay::{Changes, Lack};
use parking_lot::Mutex;

/// It only keeps what the accounts say.
#[derive(Debug, Default)]
pub(super) struct Link {
    pub(super) away: AtomicBool,
    pub(super) changes: Mutex<Vec<(u128, Changes)>>,
    /// Limits of which there is news.
    pub(super) news: Mutex<Vec<u128>>,
}

impl outlay::Supply for Link {
    fn short(&self, limit: u128) {
        self.news.lock().push(limit);
    }

    fn surplus(&self, limit: u128) {
        self.news.lock().push(limit);
    }

    fn changed(&self, limit: u128, changes: Changes) {
        self.changes.lock().push((limit, changes));
    }

    fn timeout(&self) -> Duration {
        Duration::ZERO
    }

    fn passes_when_away(&self, lack: &Lack) -> Option<bool> {
        let passes = || {
            let Lack { share, taken, asked, .. } = *lack;
            outlay::store::passes_when_down(OnDown::Deny, None, share, taken, asked)
        };
        self.away.load(Ordering::Relaxed).then(passes)
    }
}
