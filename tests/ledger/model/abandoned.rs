//! Leases that end without a commit: what each account's own policy makes of them.

use outlay::{Abandoned, EventKind, LeaseState, OnError, Unit, Unsettled, Usage};

use super::book::{Book, Part};

impl Book {
    /// After `requests` requests. What counts requests is kept where they were made; tokens and
    /// money are charged as the account says, once for each request that may be under way.
    pub(crate) fn abandon(&mut self, index: usize, why: Abandoned, requests: u64) {
        let lease = self.leases[index].clone();
        if lease.state != LeaseState::Open {
            return;
        }
        self.leases[index].state = LeaseState::Released;
        let calls = (requests != 1).then_some(requests);
        for part in &lease.parts {
            let account = &self.accounts[part.account];
            let charged = match why {
                Abandoned::Unsettled => account.unsettled == Unsettled::Charge,
                Abandoned::Error => account.on_error == OnError::Charge,
                Abandoned::Unbilled => false,
                Abandoned::Cancelled => true,
            };
            if charged {
                let times = if why == Abandoned::Cancelled { requests } else { 1 };
                let mut usage = lease.estimate.clone();
                for field in [
                    &mut usage.input_tokens,
                    &mut usage.output_tokens,
                    &mut usage.total_tokens,
                    &mut usage.cost_micros_usd,
                ] {
                    *field = field.saturating_mul(times);
                }
                self.commit_part(index, &lease, part, &usage, calls);
                self.leases[index].booked_in.push(part.account);
                self.leases[index].state = LeaseState::Committed;
                self.leases[index].committed = Some(usage);
            } else if why != Abandoned::Unsettled && self.holds_requests(part) {
                self.commit_part(index, &lease, part, &Usage::zero(), calls);
            } else {
                self.told.push((part.account, EventKind::Released));
            }
        }
    }

    fn holds_requests(&self, part: &Part) -> bool {
        let unit = |meter: usize| self.accounts[part.account].meters[meter].unit;
        part.holds.iter().any(|&(meter, ..)| {
            matches!(
                unit(meter),
                Unit::Calls
                    | Unit::ToolCalls
                    | Unit::Steps
                    | Unit::Workflows
                    | Unit::Jobs
                    | Unit::Actions
            )
        })
    }
}
