//! A fleet of processes that share limits, on one clock that is moved by hand: the shipped accounts,
//! waits, supplies and book. Only the way to the store and back is simulated: it takes a fixed time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use outlay::store::{
    Answer, HolderId, HolderSupply, LimitId, Message, Now, OnDown, Registry, StoreRules,
    SupplyRules, apply, passes_when_down,
};
use outlay::{
    Account, Actual, Ask, Changes, Clock, Code, Core, Demand, Error, Grant, Key, Lack, Lease,
    Limit, Mailbox, ManualClock, Meter, Policy, Request, Tick, Unit, Usage, Wait, Window,
};

use crate::memory::Memory;

/// The time of a commit of the file: there and back.
const TRIP: Duration = Duration::from_millis(5);
/// How often a holder looks whether others wait.
const LOOK: Duration = Duration::from_millis(50);
/// How long a call waits for the store.
const TIMEOUT: Duration = Duration::from_millis(250);
/// When the fleet begins, by the store's clock.
const BEGIN: i64 = 1_700_000_000_000_000;
/// When the first call comes: the holders have said hello before.
const FIRST: u64 = 1_000_000;
/// The limit that all share.
const LIMIT: LimitId = LimitId(1);

/// A call of one process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    /// When it begins: microseconds from the start.
    pub(super) at: u64,
    /// How long it takes, 0 if it is booked at once.
    pub(super) lasts: u64,
    pub(super) estimate: u64,
    pub(super) actual: u64,
    pub(super) process: usize,
}

/// How a call was decided, and what all had used and held then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decision {
    /// When it was decided, in microseconds.
    pub(super) at: u64,
    pub(super) process: usize,
    pub(super) asked: u64,
    pub(super) admitted: bool,
    /// Used and held by all, without it.
    pub(super) taken: u64,
    /// Whether it was decided later than it was asked.
    pub(super) waited: bool,
}

/// What came out.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) decisions: Vec<Decision>,
    /// Messages that a call caused or waited for, by decision at which they were counted.
    pub(super) trips: Vec<usize>,
    /// All messages.
    pub(super) messages: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Look,
    Arrive(usize),
    Answer(usize),
    End(usize),
    Call(usize),
    Over(usize),
}

/// What the accounts of a process have said since its supply last spoke.
#[derive(Debug, Default)]
struct Link {
    news: AtomicBool,
    free: AtomicBool,
}

impl outlay::Supply for Link {
    fn short(&self, _: u128) {
        self.news.store(true, Ordering::Relaxed);
    }

    fn surplus(&self, _: u128) {
        self.free.store(true, Ordering::Relaxed);
    }

    fn changed(&self, _: u128, _: Changes) {}

    fn timeout(&self) -> Duration {
        TIMEOUT
    }

    fn passes_when_away(&self, lack: &Lack) -> Option<bool> {
        let Lack { share, taken, asked, .. } = *lack;
        let away = false;
        away.then(|| passes_when_down(OnDown::Deny, None, share, taken, asked))
    }
}

struct Process {
    supply: HolderSupply,
    registry: Registry,
    account: Arc<Account>,
    link: Arc<Link>,
    mailbox: Arc<Mailbox>,
    waits: Vec<(Wait, usize)>,
    under_way: Option<Arc<Message>>,
    answer: Option<Answer>,
}

struct Fleet<'a> {
    clock: Arc<ManualClock>,
    rows: Memory,
    processes: Vec<Process>,
    calls: &'a [Call],
    leases: Vec<Option<(Lease, usize)>>,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    events_made: u64,
    fresh: u128,
    taken: u64,
    outcome: Outcome,
}

/// Lets `count` processes make `calls` under one limit of `most` in `window`, and returns what came
/// out. `until` may end it early.
pub(super) fn run(
    count: usize,
    most: u64,
    window: impl Fn(Tick) -> Window,
    calls: &[Call],
    until: impl Fn(&Outcome) -> bool,
) -> Outcome {
    let clock = Arc::new(ManualClock::new());
    let core = Core::new(Clock::from(Arc::clone(&clock)), Policy::default());
    let process = |number: usize| process(number, &core, most, window(clock.tick()));
    let processes = (0..count).map(process).collect();
    let mut fleet = Fleet {
        clock: Arc::clone(&clock),
        rows: Memory::default(),
        processes,
        calls,
        leases: Vec::new(),
        events: BinaryHeap::new(),
        events_made: 0,
        fresh: 1,
        taken: 0,
        outcome: Outcome::default(),
    };
    for process in 0..count {
        fleet.pump(process);
    }
    for (at, call) in calls.iter().enumerate() {
        fleet.at(call.at + FIRST, Event::Call(at));
    }
    fleet.at(0, Event::Look);
    while let Some(Reverse((time, _, event))) = fleet.events.pop() {
        if fleet.outcome.decisions.len() == calls.len() || until(&fleet.outcome) {
            break;
        }
        fleet.pass(time);
        fleet.handle(time, event);
    }
    fleet.outcome
}

fn process(number: usize, core: &Arc<Core>, most: u64, window: Window) -> Process {
    let link = Arc::new(Link::default());
    let meter = Meter::new(Limit::new(Unit::Tokens, Some(most)), window).shared(LIMIT.0);
    let key = Key::parse("id", "fleet").unwrap();
    let account = Account::new(core, key, Code::BudgetExceeded, [meter]);
    account.supplied_by(Arc::clone(&link) as Arc<dyn outlay::Supply>).unwrap();
    let mut registry = Registry::default();
    let mut supply = HolderSupply::new(SupplyRules::default(), HolderId(number as u128 + 1));
    for known in registry.add(&account).unwrap() {
        supply.add(known.id, known.span, known.most, None);
    }
    let mailbox = Mailbox::new(|| ());
    let (waits, under_way, answer) = (Vec::new(), None, None);
    Process { supply, registry, account, link, mailbox, waits, under_way, answer }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap()
}

