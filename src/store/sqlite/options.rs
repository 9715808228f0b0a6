//! How a store is run.

use std::sync::Arc;
use std::time::Duration;

use crate::accounting::{Clock, Invalid, LONGEST, nanos};
use crate::store::book::StoreRules;
use crate::store::durable::Durable;

/// How a store is run. All processes give the same `ttl`.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// The part of the file that it uses.
    pub namespace: String,
    /// A holder that is silent for so long is lost.
    pub ttl: Duration,
    /// Whether an empty namespace is refused until it is created.
    pub strict: bool,
    /// What survives what.
    pub durable: Durable,
    /// The clock of the store.
    pub clock: Clock,
    /// How long a message waits for the file while other processes write.
    pub patience: Duration,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            namespace: "default".to_owned(),
            ttl: Duration::from_secs(30),
            strict: false,
            durable: Durable::default(),
            clock: Clock::System,
            patience: Duration::from_secs(5),
        }
    }
}

impl PartialEq for SqliteOptions {
    fn eq(&self, other: &Self) -> bool {
        let clocks = match (&self.clock, &other.clock) {
            (Clock::System, Clock::System) => true,
            (Clock::Manual(one), Clock::Manual(other)) => Arc::ptr_eq(one, other),
            _ => false,
        };
        let of = |options: &Self| (options.ttl, options.strict, options.durable, options.patience);
        clocks && self.namespace == other.namespace && of(self) == of(other)
    }
}

/// The longest name of a namespace, in bytes.
const NAMESPACE_MAX: usize = 64;
/// How long an era is kept after its end, for leases that end later: a day.
const KEEP: Duration = Duration::from_secs(86_400);

impl SqliteOptions {
    pub(super) fn check(&self) -> Result<(), Invalid> {
        let name = &self.namespace;
        if name.is_empty() || name.len() > NAMESPACE_MAX || name.chars().any(char::is_control) {
            return Err(Invalid::id(
                "namespace",
                &format!("1 to {NAMESPACE_MAX} bytes without control characters, not {name:?}"),
            ));
        }
        let within = |name, time: Duration, least: Duration| {
            if time < least || time > LONGEST {
                let allowed = format!("from {least:?} to 100 years, not {time:?}");
                return Err(Invalid::policy(name, &allowed));
            }
            Ok(())
        };
        within("ttl", self.ttl, Duration::from_secs(1))?;
        within("timeout", self.patience, Duration::from_millis(1))
    }

    pub(super) fn rules(&self) -> StoreRules {
        let micros = |duration| nanos(duration) / 1_000;
        StoreRules { ttl: micros(self.ttl), strict: self.strict, keep: micros(KEEP) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_options_are_named_with_what_is_allowed() {
        let said = |options: SqliteOptions| options.check().unwrap_err().message;
        let all = SqliteOptions::default;
        all().check().unwrap();
        for namespace in ["", "a\nb", &"x".repeat(65)] {
            let message = said(SqliteOptions { namespace: namespace.to_owned(), ..all() });
            assert!(message.starts_with("namespace must be 1 to 64 bytes"), "{message}");
        }
        let message = said(SqliteOptions { ttl: Duration::ZERO, ..all() });
        assert_eq!(message, "ttl must be from 1s to 100 years, not 0ns");
        let message = said(SqliteOptions { patience: Duration::MAX, ..all() });
        assert!(message.starts_with("timeout must be from 1ms to 100 years"), "{message}");
    }
}
