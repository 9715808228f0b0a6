//! What a wait costs: queued, served, left, with 100 to 10,000 others in the queue.
#![expect(clippy::unwrap_used, reason = "a bench that can not run must stop")]

use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use outlay::{
    Clock, Lease, Mailbox, ManualClock, PoolOptions, RateLimiter, RateOptions, SharedPool, Usage,
    Wait,
};

const SIZES: [u64; 3] = [100, 1_000, 10_000];
const MINUTE: Duration = Duration::from_secs(60);

/// A limiter whose window is full, and its queue: each waits for one token, all in one mailbox.
struct Row {
    clock: Arc<ManualClock>,
    limiter: RateLimiter,
    mailbox: Arc<Mailbox>,
    waits: Vec<Wait>,
}

impl Row {
    fn new(waits: u64) -> Self {
        let clock = Arc::new(ManualClock::new());
        let injected = Clock::Manual(Arc::clone(&clock));
        let options = RateOptions { clock: injected, threshold: 1.0, ..RateOptions::default() };
        let limiter = RateLimiter::new(20_000, options).unwrap();
        limiter.record_usage(20_000).unwrap();
        let mailbox = Mailbox::new(|| ());
        let mut row = Self { clock, limiter, mailbox, waits: Vec::new() };
        row.join(waits);
        row
    }

    fn join(&mut self, waits: u64) {
        let usage = Usage::tokens(1);
        let asks = [self.limiter.ask(&usage)];
        let join = |_| {
            let mailbox = Arc::clone(&self.mailbox);
            Wait::for_lease(&asks, usage.clone().into(), Some(10 * MINUTE), mailbox).unwrap()
        };
        self.waits.extend((0..waits).map(join));
    }

    /// The window slides: all are served.
    fn serve(&self) {
        self.clock.advance(2 * MINUTE);
        assert_eq!(self.mailbox.take_posted().len(), self.waits.len());
    }
}

/// Time for each of `size` waits.
fn each(c: &mut Criterion, name: &str, mut run: impl FnMut(&mut criterion::Bencher<'_>, u64)) {
    let mut group = c.benchmark_group(name);
    for size in SIZES {
        group.throughput(Throughput::Elements(size));
        group.bench_function(BenchmarkId::from_parameter(size), |b| run(b, size));
    }
    group.finish();
}

fn rows(c: &mut Criterion) {
    each(c, "enqueue", |b, size| {
        b.iter_batched_ref(|| Row::new(0), |row| row.join(size), BatchSize::PerIteration);
    });
    each(c, "grant", |b, size| {
        b.iter_batched_ref(|| Row::new(size), |row| row.serve(), BatchSize::PerIteration);
    });
    each(c, "leave", |b, size| {
        let leave = |row: &mut Row| row.waits.drain(..).rev().for_each(drop);
        b.iter_batched_ref(|| Row::new(size), leave, BatchSize::PerIteration);
    });
    each(c, "leave when served", |b, size| {
        let served = || {
            let row = Row::new(size);
            row.serve();
            row
        };
        b.iter_batched_ref(served, |row| row.waits.clear(), BatchSize::PerIteration);
    });
}

/// One lease after the other is released, and hands over to one wait each.
fn hand_over(c: &mut Criterion) {
    each(c, "release to the next", |b, size| {
        let full = || {
            let options = PoolOptions { capacity_tokens: Some(size), ..PoolOptions::default() };
            let pool = SharedPool::new(options).unwrap();
            let one = || pool.reserve(Usage::tokens(1).into()).unwrap();
            let leases: Vec<Lease> = (0..size).map(|_| one()).collect();
            let mailbox = Mailbox::new(|| ());
            let join = || pool.wait(Usage::tokens(1).into(), None, Arc::clone(&mailbox)).unwrap();
            let waits: Vec<Wait> = (0..size).map(|_| join()).collect();
            (leases, waits, mailbox)
        };
        let release = |row: &mut (Vec<Lease>, Vec<Wait>, Arc<Mailbox>)| {
            row.0.iter().for_each(|lease| lease.release().unwrap());
            assert_eq!(row.2.take_posted().len(), row.1.len());
        };
        b.iter_batched_ref(full, release, BatchSize::PerIteration);
    });
}

criterion_group! {
    name = waiting;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(20);
    targets = rows, hand_over
}
criterion_main!(waiting);
