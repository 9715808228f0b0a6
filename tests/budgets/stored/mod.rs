//! Every class with a store: the same answers as without one, and the counts of all handles.

mod again;
mod alike;
mod bad_input;
mod guards;
mod histories;
mod kit;
