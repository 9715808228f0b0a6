//! What has to agree: everything that shows.

use std::sync::Arc;

use outlay::{
    Account, Code, Denied, Error, EventKind, Kind as Refused, Lease, LeaseError, LeaseState,
};
use outlay::{Meter, Usage};
use proptest::prelude::*;

use super::book::{self, No};
use super::driver::{Asked, Checked, Driver, How, Shown, nanos};
use super::meter::{self, Kind};
use super::tally;

impl Driver {
    /// Law 1: what was admitted is within the limit.
    pub(crate) fn within_the_limit(&self, asked: &Asked) -> Checked {
        if matches!(asked.how, How::Check) {
            return Ok(());
        }
        for ask in &asked.asks {
            for &(meter, _) in &ask.demands {
                let rule = &self.book.accounts[ask.account].meters[meter];
                let (used, reserved, _) = self.shown()[ask.account][meter];
                if let (true, Some(max)) = (rule.hard, rule.max) {
                    let taken = u128::from(used) + u128::from(reserved);
                    prop_assert!(taken <= u128::from(max.saturating_sub(rule.stop)));
                }
            }
        }
        Ok(())
    }

    pub(crate) fn same_refusal(&self, error: &Error, no: &No, asked: &Asked) -> Checked {
        match (error, no) {
            (Error::Denied(denied), No::Closed { account }) => {
                let workflow = self.plans[*account].workflow;
                let code = if workflow { Code::WorkflowQuotaExceeded } else { Code::NotConfigured };
                prop_assert_eq!(denied.code, code);
                prop_assert_eq!(denied.remaining, 0);
                if asked.asks.len() == 1 {
                    prop_assert_eq!(denied.retry_after, None, "a closed account never opens");
                }
            }
            (Error::Denied(denied), No::Denied { account, meter, refusal }) => {
                let rule = &self.book.accounts[*account].meters[*meter];
                let code = self.accounts[*account].code();
                prop_assert_eq!(denied.code, code);
                prop_assert_eq!(denied.kind, Refused::of(code, rule.unit));
                prop_assert_eq!(denied.id.as_ref(), Some(self.accounts[*account].key()));
                let seen = book::Refusal {
                    limit: denied.limit,
                    used: denied.used,
                    reserved: denied.reserved,
                    requested: denied.requested,
                    remaining: denied.remaining,
                    resets_in: denied.resets_in.map(nanos),
                };
                prop_assert_eq!(&seen, refusal);
                self.same_way_out(denied, asked)?;
            }
            (Error::Lease(LeaseError::Expired), No::Expired)
            | (Error::Lease(LeaseError::Finalized), No::Finalized) => {}
            (error, no) => prop_assert!(false, "real {error:?}, naive {no:?}"),
        }
        Ok(())
    }

    /// `retry_after` is when the same request passes if nothing else happens, to the nanosecond.
    /// What is only held passes when leases end: it is when enough of them have run out.
    fn same_way_out(&self, denied: &Denied, asked: &Asked) -> Checked {
        let soft_admits = !matches!(asked.how, How::Check);
        let held = self.book.held(&asked.asks, soft_admits);
        prop_assert_eq!(denied.is_held(), held.is_some(), "held");
        let truth = held.unwrap_or_else(|| self.book.passes_in(&asked.asks, soft_admits));
        tally::way_out(truth.is_some());
        // The end of time, where a lease of that length runs out, is never.
        let said = denied.retry_after.map(nanos).filter(|wait| *wait < 1 << 60);
        // A window that lies in the future reports no more than its length, and may end later.
        if self.book.is_ahead(&asked.asks) {
            prop_assert!(said.is_some() || truth.is_none(), "retry_after");
        } else {
            prop_assert_eq!(said, truth, "retry_after");
        }
        Ok(())
    }

    /// used, reserved and remaining of every meter.
    pub(crate) fn shown(&self) -> Vec<Vec<Shown>> {
        let meter = |meter: &Meter| (meter.used(), meter.reserved(), meter.remaining());
        let account = |account: &Arc<Account>| {
            let read = account.read(|meters, _| meters.iter().map(meter).collect());
            read.unwrap_or_default()
        };
        self.accounts.iter().map(account).collect()
    }

