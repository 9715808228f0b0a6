//! A store under a clock that is moved by hand.

use std::sync::Arc;
use std::time::Duration;

use outlay::store::{Store, StoreOptions};
use outlay::{ManualClock, Window};

use super::objects::{Place, account, charge, used};

#[test]
fn windows_end_when_the_clock_is_moved() {
    let place = Place::new();
    let clock = Arc::new(ManualClock::new());
    let options = StoreOptions { clock: Arc::clone(&clock).into(), ..StoreOptions::default() };
    let store = Store::open(&place.url(), options).unwrap();
    let minute = Duration::from_secs(60);
    let fixed = account(&store, "fixed", 10, Window::fixed(minute, clock.tick()).unwrap());
    let sliding = account(&store, "slides", 10, Window::sliding(minute, 60, clock.tick()).unwrap());
    let gauge = account(&store, "gauge", 3, Window::Gauge);
    for round in 0..3 {
        charge(&fixed, 10).unwrap();
        assert!(charge(&fixed, 1).is_err(), "{round}");
        charge(&sliding, 10).unwrap();
        assert!(charge(&sliding, 1).is_err(), "{round}");
        charge(&gauge, 3).unwrap();
        clock.advance(Duration::from_secs(30));
        assert!(charge(&fixed, 1).is_err() && charge(&sliding, 1).is_err(), "{round}");
        clock.advance(Duration::from_secs(32));
    }
    store.sync().unwrap();
    assert_eq!((used(&fixed), used(&sliding)), (0, 0));
}
