//! The class `Store`.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};

use super::made::MadeOf;
use super::open::{open, url_of};
use super::report;
use crate::accounting::Invalid;
use crate::ledger::{Error, StoreError};
use crate::py::python_call::detached;
use crate::py::{args, values};
use crate::store::{Durable, OnDown, Store, StoreOptions};

const ON_DOWN: [(&str, OnDown); 3] =
    [("deny", OnDown::Deny), ("local", OnDown::Local), ("allow", OnDown::Allow)];
const DURABLE: [(&str, Durable); 3] =
    [("grant", Durable::Grant), ("process", Durable::Process), ("commit", Durable::Commit)];

#[doc = stub!("Store")]
#[pyclass(module = "outlay", name = "Store", frozen, weakref)]
pub(crate) struct PyStore {
    pub(super) inner: Arc<Store>,
    url: String,
    /// The arguments, for a pickle.
    made: MadeOf,
}

#[pymethods]
impl PyStore {
    #[new]
    #[pyo3(signature = (url, *, namespace = None, ttl = None, timeout = None,
        connect_timeout = None, on_down = None, durable = None, strict = false, clock = None),
        text_signature = "(url, *, namespace='default', ttl=15, timeout=0.25, connect_timeout=5, \
        on_down='deny', durable='grant', strict=False, clock=None)")]
    #[expect(clippy::too_many_arguments, reason = "the keywords of the Python class")]
    fn new(
        py: Python<'_>,
        url: &Bound<'_, PyAny>,
        namespace: Option<&Bound<'_, PyAny>>,
        ttl: Option<&Bound<'_, PyAny>>,
        timeout: Option<&Bound<'_, PyAny>>,
        connect_timeout: Option<&Bound<'_, PyAny>>,
        on_down: Option<&Bound<'_, PyAny>>,
        durable: Option<&Bound<'_, PyAny>>,
        strict: bool,
        clock: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let url = url_of(url)?;
        let unless = StoreOptions::default();
        let time = |given: Option<&Bound<'_, PyAny>>, name, unless| {
            given.map_or(Ok(unless), |given| args::duration(given, name))
        };
        let options = StoreOptions {
            namespace: namespace.map_or(Ok(unless.namespace), |given| {
                Ok::<_, PyErr>(args::id(given, "namespace")?.as_str().to_owned())
            })?,
            ttl: time(ttl, "ttl", unless.ttl)?,
            timeout: time(timeout, "timeout", unless.timeout)?,
            connect_timeout: time(connect_timeout, "connect_timeout", unless.connect_timeout)?,
            on_down: word(on_down, "on_down", &ON_DOWN)?.unwrap_or(unless.on_down),
            durable: word(durable, "durable", &DURABLE)?.unwrap_or(unless.durable),
            strict,
            clock: values::clock(clock)?,
        };
        let strict = strict.then(|| strict.into_pyobject(py)).transpose()?;
        let strict = strict.as_deref().map(|strict| strict.as_any());
        let address = PyString::new(py, &url).into_any();
        let made = MadeOf::keep(
            py,
            None,
            &[&address],
            &[
                ("namespace", namespace),
                ("ttl", ttl),
                ("timeout", timeout),
                ("connect_timeout", connect_timeout),
                ("on_down", on_down),
                ("durable", durable),
                ("strict", strict),
                ("clock", clock),
            ],
        )?;
        let inner = open(py, &url, options)?;
        Ok(Self { inner, url, made })
    }

    #[doc = stub!("Store.url")]
    #[getter]
    fn url(&self) -> &str {
        &self.url
    }

    #[doc = stub!("Store.namespace")]
    #[getter]
    fn namespace(&self) -> &str {
        &self.inner.options().namespace
    }

    #[doc = stub!("Store.status")]
    fn status<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        report::status(py, &detached(py, || self.inner.present()?.status())?)
    }

    #[doc = stub!("Store.sync")]
    fn sync(&self, py: Python<'_>) -> PyResult<()> {
        Ok(detached(py, || self.inner.present()?.sync())?)
    }

    #[doc = stub!("Store.inspect")]
    fn inspect<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        report::inspected(py, detached(py, || self.inner.present()?.inspect())?)
    }

    #[doc = stub!("Store.close")]
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let timeout = self.inner.options().connect_timeout;
        if detached(py, || self.inner.close(timeout)) {
            return Ok(());
        }
        let url = &self.url;
        let lost = format!("the shares of {url:?} could not be given back in {timeout:?}");
        Err(Error::from(StoreError::Unavailable(lost)).into())
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __exit__(
        &self,
        py: Python<'_>,
        _exception: &Bound<'_, PyAny>,
        _value: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        self.close(py).map(|()| false)
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Self>().is_ok_and(|other| Arc::ptr_eq(&other.get().inner, &self.inner))
    }

    fn __hash__(&self) -> usize {
        Arc::as_ptr(&self.inner).addr()
    }

    fn __repr__(&self) -> String {
        format!("<Store {:?} namespace={:?}>", self.url, self.inner.options().namespace)
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        slf.get().made.reduced(slf)
    }
}

/// The meaning of one of `words`.
fn word<T: Copy>(
    given: Option<&Bound<'_, PyAny>>,
    name: &str,
    words: &[(&str, T)],
) -> PyResult<Option<T>> {
    let Some(given) = given else { return Ok(None) };
    let text = given.cast::<PyString>().ok().and_then(|text| text.to_str().ok());
    let known = words.iter().find(|(word, _)| Some(*word) == text);
    known.map(|(_, meaning)| Some(*meaning)).ok_or_else(|| {
        let allowed: Vec<String> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
        let shown = text.map_or_else(|| args::type_name(given), |text| format!("{text:?}"));
        Invalid::policy(name, &format!("one of {}, not {shown}", allowed.join(", "))).into()
    })
}
