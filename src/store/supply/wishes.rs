//! What the user of a holder wants to be said, and what the holder knows of itself.

use std::time::Duration;

use super::speaking::HolderSupply;
use crate::accounting::Tick;
use crate::store::message::{Epoch, LimitId, Message};

impl HolderSupply {
    /// The name of a limit, which the store compares. Until it is said nothing is said of the limit.
    pub fn name(&mut self, id: LimitId, name: &str) {
        self.names.insert(id, name.to_owned());
    }

    /// The user of this process has set the limit now: that stands, whatever the store has.
    pub(crate) fn insist(&mut self, id: LimitId, most: u64) {
        if let Some(line) = self.lines.get_mut(&id) {
            line.insist(most);
        }
        self.mark(id);
    }

    /// Forgets a limit of which there is no meter any more.
    pub fn forget(&mut self, id: LimitId) {
        self.lines.remove(&id);
        self.names.remove(&id);
    }

    /// The same of all limits.
    pub(crate) fn report_all(&mut self) {
        for (id, line) in &mut self.lines {
            line.wishes.report = true;
            self.queue.hurry(*id, &mut line.wishes);
        }
    }

    /// The user of this process has no use for that limit any more: all of it goes back.
    pub fn leave(&mut self, id: LimitId) {
        if let Some(line) = self.lines.get_mut(&id) {
            line.wishes.leaves = true;
            self.queue.hurry(id, &mut line.wishes);
        }
    }

    /// The holder goes: all that is free goes back, and with the last message it says so.
    pub fn go(&mut self) {
        self.goes = true;
        for (id, line) in &mut self.lines {
            line.wishes.leaves = true;
            self.queue.hurry(*id, &mut line.wishes);
        }
    }

    /// Whether the store has heard that the holder goes.
    pub const fn has_gone(&self) -> bool {
        self.gone
    }

    /// Whether the store has all of that limit.
    pub fn has_left(&self, id: LimitId) -> bool {
        self.sent.is_none() && self.lines.get(&id).is_some_and(|line| line.wishes.left)
    }

    /// Whether a line still has something to say that was asked for.
    pub(crate) fn is_marked(&self) -> bool {
        self.queue.is_urgent()
    }

    /// Whether the store has little left to give of a limit of which a part is free here.
    pub(crate) fn is_scarce(&self) -> bool {
        self.queue.is_scarce()
    }

    /// The memory of the store, as far as it is known.
    pub const fn epoch(&self) -> Option<Epoch> {
        self.epoch
    }

    /// How long the last answer took.
    pub(crate) const fn trip(&self) -> Duration {
        self.trip
    }

    /// The message under way, to be sent again.
    pub fn again(&self) -> Option<&Message> {
        self.sent.as_ref().map(|sent| &sent.message)
    }

    /// When [`plan`](Self::plan) may have something to say next.
    pub fn next(&self, now: Tick) -> Tick {
        if let Some(sent) = &self.sent {
            return sent.again_at;
        }
        let waits = self.says_all || !self.facts.is_empty() || self.number == 0;
        if waits || self.queue.is_waiting() {
            return now;
        }
        let beat = self.spoke.map_or(now, |spoke| spoke.plus(self.rules.beat));
        self.queue.next(self.rules.beat / 2).map_or(beat, |next| next.min(beat))
    }
}
