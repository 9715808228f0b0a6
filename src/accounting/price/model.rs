//! The price of a model, and the cost of a usage.

use std::collections::BTreeMap;

use super::decimal::scaled;
use super::makers::{HOUR_TIMES, STANDARD, fees, is_anthropic, ways};
use super::rates::{
    ByKind, CACHED, HOUR, KINDS, ONE, Rates, all_tokens_cost, kind, multiplier, rate, resolved,
};
use crate::accounting::invalid::Invalid;
use crate::accounting::usage::{Usage, check_name};

/// Millionths of a micro-USD in a micro-USD.
const MILLION: u128 = 1_000_000;
/// The decimals of a fee in USD.
const FEE_DECIMALS: usize = 12;
/// The key of the fee of a request.
const REQUEST: &str = "request";

/// What a model costs, in micro-USD per million tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Price {
    /// The rates of prompts below every tier.
    pub rates: Rates,
    /// What was named of them.
    given: ByKind,
    /// The rates of longer prompts, by ascending length.
    tiers: Vec<Tier>,
    /// The fee of a request, in 10^-12 USD.
    request: u64,
    /// The fee of each unit, in 10^-12 USD.
    units: BTreeMap<Box<str>, u64>,
    /// For each way of billing, what multiplies the price of each kind of token.
    multipliers: BTreeMap<Box<str>, [u64; KINDS.len()]>,
}

/// The rates of prompts above a length. They apply to the whole call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tier {
    above_input_tokens: u64,
    /// What this tier names. A kind that it does not name has the price of shorter prompts.
    given: ByKind,
    rates: Rates,
}

impl From<Rates> for Price {
    /// A price that is the same for prompts of every length.
    fn from(rates: Rates) -> Self {
        Self { rates, given: rates.given(), ..Self::default() }
    }
}

impl Price {
    /// Reads a price. `entries` are pairs of a key and USD per million tokens as text, or "request"
    /// and USD a request. "input" and "output" are required. "cache_read" and "cache_write" default
    /// to the input price, "reasoning" to the output price. For the others see [`Rates`] and
    /// [`Price::with_maker_rates`].
    pub fn parse<'a>(
        argument: &str,
        entries: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Invalid> {
        let mut given = ByKind::default();
        let mut request = 0;
        for (name, text) in entries {
            if name == REQUEST {
                request = fee(argument, name, text)?;
            } else {
                given[kind(argument, name, &[REQUEST, "units", "multipliers", "tiers"])?] =
                    Some(rate(argument, name, text)?);
            }
        }
        Ok(Self { rates: resolved(argument, &given)?, given, request, ..Self::default() })
    }

    /// Reads the price of a tool: USD for each call.
    pub fn parse_tool<'a>(
        argument: &str,
        entries: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Invalid> {
        let mut price = Self::default();
        let mut any = false;
        for (name, text) in entries {
            if name != REQUEST {
                let message = format!("{argument}: unknown key {name:?}; allowed is {REQUEST}");
                return Err(Invalid::sentence(message));
            }
            price.request = fee(argument, name, text)?;
            any = true;
        }
        if !any {
            let message = format!("{argument} does not have {REQUEST:?}, the price of a call");
            return Err(Invalid::sentence(message));
        }
        Ok(price)
    }

