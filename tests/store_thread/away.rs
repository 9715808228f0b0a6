//! A store that is away, or that has forgotten all.

use std::sync::Arc;
use std::time::Duration;

use outlay::store::{OnDown, Store, StoreEventKind, StoreOptions};
use outlay::{Account, Code, Core, Error, Key, Limit, Meter, Policy, StoreError, Unit, Window};
use parking_lot::Mutex;

use super::child::{self, Other};
use super::objects::{Place, account, charge, name, now, until, used};

/// Holds the lock of a file until the parent lets it go.
#[test]
fn locks_the_file() {
    let Some(role) = child::role() else { return };
    let file = rusqlite::Connection::open(&role[0]).unwrap();
    file.busy_timeout(Duration::from_secs(5)).unwrap();
    file.execute_batch("BEGIN IMMEDIATE").unwrap();
    child::tell("locked");
    child::wait();
}

fn on_down(store: &Arc<Store>, id: &str, on_down: OnDown) -> Arc<Account> {
    let core =
        Core::shared(store.options().clock.clone(), Policy::default(), Arc::clone(store) as _);
    let limit = store.limit_on_down(&name(id), on_down);
    let meter = Meter::new(Limit::new(Unit::Tokens, Some(100)), Window::Lifetime).shared(limit);
    Account::new(&core, Key::parse("id", id).unwrap(), Code::BudgetExceeded, [meter])
}

fn charge_until_refused(account: &Arc<Account>, most: u64) -> (u64, Option<Error>) {
    for got in 0..most {
        if let Err(refused) = charge(account, 1) {
            return (got, Some(refused));
        }
    }
    (most, None)
}

#[test]
fn while_the_store_is_away_each_limit_does_as_its_owner_chose() {
    let place = Place::new();
    let store = place.open();
    let events = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&events);
    store.listen(move |event| heard.lock().push(event.kind));
    let all: Vec<_> = [OnDown::Deny, OnDown::Local, OnDown::Allow]
        .into_iter()
        .map(|choice| on_down(&store, &format!("{choice:?}"), choice))
        .collect();
    for account in &all {
        charge(account, 1).unwrap();
    }
    store.sync().unwrap();
    let mut other = Other::new("away::locks_the_file", &[place.file().to_str().unwrap()]);
    assert_eq!(other.said(), "locked");
    let begun = now();
    let (denied, refused) = charge_until_refused(&all[0], 200);
    let took = now().since(begun);
    let Some(Error::Store(refused)) = refused else { panic!("{refused:?}") };
    assert!(matches!(&*refused, StoreError::Unavailable(_)), "{refused}");
    assert!(refused.to_string().contains("does not answer"), "{refused}");
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert!((1..=60).contains(&denied), "its share, and no more: {denied}");
    let (local, refused) = charge_until_refused(&all[1], 200);
    assert_eq!((local, refused.is_some()), (99, true), "the only holder has all that was left");
    let (allowed, refused) = charge_until_refused(&all[2], 200);
    assert_eq!((allowed, refused), (200, None));
    assert!(!store.status().unwrap().connected);
    other.end();
    until("the store is back", || store.status().unwrap().connected);
    store.sync().unwrap();
    let used: Vec<u64> = all.iter().map(|account| used(account)).collect();
    assert_eq!(used, [denied + 1, 100, 201], "all is booked");
    let kept = store.inspect().unwrap();
    let mut kept: Vec<u64> = kept.iter().map(|limit| limit.used).collect();
    kept.sort_unstable();
    let mut used = used;
    used.sort_unstable();
    assert_eq!(kept, used);
    let events = events.lock().clone();
    let count = |kind| events.iter().filter(|event| **event == kind).count();
    assert_eq!((count(StoreEventKind::Down), count(StoreEventKind::Back)), (1, 1));
    assert!(count(StoreEventKind::Short) > 0 && count(StoreEventKind::Drawn) > 0, "{events:?}");
}

#[test]
fn a_file_that_was_removed_is_made_again_with_what_processes_know() {
    let place = Place::new();
    let options = StoreOptions { ttl: Duration::from_secs(1), ..StoreOptions::default() };
    let store = Store::open(&place.url(), options).unwrap();
    let events = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&events);
    store.listen(move |event| heard.lock().push(event.kind));
    let budget = account(&store, "a", 100, Window::Lifetime);
    charge(&budget, 60).unwrap();
    store.sync().unwrap();
    for end in ["", "-wal", "-shm"] {
        let mut file = place.file().into_os_string();
        file.push(end);
        let _ = std::fs::remove_file(file);
    }
    until("it has noticed", || {
        let _ = store.sync();
        events.lock().contains(&StoreEventKind::Forgot)
    });
    until("it has learned, and grants again", || charge(&budget, 40).is_ok());
    assert!(charge(&budget, 1).is_err(), "what was used before counts");
    store.sync().unwrap();
    assert_eq!(store.inspect().unwrap()[0].used, 100);
}

#[test]
fn an_empty_strict_store_is_refused_until_it_is_created() {
    let place = Place::new();
    let options = StoreOptions { strict: true, ..StoreOptions::default() };
    let refused = Store::open(&place.url(), options.clone()).unwrap_err().to_string();
    assert!(refused.contains("--create") && refused.contains("default"), "{refused}");
    Store::create(&place.url(), &options).unwrap();
    let store = Store::open(&place.url(), options).unwrap();
    charge(&account(&store, "a", 10, Window::Lifetime), 10).unwrap();
}
