//! Which limits are spoken of next: those with news first, then all in turn, twice in a beat.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::line::{Line, Wishes};
use crate::accounting::Tick;
use crate::store::message::LimitId;

/// The order in which the lines of a supply speak. A line stands in each queue once.
#[derive(Clone, Debug, Default)]
pub(super) struct LineQueue {
    /// Those with news, oldest news first: the limits of one request stand together.
    urgent: VecDeque<LimitId>,
    /// Those whose turn it is.
    rest: VecDeque<LimitId>,
    /// Those that have something to do at some time.
    due: BTreeSet<(Tick, LimitId)>,
    due_of: BTreeMap<LimitId, Tick>,
    /// Those of which others may need what is free here.
    scarce: BTreeSet<LimitId>,
    swept: Option<Tick>,
}

impl LineQueue {
    /// The line has news.
    pub(super) fn hurry(&mut self, id: LimitId, wishes: &mut Wishes) {
        if !std::mem::replace(&mut wishes.urgent, true) {
            self.urgent.push_back(id);
        }
    }

    /// It is the turn of all.
    pub(super) fn sweep(&mut self, lines: &mut BTreeMap<LimitId, Line>, now: Tick) {
        self.swept = Some(now);
        for (id, line) in lines {
            if !std::mem::replace(&mut line.wishes.queued, true) {
                self.rest.push_back(*id);
            }
        }
    }

    /// Forgets the order: all are to speak.
    pub(super) fn take_all(&mut self, lines: &mut BTreeMap<LimitId, Line>) {
        self.urgent.clear();
        self.rest.clear();
        for line in lines.values_mut() {
            (line.wishes.urgent, line.wishes.queued) = (false, false);
        }
    }

    /// Queues those that are due, and all of them once in `every`.
    pub(super) fn collect(
        &mut self,
        lines: &mut BTreeMap<LimitId, Line>,
        now: Tick,
        every: Duration,
    ) {
        while let Some(&(at, id)) = self.due.first().filter(|(at, _)| *at <= now) {
            self.due.remove(&(at, id));
            self.due_of.remove(&id);
            if let Some(line) = lines.get_mut(&id) {
                self.hurry(id, &mut line.wishes);
            }
        }
        if self.swept.is_none_or(|swept| now.since(swept) >= every) {
            self.sweep(lines, now);
        }
    }

    /// The next line, while there is `room`.
    pub(super) fn take(
        &mut self,
        lines: &mut BTreeMap<LimitId, Line>,
        room: bool,
    ) -> Option<LimitId> {
        // One more of those with news: it may be of the same request as the last one.
        if let Some(id) = self.urgent.pop_front() {
            if let Some(line) = lines.get_mut(&id) {
                // Of what a message says of a limit, it says all at once: its turn is over, too.
                (line.wishes.urgent, line.wishes.queued) = (false, false);
            }
            return Some(id);
        }
        if !room {
            return None;
        }
        loop {
            let id = self.rest.pop_front()?;
            let line = lines.get_mut(&id);
            if line.is_some_and(|line| std::mem::take(&mut line.wishes.queued)) {
                return Some(id);
            }
        }
    }

    /// Notes when a line is due, and whether it is scarce.
    pub(super) fn note(&mut self, id: LimitId, line: &Line, scarce: bool) {
        if let Some(before) = self.due_of.remove(&id) {
            self.due.remove(&(before, id));
        }
        if let Some(at) = line.due {
            self.due_of.insert(id, at);
            self.due.insert((at, id));
        }
        if scarce {
            self.scarce.insert(id);
        } else {
            self.scarce.remove(&id);
        }
    }

    /// Whether a line has news.
    pub(super) fn is_urgent(&self) -> bool {
        !self.urgent.is_empty()
    }

    /// Whether a line waits for its turn.
    pub(super) fn is_waiting(&self) -> bool {
        !self.urgent.is_empty() || !self.rest.is_empty()
    }

    pub(super) fn is_scarce(&self) -> bool {
        !self.scarce.is_empty()
    }

    /// When a line has something to do next.
    pub(super) fn next(&self, every: Duration) -> Option<Tick> {
        let due = self.due.first().map(|(at, _)| *at);
        let sweep = self.swept.map(|swept| swept.plus(every));
        [due, sweep].into_iter().flatten().min()
    }
}
