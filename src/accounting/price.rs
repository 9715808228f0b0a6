//! Prices of models, and what a usage costs.
//!
//! Integers only: micro-USD per million tokens, summed in 128 bits and rounded up once per call.

use std::collections::HashMap;

use super::amount::MicroUsd;
use super::invalid::Invalid;
use super::usage::Usage;

const MILLION: u128 = 1_000_000;

/// What a model costs, in micro-USD per million tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Price {
    /// Input that was neither read from nor written to a cache.
    pub input: u64,
    /// Output, reasoning included.
    pub output: u64,
    /// Input read from a cache; the price of input where the table names none.
    pub cache_read: u64,
    /// Input written to a cache; the price of input where the table names none.
    pub cache_write: u64,
}

impl Price {
    /// What `usage` costs in micro-USD, rounded up once. Tokens of which only the total is known
    /// are priced at the dearer of input and output.
    pub fn cost(&self, usage: &Usage) -> u64 {
        let cached = usage.cache_read_tokens.saturating_add(usage.cache_write_tokens);
        let plain = usage.input_tokens.saturating_sub(cached);
        let known = usage.input_tokens.saturating_add(usage.output_tokens);
        let unknown = usage.total_tokens.saturating_sub(known);
        let parts = [
            (plain, self.input),
            (usage.cache_read_tokens, self.cache_read),
            (usage.cache_write_tokens, self.cache_write),
            (usage.output_tokens, self.output),
            (unknown, self.input.max(self.output)),
        ];
        let sum = parts.iter().fold(0_u128, |sum, &(tokens, price)| {
            sum.saturating_add(u128::from(tokens) * u128::from(price))
        });
        u64::try_from(sum.div_ceil(MILLION)).unwrap_or(u64::MAX)
    }
}

/// The prices of models by their names. An unknown model is an error, never $0.
#[derive(Clone, Debug, Default)]
pub struct PriceTable {
    prices: HashMap<String, Price>,
}

impl PriceTable {
    /// Adds a model. `entries` are (key, USD per million tokens as text); "input" and "output"
    /// are required, "cache_read" and "cache_write" cost what input costs unless given.
    pub fn insert<'a>(
        &mut self,
        model: &str,
        entries: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<(), Invalid> {
        let (mut input, mut output, mut cache_read, mut cache_write) = (None, None, None, None);
        for (key, text) in entries {
            let place = match key {
                "input" => &mut input,
                "output" => &mut output,
                "cache_read" => &mut cache_read,
                "cache_write" => &mut cache_write,
                other => {
                    let allowed = "one of input, output, cache_read, cache_write";
                    return Err(Invalid::policy(
                        &format!("prices[{model:?}]: key {other:?}"),
                        allowed,
                    ));
                }
            };
            let argument = format!("prices[{model:?}][{key:?}]");
            *place = Some(
                MicroUsd::parse(&argument, text)
                    .map_err(|bad| Invalid { kind: super::invalid::InvalidKind::Policy, ..bad })?,
            );
        }
        let (Some(input), Some(output)) = (input, output) else {
            let argument = format!("prices[{model:?}]");
            return Err(Invalid::policy(&argument, "given with both \"input\" and \"output\""));
        };
        let price = Price {
            input: input.0,
            output: output.0,
            cache_read: cache_read.unwrap_or(input).0,
            cache_write: cache_write.unwrap_or(input).0,
        };
        self.prices.insert(model.to_owned(), price);
        Ok(())
    }

    /// Whether the model has a price.
    pub fn knows(&self, model: &str) -> bool {
        self.prices.contains_key(model)
    }

    /// What `usage` of `model` costs in micro-USD.
    pub fn cost(&self, model: &str, usage: &Usage) -> Result<u64, Invalid> {
        self.prices.get(model).map(|price| price.cost(usage)).ok_or_else(|| {
            Invalid::policy("prices", &format!("a table that names the model {model:?}"))
        })
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
    fn a_huge_usage_saturates() {
        let usage = Usage { input_tokens: u64::MAX, output_tokens: u64::MAX, ..Usage::zero() };
        assert_eq!(table().cost("m", &usage), Ok(u64::MAX));
    }
}
