//! A plain counter: what the server of a test sees of calls. It knows nothing of the crate.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counts {
    /// What was used in each window.
    Windows,
    /// What was used in any span of so many microseconds, and what is open.
    Span(i64),
    /// What is open.
    Open,
}

/// A part of a call: which limit, the beginning of the window, how much.
pub(super) type Part = (usize, i64, u64);

#[derive(Debug)]
struct Call {
    process: u64,
    deadline: i64,
    parts: Vec<Part>,
    /// Whether it counted as open when it came.
    open: bool,
}

/// All calls of all processes, by the time at which the server hears of them.
#[derive(Debug)]
pub(super) struct Judge {
    limits: Vec<(Counts, u64)>,
    calls: BTreeMap<u64, Call>,
    windows: BTreeMap<(usize, i64), u64>,
    spans: Vec<VecDeque<(i64, u64)>>,
    open: Vec<u64>,
    dead: BTreeSet<u64>,
    pub(super) most: Vec<u64>,
    pub(super) begun: u64,
    pub(super) above: Vec<String>,
}

impl Judge {
    pub(super) fn new(limits: Vec<(Counts, u64)>) -> Self {
        let count = limits.len();
        Self {
            limits,
            calls: BTreeMap::new(),
            windows: BTreeMap::new(),
            spans: vec![VecDeque::new(); count],
            open: vec![0; count],
            dead: BTreeSet::new(),
            most: vec![0; count],
            begun: 0,
            above: Vec::new(),
        }
    }

    /// A call has come. It ends at its deadline, if not before.
    pub(super) fn begin(
        &mut self,
        (process, call): (u64, u64),
        parts: Vec<Part>,
        deadline: i64,
        now: i64,
    ) {
        self.pass(now);
        self.begun += 1;
        // What a process said before it died, or before it was paused past the deadline, is used.
        let open = deadline > now && !self.dead.contains(&process);
        for &(limit, window, amount) in &parts {
            match self.limits[limit].0 {
                Counts::Windows => *self.windows.entry((limit, window)).or_default() += amount,
                Counts::Span(_) | Counts::Open if open => self.open[limit] += amount,
                Counts::Span(_) | Counts::Open => continue,
            }
            self.check(limit, window, now);
        }
        self.calls.insert(call, Call { process, deadline, parts, open });
    }

    fn check(&mut self, limit: usize, window: i64, now: i64) {
        let (counts, most) = self.limits[limit];
        let sum = match counts {
            Counts::Windows => self.windows[&(limit, window)],
            Counts::Open => self.open[limit],
            Counts::Span(span) => {
                let used = &mut self.spans[limit];
                while used.front().is_some_and(|(at, _)| *at <= now - span) {
                    used.pop_front();
                }
                self.open[limit] + used.iter().map(|(_, amount)| amount).sum::<u64>()
            }
        };
        self.most[limit] = self.most[limit].max(sum);
        if sum > most {
            self.above.push(format!("limit {limit} {counts:?}: {sum} of {most} at {now}"));
        }
    }

    /// A call has ended, and has used so many tenths. Returns whether it was under way.
    pub(super) fn end(&mut self, call: u64, tenths: u64, now: i64) -> bool {
        self.pass(now);
        let ended = self.calls.remove(&call);
        if let Some(ended) = &ended {
            self.close(ended, tenths, now);
        }
        ended.is_some()
    }

    fn close(&mut self, call: &Call, tenths: u64, at: i64) {
        for &(limit, window, amount) in &call.parts {
            let used = amount * tenths / 10;
            match self.limits[limit].0 {
                Counts::Windows => {
                    *self.windows.get_mut(&(limit, window)).unwrap() -= amount - used
                }
                Counts::Open if call.open => self.open[limit] -= amount,
                Counts::Span(_) => {
                    self.open[limit] -= if call.open { amount } else { 0 };
                    let place = self.spans[limit].partition_point(|(time, _)| *time <= at);
                    self.spans[limit].insert(place, (at, used));
                }
                Counts::Open => {}
            }
        }
    }

    /// Ends the calls whose deadlines are over.
    fn pass(&mut self, now: i64) {
        for call in self.take(|call| call.deadline <= now) {
            self.close(&call, 10, call.deadline);
        }
    }

    /// A process is dead: its calls have ended, and nobody knows what they have used.
    pub(super) fn died(&mut self, process: u64, now: i64) {
        self.pass(now);
        self.dead.insert(process);
        for call in self.take(|call| call.process == process) {
            self.close(&call, 10, now);
        }
    }

    fn take(&mut self, ends: impl Fn(&Call) -> bool) -> Vec<Call> {
        let all = std::mem::take(&mut self.calls);
        let (ended, left): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, call)| ends(call));
        self.calls = left.into_iter().collect();
        ended.into_iter().map(|(_, call)| call).collect()
    }
}

#[test]
fn it_counts_to_the_unit() {
    let mut judge =
        Judge::new(vec![(Counts::Windows, 10), (Counts::Span(100), 10), (Counts::Open, 2)]);
    judge.begin((1, 1), vec![(0, 0, 10), (1, 0, 10), (2, 0, 2)], 1_000, 10);
    assert_eq!(judge.above, Vec::<String>::new());
    assert!(judge.end(1, 5, 20) && !judge.end(1, 5, 20));
    judge.begin((1, 2), vec![(0, 0, 5), (1, 0, 5), (2, 0, 2)], 1_000, 119);
    assert_eq!(judge.above, Vec::<String>::new());
    judge.begin((1, 3), vec![(0, 0, 1)], 1_000, 119);
    judge.begin((1, 4), vec![(1, 0, 1)], 1_000, 119);
    judge.begin((1, 5), vec![(2, 0, 1)], 1_000, 119);
    assert_eq!(judge.above.len(), 3, "{:?}", judge.above);
    judge.died(1, 120);
    judge.begin((2, 6), vec![(1, 0, 4), (2, 0, 2)], 1_000, 121);
    assert_eq!((judge.above.len(), &judge.most), (3, &vec![11, 11, 3]));
    judge.begin((2, 7), vec![(1, 0, 1)], 1_000, 121);
    assert_eq!(judge.above.len(), 4, "5 + 1 were used by the dead, 4 are open");
}
