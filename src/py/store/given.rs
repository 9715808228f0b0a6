//! Reads the argument `store`: a URL or a `Store`.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyString;

use super::class::PyStore;
use super::open::open;
use crate::accounting::{Clock, Invalid};
use crate::py::python_call::detached;
use crate::py::{args, values};
use crate::store::{Store, StoreOptions};

/// The memory of the process: what a policy may name, and what an argument may put in its place.
const MEMORY: &str = "memory://";

/// The store and the clock of an account: `None` where its counts are in memory. The clock of a
/// store is that of its accounts.
pub(crate) fn given(
    store: Option<&Bound<'_, PyAny>>,
    clock: Option<&Bound<'_, PyAny>>,
) -> PyResult<(Option<Arc<Store>>, Clock)> {
    let Some(store) = store else { return Ok((None, values::clock(clock)?)) };
    given_with(store, clock, StoreOptions::default())
}

/// The same with the options of a URL.
pub(crate) fn given_with(
    store: &Bound<'_, PyAny>,
    clock: Option<&Bound<'_, PyAny>>,
    options: StoreOptions,
) -> PyResult<(Option<Arc<Store>>, Clock)> {
    if let Ok(opened) = store.cast::<PyStore>() {
        let store = Arc::clone(&opened.get().inner);
        // Another clock is refused where the account is made.
        let clock = clock.map_or_else(
            || Ok(store.options().clock.clone()),
            |clock| values::clock(Some(clock)),
        )?;
        return Ok((Some(store), clock));
    }
    let Ok(url) = store.cast::<PyString>() else {
        let given = args::type_name(store);
        let allowed = format!("a Store, or its URL such as \"sqlite:///budgets.db\", not {given}");
        return Err(Invalid::policy("store", &allowed).into());
    };
    let clock = values::clock(clock)?;
    let url = args::utf8(url, "store")?;
    if url == MEMORY {
        return Ok((None, clock));
    }
    let options = StoreOptions { clock: clock.clone(), ..options };
    Ok((Some(open(store.py(), url, options)?), clock))
}

/// What tells an account from others of its class in a store.
pub(crate) fn name_or(name: Option<&Bound<'_, PyAny>>, unless: String) -> PyResult<String> {
    name.map_or(Ok(unless), |name| Ok(args::id(name, "name")?.as_str().to_owned()))
}

/// Hears what other processes have used of an account that was just made, if its store answers.
pub(crate) fn joined(py: Python<'_>, store: Option<&Arc<Store>>) {
    if let Some(store) = store {
        // A store that is away decides when something is asked for.
        let _ = detached(py, || store.sync());
    }
}
