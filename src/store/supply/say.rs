//! What a holder says of each limit in one message.

use std::time::Duration;

use super::line::{Line, REFUSED};
use super::pace::CallPace;
use super::view::{SupplyRules, View, micros};
use crate::accounting::{PastEra, Share, ShareKind, Tick};
use crate::seeded::{self, Bug};
use crate::store::message::{Edges, LimitId, ShareAsk, WhichEra, WindowSpan};

/// Where the share of the next era is asked for: in the last second.
const LAST: Duration = Duration::from_secs(1);

/// More is asked for once less is free than so many usual calls need, or than a trip takes.
const LOW_CALLS: u64 = 3;

/// The margin of a round trip.
const MARGIN: Duration = Duration::from_millis(50);

/// A message that is being put together.
pub(super) struct Speech {
    rules: SupplyRules,
    pub(super) now: Tick,
    says_all: bool,
    trip: Duration,
    /// The time of the store.
    pub(super) time: Option<i64>,
    pub(super) asks: Vec<ShareAsk>,
    pub(super) until: Vec<Tick>,
    /// The request that the oldest waiter of each ask has made.
    requests: Vec<Option<u64>>,
    /// Whether the holder goes.
    pub(super) goes: bool,
}

impl Speech {
    pub(super) fn new(rules: SupplyRules, now: Tick, says_all: bool, trip: Duration) -> Self {
        let (asks, until, requests) = (Vec::new(), Vec::new(), Vec::new());
        Self { rules, now, says_all, trip, time: None, asks, until, requests, goes: false }
    }

    /// Whether the last ask is of the same request as the one before.
    pub(super) fn is_same_request(&self) -> bool {
        let last: Vec<_> = self.requests.iter().rev().take(2).collect();
        matches!(last[..], [Some(one), Some(other)] if one == other)
    }

    /// The asks of requests that need several limits.
    pub(super) fn together(&self) -> Vec<Vec<usize>> {
        let mut groups: Vec<(u64, Vec<usize>)> = Vec::new();
        for (at, request) in self.requests.iter().enumerate() {
            let Some(request) = *request else { continue };
            match groups.iter_mut().find(|(other, _)| *other == request) {
                Some((_, group)) => group.push(at),
                None => groups.push((request, vec![at])),
            }
        }
        groups.into_iter().map(|(_, group)| group).filter(|group| group.len() > 1).collect()
    }

    /// Says what is to be said of one limit, and lowers its share by it.
    pub(super) fn speak(&mut self, id: LimitId, line: &mut Line, view: &View, share: &mut Share) {
        line.pace.hear(view.calls, view.asked, self.now);
        if view.need > 0 {
            // It is a call, though it waits: what it is given stays until it has all that it needs.
            line.pace.wait(self.now);
        }
        let rolled = share.roll(view.spent, view.held, self.now);
        line.follow(share);
        if line.changed {
            share.say_limit();
        }
        self.speak_of_past(id, line, share);
        line.due = None;
        if rolled {
            // The meter begins a new window: what it says here is about the old one.
            line.due = Some(self.now);
            if share.era().is_none() && line.wishes.report {
                self.ask_first(id, line, &View::default());
                line.wishes.report = self.says_all;
            }
            return;
        }
        if line.wishes.leaves && self.say_leave(id, line, view, share) {
            return;
        }
        let low = if self.is_active(&line.pace) {
            line.pace.needs(self.trip + MARGIN, LOW_CALLS)
        } else {
            0
        };
        share.watch(low, line.called_in);
        match share.era() {
            None => self.ask_first(id, line, view),
            Some(era) => {
                self.speak_of_present(id, line, view, share, WhichEra::This(era));
                self.ask_next(id, line, view, share, WhichEra::Next(era));
            }
        }
        if self.goes {
            // What was said is all: nothing is admitted that nobody would hear of.
            share.drop_next();
            share.grant(0);
        }
        // In a message that says all, nothing is asked of an era that is not known yet.
        line.wishes.report &= self.says_all && share.era().is_none();
        line.wishes.left &= share.era().is_none() && view.need == 0;
        line.due = self.due_of(line, view, share);
    }

    /// When the line must be asked again, if before the next beat.
    fn due_of(&self, line: &Line, view: &View, share: &Share) -> Option<Tick> {
        let again = self.now.plus(self.rules.again);
        let open = view.need > 0 || line.changed || line.reset.is_some();
        let open = open.then(|| self.now.plus(REFUSED));
        let last = share.ends().filter(|_| share.next().is_none() && self.is_active(&line.pace));
        // In the last second the share of the next era is asked for.
        let last = last.map(|ends| ends.minus(LAST).max(again).min(ends.max(again)));
        [open, last].into_iter().flatten().min()
    }

