//! What a guard must say, by plain arithmetic over lists: four rules, leases, parts of parts.
//!
//! Here it is asked and held; `ends.rs` has how things end.

use std::collections::BTreeMap;

pub(crate) const HOUR: u64 = 3_600;
/// How long leases live that do not say it.
pub(crate) const TTL: u64 = 600;

/// The units of parts: tokens, micro-USD, calls.
pub(crate) const CALLS: usize = 2;
/// What is asked or used of each unit.
pub(crate) type Amounts = [u64; 3];

/// The rules: tokens of all, tokens of each agent, calls of each agent in an hour, money of all.
pub(crate) const HOURLY: usize = 2;
pub(crate) const RULES: [&str; 4] = ["all", "each", "calls", "money"];
/// The unit of each rule.
pub(crate) const UNIT_OF: [usize; 4] = [0, 0, CALLS, 1];
pub(crate) const OF_AGENTS: [bool; 4] = [false, true, true, false];

/// Where something is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// A rule, and the agent whose counter is meant.
    Rule(usize, usize),
    /// A part, and the unit.
    Part(usize, usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Open,
    Expired,
    Ended,
}

/// What is held in a place, and in which window.
#[derive(Clone, Debug)]
pub(crate) struct Hold {
    pub(crate) place: Place,
    pub(crate) unit: usize,
    pub(crate) amount: u64,
    pub(crate) window: u64,
    /// When it ran out: what its window counts for good, and what was booked there.
    pub(crate) ran_out: Option<(u64, u64)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Lease {
    pub(crate) state: State,
    pub(crate) deadline: u64,
    pub(crate) holds: Vec<Hold>,
    pub(crate) part: Option<usize>,
    /// Whether it keeps its part from ending.
    pub(crate) keeps: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) agent: usize,
    pub(crate) of: [Option<u64>; 3],
    pub(crate) holds: Vec<Hold>,
    pub(crate) parent: Option<usize>,
    pub(crate) deadline: u64,
    /// Its handle is there.
    pub(crate) open: bool,
    /// Its time was over while nothing of it was open.
    pub(crate) over: bool,
    pub(crate) ended: bool,
    /// What those around it know: told beside what they hold, and said at its end.
    pub(crate) told: Amounts,
    pub(crate) said: Option<Amounts>,
}

#[derive(Debug, Default)]
pub(crate) struct Naive {
    pub(crate) now: u64,
    pub(crate) limits: [Option<u64>; 4],
    /// Whether what is not settled is returned, else it is charged.
    pub(crate) returns: bool,
    /// When the counter of an agent was made, and when the window of its calls began.
    made: [bool; 2],
    began: [Option<u64>; 2],
    /// What was used, and in which window.
    used: BTreeMap<Place, (u64, u64)>,
    pub(crate) leases: Vec<Lease>,
    pub(crate) parts: Vec<Part>,
    /// How often more than a part was told, and how often one ran out late, for a lease was open.
    pub(crate) overruns: u64,
    pub(crate) late_ends: u64,
    /// How often a counter was forgotten.
    pub(crate) forgotten: u64,
}

impl Naive {
    pub(crate) fn window(&self, place: Place) -> u64 {
        match place {
            Place::Rule(HOURLY, agent) => {
                self.began[agent].map_or(0, |began| (self.now - began) / HOUR)
            }
            _ => 0,
        }
    }

    pub(crate) fn used(&self, place: Place) -> u64 {
        let window = self.window(place);
        self.used.get(&place).filter(|(of, _)| *of == window).map_or(0, |(_, used)| *used)
    }

    /// What is open: of leases, and of parts that are held.
    fn open_holds(&self) -> impl Iterator<Item = &Hold> {
        let leases = self.leases.iter().filter(|lease| lease.state == State::Open);
        let parts = self.parts.iter().filter(|part| !part.ended && !part.over);
        leases.flat_map(|lease| &lease.holds).chain(parts.flat_map(|part| &part.holds))
    }

    pub(crate) fn reserved(&self, place: Place) -> u64 {
        let window = self.window(place);
        let mine = self.open_holds().filter(|hold| hold.place == place && hold.window == window);
        mine.map(|hold| hold.amount).sum()
    }

    /// Whether something of the part is open.
    pub(crate) fn is_held(&self, part: usize) -> bool {
        self.open_holds().any(|hold| matches!(hold.place, Place::Part(of, _) if of == part))
    }

    pub(crate) fn left(&self, part: usize, unit: usize) -> Option<u64> {
        let taken = self.used(Place::Part(part, unit)) + self.reserved(Place::Part(part, unit));
        Some(self.parts[part].of[unit]?.saturating_sub(taken))
    }

    /// Adds to what is used now; what is taken away was added in the same window.
    pub(crate) fn add(&mut self, place: Place, more: u64, less: u64) {
        let (window, used) = (self.window(place), self.used(place));
        self.used.insert(place, (window, used + more - less));
    }

    /// A request of an agent makes its counter.
    fn asked(&mut self, agent: usize) {
        if (0..4).any(|rule| OF_AGENTS[rule] && self.limits[rule].is_some()) {
            self.made[agent] = true;
            self.begin(agent);
        }
    }

    fn begin(&mut self, agent: usize) {
        if self.made[agent] && self.limits[HOURLY].is_some() && self.began[agent].is_none() {
            self.began[agent] = Some(self.now);
        }
    }

    pub(crate) fn update(&mut self, limits: [Option<u64>; 4]) {
        self.limits = limits;
        (0..2).for_each(|agent| self.begin(agent));
    }

