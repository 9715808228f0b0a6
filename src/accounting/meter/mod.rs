//! The meter, on which all limits stand.

pub(super) mod heard;
mod hearing;
mod holding;
pub(super) mod holds;
mod law;
mod marks;
pub(super) mod shared;
mod sharing;

pub use heard::Audience;
pub use law::Meter;
