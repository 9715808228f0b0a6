//! How refusals are completed where the code and the unit do not say everything.

use crate::accounting::{Denied, Key};
use crate::ledger::claim::MeterIndex;

/// Completes the refusals of an account, and names its rules.
pub(crate) trait Naming: Send + Sync {
    /// Completes a refusal by that meter.
    fn name(&self, denied: &mut Denied, meter: MeterIndex);

    /// The place of a meter's rule in its policy. Of several meters that refuse, the first is named.
    fn place(&self, _meter: MeterIndex) -> Option<u32> {
        None
    }

    /// The rule of a meter, if the account has several rules.
    fn rule(&self, _meter: MeterIndex) -> Option<Key> {
        None
    }
}

impl<F: Fn(&mut Denied, MeterIndex) + Send + Sync> Naming for F {
    fn name(&self, denied: &mut Denied, meter: MeterIndex) {
        self(denied, meter);
    }
}
