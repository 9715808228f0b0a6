//! Seeded bugs: defects that a test of the stores switches on, to show that it would find them.
//!
//! They exist in builds with debug assertions only. Elsewhere `has` is a constant, and the
//! compiler removes what it guards.

#[cfg(debug_assertions)]
use std::cell::Cell;

/// A defect in the code of shares and stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bug {
    /// What comes back is subtracted from the share and from what all have used.
    RefundTwice,
    /// What comes back from a window that is over is given to the present one.
    RefundIntoNextWindow,
    /// A holder reports no more than its share.
    OverrunDropped,
    /// A message that was applied is applied again.
    AppliedTwice,
    /// A holder uses what it asks for before the store has agreed.
    RaisedTooEarly,
    /// A holder reports that it gives back, and goes on using it until the answer.
    LoweredTooLate,
    /// A sliding share shrinks below what its ring holds.
    RingIgnored,
    /// A holder uses an answer about an era that is over for the present era.
    EraMixedUp,
    /// A store that forgot grants at once.
    NothingSpent,
    /// What a lost holder may have spent is given to others.
    WrittenOffGranted,
    /// A holder counts its time to live from the receipt of an answer, not from the sending.
    WrongClock,
    /// A holder gives up a message that was not answered, and sends another one.
    AnswerLost,
    /// A holder applies an answer to an earlier message.
    OldAnswer,
    /// A share that went to others counts again when its holder comes back.
    EndedShare,
    /// A forked child goes on as the holder that its parent is.
    IdTwice,
    /// What is taken is the largest of granted, spent and held.
    OverrunBesideHold,
    /// A store that learns believes what holders want, not what they have.
    LearnsWants,
    /// Slots of a lost holder come back before its leases have ended.
    SlotsTooEarly,
    /// The share of the next era survives a reset.
    NextKept,
    /// Of two limits that a request needs, one is raised alone.
    HalfOfPair,
}

#[cfg(debug_assertions)]
impl Bug {
    /// All of them.
    pub const ALL: [Self; 20] = [
        Self::RefundTwice,
        Self::RefundIntoNextWindow,
        Self::OverrunDropped,
        Self::AppliedTwice,
        Self::RaisedTooEarly,
        Self::LoweredTooLate,
        Self::RingIgnored,
        Self::EraMixedUp,
        Self::NothingSpent,
        Self::WrittenOffGranted,
        Self::WrongClock,
        Self::AnswerLost,
        Self::OldAnswer,
        Self::EndedShare,
        Self::IdTwice,
        Self::OverrunBesideHold,
        Self::LearnsWants,
        Self::SlotsTooEarly,
        Self::NextKept,
        Self::HalfOfPair,
    ];
}

#[cfg(debug_assertions)]
thread_local! {
    static SEEDED: Cell<Option<Bug>> = const { Cell::new(None) };
}

/// Switches one bug on in this thread, or all of them off.
#[cfg(debug_assertions)]
pub fn seed(bug: Option<Bug>) {
    SEEDED.set(bug);
}

/// Whether `bug` is on in this thread.
#[cfg(debug_assertions)]
pub(crate) fn has(bug: Bug) -> bool {
    SEEDED.get() == Some(bug)
}

/// Whether `bug` is on: never.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub(crate) const fn has(_: Bug) -> bool {
    false
}
