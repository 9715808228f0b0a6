//! `Store`, and the argument `store` of every class that keeps accounts.

mod class;
mod given;
mod made;
mod open;
mod report;
mod tools;

pub(crate) use class::PyStore;
pub(super) use given::{given, given_with, joined, name_or};
pub(super) use made::{MadeOf, made};
pub(crate) use tools::{create_store, inspect_store};
