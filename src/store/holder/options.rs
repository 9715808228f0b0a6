//! How a process uses a store.

use std::sync::Arc;
use std::time::Duration;

use crate::accounting::{Clock, Invalid, LONGEST};
use crate::store::durable::Durable;
use crate::store::supply::{OnDown, SupplyRules};

/// How a process uses a store. All processes give the same `ttl` and `namespace`.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// The part of the store that it uses.
    pub namespace: String,
    /// A process that is silent for so long is lost.
    pub ttl: Duration,
    /// How long a call waits for the store. If it does not answer for so long, it is away.
    pub timeout: Duration,
    /// How long the first answer may take.
    pub connect_timeout: Duration,
    /// What passes while the store is away.
    pub on_down: OnDown,
    /// What survives what.
    pub durable: Durable,
    /// Whether an empty namespace is refused until it is created.
    pub strict: bool,
    /// The clock of the accounts, and of a store that is a file.
    pub clock: Clock,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            namespace: "default".to_owned(),
            ttl: Duration::from_secs(15),
            timeout: Duration::from_millis(250),
            connect_timeout: Duration::from_secs(5),
            on_down: OnDown::default(),
            durable: Durable::default(),
            strict: false,
            clock: Clock::System,
        }
    }
}

impl PartialEq for StoreOptions {
    fn eq(&self, other: &Self) -> bool {
        let clocks = match (&self.clock, &other.clock) {
            (Clock::System, Clock::System) => true,
            (Clock::Manual(one), Clock::Manual(other)) => Arc::ptr_eq(one, other),
            _ => false,
        };
        let of = |options: &Self| {
            let times = (options.ttl, options.timeout, options.connect_timeout);
            (times, options.on_down, options.durable, options.strict)
        };
        clocks && self.namespace == other.namespace && of(self) == of(other)
    }
}

/// The longest time between two messages.
const BEAT: Duration = Duration::from_secs(5);

impl StoreOptions {
    /// Refuses times that are out of bounds.
    pub(crate) fn check(&self) -> Result<(), Invalid> {
        let within = |name, time: Duration, least: Duration| {
            if time < least || time > LONGEST {
                let allowed = format!("from {least:?} to 100 years, not {time:?}");
                return Err(Invalid::policy(name, &allowed));
            }
            Ok(())
        };
        within("ttl", self.ttl, Duration::from_secs(1))?;
        within("timeout", self.timeout, Duration::from_millis(1))?;
        within("connect_timeout", self.connect_timeout, Duration::from_millis(1))
    }

    /// Refuses what is no address of a store. Nothing is opened.
    #[cfg(feature = "sqlite")]
    pub(crate) fn check_url(url: &str) -> Result<(), Invalid> {
        crate::store::sqlite::check_url(url)
    }

    /// Refuses every address: this build has no stores.
    #[cfg(not(feature = "sqlite"))]
    pub(crate) fn check_url(url: &str) -> Result<(), Invalid> {
        Err(Invalid::policy(
            "store",
            &format!("left out: this build has no stores, so not {url:?}"),
        ))
    }

    /// How its holder speaks: three times within the time to live.
    pub(super) fn rules(&self) -> SupplyRules {
        SupplyRules { ttl: self.ttl, beat: (self.ttl / 3).min(BEAT), ..SupplyRules::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_out_of_bounds_are_named() {
        let said = |options: StoreOptions| options.check().unwrap_err().message;
        let all = StoreOptions::default;
        all().check().unwrap();
        let message = said(StoreOptions { ttl: Duration::from_millis(900), ..all() });
        assert_eq!(message, "ttl must be from 1s to 100 years, not 900ms");
        let message = said(StoreOptions { timeout: Duration::ZERO, ..all() });
        assert_eq!(message, "timeout must be from 1ms to 100 years, not 0ns");
        let message = said(StoreOptions { connect_timeout: Duration::MAX, ..all() });
        assert!(message.starts_with("connect_timeout must be from 1ms"), "{message}");
    }
}
