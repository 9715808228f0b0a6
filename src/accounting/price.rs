//! Prices of models, and the cost of a usage.
//!
//! All numbers are integers: micro-USD per million tokens, summed in 128 bits and rounded up once
//! per call.

mod model_name;

use std::collections::HashMap;
use std::sync::Arc;

use super::invalid::{Invalid, InvalidKind};
use super::money::MicroUsd;
use super::usage::Usage;

pub(crate) use model_name::model_names;

const MILLION: u128 = 1_000_000;
/// The kinds of tokens that a price may name.
pub(crate) const KEYS: [&str; 6] =
    ["input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning"];
/// What Anthropic charges for a cache write that is kept for an hour, as a multiple of the input
/// price.
const HOUR_TIMES: u64 = 2;

/// What a model costs, in micro-USD per million tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Price {
    /// The rates of prompts below every tier.
    pub rates: Rates,
    /// The rates of longer prompts, by ascending length.
    tiers: Vec<Tier>,
}

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
}

/// The rates of prompts above a length. They apply to the whole call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tier {
    above_input_tokens: u64,
    rates: Rates,
}

impl Rates {
    fn parse<'a>(
        argument: &str,
        entries: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Invalid> {
        let mut found: [Option<u64>; KEYS.len()] = [None; KEYS.len()];
        for (key, text) in entries {
            let Some(index) = KEYS.iter().position(|known| *known == key) else {
                let allowed = KEYS.join(", ");
                let message = format!("{argument}: unknown key {key:?}; allowed are {allowed}");
                return Err(Invalid::sentence(message));
            };
            let rate = MicroUsd::parse(&format!("{argument}[{key:?}]"), text)
                .map_err(|bad| Invalid { kind: InvalidKind::Policy, ..bad })?;
            found[index] = Some(rate.0);
        }
        let [Some(input), Some(output), cache_read, cache_write, cache_write_1h, reasoning] = found
        else {
            let message =
                format!("{argument} does not have both \"input\" and \"output\"; give both prices");
            return Err(Invalid::sentence(message));
        };
        Ok(Self {
            input,
            output,
            cache_read: cache_read.unwrap_or(input),
            cache_write: cache_write.unwrap_or(input),
            cache_write_1h,
            reasoning: reasoning.unwrap_or(output),
        })
    }

    fn cost(&self, usage: &Usage) -> u64 {
        let hour = usage.cache_write_1h_tokens;
        let written = usage.cache_write_tokens.max(hour);
        let cached = usage.cache_read_tokens.saturating_add(written);
        let plain = usage.input_tokens.saturating_sub(cached);
        let reasoning = usage.reasoning_tokens.min(usage.output_tokens);
        let known = usage.input_tokens.saturating_add(usage.output_tokens);
        let unknown = usage.total_tokens.saturating_sub(known);
        let parts = [
            (plain, self.input),
            (usage.cache_read_tokens, self.cache_read),
            (written - hour, self.cache_write),
            (hour, self.cache_write_1h.unwrap_or(self.cache_write)),
            (usage.output_tokens - reasoning, self.output),
            (reasoning, self.reasoning),
            (unknown, self.input.max(self.output)),
        ];
        let sum = parts.iter().fold(0_u128, |sum, &(tokens, price)| {
            sum.saturating_add(u128::from(tokens) * u128::from(price))
        });
        u64::try_from(sum.div_ceil(MILLION)).unwrap_or(u64::MAX)
    }
}

impl From<Rates> for Price {
    /// A price that is the same for prompts of every length.
    fn from(rates: Rates) -> Self {
        Self { rates, tiers: Vec::new() }
    }
}

impl Price {
    /// Reads a price. `entries` are pairs of a key and USD per million tokens as text. "input" and
    /// "output" are required. "cache_read" and "cache_write" default to the input price,
    /// "reasoning" to the output price. For "cache_write_1h" see [`Price::with_maker_rates`].
    pub fn parse<'a>(
        argument: &str,
        entries: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Invalid> {
        Rates::parse(argument, entries).map(Self::from)
    }

    /// Adds the rates of calls with more than so many input tokens.
    pub fn add_tier<'a>(
        &mut self,
        argument: &str,
        above_input_tokens: u64,
        entries: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<(), Invalid> {
        let rates = Rates::parse(argument, entries)?;
        if self.tiers.iter().any(|tier| tier.above_input_tokens == above_input_tokens) {
            return Err(Invalid::sentence(format!(
                "{argument} has two tiers with above_input_tokens = {above_input_tokens}; keep one"
            )));
        }
        self.tiers.push(Tier { above_input_tokens, rates });
        self.tiers.sort_by_key(|tier| tier.above_input_tokens);
        Ok(())
    }

