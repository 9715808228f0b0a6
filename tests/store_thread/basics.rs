//! One process and one file.

use std::sync::Arc;
use std::time::Duration;

use outlay::store::{Store, StoreOptions};
use outlay::{Error, Window};

use super::objects::{Place, account, charge, now, used};

#[test]
fn a_budget_is_used_to_its_last_unit_and_remembered() {
    let place = Place::new();
    {
        let store = place.open();
        let budget = account(&store, "a", 100, Window::Lifetime);
        for _ in 0..10 {
            charge(&budget, 9).unwrap();
        }
        let refused = charge(&budget, 11).unwrap_err();
        assert!(matches!(refused, Error::Denied(_)), "{refused}");
        charge(&budget, 10).unwrap();
        assert_eq!(used(&budget), 100);
        let begun = now();
        assert!(store.close(Duration::from_millis(200)));
        assert!(now().since(begun) < Duration::from_millis(200));
    }
    let store = place.open();
    let budget = account(&store, "a", 110, Window::Lifetime);
    store.sync().unwrap();
    assert_eq!(used(&budget), 100);
    charge(&budget, 10).unwrap();
    assert!(charge(&budget, 1).is_err());
    store.close(Duration::from_millis(200));
}

#[test]
fn a_process_has_one_store_for_a_file() {
    let place = Place::new();
    let store = place.open();
    assert!(Arc::ptr_eq(&store, &place.open()));
    let options = StoreOptions { ttl: Duration::from_secs(9), ..StoreOptions::default() };
    let refused = Store::open(&place.url(), options).unwrap_err();
    assert!(matches!(&refused, Error::Invalid(_)), "{refused}");
    assert!(Arc::ptr_eq(&store.present().unwrap(), &store));
    assert!(store.close(Duration::from_millis(200)));
    let again = place.open();
    assert!(!Arc::ptr_eq(&store, &again));
}

#[test]
fn objects_of_one_key_are_one_account() {
    let place = Place::new();
    let store = place.open();
    let (one, other) =
        (account(&store, "a", 10, Window::Lifetime), account(&store, "a", 10, Window::Lifetime));
    assert!(Arc::ptr_eq(&one, &other));
    charge(&one, 6).unwrap();
    assert_eq!(used(&other), 6);
}
