//! The pure rules: state and the current moment come in, a verdict and the new state go out.
//!
//! Nothing here takes a lock or does I/O, and only [`clock`] reads a clock.

pub mod amount;
pub mod calendar;
pub mod clock;
pub mod denied;
pub mod headers;
pub mod invalid;
pub mod key;
pub mod limit;
pub mod message;
pub mod meter;
pub mod price;
pub mod retry;
pub mod ring;
pub mod told;
pub mod usage;
pub mod window;

pub use amount::MicroUsd;
pub use calendar::CalendarUnit;
pub use clock::{Clock, Follower, ManualClock, Moment, SystemClock, Tick};
pub use denied::{Cause, Code, Denied, Kind};
pub use headers::{Left, RateHeaders};
pub use invalid::{Invalid, InvalidKind};
pub use key::Key;
pub use limit::{Limit, Terms, Unit};
pub use meter::{Expired, Hold, Meter};
pub use price::{Price, PriceTable, Rates};
pub use usage::{RequestBudget, Usage, UsageEstimate};
pub use window::Window;
