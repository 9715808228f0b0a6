//! The rate limiter, the headers of providers, and the sliding windows that it counts in.
#![cfg(not(loom))]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod headers;
mod rate_limiter;
mod sliding;
