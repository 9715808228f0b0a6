//! A naive book of guards and parts, what is done to both, and how that ends.

pub(crate) mod ends;
pub(crate) mod naive;
pub(crate) mod ops;