    /// Adds the rates of calls with more than so many input tokens. A kind that `entries` do not
    /// name has the price of shorter prompts, if that is named there.
    pub fn add_tier<'a>(
        &mut self,
        argument: &str,
        above_input_tokens: u64,
        entries: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<(), Invalid> {
        let mut given = ByKind::default();
        for (name, text) in entries {
            given[kind(argument, name, &["above_input_tokens"])?] =
                Some(rate(argument, name, text)?);
        }
        if given == ByKind::default() {
            let message =
                format!("{argument} has a tier without a price; give one, or leave it out");
            return Err(Invalid::sentence(message));
        }
        if self.tiers.iter().any(|tier| tier.above_input_tokens == above_input_tokens) {
            return Err(Invalid::sentence(format!(
                "{argument} has two tiers with above_input_tokens = {above_input_tokens}; keep one"
            )));
        }
        self.tiers.push(Tier { above_input_tokens, given, rates: self.rates });
        self.tiers.sort_by_key(|tier| tier.above_input_tokens);
        let mut known = self.given;
        for tier in &mut self.tiers {
            for (known, given) in known.iter_mut().zip(tier.given) {
                *known = given.or(*known);
            }
            tier.rates = resolved(argument, &known)?;
        }
        Ok(())
    }

    /// Adds the fee of a unit, in USD.
    pub fn add_unit(&mut self, argument: &str, name: &str, text: &str) -> Result<(), Invalid> {
        check_name(argument, name)?;
        self.units.insert(name.into(), fee(argument, name, text)?);
        Ok(())
    }

    /// Adds the multiplier of a way of billing, for all kinds of tokens.
    pub fn add_multiplier(
        &mut self,
        argument: &str,
        name: &str,
        text: &str,
    ) -> Result<(), Invalid> {
        check_name(argument, name)?;
        let times = multiplier(&format!("{argument}[{name:?}]"), text)?;
        self.multipliers.insert(name.into(), [times; KINDS.len()]);
        Ok(())
    }

    /// Adds the multipliers of a way of billing by kind. Kinds that are not named have 1.
    pub fn add_multipliers<'a>(
        &mut self,
        argument: &str,
        name: &str,
        entries: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<(), Invalid> {
        check_name(argument, name)?;
        let argument = format!("{argument}[{name:?}]");
        let mut times = [ONE; KINDS.len()];
        for (each, text) in entries {
            times[kind(&argument, each, &[])?] =
                multiplier(&format!("{argument}[{each:?}]"), text)?;
        }
        self.multipliers.insert(name.into(), times);
        Ok(())
    }

    /// Adds what the maker of the model is known to charge and this price does not say. For a cache
    /// write that is kept for an hour, Anthropic charges twice the input price wherever its models
    /// are sold, and others what any cache write costs. Fees of units and multipliers are those of
    /// the maker's own API.
    #[must_use]
    pub fn with_maker_rates(mut self, provider: Option<&str>, model: &str) -> Self {
        self = self.with_hour(provider, model);
        for (name, text) in fees(provider, model) {
            let fee = || fee("units", name, text).unwrap_or_default();
            self.units.entry(name.into()).or_insert_with(fee);
        }
        let read = |text| multiplier("multipliers", text).unwrap_or(ONE);
        for (name, (text, cached)) in ways(provider, model) {
            self.multipliers.entry(name.into()).or_insert_with(|| {
                let mut times = [read(text); KINDS.len()];
                CACHED.iter().for_each(|kind| times[*kind] = read(cached));
                times
            });
        }
        self
    }

    /// Adds what Anthropic charges for a cache write that is kept for an hour.
    pub(super) fn with_hour(mut self, provider: Option<&str>, model: &str) -> Self {
        if is_anthropic(provider, model) {
            let rates = &mut self.rates;
            rates.cache_write_1h.get_or_insert(rates.input.saturating_mul(HOUR_TIMES));
            for Tier { given, rates, .. } in &mut self.tiers {
                // What a tier names is its price. What only shorter prompts name is the least.
                let times = rates.input.saturating_mul(HOUR_TIMES);
                let named =
                    rates.cache_write_1h.filter(|named| given[HOUR].is_some() || *named > times);
                rates.cache_write_1h = Some(named.unwrap_or(times));
            }
        }
        self
    }