    /// Says that the holder has no use for the limit any more. Not said while there is a lease or a
    /// waiter, or something of an era that is over.
    fn say_leave(&mut self, id: LimitId, line: &mut Line, view: &View, share: &mut Share) -> bool {
        let spent = view.spent;
        let busy = (view.need > 0 && !self.goes) || view.held > 0 || line.reset.is_some();
        let empties = share.kind() == ShareKind::Rate && spent > 0 && !self.goes;
        if busy || empties {
            line.wishes.leaves = false;
            line.wishes.report |= self.goes;
            line.call_in();
            return false;
        }
        if !share.past().is_empty() {
            line.due = Some(self.now);
            return true;
        }
        if share.era().is_none() && (spent > 0 || line.changed) {
            // What was used can be said once the era is known, and a limit that was set is said.
            let edges = self.edges_at(line, self.time.max(line.over));
            self.push(ShareAsk { edges, ..blank(id, line) }, self.now, None);
            line.due = Some(self.now);
            return true;
        }
        (line.wishes.leaves, line.wishes.left) = (false, true);
        line.due = None;
        if let Some(era) = share.era() {
            let rate = share.kind() == ShareKind::Rate;
            let have = if rate { spent.min(share.amount()) } else { 0 };
            let ask = ShareAsk {
                era: WhichEra::This(era),
                edges: line.edges,
                have,
                want: have,
                spent,
                leaves: true,
                ..blank(id, line)
            };
            self.push(ask, self.now, None);
            share.leave(spent);
            let over = line.over;
            line.follow(share);
            line.over = over;
        }
        true
    }

    /// Eras that are over, and of which the store has not heard all.
    fn speak_of_past(&mut self, id: LimitId, line: &Line, share: &mut Share) {
        for past in share.past().to_vec() {
            if self.says_all || past.reported != Some((past.spent, past.held)) {
                let PastEra { era, amount, spent, held, left, .. } = past;
                let ends = self.time.unwrap_or(era.begins);
                let edges = Some(Edges { begins: era.begins, ends });
                let used = spent.saturating_add(held);
                let ask = ShareAsk {
                    spent,
                    held,
                    have: amount,
                    want: used.min(amount),
                    edges,
                    leaves: left,
                    ..blank(id, line)
                };
                share.reporting(era);
                self.push(ShareAsk { era: WhichEra::This(era), ..ask }, self.now, None);
            }
        }
    }

    /// There is no era yet: nothing of what is used can be said.
    fn ask_first(&mut self, id: LimitId, line: &Line, view: &View) {
        let used = view.spent.saturating_add(view.held);
        let ahead = self.is_active(&line.pace) && !line.wishes.left;
        let changed = line.changed && !line.wishes.left;
        let active = view.need > 0 || used > 0 || line.wishes.report || ahead;
        if self.says_all || !(active || changed || line.reset.is_some()) {
            return;
        }
        if self.goes && used == 0 && view.need == 0 {
            return; // One that goes asks for nothing ahead.
        }
        let need = if view.need > 0 { used.saturating_add(view.need) } else { 0 };
        let want = need.max(used.saturating_add(self.ahead(&line.pace)));
        let edges = self.edges_at(line, self.time.max(line.over));
        let ask = ShareAsk {
            reset: line.reset,
            want,
            need,
            waited: self.waited(view),
            edges,
            ..blank(id, line)
        };
        let until = self.until(view);
        self.push(ShareAsk { until: micros(until.since(self.now)), ..ask }, until, view.request);
    }

    fn speak_of_present(
        &mut self,
        id: LimitId,
        line: &mut Line,
        view: &View,
        share: &mut Share,
        era: WhichEra,
    ) {
        let mut view = *view;
        if seeded::has(Bug::RingIgnored) && share.kind() == ShareKind::Rate {
            view.spent = 0;
        }
        let view = &view;
        let used = view.spent.saturating_add(view.held);
        if share.has_lapsed(self.now) {
            // It may be with others: what is free of it is given up first.
            share.lower(0, view.spent, view.held);
        }
        if self.says_all {
            share.drop_next();
        }
        let want = self.want(line, view, share);
        let beat = line.named.is_none_or(|named| self.now.since(named) >= self.rules.beat);
        let news = line.reported != Some((view.spent, view.held));
        let holds = share.kind() != ShareKind::Amount && (share.amount() > 0 || used > 0);
        let overrun = used > share.amount() && news;
        let unsure = view.need > 0 && !share.covers(view.until, self.now);
        let speaks =
            unsure || want != share.amount() || line.changed || overrun || line.reset.is_some();
        let speaks = speaks || line.wishes.report;
        if !(speaks || self.says_all || (beat && (news || holds))) {
            return;
        }
        let before = share.amount();
        share.lower(want, view.spent, view.held);
        let have = share.amount();
        if seeded::has(Bug::LoweredTooLate) {
            share.grant(before);
        }
        if seeded::has(Bug::RaisedTooEarly) && want > have {
            share.grant(want);
        }
        let needed = if view.need > 0 { used.saturating_add(view.need) } else { 0 };
        let need = if needed > have { needed } else { 0 };
        let spent =
            if seeded::has(Bug::OverrunDropped) { view.spent.min(have) } else { view.spent };
        let until = self.until(view);
        share.promise(until);
        line.named = Some(self.now);
        line.called_in = false;
        let ask = ShareAsk {
            era,
            edges: line.edges,
            reset: line.reset,
            have,
            want: want.max(have),
            spent,
            held: view.held,
            until: micros(until.since(self.now)),
            need,
            waited: self.waited(view),
            ..blank(id, line)
        };
        self.push(ask, until, view.request.filter(|_| need > 0));
    }

