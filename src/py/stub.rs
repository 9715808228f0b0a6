//! The macro that takes a docstring out of the stubs, so that `help()` says what editors show.

/// The docstring that a name has in the stubs: `build.rs` takes it out of them.
macro_rules! stub {
    ($($name:literal),+) => {
        include_str!(concat!(env!("OUT_DIR"), "/stubs/", $($name,)+ ".txt"))
    };
}