    /// The cost of `usage` in micro-USD, rounded up once. If only the total of tokens is known, the
    /// higher price of input and output applies. What the price does not know costs nothing here;
    /// see [`Price::unpriced`].
    pub fn cost(&self, usage: &Usage) -> u64 {
        // Of a total without its parts, all may be input.
        let input = match usage.input_tokens.saturating_add(usage.output_tokens) {
            0 => usage.total_tokens,
            _ => usage.input_tokens,
        };
        let tier = self.tiers.iter().rev().find(|tier| input > tier.above_input_tokens);
        let rates = tier.map_or(&self.rates, |tier| &tier.rates);
        if usage.billing.is_none() {
            let sum = rates.tokens_cost(usage).saturating_add(self.request.into());
            return match u64::try_from(sum) {
                // A division of 64 bits is many times as fast.
                Ok(sum) => sum.div_ceil(1_000_000),
                Err(_) => u64::try_from(sum.div_ceil(MILLION)).unwrap_or(u64::MAX),
            };
        }
        self.cost_as_billed(rates, usage)
    }

    #[cold]
    fn cost_as_billed(&self, rates: &Rates, usage: &Usage) -> u64 {
        let mut prices = rates.by_kind();
        let mut denominator = MILLION;
        for times in usage.billing.ways().filter_map(|way| self.multipliers.get(way)) {
            multiply(&mut prices, times, &mut denominator);
        }
        let fees = usage.billing.units().fold(u128::from(self.request), |sum, (name, count)| {
            let fee = self.units.get(name).copied().unwrap_or(0);
            sum.saturating_add(u128::from(count) * u128::from(fee))
        });
        // The denominator is a multiple of a million.
        let fees = fees.saturating_mul(denominator / MILLION);
        let sum = all_tokens_cost(usage, &prices).saturating_add(fees);
        if sum == u128::MAX {
            return u64::MAX;
        }
        u64::try_from(sum.div_ceil(denominator)).unwrap_or(u64::MAX)
    }

    /// What of a usage has no price here: its units, the ways in which it is billed, and its sound,
    /// which then costs what text costs.
    pub fn unpriced<'a>(&'a self, usage: &'a Usage) -> impl Iterator<Item = &'a str> {
        let (billing, rates) = (&usage.billing, &self.rates);
        let sound = [
            ("audio_input", billing.audio_input_tokens(), rates.audio_input),
            ("audio_output", billing.audio_output_tokens(), rates.audio_output),
        ];
        let sound = sound.into_iter().filter(|&(_, tokens, rate)| tokens > 0 && rate.is_none());
        let units = usage.billing.units().map(|(name, _)| name);
        let units = units.filter(|name| !self.units.contains_key(*name));
        let ways = usage.billing.ways();
        let ways =
            ways.filter(|way| !self.multipliers.contains_key(*way) && !STANDARD.contains(way));
        units.chain(ways).chain(sound.map(|(name, ..)| name))
    }
}

/// Multiplies each price. The denominator of all prices grows, so that nothing is rounded. Where
/// the numbers become too large for that, each price is rounded up instead.
fn multiply(prices: &mut [u128; KINDS.len()], times: &[u64; KINDS.len()], denominator: &mut u128) {
    let mut exact = *prices;
    let fits = exact.iter_mut().zip(times).all(|(price, times)| {
        *price = price.saturating_mul(u128::from(*times));
        // A count of tokens has 64 bits.
        *price < 1 << 88
    });
    if fits {
        *prices = exact;
        *denominator *= u128::from(ONE);
        return;
    }
    for (price, times) in prices.iter_mut().zip(times) {
        let whole = (*price / u128::from(ONE)).saturating_mul(u128::from(*times));
        let part = (*price % u128::from(ONE)).saturating_mul(u128::from(*times));
        *price = whole.saturating_add(part.div_ceil(u128::from(ONE)));
    }
}

fn fee(argument: &str, name: &str, text: &str) -> Result<u64, Invalid> {
    scaled(&format!("{argument}[{name:?}]"), text, FEE_DECIMALS)
}
