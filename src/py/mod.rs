//! The Python classes: they translate and never decide.

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
