//! A store that is a SQLite file, for the processes of one machine.
//!
//! | room | what is in it |
//! | --- | --- |
//! | `url`, `files`, `fault` | the address, which files may be a store, what goes wrong |
//! | `process`, `moment` | whether a process is dead; the time of the store |
//! | `schema`, `value`, `rows`, `dead` | the tables, the rows of a namespace, holders that are dead |
//! | `database` | one connection |
//! | `writer`, `home` | the thread that writes; what a process has open, and forks |
//! | `options`, `task` | how a store is run; what is done on its file |
//! | `file_store` | the store |

mod database;
mod dead;
mod fault;
mod file_store;
mod files;
mod home;
mod moment;
mod options;
mod process;
mod rows;
mod schema;
mod task;
mod url;
mod value;
mod writer;

#[doc(hidden)]
pub use database::Database;
pub use file_store::SqliteStore;
pub(crate) use file_store::look;
pub use home::{after_fork_in_parent, before_fork};
pub use options::SqliteOptions;
pub(crate) use url::check_url;
