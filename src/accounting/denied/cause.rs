//! Why a request does not fit.

/// Why a request does not fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Cause {
    /// Too much was used, or other requests wait for the same limit.
    #[default]
    Spent,
    /// It would fit once leases that are open have ended.
    Held,
    /// It is more than the limit ever admits.
    TooLarge,
}

impl Cause {
    /// All causes.
    pub const ALL: [Self; 3] = [Self::Spent, Self::Held, Self::TooLarge];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Spent => "spent",
            Self::Held => "held",
            Self::TooLarge => "too_large",
        }
    }

    /// The cause if something else refuses too.
    #[must_use]
    pub const fn unheld(self) -> Self {
        match self {
            Self::Held => Self::Spent,
            other => other,
        }
    }

    /// The cause of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.name() == name)
    }
}
