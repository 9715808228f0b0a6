//! A forked child does nothing with the waits of its parent. Alone in its file: the number of
//! forks is one for the whole process.
#![cfg(not(loom))]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;
use std::time::Duration;

use outlay::{
    Clock, Error, Mailbox, ManualClock, PoolOptions, SharedPool, Sleeper, Usage, Wait,
    after_fork_in_child,
};

const SECOND: Duration = Duration::from_secs(1);

fn pool(clock: Clock) -> SharedPool {
    let options = PoolOptions { capacity_tokens: Some(10), clock, ..PoolOptions::default() };
    SharedPool::new(options).unwrap()
}

#[test]
fn a_child_refuses_to_wait_and_leaves_the_waits_of_its_parent_alone() {
    let manual = Arc::new(ManualClock::new());
    let request = || Usage::tokens(10).into();
    let pools = [pool(Clock::System), pool(Clock::Manual(Arc::clone(&manual)))];
    let mut waits = Vec::new();
    for pool in &pools {
        let join = |timeout| pool.wait(request(), timeout, Mailbox::new(|| ())).unwrap();
        waits.extend([join(None), join(None), join(Some(SECOND))]);
    }
    let sleeper = Sleeper::new();
    let mailbox = Mailbox::for_thread(&sleeper);
    waits.push(pools[0].wait(request(), Some(SECOND), Arc::clone(&mailbox)).unwrap());
    after_fork_in_child();
    for pool in &pools {
        let refused = pool.wait(request(), None, Mailbox::new(|| ()));
        assert!(matches!(refused, Err(Error::Forked)), "{refused:?}");
        assert!(matches!(pool.reserve_blocking(request(), None), Err(Error::Forked)));
    }
    manual.advance(2 * SECOND);
    mailbox.refresh();
    waits.iter().for_each(Wait::leave);
    drop(waits);
}