    /// Adds known rates of the model's maker that the table does not name. Anthropic charges twice
    /// the input price for a cache write that is kept for an hour. Other makers charge what any
    /// cache write costs.
    #[must_use]
    pub fn with_maker_rates(mut self, provider: Option<&str>, model: &str) -> Self {
        if is_anthropic(provider, model) {
            let tiers = self.tiers.iter_mut().map(|tier| &mut tier.rates);
            for rates in tiers.chain([&mut self.rates]) {
                rates.cache_write_1h.get_or_insert(rates.input.saturating_mul(HOUR_TIMES));
            }
        }
        self
    }

    /// The cost of `usage` in micro-USD, rounded up once. If only the total of tokens is known, the
    /// higher price of input and output applies.
    pub fn cost(&self, usage: &Usage) -> u64 {
        // Of a total without its parts, all may be input.
        let input = match usage.input_tokens.saturating_add(usage.output_tokens) {
            0 => usage.total_tokens,
            _ => usage.input_tokens,
        };
        let tier = self.tiers.iter().rev().find(|tier| input > tier.above_input_tokens);
        tier.map_or(&self.rates, |tier| &tier.rates).cost(usage)
    }
}

/// Whether a model is one of Anthropic's. Its provider is Anthropic, or its name contains "claude"
/// or "anthropic", as on Bedrock, on Vertex AI and in the names of gateways.
pub(crate) fn is_anthropic(provider: Option<&str>, model: &str) -> bool {
    let name = model.to_ascii_lowercase();
    provider.is_some_and(|provider| provider.eq_ignore_ascii_case("anthropic"))
        || name.contains("claude")
        || name.contains("anthropic")
}

/// The prices of models by name. An unknown model is an error, never $0.
#[derive(Clone, Debug, Default)]
pub struct PriceTable {
    prices: HashMap<String, Arc<Price>>,
}

impl PriceTable {
    /// Adds a model; see [`Price::parse`].
    pub fn insert<'a>(
        &mut self,
        model: &str,
        entries: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<(), Invalid> {
        self.set(model, Price::parse(&format!("prices[{model:?}]"), entries)?);
        Ok(())
    }

    /// Sets the price of a model, and adds the known rates of its maker.
    pub fn set(&mut self, model: &str, price: Price) {
        self.prices.insert(model.to_owned(), Arc::new(price.with_maker_rates(None, model)));
    }

    /// The price of a model, under its name or the closest of its other names: without its date or
    /// version, without its provider or region.
    pub fn get(&self, model: &str) -> Option<&Arc<Price>> {
        model_names(model).find_map(|name| self.prices.get(name))
    }

    /// The price of exactly that name.
    pub(crate) fn exactly(&self, name: &str) -> Option<&Arc<Price>> {
        self.prices.get(name)
    }

    /// Whether the model has a price.
    pub fn knows(&self, model: &str) -> bool {
        self.get(model).is_some()
    }

    /// The cost of `usage` of `model` in micro-USD.
    pub fn cost(&self, model: &str, usage: &Usage) -> Result<u64, Invalid> {
        self.cost_by(None, model, usage)
    }

