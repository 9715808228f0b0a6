//! What a store says of itself.

use std::time::Duration;

use crate::store::message::Epoch;

/// What a process knows of its store.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// Where the store is, without secrets.
    pub url: String,
    /// Its part that is used.
    pub namespace: String,
    /// Whether it answers.
    pub connected: bool,
    /// This process, as the store knows it.
    pub holder: u128,
    /// How many processes use it, as of the last answer.
    pub live: u32,
    /// The shares of this process.
    pub shares: Vec<ShareStatus>,
    /// How long ago the last answer came. `None` before the first one.
    pub last_answer: Option<Duration>,
    /// How long it took.
    pub round_trip: Duration,
    /// How far the clock of the store is ahead of this machine's, in microseconds.
    pub clock_offset: Option<i64>,
    /// Whether the machine's clock has leapt, and the store goes on without the leap.
    pub clock_leapt: bool,
    /// The memory of the store. Another one means that it has lost writes.
    pub epoch: Option<Epoch>,
    /// How many messages this process has sent.
    pub messages: u64,
    /// How many limits this process knows.
    pub limits: usize,
    /// Why it does not answer.
    pub problem: Option<String>,
}

/// A share of this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareStatus {
    /// The name of the limit.
    pub name: String,
    /// How much it may use.
    pub out: u64,
    /// What of that is neither used nor held.
    pub free: u64,
    /// What it has used.
    pub used: u64,
    /// What its leases hold.
    pub held: u64,
}
