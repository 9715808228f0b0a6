//! Reads the prices of models and of tools.

use super::node::{Node, Value};
use super::reader::{Location, Table};
use crate::accounting::{Invalid, Price};

/// USD per million tokens by kind, fees, multipliers, and the tiers of long prompts.
pub(super) fn read_price(place: &Location, node: &Node) -> Result<Price, Invalid> {
    let mut table = place.table(node)?;
    let tables = ["tiers", "units", "multipliers"].map(|key| table.take(key));
    let rates = read_texts(&mut table)?;
    let mut price = Price::parse("it", rates).map_err(|bad| place.error(&bad.message))?;
    let [tiers, units, multipliers] = tables;
    if let Some((place, node)) = tiers {
        for (index, tier) in place.list(node)?.iter().enumerate() {
            let mut table = place.inside(&format!("[{index}]"), tier).table(tier)?;
            let above = table.need("above_input_tokens", Location::whole)?;
            let rates = read_texts(&mut table)?;
            let added = price.add_tier("it", above, rates);
            added.map_err(|bad| table.place.error(&bad.message))?;
        }
    }
    if let Some((place, node)) = units {
        for (name, text) in read_texts(&mut place.table(node)?)? {
            let added = price.add_unit("it", name, text);
            added.map_err(|bad| place.error(&bad.message))?;
        }
    }
    if let Some((place, node)) = multipliers {
        for (name, place, node) in place.table(node)?.remaining_entries() {
            let added = match &node.value {
                Value::Table(_) => {
                    let by_kind = read_texts(&mut place.table(node)?)?;
                    price.add_multipliers("it", name, by_kind)
                }
                _ => price.add_multiplier("it", name, place.text(node)?),
            };
            added.map_err(|bad| place.error(&bad.message))?;
        }
    }
    Ok(price)
}

/// USD for a call of a tool.
pub(super) fn read_tool_price(place: &Location, node: &Node) -> Result<Price, Invalid> {
    let texts = read_texts(&mut place.table(node)?)?;
    Price::parse_tool("it", texts).map_err(|bad| place.error(&bad.message))
}

fn read_texts<'a>(table: &mut Table<'a>) -> Result<Vec<(&'a str, &'a str)>, Invalid> {
    table
        .remaining_entries()
        .into_iter()
        .map(|(key, place, node)| Ok((key, place.text(node)?)))
        .collect()
}
