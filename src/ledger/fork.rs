//! Forked children. What a process counts would be a copy in its child: N children could spend N
//! times the limit. So every account knows the process that made it. In a child, what has a store is
//! made anew, and what has none is refused.

pub(crate) mod gate;
mod generation;
pub(crate) mod heir;
mod lineage;

pub use self::generation::after_fork_in_child;
pub(crate) use self::generation::generation;
pub(crate) use self::lineage::{Inherited, after_fork_in_parent, before_fork, no_fork};
