//! Usage: what a call used, and what it may use.

mod billing;

pub use billing::Billing;
pub(crate) use billing::check_name;

use super::invalid::{Invalid, InvalidKind};
use super::limit::Unit;

/// The tokens and the cost of one call, or of many.
///
/// `input_tokens` includes tokens read from and written to a cache, `output_tokens` includes
/// reasoning.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Usage {
    /// Prompt tokens, cache included.
    pub input_tokens: u64,
    /// Generated tokens, reasoning included.
    pub output_tokens: u64,
    /// The tokens that a token limit counts: input + output, unless the provider reports another
    /// total.
    pub total_tokens: u64,
    /// Cost in whole millionths of a US dollar.
    pub cost_micros_usd: u64,
    /// The part of the input that was read from a cache.
    pub cache_read_tokens: u64,
    /// The part of the input that was written to a cache.
    pub cache_write_tokens: u64,
    /// The part of `cache_write_tokens` that is kept for an hour.
    pub cache_write_1h_tokens: u64,
    /// The part of the output that was reasoning.
    pub reasoning_tokens: u64,
    /// Sound, units and the way of billing, which most calls do not have.
    pub billing: Billing,
}

/// What a call may use: the same shape as [`Usage`].
pub type UsageEstimate = Usage;

impl Usage {
    /// Nothing used.
    pub const fn zero() -> Self {
        Self {
            input_tokens: 0,
            output_tokens: 0,
            total_tokens: 0,
            cost_micros_usd: 0,
            cache_read_tokens: 0,
            cache_write_tokens: 0,
            cache_write_1h_tokens: 0,
            reasoning_tokens: 0,
            billing: Billing::none(),
        }
    }

    /// A total of `tokens`, of which nothing else is known.
    pub const fn tokens(tokens: u64) -> Self {
        Self::priced(tokens, 0)
    }

    /// A total of `tokens` that cost `cost_micros_usd`.
    pub const fn priced(tokens: u64, cost_micros_usd: u64) -> Self {
        Self::from_array([0, 0, tokens, cost_micros_usd, 0, 0, 0, 0], Billing::none())
    }

    /// The amount in a unit, or `None` if a usage does not count that unit. Tokens that are neither
    /// input nor output count as both.
    #[inline]
    pub(crate) const fn amount(&self, unit: Unit) -> Option<u64> {
        let known = self.input_tokens.saturating_add(self.output_tokens);
        let unknown = self.total_tokens.saturating_sub(known);
        Some(match unit {
            Unit::Tokens => self.total_tokens,
            Unit::InputTokens => self.input_tokens.saturating_add(unknown),
            Unit::OutputTokens => self.output_tokens.saturating_add(unknown),
            Unit::CacheReadTokens => self.cache_read_tokens,
            Unit::CacheWriteTokens => self.cache_write_tokens,
            Unit::ReasoningTokens => self.reasoning_tokens,
            Unit::Cost => self.cost_micros_usd,
            _ => return None,
        })
    }

    /// The number of its counts, without those of its billing.
    pub(crate) const COUNTS: usize = 8;

    pub(crate) const fn to_array(&self) -> [u64; Self::COUNTS] {
        [
            self.input_tokens,
            self.output_tokens,
            self.total_tokens,
            self.cost_micros_usd,
            self.cache_read_tokens,
            self.cache_write_tokens,
            self.cache_write_1h_tokens,
            self.reasoning_tokens,
        ]
    }

    pub(crate) const fn from_array(fields: [u64; Self::COUNTS], billing: Billing) -> Self {
        let [input, output, total, cost, cache_read, cache_write, hour, reasoning] = fields;
        Self {
            input_tokens: input,
            output_tokens: output,
            total_tokens: total,
            cost_micros_usd: cost,
            cache_read_tokens: cache_read,
            cache_write_tokens: cache_write,
            cache_write_1h_tokens: hour,
            reasoning_tokens: reasoning,
            billing,
        }
    }

    /// The sum. Fails if a field would overflow. Only what both are billed as holds for the sum,
    /// but a usage of nothing changes nothing.
    pub fn checked_add(&self, other: &Self) -> Result<Self, Invalid> {
        let sum = self.saturating_add(other);
        let (back, forth) = (sum.saturating_sub(other), sum.saturating_sub(self));
        if back.counts_like(self) && forth.counts_like(other) {
            return Ok(sum);
        }
        Err(Invalid {
            kind: InvalidKind::Amount,
            message: "a field of the sum of two usages is not below 2**64; add smaller usages"
                .to_owned(),
        })
    }

