//! What a process has of a store: accounts over a real file, and the thread between them.

mod basics;
mod objects;
