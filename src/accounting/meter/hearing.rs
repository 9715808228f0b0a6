//! What a meter hears of the provider behind it, and which marks warn.

use std::ops::Range;

use super::heard::{Audience, Heard, hearing};
use super::law::Meter;
use crate::accounting::clock::Tick;
use crate::accounting::headers::RateHeaders;
use crate::accounting::provider_limit::ProviderLimit;

impl Meter {
    /// The limit that the provider behind it reports: no more is ever admitted.
    pub fn provider_mut(&mut self) -> &mut ProviderLimit {
        self.heard_mut().all_mut()
    }

    fn heard_mut(&mut self) -> &mut Heard {
        self.marks.get_or_insert_default().provider.get_or_insert_default()
    }

    #[inline]
    pub(super) fn heard_if_any(&mut self) -> Option<&mut Heard> {
        self.marks.as_mut()?.provider.as_deref_mut()
    }

    /// Updates what is known of the limit of the provider behind it, from a response at `now`.
    pub fn hear(&mut self, said: &RateHeaders, status: u16, to: Audience, now: Tick) {
        let Some(by) = hearing(&self.window, (self.unit, self.max), to) else { return };
        self.heard_mut().hear(said, status, by, now);
    }

    /// Counts an admitted request that asks for `amount`.
    pub fn start(&mut self, amount: u64) {
        self.heard_if_any().into_iter().for_each(|heard| heard.start(amount));
    }

    /// Whether `used` has reached any of its warning marks.
    #[inline]
    pub fn is_marked(&self) -> bool {
        let lowest = self.marks.as_ref().and_then(|marks| marks.warn_from);
        lowest.is_some_and(|lowest| self.used() >= lowest)
    }

    /// The warning marks that `used` has reached since the last call, by their order: 0 is the
    /// lowest. Each is returned once per window.
    pub fn take_warnings(&mut self) -> Range<u8> {
        let reached = self.marks_reached();
        let before = self.warned;
        self.warned = before.max(reached);
        before..self.warned
    }

    /// The share of the limit at which a warning mark stands, in millionths. 0 is the lowest mark.
    pub fn share_at(&self, mark: u8) -> Option<u64> {
        self.marks.as_ref()?.share_at(mark, self.limit()?)
    }
}
