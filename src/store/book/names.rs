//! The readable names of limits: a limit is found by a hash, and its name shows that it is the same.

use super::visit::Visit;
use crate::store::message::LimitId;
use crate::store::rows::Rows;

/// Keeps names that are new, and adds the limits that have another one to `refused`.
pub(super) fn keep<R: Rows>(
    visit: &mut Visit<'_, R>,
    names: &[(LimitId, String)],
    refused: &mut Vec<LimitId>,
) -> Result<(), R::Fault> {
    for (limit, name) in names {
        match visit.rows.name(*limit)? {
            None => visit.rows.put_name(*limit, name)?,
            Some(known) if known != *name => refused.push(*limit),
            Some(_) => {}
        }
    }
    Ok(())
}

/// The same without a change.
pub(super) fn compare<R: Rows>(
    visit: &mut Visit<'_, R>,
    names: &[(LimitId, String)],
    refused: &mut Vec<LimitId>,
) -> Result<(), R::Fault> {
    for (limit, name) in names {
        if visit.rows.name(*limit)?.is_some_and(|known| known != *name) {
            refused.push(*limit);
        }
    }
    Ok(())
}
