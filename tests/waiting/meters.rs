//! Naive meters and leases: every event there ever was, and sums over them.

/// The window of the limiter in nanoseconds, and its slots.
pub(crate) const PERIOD: u64 = 600;
pub(crate) const WIDTH: u64 = 10;
const SLOTS: u64 = 60;

/// The moment from which calls may start again, the limit, and the starts: when, and how much.
pub(crate) type Again = (u64, u64, Vec<(u64, u64)>);

/// What a provider said: what is left, and until when that counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    pub(crate) max: Option<u64>,
    pub(crate) tokens: Option<(u64, u64)>,
    pub(crate) requests: Option<(u64, u64)>,
    pub(crate) closed: Option<u64>,
    /// After a 429: when calls may start again, the limit of then, and the starts since.
    pub(crate) again: Option<Again>,
}

impl Told {
    /// What starts take of the slots since a 429, in sixtieths of tokens, slot by slot.
    fn may_start(&self, amount: u64, now: u64) -> bool {
        let Some((from, limit, starts)) = &self.again else { return true };
        if now < *from || now >= from + PERIOD {
            return true;
        }
        let whole = i128::from(*limit);
        let takes = |amount: u64| if amount == 0 { whole } else { i128::from(amount) * 60 };
        let mut taken = 0;
        for slot in 0..=(now - from) / WIDTH {
            taken = (taken - if slot > 0 { whole } else { 0 }).max(0);
            let begins = from + slot * WIDTH;
            let within = starts.iter().filter(|(at, _)| (begins..begins + WIDTH).contains(at));
            taken += within.map(|(_, amount)| takes(*amount)).sum::<i128>();
        }
        taken == 0 || taken + takes(amount) <= whole
    }

    /// When the next slot begins.
    pub(crate) fn next_slot(&self, now: u64) -> Option<u64> {
        let (from, ..) = self.again.as_ref().filter(|(from, ..)| now < from + PERIOD)?;
        let slots = now.checked_sub(*from).map_or(0, |since| since / WIDTH + 1);
        Some(from + slots * WIDTH)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Meter {
    pub(crate) max: u64,
    pub(crate) stop: u64,
    pub(crate) gate: u64,
    pub(crate) slides: bool,
    pub(crate) log: Vec<Entry>,
    /// A slot ends here: where something was booked in an empty window.
    pub(crate) anchor: u64,
    pub(crate) told: Told,
    pub(crate) era: u32,
    /// Whether nothing was used yet that nobody asked for.
    pub(crate) strict: bool,
}

/// What was used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) at: u64,
    pub(crate) amount: u64,
    /// The lease whose expiry it is.
    pub(crate) by: Option<usize>,
    /// When it has left the window: a period after the end of its slot.
    pub(crate) leaves: u64,
}

impl Meter {
    pub(crate) fn new(max: u64, slides: bool) -> Self {
        let (stop, gate, told) = (0, u64::MAX, Told::default());
        Self { max, stop, gate, slides, log: Vec::new(), anchor: 0, told, era: 0, strict: true }
    }

    pub(crate) fn used(&self, now: u64) -> u64 {
        let counts = |entry: &&Entry| !self.slides || entry.leaves > now;
        self.log.iter().filter(counts).map(|entry| entry.amount).sum()
    }

    /// Whether what the expiry of that lease charged (nothing, perhaps) is still in the window.
    fn counts(&self, by: usize, now: u64) -> bool {
        let of_lease = self.log.iter().find(|entry| entry.by == Some(by));
        !self.slides || of_lease.is_none_or(|entry| entry.leaves > now)
    }

    pub(crate) fn ceiling(&self) -> u64 {
        self.max.saturating_sub(self.stop).min(self.told.max.unwrap_or(u64::MAX))
    }

    pub(crate) fn admits(&self, reserved: u64, amount: u64, gated: bool, now: u64) -> bool {
        let taken = self.used(now) + reserved;
        let sum = u128::from(taken) + u128::from(amount);
        let told = [self.told.tokens, self.told.requests].into_iter().flatten();
        let shut = told.filter(|(_, until)| *until > now).any(|(left, _)| left == 0)
            || self.told.closed.is_some_and(|until| until > now);
        let tokens = self.told.tokens.filter(|(_, until)| *until > now);
        sum <= u128::from(self.ceiling())
            && !shut
            && self.told.may_start(amount, now)
            && tokens.is_none_or(|(left, _)| reserved + amount <= left)
            && (!gated || taken < self.gate.min(self.ceiling()))
    }

