//! What one process has of one store: the accounts that share its limits, and the thread that speaks.
//!
//! | room | what is in it |
//! | --- | --- |
//! | `options`, `name`, `status`, `notices` | how it is used, what limits are called, what it says |
//! | `backend`, `file` | what it needs of a kind of store; files |
//! | `shared` | what callers and the thread share |
//! | `facts`, `retries` | facts under way, and when the thread tries again |
//! | `talk`, `telling` | what the thread does, and says |
//! | `store`, `open` | the store as callers see it, and how it is opened |

mod backend;
mod facts;
#[cfg(feature = "sqlite")]
mod file;
mod name;
mod notices;
mod open;
mod options;
mod retries;
mod shared;
mod status;
mod store;
mod talk;
mod telling;

pub use name::LimitName;
pub use notices::{StoreEvent, StoreEventKind};
pub use open::close_all;
pub use options::StoreOptions;
pub use status::{ShareStatus, Status};
pub use store::Store;
