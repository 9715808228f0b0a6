//! Arguments of users, read as types of the core. Errors name the argument.

mod account;
mod amount;
mod lease_policy;
mod pickling;
mod shown;
mod text;
mod time;

pub(super) use amount::{
    CallsArg, StatusArg, StepsArg, TokensArg, amount, index, limit, small_amount,
};
pub(super) use lease_policy::{LeaseKeywords, OnErrorArg, UnsettledArg, policy};
pub(super) use pickling::{new_args, no_copies};
pub(super) use shown::{number, shown, type_name};
pub(super) use text::{Id, id, name, utf8};
pub(super) use time::{duration, duration_or_none, elapsed, seconds_up, timeout, ttl};
