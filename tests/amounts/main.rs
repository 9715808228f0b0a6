//! Amounts, prices and messages.
#![cfg(not(loom))]

mod prices;
mod sums;