    /// Forgets the counters of agents that say nothing: no handle of a lease and no part holds an
    /// amount there, and nothing counts. `handles` says of which leases there is one.
    pub(crate) fn forget(&mut self, handles: impl Fn(usize) -> bool) {
        for agent in 0..2 {
            let places = [1, HOURLY].map(|rule| Place::Rule(rule, agent));
            let is_here = |hold: &Hold| places.contains(&hold.place);
            let leases = self.leases.iter().enumerate().filter(|(number, _)| handles(*number));
            let parts = self.parts.iter().filter(|part| !part.ended);
            let mut holds = leases
                .flat_map(|(_, lease)| &lease.holds)
                .chain(parts.flat_map(|part| &part.holds));
            if holds.any(is_here) || places.iter().any(|place| self.used(*place) > 0) {
                continue;
            }
            if std::mem::take(&mut self.made[agent]) {
                self.forgotten += 1;
            }
            self.began[agent] = None;
            self.used.retain(|place, _| !places.contains(place));
        }
    }

    /// The parts around, from the inside out.
    pub(crate) fn around(&self, part: Option<usize>) -> Vec<usize> {
        std::iter::successors(part, |part| self.parts[*part].parent).collect()
    }

    /// The counters that are asked for a unit by an agent beside a part, which pays those that it,
    /// or a part around it, was carved out of.
    fn rules(&self, agent: usize, unit: usize, part: Option<usize>) -> Vec<Place> {
        let counter = |rule: usize| Place::Rule(rule, if OF_AGENTS[rule] { agent } else { 0 });
        let limited = (0..4).filter(|rule| UNIT_OF[*rule] == unit && self.limits[*rule].is_some());
        let around = self.around(part);
        let pays = |place: &Place| {
            let mut holds = around.iter().flat_map(|part| &self.parts[*part].holds);
            holds.any(|hold| hold.place == *place)
        };
        limited.map(counter).filter(|place| !pays(place)).collect()
    }

    /// The nearest part that sets the unit aside.
    pub(crate) fn payer(&self, part: Option<usize>, unit: usize) -> Option<usize> {
        self.around(part).into_iter().find(|part| self.parts[*part].of[unit].is_some())
    }

    /// Whether a part and those around it take requests of these units.
    fn takes(&self, part: Option<usize>, units: &[usize]) -> bool {
        let pays = |at: usize| units.iter().any(|unit| self.payer(part, *unit) == Some(at));
        let takes = |at: usize| {
            let Part { deadline, open, .. } = self.parts[at];
            self.now < deadline && (open || !pays(at))
        };
        self.around(part).into_iter().all(takes)
    }

    /// What is asked where; `None` where it does not pass.
    fn ask(
        &self,
        agent: usize,
        part: Option<usize>,
        units: &[usize],
        of: Amounts,
    ) -> Option<Vec<Hold>> {
        let mut holds = Vec::new();
        for unit in units.iter().copied() {
            let mut places = self.rules(agent, unit, part);
            places.extend(self.payer(part, unit).map(|part| Place::Part(part, unit)));
            holds.extend(places.into_iter().map(|place| Hold {
                place,
                unit,
                amount: of[unit],
                window: self.window(place),
                ran_out: None,
            }));
        }
        holds.iter().all(|hold| self.fits(hold)).then_some(holds)
    }

    fn fits(&self, hold: &Hold) -> bool {
        let limit = match hold.place {
            Place::Rule(rule, _) => self.limits[rule],
            Place::Part(part, unit) => self.parts[part].of[unit],
        };
        let taken = self.used(hold.place) + self.reserved(hold.place);
        let asks_nothing = hold.amount == 0 && hold.unit != CALLS;
        asks_nothing || taken + hold.amount <= limit.unwrap_or(u64::MAX)
    }

    /// Whether the request passes; then the lease is the last one.
    pub(crate) fn reserve(
        &mut self,
        agent: usize,
        part: Option<usize>,
        of: Amounts,
        ttl: Option<u64>,
    ) -> bool {
        self.asked(agent);
        if !self.takes(part, &[0, 1, 2]) {
            return false;
        }
        let Some(holds) = self.ask(agent, part, &[0, 1, 2], of) else { return false };
        let deadline = self.now + ttl.unwrap_or(TTL);
        self.leases.push(Lease { state: State::Open, deadline, holds, part, keeps: true });
        true
    }

    /// Whether the part is given; then it is the last one.
    pub(crate) fn allot(
        &mut self,
        agent: usize,
        parent: Option<usize>,
        of: [Option<u64>; 3],
        ttl: Option<u64>,
    ) -> bool {
        let units: Vec<usize> = (0..3).filter(|unit| of[*unit].is_some()).collect();
        if units.is_empty() {
            return false;
        }
        self.asked(agent);
        if !self.takes(parent, &units) {
            return false;
        }
        let amounts = of.map(|of| of.unwrap_or(0));
        let Some(holds) = self.ask(agent, parent, &units, amounts) else { return false };
        // It ends with the part that it is a part of, and with the first window.
        let mut deadline = ttl.map_or(u64::MAX, |ttl| self.now + ttl);
        deadline = deadline.min(parent.map_or(u64::MAX, |parent| self.parts[parent].deadline));
        for hold in &holds {
            if let Place::Rule(HOURLY, agent) = hold.place {
                let began = self.began[agent].unwrap_or(self.now);
                deadline = deadline.min(began + (hold.window + 1) * HOUR);
            }
        }
        let (open, over, ended, told, said) = (true, false, false, [0; 3], None);
        self.parts.push(Part { agent, of, holds, parent, deadline, open, over, ended, told, said });
        true
    }
}
