//! Allotments: amounts of the budgets of a guard, each set aside for a sub-agent.

mod allotment;
mod allotted;
mod ends;
mod settle;

pub use allotment::Allotment;
pub use allotted::AllotmentSize;
pub(super) use allotted::Allotted;
pub(super) use ends::AllotmentEnds;
