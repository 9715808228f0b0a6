//! Caches what applies to labels, by the identity of their strings.
//!
//! Most calls pass the same strings again, so addresses are compared. The cache keeps its strings
//! alive, so no other string can have one of their addresses.

use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use smallvec::SmallVec;

use crate::budgets::Known;

/// How many sets of labels are kept.
const PLACES: usize = 32;

type Addresses = SmallVec<[(usize, usize); 6]>;

#[derive(Default)]
pub(super) struct LabelCache(Mutex<[Option<KnownLabels>; PLACES]>);

struct KnownLabels {
    pairs: Addresses,
    /// The strings at the addresses in `pairs`.
    _held: Vec<(Py<PyAny>, Py<PyAny>)>,
    known: Known,
}

/// The addresses of names and values, or `None` if a value is no plain str.
pub(super) fn addresses(labels: &Bound<'_, PyDict>) -> Option<Addresses> {
    let mut pairs = Addresses::new();
    for (name, value) in labels {
        if !value.is_exact_instance_of::<PyString>() {
            return None;
        }
        pairs.push((name.as_ptr().addr(), value.as_ptr().addr()));
    }
    Some(pairs)
}

impl LabelCache {
    /// The cached result for exactly these strings.
    #[inline]
    pub(super) fn get(&self, pairs: &Addresses) -> Option<Known> {
        let places = self.0.lock();
        let entry = places[place(pairs)].as_ref()?;
        (entry.pairs == *pairs).then(|| entry.known.clone())
    }

    /// Forgets all, so that nothing here keeps a counter.
    pub(super) fn clear(&self) {
        let old = std::mem::take(&mut *self.0.lock());
        // Dropped here, not under the lock.
        drop(old);
    }

    /// Caches the result for these labels.
    #[cold]
    pub(super) fn set(&self, pairs: Addresses, labels: &Bound<'_, PyDict>, known: Known) {
        let held = labels.iter().map(|(name, value)| (name.unbind(), value.unbind())).collect();
        let at = place(&pairs);
        let old = self.0.lock()[at].replace(KnownLabels { pairs, _held: held, known });
        // Dropped here, not under the lock.
        drop(old);
    }
}

fn place(pairs: &Addresses) -> usize {
    let mixed = pairs.iter().fold(0_usize, |sum, (name, value)| {
        sum.rotate_left(7) ^ (name >> 4) ^ (value >> 4).rotate_left(3)
    });
    mixed % PLACES
}
