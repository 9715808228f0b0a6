//! Warns of the parts of a bill that no price knows: once for each model and name.

use std::collections::BTreeSet;

use parking_lot::Mutex;

use crate::py::python_call::log_warning;

/// How many pairs of a model and a name are remembered, each after one warning.
const PAIRS: usize = 1_024;

static WARNED: Mutex<BTreeSet<(String, String)>> = Mutex::new(BTreeSet::new());

/// Warns that the price of a model does not know sound, a unit or a way of billing.
pub(crate) fn tell_unpriced(model: &str, name: &str) {
    let pair = (model.to_owned(), name.to_owned());
    let is_new = {
        let mut warned = WARNED.lock();
        (warned.len() < PAIRS && warned.insert(pair)).then_some(())
    };
    if is_new.is_some() {
        let then = if name.starts_with("audio_") {
            "sound in its calls is counted at the price of text; name it in the price"
        } else {
            "the cost of its calls is counted without it; name it in the units or in the \
             multipliers of the price"
        };
        log_warning(&format!(
            "the price of {model:?} does not know {name:?}, so {then}. This is said once for each \
             model and name"
        ));
    }
}
