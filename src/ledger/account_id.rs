//! The address of an account, for code that does not hold the account itself.

/// The address of an account. It is unique as long as the account lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct AccountId(usize);

impl AccountId {
    /// The id of an account. `fixed` is a field of it that never moves.
    #[inline]
    pub(crate) fn of<T>(fixed: &T) -> Self {
        Self(std::ptr::from_ref(fixed).addr())
    }
}
