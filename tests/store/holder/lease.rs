//! An open lease, and what the auditor knows of it.

use outlay::{Era, Tick};

pub(crate) struct Lease {
    pub(crate) number: u64,
    pub(super) lease: outlay::Lease,
    pub(super) deadline: Tick,
    pub(super) demands: Vec<(usize, u64)>,
    #[cfg_attr(
        not(all(feature = "sqlite", target_os = "linux")),
        expect(dead_code, reason = "only workers say it")
    )]
    pub(super) eras: Vec<Option<Era>>,
}

#[cfg(all(feature = "sqlite", target_os = "linux"))]
impl Lease {
    /// When it runs out, and what it holds of which limit in which era.
    pub(crate) fn terms(&self) -> (Tick, impl Iterator<Item = (usize, Era, u64)>) {
        let terms =
            |(&(limit, amount), era): (&(usize, u64), &Option<Era>)| (limit, era.unwrap(), amount);
        (self.deadline, self.demands.iter().zip(&self.eras).map(terms))
    }
}
