//! One of many processes on one file: the shipped supply, shares and meters on real clocks.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use outlay::store::sqlite::{SqliteOptions, SqliteStore};
use outlay::store::{
    Answer, Durable, Edging, HolderId, HolderSupply, LimitId, SupplyRules, WindowSpan, fresh,
};
use outlay::{Clock, Error, ShareKind, Tick};

use super::child;
use super::judge::Counts;
use crate::auditor::{Auditor, Kind};
use crate::holder::{Holder, micros};
use crate::plan::Spec;
use crate::random::Random;

pub(super) const TTL: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(50);
/// The most leases of a process at a time.
const LEASES_MAX: usize = 6;

const RULES: SupplyRules = SupplyRules {
    ttl: TTL,
    beat: Duration::from_millis(250),
    idle: Duration::from_secs(2),
    ahead: Duration::from_millis(200),
    ahead_calls: 8,
    again: Duration::from_millis(250),
};

/// Twelve limits of all kinds.
pub(super) fn specs() -> Vec<Spec> {
    let second = |seconds: u64| seconds * 1_000_000;
    let all = [
        (WindowSpan::Lifetime, 200),
        (WindowSpan::Lifetime, 1_000_000),
        (WindowSpan::Fixed(second(1)), 40),
        (WindowSpan::Fixed(second(3)), 110),
        (WindowSpan::Fixed(700_000), 30),
        (WindowSpan::Calendar, 60),
        (WindowSpan::Calendar, 100),
        (WindowSpan::Sliding(second(1)), 40),
        (WindowSpan::Sliding(second(2)), 90),
        (WindowSpan::Sliding(500_000), 25),
        (WindowSpan::Gauge, 2),
        (WindowSpan::Gauge, 5),
    ];
    all.map(|(span, most)| Spec { span, most }).to_vec()
}

pub(super) fn counts(spec: &Spec) -> Counts {
    match (spec.span.kind(), spec.span) {
        (ShareKind::Rate, WindowSpan::Sliding(period)) => {
            Counts::Span(i64::try_from(period).unwrap())
        }
        (ShareKind::Open, _) => Counts::Open,
        _ => Counts::Windows,
    }
}

/// A calendar with windows of two seconds.
#[derive(Debug)]
struct Days;

impl Edging for Days {
    fn around(&self, time: i64) -> (i64, i64) {
        let begins = time - time.rem_euclid(2_000_000);
        (begins, begins + 2_000_000)
    }
}

enum News {
    Answer(Result<Answer, Error>),
    Waits(Vec<LimitId>),
}

struct Worker {
    process: u64,
    holder: Holder,
    store: Arc<SqliteStore>,
    /// It only records what the holder does: the judge is elsewhere.
    notes: Auditor,
    news: (mpsc::Sender<News>, mpsc::Receiver<News>),
    judge: BufReader<UnixStream>,
    random: Random,
    leases: u64,
    told: BTreeSet<u64>,
    looked: Tick,
    messages: u64,
}

fn now() -> Tick {
    Clock::System.precise_tick()
}

impl Worker {
    fn new(role: &str) -> Self {
        let words: Vec<&str> = role.split(' ').collect();
        let [url, socket, durable, process, apart] = words[..] else { panic!("{role}") };
        let process: u64 = process.parse().unwrap();
        let durable = if durable == "grant" { Durable::Grant } else { Durable::Process };
        let namespace = if apart == "true" { process.to_string() } else { "all".to_owned() };
        let options = SqliteOptions { namespace, ttl: TTL, durable, ..SqliteOptions::default() };
        let store = SqliteStore::open(url, options).unwrap();
        let mut supply = HolderSupply::new(RULES, HolderId(fresh().unwrap()));
        let specs = specs();
        for (at, spec) in specs.iter().enumerate() {
            let calendar = spec.span == WindowSpan::Calendar;
            let edging: Option<Box<dyn Edging>> =
                if calendar { Some(Box::new(Days)) } else { None };
            supply.add(LimitId(at as u128), spec.span, spec.most, edging);
        }
        let holder = Holder::new(supply, &specs, now());
        let mut notes = Auditor::new(&vec![(Kind::Open, u64::MAX); specs.len()], false, i64::MAX);
        notes.store_time = i64::MAX;
        for limit in 0..specs.len() {
            notes.heard(limit, holder.id().0, 0);
        }
        let judge = BufReader::new(UnixStream::connect(socket).unwrap());
        let (random, looked) = (Random::new(process), now());
        let (leases, told, messages) = (process << 32, BTreeSet::new(), 0);
        let news = mpsc::channel();
        Self { process, holder, store, notes, news, judge, random, leases, told, looked, messages }
    }

    /// Says something to the judge, and waits for what it says.
    fn ask(&mut self, line: &str) -> bool {
        let mut answer = String::new();
        writeln!(self.judge.get_mut(), "{line}").unwrap();
        self.judge.read_line(&mut answer).unwrap();
        answer == "yes\n"
    }

