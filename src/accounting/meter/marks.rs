//! Marks that few meters have.

use smallvec::SmallVec;

use crate::accounting::meter::heard::Heard;

/// Marks that few meters have. Boxed, to keep the other meters small.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks {
    pub(super) stop: u64,
    pub(super) lands: bool,
    pub(super) warn_at: SmallVec<[u64; 1]>,
    pub(super) gate: Option<u64>,
    pub(super) at_start: bool,
    pub(super) provider: Option<Box<Heard>>,
}