    /// The cost of `usage` of `model` in micro-USD at a provider. The provider may identify the
    /// maker.
    pub fn cost_by(
        &self,
        provider: Option<&str>,
        model: &str,
        usage: &Usage,
    ) -> Result<u64, Invalid> {
        let price = self.get(model).ok_or_else(|| {
            Invalid::sentence(format!(
                "the prices name no model {model:?}; add it with its input and output price"
            ))
        })?;
        if provider.is_none() || usage.cache_write_1h_tokens == 0 {
            return Ok(price.cost(usage));
        }
        Ok(Price::clone(price).with_maker_rates(provider, model).cost(usage))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> PriceTable {
        let mut table = PriceTable::default();
        table.insert("m", [("input", "2.50"), ("output", "10"), ("cache_read", "0.25")]).unwrap();
        table
    }

    #[test]
    fn a_cost_is_rounded_up_once_per_call() {
        let usage = Usage { input_tokens: 1, output_tokens: 1, total_tokens: 2, ..Usage::zero() };
        assert_eq!(table().cost("m", &usage), Ok(13), "2.5 + 10 micro-USD, up");
        let cached = Usage {
            input_tokens: 1000,
            cache_read_tokens: 800,
            total_tokens: 1000,
            ..Usage::zero()
        };
        assert_eq!(table().cost("m", &cached), Ok(200 * 5 / 2 + 800 / 4));
    }

    #[test]
    fn tokens_of_an_unknown_kind_cost_the_dearer_price() {
        assert_eq!(table().cost("m", &Usage::tokens(100)), Ok(1000));
    }

    #[test]
    fn an_unknown_model_is_an_error_and_never_free() {
        assert!(table().cost("other", &Usage::tokens(1)).is_err());
        assert!(!table().knows("other"));
    }

    #[test]
    fn a_bad_price_names_the_model_and_the_key() {
        let mut table = PriceTable::default();
        for entries in
            [vec![("input", "1")], vec![("input", "-1"), ("output", "1")], vec![("in", "1")]]
        {
            let error = table.insert("gpt-x", entries).unwrap_err();
            assert!(error.message.contains("gpt-x"), "{error}");
        }
        assert!(!table.knows("gpt-x"));
    }

    #[test]
    fn long_prompts_cost_the_rates_of_their_tier() {
        let mut price = Price::parse("p", [("input", "1"), ("output", "10")]).unwrap();
        let dear = [("input", "2"), ("output", "20"), ("reasoning", "30")];
        price.add_tier("p", 200_000, dear).unwrap();
        assert!(price.add_tier("p", 200_000, dear).is_err());
        let usage = |input, output, reasoning| Usage {
            input_tokens: input,
            output_tokens: output,
            total_tokens: input + output,
            reasoning_tokens: reasoning,
            ..Usage::zero()
        };
        assert_eq!(price.cost(&usage(200_000, 100, 0)), 200_000 + 1_000);
        assert_eq!(price.cost(&usage(200_001, 100, 40)), 400_002 + 60 * 20 + 40 * 30);
        assert_eq!(price.cost(&Usage::tokens(200_001)), 200_001 * 20, "all of it may be input");
    }

    fn written(tokens: u64, hour: u64) -> Usage {
        Usage {
            input_tokens: tokens,
            total_tokens: tokens,
            cache_write_tokens: tokens,
            cache_write_1h_tokens: hour,
            ..Usage::zero()
        }
    }

    #[test]
    fn a_cache_write_of_an_hour_costs_its_own_price_or_what_its_maker_asks() {
        let mut table = PriceTable::default();
        let given = [("input", "3"), ("output", "15"), ("cache_write", "3.75")];
        for model in ["claude-x", "us.anthropic.x-v1", "gpt-x"] {
            table.insert(model, given).unwrap();
        }
        table.insert("claude-own", given.into_iter().chain([("cache_write_1h", "5")])).unwrap();
        let usage = written(10_000, 4_000);
        let five_minutes = 6_000 * 15 / 4;
        assert_eq!(table.cost("claude-x", &usage), Ok(five_minutes + 4_000 * 6));
        assert_eq!(table.cost("us.anthropic.x-v1", &usage), Ok(five_minutes + 4_000 * 6));
        assert_eq!(table.cost("claude-own", &usage), Ok(five_minutes + 4_000 * 5));
        assert_eq!(table.cost("gpt-x", &usage), Ok(10_000 * 15 / 4));
        let by = |provider| table.cost_by(Some(provider), "gpt-x", &usage);
        assert_eq!(by("anthropic"), Ok(five_minutes + 4_000 * 6), "the provider tells the maker");
        assert_eq!(by("openai"), Ok(10_000 * 15 / 4));
        assert_eq!(table.cost("claude-x", &written(0, 100)), Ok(600), "an hour's write is a write");
    }

    #[test]
    fn tiers_have_their_own_price_of_an_hour() {
        let mut price = Price::parse("p", [("input", "1"), ("output", "1")]).unwrap();
        price.add_tier("p", 1_000, [("input", "2"), ("output", "2")]).unwrap();
        let price = price.with_maker_rates(Some("Anthropic"), "m");
        assert_eq!(price.cost(&written(1_000, 1_000)), 2_000);
        assert_eq!(price.cost(&written(1_001, 1_001)), 4_004);
    }

    #[test]
    fn a_huge_usage_saturates() {
        let usage = Usage { input_tokens: u64::MAX, output_tokens: u64::MAX, ..Usage::zero() };
        assert_eq!(table().cost("m", &usage), Ok(u64::MAX));
    }
}
