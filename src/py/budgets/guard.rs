//! `Guard` and `Allotment`: requests by their labels.

mod allotment;
mod asking;
mod bound;
mod event;
mod events;
mod keywords;
mod label_cache;
mod labels;
mod methods;
mod policy;
mod report;
mod request;
mod store_event;

pub(crate) use allotment::PyAllotment;
pub(crate) use bound::PyBoundGuard;
pub(crate) use labels::{CallLabels, GivenLabels, scope_begins, set_labels_var};
pub(crate) use methods::{PyGuard, set_price_resolver};
pub(crate) use policy::policy_tables;
