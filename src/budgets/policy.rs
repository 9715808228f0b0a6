//! The policy of a guard: the rules of an operator, from a TOML file, `[tool.outlay]` or a dict.
//!
//! All rules that match a request apply to it. Unknown keys and impossible values are refused, with
//! the file, the line and what is allowed.

mod allowances;
mod defaults;
mod guard_policy;
mod names;
mod node;
mod prices;
mod read;
mod reader;
mod rule;
mod scope;
mod sections;
mod store;
mod words;

pub use defaults::{Defaults, EstimateMode, UnknownPrice};
pub use guard_policy::{EntryPlace, GuardPolicy};
pub use rule::{Mode, Rule, RuleKind, RuleLimit, Span};
pub use scope::{Labels, Pattern, Scope};
pub(super) use scope::{is_tool_call, label};
pub use store::StorePolicy;
pub(crate) use words::unit_word;
