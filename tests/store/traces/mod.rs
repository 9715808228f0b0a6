//! What a fleet of processes makes of a limit under real traffic. Skipped where the traces are not
//! there.

mod budgets;
mod files;
mod fleet;
mod sliding;