    pub(crate) fn hopeless(&self, amount: u64, gated: bool, now: u64) -> bool {
        let Some(mut room) = self.ceiling().checked_sub(amount) else { return true };
        if gated {
            let Some(below) = self.gate.min(self.ceiling()).checked_sub(1) else { return true };
            room = room.min(below);
        }
        !self.slides && self.used(now) > room
    }

    pub(crate) fn charge(&mut self, amount: u64, now: u64, by: Option<usize>) {
        if self.used(now) == 0 {
            self.anchor = now;
        }
        let slot = (now - self.anchor).div_ceil(WIDTH);
        let leaves = self.anchor + (slot + SLOTS) * WIDTH;
        self.log.push(Entry { at: now, amount, by, leaves });
        if let Some((left, until)) = &mut self.told.tokens
            && *until > now
        {
            *left = left.saturating_sub(amount);
        }
    }

    pub(crate) fn start(&mut self, amount: u64, now: u64) {
        if let Some((_, _, starts)) = &mut self.told.again {
            starts.push((now, amount));
        }
        if let Some((left, until)) = &mut self.told.requests
            && *until > now
        {
            *left = left.saturating_sub(1);
        }
    }

    pub(crate) fn reset(&mut self) {
        self.log.clear();
        self.era += 1;
    }

    /// The most that any span of the period holds, of all that was ever charged.
    pub(crate) fn most_in_any_span(&self) -> u64 {
        let within = |start: u64| move |at: u64| at >= start && at < start + PERIOD;
        let sum = |start: u64| {
            let span = self.log.iter().filter(|entry| within(start)(entry.at));
            span.map(|entry| entry.amount).sum()
        };
        self.log.iter().map(|entry| sum(entry.at)).max().unwrap_or(0)
    }
}

/// What a lease or a slot holds of a meter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hold {
    pub(crate) account: usize,
    pub(crate) meter: usize,
    pub(crate) amount: u64,
    pub(crate) era: u32,
    /// Whether it is held; else what was covered when it ran out, and when.
    pub(crate) ended: Option<(u64, u64)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Lease {
    pub(crate) holds: Vec<Hold>,
    pub(crate) accounts: Vec<usize>,
    pub(crate) deadline: u64,
    pub(crate) over: bool,
}

impl Lease {
    pub(crate) fn is_open(&self) -> bool {
        !self.over && self.holds.iter().all(|hold| hold.ended.is_none())
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) meters: Vec<Meter>,
    /// Whether what runs out is charged.
    pub(crate) charges: bool,
    pub(crate) closed: bool,
}

impl Account {
    /// Ends a hold of lease `by` as one that ran out.
    pub(crate) fn expire(&mut self, hold: &mut Hold, by: usize, now: u64) {
        let meter = &mut self.meters[hold.meter];
        let counts = hold.era == meter.era;
        if counts && self.charges {
            meter.charge(hold.amount, now, Some(by));
        }
        let covered = if counts && !self.charges { 0 } else { hold.amount };
        hold.ended = Some((covered, now));
    }

    /// Ends a hold of lease `by` with what was used.
    pub(crate) fn commit(&mut self, hold: &Hold, by: usize, actual: u64, now: u64) {
        let meter = &mut self.meters[hold.meter];
        let same = hold.era == meter.era;
        let covered = match hold.ended {
            None => {
                if same {
                    0
                } else {
                    hold.amount
                }
            }
            Some(_) if same && meter.counts(by, now) => {
                meter.log.retain(|entry| entry.by != Some(by));
                0
            }
            Some((covered, _)) => covered,
        };
        let given_away = hold.ended.is_some() && !self.charges && actual > 0;
        meter.strict &= actual <= hold.amount && !given_away;
        meter.charge(actual.saturating_sub(covered), now, None);
    }
}
