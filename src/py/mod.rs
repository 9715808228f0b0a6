//! The Python face: it translates and never decides.

mod args;
mod bench_floor;
mod budgets;
mod core_module;
mod errors;
mod lease;
mod native;
mod python_call;
mod together;
mod values;
mod waiting;
