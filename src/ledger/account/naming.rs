//! How refusals are completed where the code and the unit do not say everything.

use crate::accounting::{Denied, Key};

/// Completes the refusals of an account, and names its rules.
pub(crate) trait Naming: Send + Sync {
    /// Completes a refusal by that meter.
    fn name(&self, denied: &mut Denied, meter: u8);

    /// The rule of a meter, if the account has several rules.
    fn rule(&self, _meter: u8) -> Option<Key> {
        None
    }
}

impl<F: Fn(&mut Denied, u8) + Send + Sync> Naming for F {
    fn name(&self, denied: &mut Denied, meter: u8) {
        self(denied, meter);
    }
}
