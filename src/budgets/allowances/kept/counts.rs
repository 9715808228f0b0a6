//! Where a job counts, and for how long its end is known.

use std::sync::Arc;

use super::values::to_end_of_next_day;
use crate::accounting::Key;
use crate::budgets::allowances::accounts::REQUESTS;
use crate::budgets::allowances::service::AllowanceService;
use crate::budgets::facts::limits_of;
use crate::ledger::{Account, Demand, Error, MeterIndex};
use crate::store::LimitId;

impl AllowanceService {
    /// The limit of a meter in the store.
    pub(super) fn limit_in(&self, account: &Account, meter: MeterIndex) -> Result<LimitId, Error> {
        let limits = limits_of(account)?;
        Ok(limits.get(usize::from(meter)).copied().flatten().unwrap_or(LimitId(0)))
    }

    /// Counts a job in the hour of its model.
    pub(super) fn count_hour(&self, model: Option<&Key>) -> Result<Option<Arc<Account>>, Error> {
        let account = model.map(|model| self.models.account(model)).transpose()?;
        if let Some(account) = &account {
            account.record(&[Demand::new(REQUESTS, 1)])?;
        }
        Ok(account)
    }

    /// For how long an end is remembered, in microseconds.
    pub(super) fn remembered(&self) -> u64 {
        to_end_of_next_day(self.now().wall_ns)
    }
}
