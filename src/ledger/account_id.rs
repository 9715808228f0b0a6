//! The address of an account, for code that does not hold the account itself.

/// The address of an account. It is unique as long as the account lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct AccountId(usize);

impl AccountId {
    /// The id of an account. `fixed` is a field of it that never moves.
    #[inline]
    pub(crate) fn new<T>(fixed: &T) -> Self {
        Self(std::ptr::from_ref(fixed).addr())
    }
}

/// The id that this number stands for.
impl From<usize> for AccountId {
    fn from(number: usize) -> Self {
        Self(number)
    }
}

/// The id as a number, for code outside of the ledger.
impl From<AccountId> for usize {
    fn from(id: AccountId) -> Self {
        id.0
    }
}
