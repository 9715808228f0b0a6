//! Prices of models, and the cost of a usage.
//!
//! All numbers are integers: micro-USD per million tokens, summed in 128 bits and rounded up once
//! per call.

mod call;
mod decimal;
mod makers;
mod model;
mod model_name;
mod rates;

use std::collections::HashMap;
use std::sync::Arc;

pub use call::{CallPrice, CostSource, TellUnpriced};
pub use model::Price;
pub use rates::Rates;

use super::invalid::Invalid;
use super::usage::Usage;

pub(crate) use model_name::{model_names, undated};

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

    /// Sets the price of a model.
    pub fn set(&mut self, model: &str, price: Price) {
        self.prices.insert(model.to_owned(), Arc::new(price.with_hour(None, model)));
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
        self.price_by(provider, model, usage).map(|price| price.cost(usage))
    }

    /// The price of a usage of `model` at a provider, with what the maker is known to charge.
    pub(crate) fn price_by(
        &self,
        provider: Option<&str>,
        model: &str,
        usage: &Usage,
    ) -> Result<Arc<Price>, Invalid> {
        let price = self.get(model).ok_or_else(|| {
            Invalid::sentence(format!(
                "the prices name no model {model:?}; add it with its input and output price"
            ))
        })?;
        let plain = provider.is_none() || usage.cache_write_1h_tokens == 0;
        if plain && usage.billing.is_none() {
            return Ok(Arc::clone(price));
        }
        Ok(Arc::new(Price::clone(price).with_maker_rates(provider, model)))
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
