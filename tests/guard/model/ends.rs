//! How leases and parts end in the naive book.

use super::naive::{Amounts, Hold, Lease, Naive, Part, Place, State};

impl Naive {
    /// Lets time pass: what runs out does so at its moment, parts after the leases in them.
    pub(crate) fn advance(&mut self, seconds: u64) {
        let end = self.now + seconds;
        loop {
            self.run_out();
            let leases = self.leases.iter().filter(|lease| lease.state == State::Open);
            let parts = self.parts.iter().filter(|part| !part.ended && !part.over);
            let times = leases.map(|lease| lease.deadline).chain(parts.map(|part| part.deadline));
            let Some(next) = times.filter(|time| *time > self.now && *time <= end).min() else {
                break;
            };
            self.now = next;
        }
        self.now = end;
        self.run_out();
    }

    /// Ends what is due now.
    fn run_out(&mut self) {
        for lease in 0..self.leases.len() {
            if self.leases[lease].state == State::Open && self.leases[lease].deadline <= self.now {
                self.expire(lease);
            }
        }
        self.run_out_parts();
    }

    /// Ends the parts whose time is over and of which nothing is open, from the inside out.
    pub(crate) fn run_out_parts(&mut self) {
        for part in (0..self.parts.len()).rev() {
            let Part { ended, over, deadline, .. } = self.parts[part];
            if ended || over || deadline > self.now || self.is_held(part) {
                continue;
            }
            self.late_ends += u64::from(deadline < self.now);
            self.parts[part].over = true;
            if self.returns {
                // What was used of it is known: the rest goes back.
                self.say(part);
            } else {
                let mut holds = std::mem::take(&mut self.parts[part].holds);
                holds.iter_mut().for_each(|hold| self.let_run_out(hold));
                self.parts[part].holds = holds;
            }
        }
    }

    fn expire(&mut self, lease: usize) {
        let mut holds = std::mem::take(&mut self.leases[lease].holds);
        holds.iter_mut().for_each(|hold| self.let_run_out(hold));
        self.leases[lease].holds = holds;
        self.leases[lease].state = State::Expired;
    }

    fn let_run_out(&mut self, hold: &mut Hold) {
        let in_its_window = hold.window == self.window(hold.place);
        let charged = in_its_window && !self.returns;
        if charged {
            self.add(hold.place, hold.amount, 0);
        }
        let covered = if in_its_window && !charged { 0 } else { hold.amount };
        hold.ran_out = Some((covered, if charged { hold.amount } else { 0 }));
    }

    /// Books what was used in place of a hold, or of what was charged when it ran out.
    fn settle(&mut self, hold: &Hold, used: u64) {
        let (covered, booked) = hold.ran_out.unwrap_or((hold.amount, 0));
        if hold.window == self.window(hold.place) {
            self.add(hold.place, used, booked);
        } else {
            self.add(hold.place, used.saturating_sub(covered), 0);
        }
    }

    pub(crate) fn commit(&mut self, lease: usize, used: Amounts) {
        self.leases[lease].state = State::Ended;
        for hold in self.leases[lease].holds.clone() {
            self.settle(&hold, used[hold.unit]);
        }
        self.let_go(lease);
    }

    /// Whether it could be released: it has not run out.
    pub(crate) fn release(&mut self, lease: usize) -> bool {
        if self.leases[lease].state == State::Expired {
            return false;
        }
        self.leases[lease].state = State::Ended;
        self.let_go(lease);
        true
    }

    /// The handle is gone: an open lease ends as one that ran out.
    pub(crate) fn drop_lease(&mut self, lease: usize) {
        if self.leases[lease].state == State::Open {
            self.expire(lease);
        }
        self.leases[lease].state = State::Ended;
        self.let_go(lease);
    }

    /// Whether it could be extended: it is open.
    pub(crate) fn extend(&mut self, lease: usize, ttl: u64) -> bool {
        let Lease { state, deadline, .. } = &mut self.leases[lease];
        if *state == State::Open {
            *deadline = self.now + ttl;
        }
        *state == State::Open
    }

    fn let_go(&mut self, lease: usize) {
        self.leases[lease].keeps = false;
        if let Some(part) = self.leases[lease].part {
            self.tell(part);
            self.end(part);
        }
        self.run_out_parts();
    }

    pub(crate) fn close(&mut self, part: usize) {
        self.parts[part].open = false;
        self.end(part);
        self.run_out_parts();
    }

    /// What was used of a part, and held in it.
    fn taken(&self, part: usize, unit: usize) -> u64 {
        self.used(Place::Part(part, unit)) + self.reserved(Place::Part(part, unit))
    }

    /// What was used above a part, or above what was said at its end, is booked at once where it
    /// came from; so it is for all parts around.
    fn tell(&mut self, part: usize) {
        for part in self.around(Some(part)) {
            for unit in 0..3 {
                let Some(of) = self.parts[part].of[unit] else { continue };
                let known = self.parts[part].said.map_or(of, |said| said[unit]);
                let above = self.taken(part, unit).saturating_sub(known);
                let more = above.saturating_sub(self.parts[part].told[unit]);
                if more > 0 {
                    self.overruns += 1;
                    self.parts[part].told[unit] = above;
                    for place in self.carved(part, unit) {
                        self.add(place, more, 0);
                    }
                }
            }
        }
    }

    /// Where a unit of a part came from.
    fn carved(&self, part: usize, unit: usize) -> Vec<Place> {
        let holds = self.parts[part].holds.iter().filter(|hold| hold.unit == unit);
        holds.map(|hold| hold.place).collect()
    }

    /// Says what was used of a part, in place of what is held or was charged for it.
    fn say(&mut self, part: usize) {
        self.tell(part);
        let Part { told, holds, .. } = self.parts[part].clone();
        let used = [0, 1, 2].map(|unit| self.used(Place::Part(part, unit)));
        self.parts[part].said = Some([0, 1, 2].map(|unit| used[unit].max(told[unit])));
        self.parts[part].told = [0; 3];
        for hold in holds {
            self.settle(&hold, used[hold.unit].saturating_sub(told[hold.unit]));
        }
    }

    /// Ends a part that nothing keeps.
    fn end(&mut self, part: usize) {
        let kept = self.leases.iter().any(|lease| lease.keeps && lease.part == Some(part))
            || self.parts.iter().any(|inner| !inner.ended && inner.parent == Some(part));
        if kept || self.parts[part].open || self.parts[part].ended {
            return;
        }
        if self.parts[part].said.is_none() {
            self.say(part);
        }
        self.parts[part].ended = true;
        if let Some(parent) = self.parts[part].parent {
            self.tell(parent);
            self.end(parent);
        }
    }
}
