//! The side of a holder: when it speaks to its store, what it says, and what it does with an answer.
//!
//! It is a pure state machine. A thread around it reads the clock and carries the messages.

mod down;
mod line;
mod pace;
mod queue;
mod registry;
mod say;
mod speaking;
mod view;
mod wishes;

pub use down::{OnDown, passes_when_down};
pub use line::Standing;
pub(super) use registry::NewLimit;
pub use registry::{MemberLimit, Registry};
pub use speaking::HolderSupply;
pub use view::{Edging, Meters, SupplyRules, View};
