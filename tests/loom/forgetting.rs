//! A counter is forgotten while requests come: in every interleaving the limit is given out once.
//!
//! The map of a guard is a lock and what it guards. A counter goes only while nothing else holds it,
//! and that is read under the lock.

use loom::sync::{Arc, Mutex};
use loom::thread::spawn;
use outlay::{Account, Demand, Unsettled};

use super::world::{World, explore, sums};

type Map = Mutex<Option<Arc<std::sync::Arc<Account>>>>;

/// Finds or makes the counter, and charges one of its one.
fn request(map: &Map, world: &World) -> bool {
    let counter = {
        let mut place = map.lock().unwrap();
        Arc::clone(place.get_or_insert_with(|| Arc::new(world.account(1))))
    };
    counter.charge(&[Demand::new(0, 1)]).is_ok()
}

/// Forgets the counter if it says nothing and nobody holds it.
fn forget(map: &Map) {
    let mut place = map.lock().unwrap();
    if place
        .as_ref()
        .is_some_and(|counter| Arc::strong_count(counter) == 1 && sums(counter) == (0, 0))
    {
        *place = None;
    }
}

#[test]
fn a_counter_that_is_forgotten_gives_its_limit_out_once() {
    explore("forgetting", || {
        let world = Arc::new(World::new(Unsettled::Charge));
        let map: Arc<Map> = Arc::new(Mutex::new(None));
        // It was asked before, and refused.
        map.lock().unwrap().get_or_insert_with(|| Arc::new(world.account(1)));
        let requests = [0, 1].map(|_| {
            let (map, world) = (Arc::clone(&map), Arc::clone(&world));
            spawn(move || request(&map, &world))
        });
        forget(&map);
        let passed = requests.map(|thread| thread.join().unwrap());
        assert!(passed[0] ^ passed[1], "{passed:?}");
    });
}
