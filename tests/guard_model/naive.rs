//! What a guard must say, by plain arithmetic over lists: three rules, leases, parts.

use std::collections::BTreeMap;

pub(crate) const HOUR: u64 = 3_600;
/// How long leases live.
pub(crate) const TTL: u64 = 600;

/// The rules: tokens of all, tokens of each agent, calls of each agent in an hour.
pub(crate) const ALL: usize = 0;
pub(crate) const EACH: usize = 1;
pub(crate) const CALLS: usize = 2;

/// A rule, and the agent whose counter is meant.
type Counter = (usize, usize);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Open,
    Expired,
    Ended,
}

/// What a lease holds of a counter, and in which window.
#[derive(Clone, Debug)]
struct Hold {
    counter: Counter,
    amount: u64,
    window: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Lease {
    pub(crate) state: State,
    estimate: u64,
    deadline: u64,
    holds: Vec<Hold>,
    part: Option<usize>,
    /// Whether it keeps its part from ending.
    keeps: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Part {
    agent: usize,
    of: u64,
    used: u64,
    told: u64,
    carved: Vec<Counter>,
    parent: Option<usize>,
    /// Its handle is there.
    open: bool,
    ended: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Naive {
    pub(crate) now: u64,
    pub(crate) limits: [Option<u64>; 3],
    /// When the counter of an agent was made, and when the window of its calls began.
    made: [bool; 2],
    began: [Option<u64>; 2],
    /// What was used, and in which window.
    used: BTreeMap<Counter, (u64, u64)>,
    pub(crate) leases: Vec<Lease>,
    pub(crate) parts: Vec<Part>,
    /// How often more than a part was told to where it came from.
    pub(crate) overruns: u64,
}

impl Naive {
    fn counter(rule: usize, agent: usize) -> Counter {
        (rule, if rule == ALL { 0 } else { agent })
    }

    fn window(&self, (rule, agent): Counter) -> u64 {
        if rule != CALLS {
            return 0;
        }
        self.began[agent].map_or(0, |began| (self.now - began) / HOUR)
    }

    pub(crate) fn used(&self, counter: Counter) -> u64 {
        let window = self.window(counter);
        self.used.get(&counter).filter(|(of, _)| *of == window).map_or(0, |(_, used)| *used)
    }

    pub(crate) fn reserved(&self, counter: Counter) -> u64 {
        let window = self.window(counter);
        let open = self.leases.iter().filter(|lease| lease.state == State::Open);
        let holds = open.flat_map(|lease| &lease.holds);
        let mine = holds.filter(|hold| hold.counter == counter && hold.window == window);
        let parts = self.parts.iter().filter(|part| !part.ended && part.carved.contains(&counter));
        mine.map(|hold| hold.amount).sum::<u64>() + parts.map(|part| part.of).sum::<u64>()
    }

    fn reserved_in(&self, part: usize) -> u64 {
        let open = |lease: &&Lease| lease.state == State::Open && lease.part == Some(part);
        let inner = self.parts.iter().filter(|p| !p.ended && p.parent == Some(part));
        let leases = self.leases.iter().filter(open).map(|lease| lease.estimate);
        leases.sum::<u64>() + inner.map(|part| part.of).sum::<u64>()
    }

    pub(crate) fn left(&self, part: usize) -> u64 {
        let Part { of, used, .. } = self.parts[part];
        of.saturating_sub(used).saturating_sub(self.reserved_in(part))
    }

    /// Adds to what is used now; what is taken away was added in the same window.
    fn add(&mut self, counter: Counter, more: u64, less: u64) {
        let (window, used) = (self.window(counter), self.used(counter));
        self.used.insert(counter, (window, used + more - less));
    }

    /// A request of an agent makes its counter.
    fn asked(&mut self, agent: usize) {
        if self.limits[EACH].is_some() || self.limits[CALLS].is_some() {
            self.made[agent] = true;
            self.begin(agent);
        }
    }

    fn begin(&mut self, agent: usize) {
        if self.made[agent] && self.limits[CALLS].is_some() && self.began[agent].is_none() {
            self.began[agent] = Some(self.now);
        }
    }

    pub(crate) fn update(&mut self, limits: [Option<u64>; 3]) {
        self.limits = limits;
        (0..2).for_each(|agent| self.begin(agent));
    }

    /// Whether a part, or one around it, pays what the counter is asked.
    fn pays(&self, part: Option<usize>, counter: Counter) -> bool {
        part.is_some_and(|part| {
            let part = &self.parts[part];
            part.carved.contains(&counter) || self.pays(part.parent, counter)
        })
    }

    /// The counters that are asked for tokens beside a part.
    fn asked_of(&self, agent: usize, part: Option<usize>) -> Vec<Counter> {
        let rules = [ALL, EACH].into_iter().filter(|rule| self.limits[*rule].is_some());
        let counters = rules.map(|rule| Self::counter(rule, agent));
        counters.filter(|counter| !self.pays(part, *counter)).collect()
    }

    fn fits(&self, counter: Counter, amount: u64) -> bool {
        let limit = self.limits[counter.0].unwrap_or(u64::MAX);
        self.used(counter) + self.reserved(counter) + amount <= limit
    }

    fn fits_in(&self, part: Option<usize>, amount: u64) -> bool {
        part.is_none_or(|part| {
            let Part { of, used, .. } = self.parts[part];
            used + self.reserved_in(part) + amount <= of
        })
    }

    pub(crate) fn agent_of(&self, part: usize) -> usize {
        self.parts[part].agent
    }

    /// Whether the request passes; then the lease is the last one.
    pub(crate) fn reserve(&mut self, agent: usize, part: Option<usize>, tokens: u64) -> bool {
        self.asked(agent);
        let mut asked: Vec<(Counter, u64)> =
            self.asked_of(agent, part).into_iter().map(|counter| (counter, tokens)).collect();
        if self.limits[CALLS].is_some() {
            asked.push(((CALLS, agent), 1));
        }
        let fits = asked.iter().all(|(counter, amount)| self.fits(*counter, *amount));
        if !fits || !self.fits_in(part, tokens) {
            return false;
        }
        let hold = |&(counter, amount)| Hold { counter, amount, window: self.window(counter) };
        self.leases.push(Lease {
            state: State::Open,
            estimate: tokens,
            deadline: self.now + TTL,
            holds: asked.iter().map(hold).collect(),
            part,
            keeps: true,
        });
        true
    }

    /// Whether the part is given; then it is the last one.
    pub(crate) fn allot(&mut self, agent: usize, parent: Option<usize>, of: u64) -> bool {
        self.asked(agent);
        let carved = self.asked_of(agent, parent);
        let fits = carved.iter().all(|counter| self.fits(*counter, of));
        if !fits || !self.fits_in(parent, of) {
            return false;
        }
        let (used, told, open, ended) = (0, 0, true, false);
        self.parts.push(Part { agent, of, used, told, carved, parent, open, ended });
        true
    }

    pub(crate) fn advance(&mut self, seconds: u64) {
        let end = self.now + seconds;
        let due = |lease: &Lease| lease.state == State::Open && lease.deadline <= end;
        for lease in 0..self.leases.len() {
            if due(&self.leases[lease]) {
                // What it held is charged in its own window, which may be over by then.
                self.now = self.leases[lease].deadline.max(self.now);
                self.settle(lease, self.leases[lease].estimate, State::Expired);
            }
        }
        self.now = end;
    }

    /// Books what a lease has used, in place of what it held or was charged when it ran out.
    fn settle(&mut self, lease: usize, tokens: u64, state: State) {
        let Lease { state: before, estimate, holds, part, .. } = self.leases[lease].clone();
        self.leases[lease].state = state;
        let expired = before == State::Expired;
        for Hold { counter, amount, window } in holds {
            let used = if counter.0 == CALLS { 1 } else { tokens };
            if window == self.window(counter) {
                self.add(counter, used, if expired { amount } else { 0 });
            } else {
                self.add(counter, used.saturating_sub(amount), 0);
            }
        }
        if let Some(part) = part {
            self.parts[part].used += tokens;
            self.parts[part].used -= if expired { estimate } else { 0 };
            if state == State::Ended {
                self.tell(part);
            }
        }
    }

    /// What was used above a part is booked at once where it came from.
    fn tell(&mut self, part: usize) {
        let Part { of, used, told, carved, parent, .. } = self.parts[part].clone();
        let above = (used + self.reserved_in(part)).saturating_sub(of);
        if above <= told {
            return;
        }
        self.overruns += 1;
        let more = above - told;
        self.parts[part].told = above;
        for counter in carved {
            self.add(counter, more, 0);
        }
        if let Some(parent) = parent {
            self.parts[parent].used += more;
            self.tell(parent);
        }
    }

    pub(crate) fn commit(&mut self, lease: usize, tokens: u64) {
        self.settle(lease, tokens, State::Ended);
        self.let_go(lease);
    }

    /// Whether it could be released: it has not run out.
    pub(crate) fn release(&mut self, lease: usize) -> bool {
        if self.leases[lease].state == State::Expired {
            return false;
        }
        self.leases[lease].state = State::Ended;
        if let Some(part) = self.leases[lease].part {
            self.tell(part);
        }
        self.let_go(lease);
        true
    }

    /// The handle is gone: an open lease is charged at its estimate.
    pub(crate) fn drop_lease(&mut self, lease: usize) {
        if self.leases[lease].state == State::Open {
            self.settle(lease, self.leases[lease].estimate, State::Ended);
        }
        self.leases[lease].state = State::Ended;
        self.let_go(lease);
    }

    fn let_go(&mut self, lease: usize) {
        self.leases[lease].keeps = false;
        self.leases[lease].part.into_iter().for_each(|part| self.end(part));
    }

    pub(crate) fn close(&mut self, part: usize) {
        self.parts[part].open = false;
        self.end(part);
    }

    /// Ends a part that nothing keeps: what it used is used where it came from.
    fn end(&mut self, part: usize) {
        let kept = self.leases.iter().any(|lease| lease.keeps && lease.part == Some(part))
            || self.parts.iter().any(|inner| !inner.ended && inner.parent == Some(part));
        if kept || self.parts[part].open || self.parts[part].ended {
            return;
        }
        self.tell(part);
        self.parts[part].ended = true;
        let Part { used, told, carved, parent, .. } = self.parts[part].clone();
        for counter in carved {
            self.add(counter, used.saturating_sub(told), 0);
        }
        if let Some(parent) = parent {
            self.parts[parent].used += used.saturating_sub(told);
            self.end(parent);
        }
    }
}
