//! How refusals are completed where the code and the unit do not say everything.

use std::any::Any;
use std::sync::Arc;

use crate::accounting::Denied;
use crate::ledger::claim::MeterIndex;
use crate::ledger::core::event::EventRule;

/// Completes the refusals of an account, and names its rules.
pub(crate) trait Naming: Send + Sync {
    /// Completes a refusal by that meter.
    fn name(&self, denied: &mut Denied, meter: MeterIndex);

    /// Itself, for others that find its account in a store and know what it is.
    fn kept(self: Arc<Self>) -> Option<Arc<dyn Any + Send + Sync>> {
        None
    }

    /// The place of a meter's rule in its policy. Of several meters that refuse, the first is named.
    fn place(&self, _meter: MeterIndex) -> Option<u32> {
        None
    }

    /// The rule of a meter, if the account has several rules.
    fn rule(&self, _meter: MeterIndex) -> Option<EventRule> {
        None
    }

    /// The share of the limit, in millionths, of a warning mark: 0 is the lowest mark.
    fn warn_share(&self, _meter: MeterIndex, _mark: u8) -> Option<u64> {
        None
    }

    /// Whether the account reports anything. Another one of the same rule may do it.
    fn tells(&self) -> bool {
        true
    }

    /// Whether the account reports its refusals. The counters of a guard do not: the guard does.
    fn tells_denied(&self) -> bool {
        true
    }
}

impl<F: Fn(&mut Denied, MeterIndex) + Send + Sync> Naming for F {
    fn name(&self, denied: &mut Denied, meter: MeterIndex) {
        self(denied, meter);
    }
}
