//! A guard: all limits of a policy at once.
//!
//! A request has labels. Every rule whose scope matches them applies, and all matching rules decide
//! in one step.

mod advice;
mod allotments;
mod allowances;
mod ask;
mod change;
mod counter;
mod decision;
mod forget;
mod lookup;
mod matched;
mod report;
mod reserve;
mod rule_group;
mod rule_meter;
mod state;
mod unmatched;

pub use advice::Advice;
pub use allotments::{Allotment, AllotmentSize};
pub use ask::GuardAsk;
pub use report::{Explained, Figures};
pub use state::{Guard, GuardOptions, GuardRequest, Known, Resolver};
pub use unmatched::Warner;