impl Fleet<'_> {
    fn at(&mut self, time: u64, event: Event) {
        self.events_made += 1;
        self.events.push(Reverse((time, self.events_made, event)));
    }

    fn now(&self) -> Tick {
        self.clock.tick()
    }

    fn pass(&mut self, time: u64) {
        let past = micros(self.now().since(Tick::from_nanos(0)));
        self.clock.advance(Duration::from_micros(time.saturating_sub(past)));
    }

    fn handle(&mut self, time: u64, event: Event) {
        match event {
            Event::Look => {
                self.look();
                self.at(time + micros(LOOK), Event::Look);
            }
            Event::Arrive(process) => {
                let message = self.processes[process].under_way.take().unwrap();
                self.fresh += 1;
                let store_time = BEGIN + i64::try_from(time).unwrap();
                let now = Now { time: store_time, fresh: self.fresh };
                let rules = StoreRules { ttl: 15_000_000, strict: false, keep: 86_400_000_000 };
                let Ok(answer) = apply(&mut self.rows, &rules, now, &message);
                self.processes[process].answer = Some(answer);
                self.at(time + micros(TRIP) / 2, Event::Answer(process));
            }
            Event::Answer(process) => {
                let now = self.now();
                let own = &mut self.processes[process];
                let answer = own.answer.take().unwrap();
                own.supply.apply(&answer, &mut own.registry, now);
                self.collect(process, time);
                self.pump(process);
            }
            Event::End(lease) => {
                if let Some((lease, call)) = self.leases[lease].take() {
                    let Call { estimate, actual, process, .. } = self.calls[call];
                    lease.commit(Actual::Usage(Usage::tokens(actual))).unwrap();
                    self.taken = self.taken - estimate + actual;
                    self.collect(process, time);
                    self.pump(process);
                }
            }
            Event::Call(call) => self.call(call, time),
            Event::Over(process) => {
                self.processes[process].account.decide_again().unwrap();
                self.collect(process, time);
                self.pump(process);
            }
        }
    }

    fn call(&mut self, call: usize, time: u64) {
        let Call { estimate, process, .. } = self.calls[call];
        let own = &mut self.processes[process];
        let ask = Ask::new(&own.account, [Demand::new(0, estimate)].into_iter().collect());
        let request = Request::from(Usage::tokens(estimate));
        let mailbox = Arc::clone(&own.mailbox);
        match Wait::for_store(&[ask], request, Some(TIMEOUT), mailbox) {
            Ok(wait) => own.waits.push((wait, call)),
            Err(error) => self.decided(call, Err(error), time),
        }
        self.collect(process, time);
        if !self.processes[process].waits.is_empty() {
            self.at(time + micros(TIMEOUT), Event::Over(process));
        }
        self.pump(process);
    }

    /// Takes what the waits of a process were given.
    fn collect(&mut self, process: usize, time: u64) {
        let mut at = 0;
        while at < self.processes[process].waits.len() {
            match self.processes[process].waits[at].0.take() {
                None => at += 1,
                Some(ended) => {
                    let (_, call) = self.processes[process].waits.remove(at);
                    self.decided(call, ended, time);
                }
            }
        }
    }

    fn decided(&mut self, call: usize, ended: Result<Grant, Error>, time: u64) {
        let Call { at, lasts, estimate, actual, process } = self.calls[call];
        let (admitted, taken) = (ended.is_ok(), self.taken);
        let waited = time > at + FIRST;
        let asked = estimate;
        self.outcome.decisions.push(Decision { at: time, process, asked, admitted, taken, waited });
        if let Ok(Grant::Lease(lease)) = ended {
            if lasts == 0 {
                lease.commit(Actual::Usage(Usage::tokens(actual))).unwrap();
                self.taken += actual;
            } else {
                self.taken += estimate;
                self.leases.push(Some((lease, call)));
                self.at(time + lasts, Event::End(self.leases.len() - 1));
            }
        }
    }

    /// Lets the supply of a process speak, if it has something to say.
    fn pump(&mut self, process: usize) {
        let now = self.now();
        let own = &mut self.processes[process];
        if own.under_way.is_some() || own.answer.is_some() || own.supply.is_speaking() {
            return;
        }
        let news = own.link.news.swap(false, Ordering::Relaxed);
        if own.link.free.swap(false, Ordering::Relaxed) || news {
            own.supply.mark(LIMIT);
        }
        let Some(message) = own.supply.plan(&mut own.registry, now) else { return };
        let waits = !own.waits.is_empty();
        own.under_way = Some(Arc::new(message));
        self.outcome.messages += 1;
        if waits || news {
            self.outcome.trips.push(self.outcome.decisions.len());
        }
        let time = micros(now.since(Tick::from_nanos(0)));
        self.at(time + micros(TRIP) / 2, Event::Arrive(process));
    }

    /// Each process looks whether others wait, and speaks if it is time.
    fn look(&mut self) {
        let shares = self.rows.eras.values().flat_map(|(_, shares)| shares);
        let waiting: Vec<HolderId> =
            shares.filter(|(_, row)| row.need > 0).map(|(holder, _)| *holder).collect();
        for process in 0..self.processes.len() {
            let me = self.processes[process].supply.holder();
            if waiting.iter().any(|other| *other != me) {
                self.processes[process].supply.call_in(LIMIT);
            }
            self.pump(process);
        }
    }
}
