//! The macro that reads a docstring from the stubs, so that `help()` shows what editors show.

/// The docstring of a name in the stubs. `build.rs` reads it from them.
macro_rules! stub {
    ($($name:literal),+) => {
        include_str!(concat!(env!("OUT_DIR"), "/stubs/", $($name,)+ ".txt"))
    };
}
