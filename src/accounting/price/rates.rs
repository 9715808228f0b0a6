//! The prices of each kind of token, and the counts of a usage by kind.

use super::decimal::scaled;
use crate::accounting::invalid::{Invalid, InvalidKind};
use crate::accounting::money::MicroUsd;
use crate::accounting::usage::Usage;

/// The kinds of tokens that a price may name.
pub(super) const KINDS: [&str; 9] = [
    "input",
    "output",
    "cache_read",
    "cache_write",
    "cache_write_1h",
    "reasoning",
    "audio_input",
    "audio_output",
    "audio_cache_read",
];
/// The place of "cache_write_1h" in it.
pub(super) const HOUR: usize = 4;
/// The places of "cache_read" and "audio_cache_read" in it.
pub(super) const CACHED: [usize; 2] = [2, 8];
/// The decimals of a multiplier.
const DECIMALS: usize = 9;
/// A multiplier of 1.
pub(super) const ONE: u64 = 1_000_000_000;

/// The cost of each kind of token, in micro-USD per million.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Input that was neither read from nor written to a cache.
    pub input: u64,
    /// Output without reasoning.
    pub output: u64,
    /// Input read from a cache. Default: the price of input.
    pub cache_read: u64,
    /// Input written to a cache. Default: the price of input.
    pub cache_write: u64,
    /// Input written to a cache that keeps it for an hour. `None` means the price of a cache write.
    /// A table sets twice the input price for models of Anthropic.
    pub cache_write_1h: Option<u64>,
    /// Reasoning, which is part of the output. Default: the price of output.
    pub reasoning: u64,
    /// Sound in the input. `None` means the highest price of input.
    pub audio_input: Option<u64>,
    /// Sound in the output. `None` means the highest price of output.
    pub audio_output: Option<u64>,
    /// Sound read from a cache. `None` means the higher price of cache reads and sound.
    pub audio_cache_read: Option<u64>,
}

/// A number for each kind of token, where one is given.
pub(super) type ByKind = [Option<u64>; KINDS.len()];

/// The place of a kind in [`KINDS`].
pub(super) fn kind(argument: &str, name: &str, others: &[&str]) -> Result<usize, Invalid> {
    KINDS.iter().position(|known| *known == name).ok_or_else(|| {
        let allowed = [&KINDS, others].concat().join(", ");
        Invalid::sentence(format!("{argument}: unknown key {name:?}; allowed are {allowed}"))
    })
}

/// Reads USD per million tokens.
pub(super) fn rate(argument: &str, name: &str, text: &str) -> Result<u64, Invalid> {
    let rate = MicroUsd::parse(&format!("{argument}[{name:?}]"), text);
    rate.map(|rate| rate.0).map_err(|bad| Invalid { kind: InvalidKind::Policy, ..bad })
}

/// Reads a multiplier.
pub(super) fn multiplier(argument: &str, text: &str) -> Result<u64, Invalid> {
    scaled(argument, text, DECIMALS)
}

/// The given prices with the defaults of all others.
pub(super) fn resolved(argument: &str, given: &ByKind) -> Result<Rates, Invalid> {
    let [input, output, cache_read, cache_write, hour, reasoning, heard, spoken, audio_read] =
        *given;
    let (Some(input), Some(output)) = (input, output) else {
        let message =
            format!("{argument} does not have both \"input\" and \"output\"; give both prices");
        return Err(Invalid::sentence(message));
    };
    Ok(Rates {
        input,
        output,
        cache_read: cache_read.unwrap_or(input),
        cache_write: cache_write.unwrap_or(input),
        cache_write_1h: hour,
        reasoning: reasoning.unwrap_or(output),
        audio_input: heard,
        audio_output: spoken,
        audio_cache_read: audio_read,
    })
}

impl Rates {
    /// The prices as they were given.
    pub(super) const fn given(&self) -> ByKind {
        [
            Some(self.input),
            Some(self.output),
            Some(self.cache_read),
            Some(self.cache_write),
            self.cache_write_1h,
            Some(self.reasoning),
            self.audio_input,
            self.audio_output,
            self.audio_cache_read,
        ]
    }

    /// The price of each kind.
    pub(super) fn by_kind(&self) -> [u128; KINDS.len()] {
        let hour = self.cache_write_1h.unwrap_or(self.cache_write);
        let Self { input, output, cache_read: read, cache_write: write, reasoning, .. } = *self;
        let heard = self.audio_input.unwrap_or_else(|| input.max(read).max(write).max(hour));
        let spoken = self.audio_output.unwrap_or_else(|| output.max(reasoning));
        let audio_read = self.audio_cache_read.unwrap_or_else(|| read.max(heard));
        [input, output, read, write, hour, reasoning, heard, spoken, audio_read].map(u128::from)
    }

    /// The cost of the tokens in millionths of a micro-USD. There is no sound among them.
    #[inline]
    pub(super) fn tokens_cost(&self, usage: &Usage) -> u128 {
        let hour = usage.cache_write_1h_tokens;
        let written = usage.cache_write_tokens.max(hour);
        let cached = usage.cache_read_tokens.saturating_add(written);
        let plain = usage.input_tokens.saturating_sub(cached);
        let reasoning = usage.reasoning_tokens.min(usage.output_tokens);
        let parts = [
            (plain, self.input),
            (usage.cache_read_tokens, self.cache_read),
            (written - hour, self.cache_write),
            (hour, self.cache_write_1h.unwrap_or(self.cache_write)),
            (usage.output_tokens - reasoning, self.output),
            (reasoning, self.reasoning),
            (unknown(usage), self.input.max(self.output)),
        ];
        parts.iter().fold(0_u128, |sum, &(tokens, price)| {
            sum.saturating_add(u128::from(tokens) * u128::from(price))
        })
    }
}

/// The tokens that are neither input nor output.
fn unknown(usage: &Usage) -> u64 {
    usage.total_tokens.saturating_sub(usage.input_tokens.saturating_add(usage.output_tokens))
}

/// The cost of tokens, some of which may be sound, at these prices.
///
/// It is not known whether what was read from a cache was sound. As little of it as possible is
/// taken for sound, which is the dearest reading.
pub(super) fn all_tokens_cost(usage: &Usage, prices: &[u128; KINDS.len()]) -> u128 {
    let [input, output, read, write, hourly, thought, heard, spoken, audio_read] = *prices;
    let hour = usage.cache_write_1h_tokens;
    let written = usage.cache_write_tokens.max(hour);
    let cached = usage.cache_read_tokens.saturating_add(written);
    let sound = usage.billing.audio_input_tokens().min(usage.input_tokens);
    let text = usage.input_tokens - sound;
    let sound_read = cached.saturating_sub(text).min(usage.cache_read_tokens).min(sound);
    let sound_plain = sound - sound_read;
    let plain = usage.input_tokens.saturating_sub(cached).saturating_sub(sound_plain);
    let said = usage.billing.audio_output_tokens().min(usage.output_tokens);
    let reasoning = usage.reasoning_tokens.min(usage.output_tokens - said);
    let parts = [
        (plain, input),
        (usage.cache_read_tokens - sound_read, read),
        (sound_read, audio_read),
        (written - hour, write),
        (hour, hourly),
        (sound_plain, heard),
        (usage.output_tokens - said - reasoning, output),
        (reasoning, thought),
        (said, spoken),
        (unknown(usage), input.max(output)),
    ];
    parts.iter().fold(0_u128, |sum, &(tokens, price)| {
        sum.saturating_add(u128::from(tokens).saturating_mul(price))
    })
}
