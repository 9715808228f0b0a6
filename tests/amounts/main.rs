//! Amounts, prices and messages.
#![cfg(not(loom))]

mod sums;
