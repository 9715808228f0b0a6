//! Something that hears all that the store of a simulation hears: another store.

use std::cell::RefCell;

use outlay::store::{Answer, Message, Now, StoreRules};

use crate::plan::Op;

pub(crate) trait Twin {
    /// The same message was applied, with this answer.
    fn applied(&mut self, rules: &StoreRules, now: Now, message: &Message, answer: &Answer);
    /// Something happened, perhaps to the store.
    fn fault(&mut self, op: Op);
}

thread_local! {
    static TWIN: RefCell<Option<Box<dyn Twin>>> = const { RefCell::new(None) };
}

/// The store of the next simulation in this thread has this twin.
#[cfg_attr(not(feature = "sqlite"), expect(dead_code, reason = "there is no other store"))]
pub(crate) fn set(twin: Option<Box<dyn Twin>>) {
    TWIN.set(twin);
}

pub(crate) fn applied(rules: &StoreRules, now: Now, message: &Message, answer: &Answer) {
    TWIN.with_borrow_mut(|twin| {
        if let Some(twin) = twin {
            twin.applied(rules, now, message, answer);
        }
    });
}

pub(crate) fn fault(op: Op) {
    TWIN.with_borrow_mut(|twin| {
        if let Some(twin) = twin {
            twin.fault(op);
        }
    });
}
