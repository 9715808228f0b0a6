//! Jobs and settings that a store keeps: all processes know them, and a restart does.
//!
//! | room | what is in it |
//! | --- | --- |
//! | `values` | what is kept of a job, a setting and a cooldown, and for how long |
//! | `counts` | where a job counts |
//! | `start` | a job begins, with all that it holds, in one step |
//! | `end` | a job ends once, whoever reports it first |
//! | `late` | jobs that have run for too long, and the usage without what runs |
//! | `known` | settings and cooldowns that another process has set |

mod counts;
mod end;
mod known;
mod late;
mod start;
mod values;

pub(super) use values::KeptJob;
