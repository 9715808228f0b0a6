//! Stores: limits that several processes share, and that survive them.
//!
//! A store keeps the limits, and each process, a *holder*, has shares of them. A request is decided
//! in memory against a share. `docs/stores.md` says how, and proves it.
//!
//! | room | what is in it |
//! | --- | --- |
//! | `message` | the one message, and its answer |
//! | `rows` | what a store keeps |
//! | `book` | the side of the store: it applies a message to rows |
//! | `supply` | the side of the holder: when it speaks, and what it does with an answer |
//! | `sqlite` | a store that is a SQLite file |
//! | `holder` | what one process has of one store: its thread, and what callers see |
//! | `durable`, `fresh`, `inspected` | what survives what; random bits; limits for people |
//! | `fork` | what is done around a fork |

mod book;
mod durable;
pub(crate) mod fork;
mod fresh;
mod holder;
mod inspected;
mod message;
mod rows;
#[cfg(feature = "sqlite")]
pub mod sqlite;
mod supply;

pub use book::{Now, StoreRules, apply, create};
pub use durable::Durable;
pub use fresh::fresh;
pub use holder::{
    LimitName, ShareStatus, Status, Store, StoreEvent, StoreEventKind, StoreOptions, close_all,
};
pub use inspected::{Inspected, InspectedShare};
pub use message::{
    Answer, Change, Edges, Epoch, Fact, FactGiven, FactId, HeardOfOthers, HolderId, LimitId,
    Message, Moved, MovedEra, Outcome, ShareAsk, ShareGiven, WhichEra, WindowSpan,
};
pub use rows::{EraRow, FactRow, HolderRow, LimitRow, Rows, ShareRow, StoreRow};
pub use supply::{
    Edging, HolderSupply, MemberLimit, Meters, OnDown, Registry, Standing, SupplyRules, View,
    passes_when_down,
};
