//! Many limits of one call each: the users of a service.

use std::time::Duration;

use outlay::Window;
use outlay::store::{Durable, Store, StoreOptions};

use super::objects::{Place, account, charge, now};

/// `OUTLAY_USERS=20000` takes so many.
#[test]
fn a_limit_that_is_used_once_costs_at_most_two_trips() {
    let users: u64 = std::env::var("OUTLAY_USERS").map_or(500, |users| users.parse().unwrap());
    let place = Place::new();
    let options = StoreOptions { durable: Durable::Process, ..StoreOptions::default() };
    let store = Store::open(&place.url(), options).unwrap();
    let before = store.status().unwrap().messages;
    let begun = now();
    let mut accounts = Vec::new();
    for user in 0..users {
        let budget = account(&store, &format!("user-{user}"), 1_000, Window::Lifetime);
        charge(&budget, 10).unwrap();
        accounts.push(budget);
    }
    let took = now().since(begun);
    let messages = store.status().unwrap().messages - before;
    println!("{users} users, one call each: {messages} messages, {took:?}");
    assert!(messages <= 2 * users + 10, "{messages} messages for {users} calls");
    let begun = now();
    store.sync().unwrap();
    println!("sync of all took {:?}", now().since(begun));
    let used: u64 = store.inspect().unwrap().iter().map(|limit| limit.used).sum();
    assert_eq!(used, 10 * users);
    let begun = now();
    assert!(store.close(Duration::from_secs(30)));
    println!("close took {:?}", now().since(begun));
}
