//! `Guard` and `Allotment`: requests by their labels.

mod allotment;
mod asking;
mod event;
mod events;
mod label_cache;
mod labels;
mod methods;
mod policy;
mod report;
mod request;

pub(crate) use allotment::PyAllotment;
pub(crate) use labels::{CallLabels, scope_begins, set_labels_var};
pub(crate) use methods::{PyGuard, set_price_resolver};