    pub(crate) fn windows(&self) -> Vec<Vec<meter::Window>> {
        let count = |account: usize| 0..self.plans[account].meters.len();
        let windows = |account| count(account).map(|m| self.book.window(account, m)).collect();
        (0..self.accounts.len()).map(windows).collect()
    }

    /// Law 6: without a reset, a give-back or the end of a provisional charge, what a window has
    /// counted never becomes less.
    pub(crate) fn nothing_was_refunded(
        &self,
        before: &[Vec<Shown>],
        windows: &[Vec<meter::Window>],
    ) -> Checked {
        let (after, windows_after) = (self.shown(), self.windows());
        for (account, plan) in self.plans.iter().enumerate() {
            for (meter, rule) in plan.meters.iter().enumerate() {
                let same = windows[account][meter] == windows_after[account][meter];
                if same && !matches!(rule.kind, Kind::Sliding { .. }) {
                    prop_assert!(after[account][meter].0 >= before[account][meter].0);
                }
            }
        }
        Ok(())
    }

    pub(crate) fn compare(&mut self) -> Checked {
        for (index, account) in self.accounts.iter().enumerate() {
            let shown = account.read(|meters, _| {
                let show = |meter: &Meter| (meter.used(), meter.reserved(), meter.remaining());
                meters.iter().map(show).collect::<Vec<Shown>>()
            });
            let naive = |meter: usize| {
                let (used, reserved) =
                    (self.book.used(index, meter), self.book.reserved(index, meter));
                let max = self.book.accounts[index].meters[meter].max;
                let left = max.map(|max| max.saturating_sub(used).saturating_sub(reserved));
                (used, reserved, left)
            };
            let expected: Vec<Shown> = (0..self.plans[index].meters.len()).map(naive).collect();
            prop_assert_eq!(shown, Ok(expected), "account {}", index);
            self.compare_leases_of(index, account)?;
        }
        let handles = self.handles.iter().enumerate();
        for (index, lease) in handles.flat_map(|(i, all)| all.iter().map(move |one| (i, one))) {
            let naive = &self.book.leases[index];
            prop_assert_eq!(lease.state(), Ok(naive.state), "lease {}", index);
            let left = match naive.state {
                LeaseState::Open => naive.deadline - self.book.now,
                _ => 0,
            };
            prop_assert_eq!(
                lease.expires_in().map(|left| nanos(left).min(1 << 61)),
                Ok(left.min(1 << 61))
            );
        }
        self.compare_told()
    }

    pub(crate) fn compare_leases_of(&self, index: usize, account: &Arc<Account>) -> Checked {
        let of_account = |at: &usize| {
            let lease = &self.book.leases[*at];
            lease.state == LeaseState::Open
                && lease.parts.iter().any(|part| part.account() == index)
        };
        let open: Vec<usize> = (0..self.book.leases.len()).filter(of_account).collect();
        let ids = |leases: Vec<Lease>| leases.iter().map(Lease::id).collect::<Vec<u64>>();
        let handles = open.iter().filter_map(|&at| self.handles[at].first().map(Lease::id));
        prop_assert_eq!(account.open_leases().map(ids), Ok(handles.collect::<Vec<u64>>()));
        if !self.saturated {
            let estimates = open.iter().map(|&at| &self.book.leases[at].estimate);
            let reserved = estimates.fold(Usage::zero(), |sum, one| sum.saturating_add(one));
            prop_assert_eq!(account.reserved(), Ok(reserved));
            prop_assert_eq!(account.committed(), Ok(self.book.committed(index)));
        }
        Ok(())
    }

    pub(crate) fn compare_told(&mut self) -> Checked {
        let told = match self.told.lock() {
            Ok(mut told) => std::mem::take(&mut *told),
            Err(_) => Vec::new(),
        };
        let expected = std::mem::take(&mut self.book.told);
        let ran_out = expected.iter().filter(|told| told.1 == EventKind::Expired);
        ran_out.for_each(|_| tally::ran_out());
        for account in 0..self.accounts.len() {
            let of_account = |told: &[(usize, EventKind)]| {
                let kinds = told.iter().filter(|one| one.0 == account).map(|one| one.1);
                kinds.collect::<Vec<_>>()
            };
            prop_assert_eq!(of_account(&told), of_account(&expected), "events of {}", account);
        }
        Ok(())
    }
}
