//! The Python face: it translates and never decides.

/// The docstring that a name has in the stubs: `build.rs` takes it out of them.
macro_rules! stub {
    ($($name:literal),+) => {
        include_str!(concat!(env!("OUT_DIR"), "/stubs/", $($name,)+ ".txt"))
    };
}

mod args;
mod attached;
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
