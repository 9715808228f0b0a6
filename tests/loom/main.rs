//! Every interleaving of the ledger's locks and of waiting, for a few threads at a time.
//!
//! Run with `RUSTFLAGS="--cfg loom" cargo test --release --test loom`.
#![cfg(loom)]
#![expect(clippy::unwrap_used, reason = "a model that cannot go on has failed")]

mod forgetting;
mod locks;
mod waiting;
mod world;
