//! Random bits.

use crate::ledger::StoreError;

/// 128 random bits: for a holder's id, or a new epoch.
pub fn fresh() -> Result<u128, StoreError> {
    let mut bits = [0; 16];
    match getrandom::fill(&mut bits) {
        Ok(()) => Ok(u128::from_ne_bytes(bits)),
        Err(error) => {
            Err(StoreError::Unavailable(format!("the system has no random bits: {error}")))
        }
    }
}
