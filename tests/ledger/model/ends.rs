//! How leases end, in both worlds.

use std::time::Duration;

use outlay::{Actual, Error, LeaseError, LeaseState, Usage};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::book::No;
use super::driver::{Checked, Driver};
use super::ops::{Op, Said};
use super::tally;

impl Driver {
    /// True where it replaces what an expiry charged.
    pub(crate) fn commit(&mut self, at: usize, said: Said) -> Result<bool, TestCaseError> {
        let Some((index, handle)) = self.handle(at) else {
            return Ok(false);
        };
        let estimate = self.handles[index][handle].estimate().clone();
        let each = |op: fn(u64, u64) -> u64, by| {
            Usage::priced(op(estimate.total_tokens, by), op(estimate.cost_micros_usd, by))
        };
        let (actual, usage) = match said {
            Said::Estimate => (Actual::Estimate, estimate),
            Said::Equal => (Actual::Usage(estimate.clone()), estimate),
            Said::Tokens(n) => (Actual::Tokens(n), Usage::priced(n, estimate.cost_micros_usd)),
            Said::Less(n) => both(each(u64::saturating_sub, n)),
            Said::More(n) => both(each(u64::saturating_add, n)),
        };
        self.saturated |= usage.total_tokens == u64::MAX || usage.cost_micros_usd == u64::MAX;
        let expired = self.book.leases[index].state == LeaseState::Expired;
        let real = self.handles[index][handle].commit(actual);
        let naive = self.book.commit(index, usage);
        same_end(&real, &naive)?;
        if expired {
            tally::committed_late();
        }
        Ok(expired)
    }

    /// Ends a lease otherwise than by a commit, or makes or drops a handle of it.
    pub(crate) fn end(&mut self, at: usize, op: &Op) -> Checked {
        let Some((index, handle)) = self.handle(at) else {
            return Ok(());
        };
        let lease = &self.handles[index][handle];
        match op {
            Op::Release(_) => same_end(&lease.release(), &self.book.release(index)),
            Op::Extend(_, ttl) => {
                let real = lease.extend(Duration::from_nanos(*ttl));
                same_end(&real, &self.book.extend(index, *ttl))
            }
            Op::Abandon(_, why, requests) => {
                self.handles[index][handle].abandon_after(*why, *requests);
                self.book.abandon(index, *why, *requests);
                Ok(())
            }
            Op::Clone(_) => {
                let copy = lease.clone();
                prop_assert_eq!(copy.id(), lease.id());
                self.handles[index].push(copy);
                Ok(())
            }
            _ => {
                drop(self.handles[index].swap_remove(handle));
                if self.handles[index].is_empty() {
                    self.book.expire(index, self.book.now);
                }
                Ok(())
            }
        }
    }

    /// One of the handles that are there: the lease, and which of its handles.
    fn handle(&self, at: usize) -> Option<(usize, usize)> {
        let alive = |index: &usize| !self.handles[*index].is_empty();
        let alive: Vec<usize> = (0..self.handles.len()).filter(alive).collect();
        // Mostly one of the latest: it is more likely to be open.
        let from = if at.is_multiple_of(4) { 0 } else { alive.len().saturating_sub(4) };
        let index = *alive.get(from + (at / 4) % (alive.len() - from).max(1))?;
        Some((index, (at / 64) % self.handles[index].len()))
    }
}

fn same_end(real: &Result<(), Error>, naive: &Result<(), No>) -> Checked {
    match (real, naive) {
        (Ok(()), Ok(()))
        | (Err(Error::Lease(LeaseError::Expired)), Err(No::Expired))
        | (Err(Error::Lease(LeaseError::Finalized)), Err(No::Finalized)) => {}
        (real, naive) => prop_assert!(false, "end: real {real:?}, naive {naive:?}"),
    }
    Ok(())
}

fn both(usage: Usage) -> (Actual, Usage) {
    (Actual::Usage(usage.clone()), usage)
}
