//! Reads `[store]`: where the accounts are kept, and how their store is run.

use std::time::Duration;

use super::node::Node;
use super::reader::{Location, Table};
use crate::accounting::Invalid;
use crate::store::{Durable, OnDown, StoreOptions};

/// The keys of `[store]`. `lease_ttl` is of the leases, whatever keeps the accounts.
const STORE: [&str; 9] = [
    "url",
    "lease_ttl",
    "namespace",
    "ttl",
    "timeout",
    "connect_timeout",
    "on_down",
    "durable",
    "strict",
];
/// What passes while the store is away.
pub(super) const ON_DOWN: [(&str, OnDown); 3] =
    [("deny", OnDown::Deny), ("local", OnDown::Local), ("allow", OnDown::Allow)];
const DURABLE: [(&str, Durable); 3] =
    [("grant", Durable::Grant), ("process", Durable::Process), ("commit", Durable::Commit)];
/// Accounts in memory, as without a store.
const MEMORY: &str = "memory://";

/// Where a policy wants the accounts kept.
#[derive(Clone, Debug, Default)]
pub struct StorePolicy {
    /// The address of the store, or `None` for memory.
    pub url: Option<String>,
    /// How the store is run. Its clock is that of the guard.
    pub options: StoreOptions,
}

impl StorePolicy {
    /// Reads `[store]`, and how long leases live, if it says that.
    pub(super) fn read(mut table: Table<'_>) -> Result<(Self, Option<Duration>), Invalid> {
        table.only(&STORE)?;
        let mut store = Self::default();
        let lease_ttl = table.read("lease_ttl", Location::duration)?;
        store.url = table.read("url", url)?.flatten();
        let options = &mut store.options;
        let duration = |place: &Location, node: &Node| place.duration(node);
        put(&mut options.namespace, table.read("namespace", namespace)?);
        put(&mut options.ttl, table.read("ttl", duration)?);
        put(&mut options.timeout, table.read("timeout", duration)?);
        put(&mut options.connect_timeout, table.read("connect_timeout", duration)?);
        put(&mut options.on_down, table.read("on_down", on_down)?);
        put(&mut options.durable, table.read("durable", |place, node| place.word(node, &DURABLE))?);
        put(&mut options.strict, table.read("strict", Location::flag)?);
        options.check().map_err(|bad| table.place.error(&bad.message))?;
        Ok((store, lease_ttl))
    }
}

/// Sets what is said.
fn put<T>(place: &mut T, said: Option<T>) {
    if let Some(said) = said {
        *place = said;
    }
}

/// What passes while the store is away.
pub(super) fn on_down(place: &Location, node: &Node) -> Result<OnDown, Invalid> {
    place.word(node, &ON_DOWN)
}

fn namespace(place: &Location, node: &Node) -> Result<String, Invalid> {
    place.text(node).map(str::to_owned)
}

/// The address of a store, or `None` for memory.
fn url(place: &Location, node: &Node) -> Result<Option<String>, Invalid> {
    match place.text(node)? {
        MEMORY => Ok(None),
        other => match StoreOptions::check_url(other) {
            Ok(()) => Ok(Some(other.to_owned())),
            Err(bad) => {
                Err(place.error(&format!("must be {MEMORY:?} or a store: {}", bad.message)))
            }
        },
    }
}
