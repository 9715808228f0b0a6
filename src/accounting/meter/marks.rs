//! Marks that few meters have.

use smallvec::SmallVec;

use crate::accounting::limit::{Limit, Terms};
use crate::accounting::meter::heard::Heard;
use crate::accounting::meter::shared::Sharing;

/// What stays if the limit changes: what was heard of the provider, and the share.
pub(super) type Lasting = (Option<Box<Heard>>, Option<Box<Sharing>>);

/// Marks that few meters have. Boxed, to keep the other meters small.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks {
    pub(super) stop: u64,
    pub(super) lands: bool,
    warn_at: SmallVec<[u64; 1]>,
    /// The lowest of them, at least 1.
    pub(super) warn_from: Option<u64>,
    pub(super) gate: Option<u64>,
    pub(super) at_start: bool,
    pub(super) provider: Option<Box<Heard>>,
    pub(super) shared: Option<Box<Sharing>>,
}

impl Marks {
    /// Those of a limit, `None` if it has none.
    pub(super) fn of(limit: &Limit, (provider, shared): Lasting) -> Option<Box<Self>> {
        let Limit { stop, lands, warn_at, gate, at_start, .. } = limit.clone();
        let any = stop > 0 || !warn_at.is_empty() || gate.is_some() || at_start;
        let warn_from = warn_at.iter().min().map(|lowest| (*lowest).max(1));
        let marks = Self { stop, lands, warn_at, warn_from, gate, at_start, provider, shared };
        (any || marks.provider.is_some() || marks.shared.is_some()).then(|| Box::new(marks))
    }

    /// How many warning marks `used` has reached.
    pub(super) fn reached(&self, used: u64) -> u8 {
        let reached = self.warn_at.iter().filter(|mark| used >= (**mark).max(1));
        u8::try_from(reached.count()).unwrap_or(u8::MAX)
    }

    /// The largest `used + reserved` that is admitted of `max`.
    #[inline]
    pub(super) fn ceiling(&self, max: u64, terms: Terms) -> u64 {
        let stop = if terms == Terms::Landing && self.lands { 0 } else { self.stop };
        let max = max.saturating_sub(stop);
        self.provider.as_ref().map_or(max, |provider| provider.ceiling(max, terms))
    }

    /// The share of `limit` at which a warning mark stands, in millionths. 0 is the lowest mark.
    pub(super) fn share_at(&self, mark: u8, limit: u64) -> Option<u64> {
        let mut marks = self.warn_at.clone();
        marks.sort_unstable();
        let mark = u128::from(*marks.get(usize::from(mark))?);
        u64::try_from((mark * 1_000_000).checked_div(u128::from(limit))?).ok()
    }
}
