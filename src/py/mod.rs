//! The Python classes: they translate and never decide.

#[macro_use]
mod stub;

mod args;
mod attached;
mod bench_floor;
mod budgets;
mod core_module;
mod errors;
mod lease;
mod main_interpreter;
mod native;
mod python_call;
mod steps;
mod store;
mod together;
mod values;
mod waiting;
