//! What is known of all others.

use crate::accounting::clock::Tick;

/// What the store has last said of a limit beside the share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Others {
    /// The limit in force, if it was heard.
    pub most: Option<u64>,
    /// What all other holders had used in the era of the share.
    pub used: u64,
    /// What others have given back of what this holder has used.
    pub back: u64,
    /// What they had taken and not used.
    pub out: u64,
    /// How many holders lived.
    pub live: u32,
    /// When that was said.
    pub heard: Option<Tick>,
}