    /// Tells the judge of the leases that were opened.
    fn tell(&mut self) {
        let open: Vec<_> = self.holder.inner.leases.iter().map(|lease| lease.number).collect();
        self.told.retain(|number| open.contains(number));
        let mut lines = Vec::new();
        for lease in &self.holder.inner.leases {
            if self.told.insert(lease.number) {
                let (deadline, parts) = lease.terms();
                let parts = parts.map(|(limit, era, amount)| {
                    assert_eq!(era.generation, 0, "nobody resets");
                    format!("{limit}:{}:{amount}", era.begins)
                });
                let parts: Vec<String> = parts.collect();
                let (number, process) = (lease.number, self.process);
                lines.push(format!("{process} {number} {} {}", micros(deadline), parts.join(" ")));
            }
        }
        for line in lines {
            assert!(self.ask(&line));
        }
    }

    fn serve(&mut self) {
        self.holder.flush(&mut self.leases, &mut self.notes).unwrap();
        self.tell();
    }

    fn call(&mut self) {
        let all = u64::try_from(specs().len()).unwrap();
        let mut limits = BTreeSet::new();
        for _ in 0..if self.random.thousandths(700) { 1 } else { 3 } {
            limits.insert(usize::try_from(self.random.below(all)).unwrap());
        }
        let amount = if self.random.thousandths(50) { 8 } else { self.random.between(1, 3) };
        let demands = limits.into_iter().map(|limit| (limit, amount)).collect();
        let ttl = if self.random.thousandths(200) { 4_000 } else { 1_200 };
        let times = [ttl, self.random.between(20, 300)].map(Duration::from_millis);
        self.holder.touch(now());
        self.holder.call(demands, times);
        self.serve();
    }

    fn end(&mut self, tenths: u64) {
        let count = u64::try_from(self.holder.inner.leases.len()).unwrap();
        let Some(at) = (count > 0).then(|| self.random.below(count)) else { return };
        let number = self.holder.inner.leases[usize::try_from(at).unwrap()].number;
        let under_way = self.ask(&format!("{number} {tenths}"));
        self.holder.touch(now());
        // If it has run out on the way, it was charged its estimates.
        let place = self.holder.inner.leases.iter().position(|lease| lease.number == number);
        if let Some(place) = place.filter(|_| under_way) {
            self.holder.end(place, tenths, &mut self.notes);
        }
        self.serve();
    }

    /// What the thread of a supply does.
    fn supply(&mut self) {
        while let Ok(news) = self.news.1.try_recv() {
            self.hear(news);
        }
        let at = now();
        self.holder.touch(at);
        self.holder.mark();
        if let Some(message) = self.holder.supply.plan(&mut self.holder.inner, at) {
            self.messages += 1;
            let sender = self.news.0.clone();
            let done = move |answer| drop(sender.send(News::Answer(answer)));
            self.store.send(Arc::new(message), done);
        }
        if at.since(self.looked) >= LOOK {
            self.looked = at;
            let sender = self.news.0.clone();
            let done = move |found: Result<Vec<LimitId>, Error>| {
                drop(sender.send(News::Waits(found.unwrap_or_default())));
            };
            self.store.look(self.holder.id(), done);
        }
    }

    fn hear(&mut self, news: News) {
        match news {
            // It is sent again after a while.
            News::Answer(Err(_)) => {}
            News::Waits(limits) => {
                limits.into_iter().for_each(|limit| self.holder.supply.call_in(limit));
            }
            News::Answer(Ok(answer)) => {
                let at = now();
                self.holder.touch(at);
                self.holder.supply.apply(&answer, &mut self.holder.inner, at);
                self.serve();
            }
        }
    }

    fn work(&mut self) {
        if self.holder.inner.leases.len() < LEASES_MAX && self.random.thousandths(550) {
            self.call();
        } else {
            let tenths = self.random.between(0, 10);
            self.end(tenths);
        }
        self.supply();
        let pause = Duration::from_micros(self.random.below(1_500));
        if let Ok(news) = self.news.1.recv_timeout(pause) {
            self.hear(news);
        }
    }
}

/// Works until its standard input ends, then gives back what it has.
#[test]
fn worker_child() {
    let Some(role) = child::role() else { return };
    let mut worker = Worker::new(&role);
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    std::thread::spawn(move || {
        drop(std::io::stdin().read_to_end(&mut Vec::new()));
        stopped.store(true, Ordering::Release);
    });
    while !stop.load(Ordering::Acquire) {
        worker.work();
    }
    while !worker.holder.inner.leases.is_empty() {
        worker.end(10);
    }
    child::tell(&worker.messages.to_string());
    assert!(worker.store.close(Duration::from_secs(10)));
}
