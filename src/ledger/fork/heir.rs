//! What a forked child makes anew, of what made that of its parent.
//!
//! Each value has room for its heir in the next process that used it. A child finds its own at the
//! end of that line, or makes it. What the parent had is not locked: a thread may hold the lock that
//! is not there any more.

use std::fmt;
use std::sync::Arc;

use once_cell::race::OnceBox;

use super::generation::generation;
use super::lineage::making;
use crate::ledger::error::Error;

/// The room for the heir of a value.
pub(crate) struct Heir<T>(OnceBox<Arc<T>>);

/// Something that a forked child makes anew.
pub(crate) trait Heritable: Sized {
    /// The number of forks before the process that made it.
    fn made_in(&self) -> u64;

    /// Where its heir is kept, if it can have one.
    fn heir(&self) -> Option<&Heir<Self>>;

    /// Makes that of this process, which is a child of the one that made `self`. It locks nothing of
    /// its parent but what is [`Inherited`](super::lineage::Inherited).
    fn make_heir(&self) -> Result<Arc<Self>, Error>;

    /// That of this process.
    #[inline]
    fn here(&self) -> Result<&Self, Error> {
        if self.made_in() == generation() { Ok(self) } else { inherited(self).map(|heir| &**heir) }
    }

    /// The same, shared.
    #[inline]
    fn here_shared(self: &Arc<Self>) -> Result<&Arc<Self>, Error> {
        if self.made_in() == generation() { Ok(self) } else { inherited(self) }
    }
}

/// The heir of `first` in this process, which did not make `first`.
#[cold]
#[inline(never)]
fn inherited<T: Heritable>(first: &T) -> Result<&Arc<T>, Error> {
    if let Some(found) = known(first) {
        return Ok(found);
    }
    // One thread makes it, and the others wait for that one.
    let _making = making();
    if let Some(found) = known(first) {
        return Ok(found);
    }
    let last = last(first);
    let room = last.heir().ok_or(Error::Forked)?;
    let made = last.make_heir()?;
    Ok(room.0.get_or_init(|| Box::new(made)))
}

/// The last of the line that was made so far.
fn last<T: Heritable>(first: &T) -> &T {
    let mut one = first;
    while let Some(next) = one.heir().and_then(|room| room.0.get()) {
        one = next;
    }
    one
}

/// That of this process, if it was made.
fn known<T: Heritable>(first: &T) -> Option<&Arc<T>> {
    let mut next = first.heir()?.0.get()?;
    while next.made_in() != generation() {
        next = next.heir()?.0.get()?;
    }
    Some(next)
}

impl<T> Heir<T> {
    pub(crate) const fn new() -> Self {
        Self(OnceBox::new())
    }
}

impl<T> fmt::Debug for Heir<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heir").field("made", &self.0.get().is_some()).finish()
    }
}
