//! The price of a call, and which cost is booked: that of the price, or the one that was reported.

use std::sync::Arc;

use super::Price;
use crate::accounting::usage::Usage;

/// Which cost of a call is booked, where one was reported with its usage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CostSource {
    /// The larger of the reported cost and that of the price.
    #[default]
    Larger,
    /// The reported cost.
    Provider,
    /// The cost of the price.
    Computed,
}

impl CostSource {
    /// The word of it in a policy.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Larger => "larger",
            Self::Provider => "provider",
            Self::Computed => "computed",
        }
    }

    /// The cost to book. A reported cost of 0 is none.
    pub fn of(self, reported: u64, computed: u64) -> u64 {
        match self {
            Self::Larger => reported.max(computed),
            Self::Provider if reported > 0 => reported,
            Self::Provider | Self::Computed => computed,
        }
    }
}

/// Called with a model, and with the name of a unit or of a way of billing that its price does not
/// know.
pub type TellUnpriced = fn(model: &str, name: &str);

/// The price of the calls of a model.
#[derive(Clone, Debug)]
pub struct CallPrice {
    /// The price of the model.
    pub price: Arc<Price>,
    /// Which cost is booked.
    pub source: CostSource,
    /// The name of the model.
    pub model: Box<str>,
    /// Called for what the price does not know.
    pub tell: Option<TellUnpriced>,
}

impl CallPrice {
    /// The cost of the usage.
    pub fn cost(&self, usage: &Usage) -> u64 {
        if !usage.billing.is_none()
            && let Some(tell) = self.tell
        {
            self.price.unpriced(usage).for_each(|name| tell(&self.model, name));
        }
        self.price.cost(usage)
    }

    /// The estimate with its cost, if it has none yet.
    pub fn estimated(&self, estimate: Usage) -> Usage {
        if estimate.cost_micros_usd > 0 {
            return estimate;
        }
        let cost_micros_usd = self.cost(&estimate);
        Usage { cost_micros_usd, ..estimate }
    }

    /// The usage with the cost to book.
    pub fn booked(&self, usage: Usage) -> Usage {
        let cost_micros_usd = self.source.of(usage.cost_micros_usd, self.cost(&usage));
        Usage { cost_micros_usd, ..usage }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reported_cost_of_nothing_is_none() {
        use CostSource::{Computed, Larger, Provider};
        for (source, reported, computed, booked) in [
            (Larger, 5, 3, 5),
            (Larger, 3, 5, 5),
            (Provider, 3, 5, 3),
            (Provider, 0, 5, 5),
            (Computed, 9, 5, 5),
            (Computed, 9, 0, 0),
        ] {
            assert_eq!(source.of(reported, computed), booked, "{source:?}");
        }
    }
}
