//! Reads the prices of models.

use super::node::Node;
use super::reader::{Location, Table};
use crate::accounting::{Invalid, Price};

/// USD per million tokens by kind, and the tiers of long prompts.
pub(super) fn read_price(place: &Location, node: &Node) -> Result<Price, Invalid> {
    let mut table = place.table(node)?;
    let tiers = table.take("tiers");
    let rates = read_rates(&mut table)?;
    let at = |place: &Location, bad: Invalid| place.error(&bad.message);
    let mut price = Price::parse("it", pairs(&rates)).map_err(|bad| at(place, bad))?;
    if let Some((place, node)) = tiers {
        for (index, tier) in place.list(node)?.iter().enumerate() {
            let mut table = place.inside(&format!("[{index}]"), tier).table(tier)?;
            let above = table.need("above_input_tokens", Location::whole)?;
            let rates = read_rates(&mut table)?;
            let added = price.add_tier("it", above, pairs(&rates));
            added.map_err(|bad| at(&table.place, bad))?;
        }
    }
    Ok(price)
}

fn read_rates<'a>(table: &mut Table<'a>) -> Result<Vec<(&'a str, &'a str)>, Invalid> {
    table
        .remaining_entries()
        .into_iter()
        .map(|(key, place, node)| Ok((key, place.text(node)?)))
        .collect()
}

fn pairs<'a>(rates: &'a [(&'a str, &'a str)]) -> impl Iterator<Item = (&'a str, &'a str)> {
    rates.iter().copied()
}