    /// The sum; a field that would overflow stays at its maximum.
    #[must_use]
    #[inline]
    pub fn saturating_add(&self, other: &Self) -> Self {
        let billing = self.billing_with(other);
        self.each(other, u64::saturating_add, billing)
    }

    /// Adds to it; a field that would overflow stays at its maximum.
    #[inline]
    pub(crate) fn add(&mut self, other: &Self) {
        if !(self.billing.is_none() && other.billing.is_none()) {
            self.billing = self.billing_with(other);
        }
        for (field, other) in self.counts_mut().into_iter().zip(other.to_array()) {
            *field = field.saturating_add(other);
        }
    }

    const fn counts_mut(&mut self) -> [&mut u64; Self::COUNTS] {
        [
            &mut self.input_tokens,
            &mut self.output_tokens,
            &mut self.total_tokens,
            &mut self.cost_micros_usd,
            &mut self.cache_read_tokens,
            &mut self.cache_write_tokens,
            &mut self.cache_write_1h_tokens,
            &mut self.reasoning_tokens,
        ]
    }

    /// The product. A field that would overflow stays at its maximum.
    #[must_use]
    pub fn times(&self, times: u64) -> Self {
        let fields = self.to_array().map(|field| field.saturating_mul(times));
        Self::from_array(fields, self.billing.times(times))
    }

    /// The difference; a field never goes below zero.
    #[must_use]
    pub fn saturating_sub(&self, other: &Self) -> Self {
        self.each(other, u64::saturating_sub, self.billing.less(&other.billing))
    }

    #[inline]
    fn each(&self, other: &Self, op: impl Fn(u64, u64) -> u64, billing: Billing) -> Self {
        let (mut fields, other) = (self.to_array(), other.to_array());
        for (field, other) in fields.iter_mut().zip(other) {
            *field = op(*field, other);
        }
        Self::from_array(fields, billing)
    }

    #[inline]
    fn billing_with(&self, other: &Self) -> Billing {
        if self.billing.is_none() && other.billing.is_none() {
            return Billing::none();
        }
        match (self.is_nothing(), other.is_nothing()) {
            (_, true) => self.billing.clone(),
            (true, false) => other.billing.clone(),
            (false, false) => self.billing.plus(&other.billing),
        }
    }

    /// Whether it has no count at all, however it is billed.
    fn is_nothing(&self) -> bool {
        self.to_array() == [0; Self::COUNTS] && !self.billing.is_used()
    }

    /// Whether all counts are the same, however they are billed.
    fn counts_like(&self, other: &Self) -> bool {
        self.to_array() == other.to_array() && self.billing.counts_like(&other.billing)
    }
}

/// A request's own cap, beside the limits of its account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RequestBudget {
    /// The most tokens the request may use, `None` for no cap.
    pub tokens: Option<u64>,
    /// The most it may cost in micro-USD, `None` for no cap.
    pub cost_micros_usd: Option<u64>,
}

impl RequestBudget {
    /// No cap at all.
    pub const fn unlimited() -> Self {
        Self { tokens: None, cost_micros_usd: None }
    }

    /// The first cap that `usage` breaks: its unit, the cap and what was asked.
    pub fn broken_by(&self, usage: &Usage) -> Option<(Unit, u64, u64)> {
        let tokens = (Unit::Tokens, self.tokens, usage.total_tokens);
        let cost = (Unit::Cost, self.cost_micros_usd, usage.cost_micros_usd);
        [tokens, cost].into_iter().find_map(|(unit, cap, asked)| match cap {
            Some(cap) if asked > cap => Some((unit, cap, asked)),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_that_would_wrap_is_refused() {
        let huge = Usage::tokens(u64::MAX);
        assert!(huge.checked_add(&Usage::tokens(1)).is_err());
        assert_eq!(huge.saturating_add(&Usage::tokens(1)), huge);
        assert_eq!(Usage::tokens(1).saturating_sub(&huge), Usage::zero());
    }

    #[test]
    fn a_request_cap_admits_equality() {
        let cap = RequestBudget { tokens: Some(10), cost_micros_usd: Some(5) };
        assert_eq!(cap.broken_by(&Usage::priced(10, 5)), None);
        assert_eq!(cap.broken_by(&Usage::priced(11, 6)), Some((Unit::Tokens, 10, 11)));
        assert_eq!(cap.broken_by(&Usage::priced(10, 6)), Some((Unit::Cost, 5, 6)));
        assert_eq!(RequestBudget::unlimited().broken_by(&Usage::priced(u64::MAX, u64::MAX)), None);
    }
}
