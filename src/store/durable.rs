//! What survives what.

/// What survives what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durable {
    /// Shares survive the loss of power; what was used of them is reported later.
    #[default]
    Grant,
    /// Shares survive the end of a process, not the loss of power.
    Process,
    /// Each commit of a lease is reported at once, and survives the loss of power.
    Commit,
}

#[cfg(feature = "sqlite")]
impl Durable {
    /// Whether each commit of the store waits for the disk.
    #[cfg(feature = "sqlite")]
    pub(super) const fn is_full(self) -> bool {
        !matches!(self, Self::Process)
    }
}
