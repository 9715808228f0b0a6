//! What refusals are called where the code and the unit do not say it all.

use crate::accounting::{Denied, Key};

/// Names the refusals of an account, where its code and the unit do not say it all.
pub(crate) trait Naming: Send + Sync {
    /// Completes the refusal by a meter.
    fn name(&self, denied: &mut Denied, meter: u8);

    /// The rule that a meter is of, where an account has several.
    fn rule(&self, _meter: u8) -> Option<Key> {
        None
    }
}

impl<F: Fn(&mut Denied, u8) + Send + Sync> Naming for F {
    fn name(&self, denied: &mut Denied, meter: u8) {
        self(denied, meter);
    }
}