    /// The share that the holder would have.
    fn want(&self, line: &Line, view: &View, share: &Share) -> u64 {
        let used = view.spent.saturating_add(view.held);
        let free = share.amount().saturating_sub(used);
        let needed = if view.need > 0 { used.saturating_add(view.need) } else { used };
        let ahead = used.saturating_add(self.ahead(&line.pace)).max(needed);
        if share.amount() > line.fair().max(used) {
            // The limit was lowered.
            return line.fair().max(used);
        }
        let idle = line.pace.idle(self.now).is_none_or(|idle| idle >= self.rules.idle);
        if line.called_in && view.need == 0 {
            return used.min(share.amount());
        }
        let refused = |(at, need): (Tick, u64)| self.now.since(at) < REFUSED && needed >= need;
        let refused = line.refused.is_some_and(refused);
        if view.need > free && !refused {
            return if line.called_in { needed } else { ahead };
        }
        if idle && view.need == 0 {
            return used.min(share.amount());
        }
        let low = line.pace.needs(self.trip + MARGIN, LOW_CALLS);
        if view.need == 0 && free < low && self.is_active(&line.pace) && self.may_get(line) {
            return ahead.max(share.amount());
        }
        share.amount()
    }

    /// Whether the store may have something for a holder that does not wait.
    fn may_get(&self, line: &Line) -> bool {
        line.named.is_none_or(|named| self.now.since(named) >= self.rules.again)
    }

    fn ask_next(&mut self, id: LimitId, line: &Line, view: &View, share: &Share, era: WhichEra) {
        let soon = share.ends().is_some_and(|ends| ends.since(self.now) <= LAST);
        if !soon || share.next().is_some() || !self.is_active(&line.pace) || self.says_all {
            return;
        }
        let edges = line.edges.and_then(|edges| self.edges_at(line, Some(edges.ends)));
        let ask = ShareAsk { edges, want: self.ahead(&line.pace), ..blank(id, line) };
        let until = self.until(view);
        self.push(ShareAsk { era, ..ask }, until, None);
    }

    fn edges_at(&self, line: &Line, time: Option<i64>) -> Option<Edges> {
        let (begins, ends) = line.edging.as_ref()?.around(time?);
        (line.span == WindowSpan::Calendar).then_some(Edges { begins, ends })
    }

    fn is_active(&self, pace: &CallPace) -> bool {
        pace.idle(self.now).is_some_and(|idle| idle < self.rules.idle)
    }

    fn ahead(&self, pace: &CallPace) -> u64 {
        pace.needs(self.rules.ahead, self.rules.ahead_calls)
    }

    fn waited(&self, view: &View) -> u64 {
        view.since.filter(|_| view.need > 0).map_or(0, |since| micros(self.now.since(since)))
    }

    /// A time until which the leases that are open, and those that open soon, have ended.
    fn until(&self, view: &View) -> Tick {
        let margin = self.rules.beat + self.rules.beat;
        let longest = view.until.map_or(Duration::ZERO, |until| until.since(self.now));
        self.now.plus(longest + margin)
    }

    fn push(&mut self, ask: ShareAsk, until: Tick, request: Option<u64>) {
        self.asks.push(ask);
        self.until.push(until);
        self.requests.push(request);
    }
}

/// An ask about nothing.
fn blank(limit: LimitId, line: &Line) -> ShareAsk {
    ShareAsk {
        limit,
        span: line.span,
        most: line.most,
        most_set: line.most_set,
        era: WhichEra::Present,
        edges: None,
        reset: None,
        have: 0,
        want: 0,
        spent: 0,
        held: 0,
        until: 0,
        need: 0,
        waited: 0,
        heard: line.heard(),
        leaves: false,
    }
}
