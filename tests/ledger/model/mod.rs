//! A naive book of the laws: plain, slow, and obviously right. It keeps every event, and works out
//! what is used and reserved from scratch each time it is asked.

pub(crate) mod abandoned;
pub(crate) mod book;
pub(crate) mod build;
pub(crate) mod check;
pub(crate) mod driver;
pub(crate) mod ends;
mod held;
pub(crate) mod meter;
pub(crate) mod ops;
pub(crate) mod tally;
pub(crate) mod time;
