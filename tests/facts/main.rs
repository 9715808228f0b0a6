//! Facts: what a workflow, a job or a setting is, all processes of a store know, and after a restart.

mod budgets;
mod jobs;
mod peer;
mod settings;
mod worker;
mod workflows;
