//! Which account is meant, where the account itself is not at hand.

/// The address of an account. No other account has it as long as this one lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct AccountId(usize);

impl AccountId {
    /// The id of the account of which `fixed` is a part that never moves.
    #[inline]
    pub(crate) fn of<T>(fixed: &T) -> Self {
        Self(std::ptr::from_ref(fixed).addr())
    }
}
