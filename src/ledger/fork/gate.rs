//! A gate that is shut during a fork. Threads that stand before it then wait by the lock and the
//! condition variable of std: these keep no table of sleeping threads that a child would inherit.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Whoever changes what a fork must not cut in two passes it. A fork shuts it.
#[derive(Debug)]
pub(crate) struct Gate {
    state: Mutex<GateState>,
    changed: Condvar,
}

#[derive(Debug)]
struct GateState {
    inside: usize,
    shut: bool,
}

/// Somebody is inside as long as this lives.
#[derive(Debug)]
pub(crate) struct GatePass<'a>(&'a Gate);

impl Gate {
    pub(crate) const fn new() -> Self {
        let state = Mutex::new(GateState { inside: 0, shut: false });
        Self { state, changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, GateState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes in, once it is not shut. Whoever is inside may go in again.
    pub(crate) fn pass(&self) -> GatePass<'_> {
        let shut = |state: &mut GateState| state.shut;
        let waited = self.changed.wait_while(self.state(), shut);
        waited.unwrap_or_else(PoisonError::into_inner).inside += 1;
        GatePass(self)
    }

    /// Shuts it once nobody is inside.
    pub(crate) fn shut(&self) {
        let busy = |state: &mut GateState| state.inside > 0 || state.shut;
        let waited = self.changed.wait_while(self.state(), busy);
        waited.unwrap_or_else(PoisonError::into_inner).shut = true;
    }

    /// Opens it again.
    pub(crate) fn open(&self) {
        self.state().shut = false;
        self.changed.notify_all();
    }
}

impl Drop for GatePass<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.inside -= 1;
        if state.inside == 0 {
            drop(state);
            self.0.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::sync::{Arc, atomic};
    use std::thread;

    use super::*;

    #[test]
    fn it_shuts_once_nobody_is_inside_and_lets_nobody_in_until_it_opens() {
        let gate = Arc::new(Gate::new());
        let pass = gate.pass();
        let again = gate.pass();
        let shut = Arc::new(atomic::AtomicBool::new(false));
        let (other, says) = (Arc::clone(&gate), Arc::clone(&shut));
        let (tell, hear) = channel();
        let forks = thread::spawn(move || {
            other.shut();
            says.store(true, atomic::Ordering::SeqCst);
            tell.send(()).unwrap();
        });
        drop(pass);
        assert!(!shut.load(atomic::Ordering::SeqCst), "one is still inside");
        drop(again);
        hear.recv().unwrap();
        let (other, tell) = (Arc::clone(&gate), channel());
        let (sender, receiver) = tell;
        let enters = thread::spawn(move || {
            drop(other.pass());
            sender.send(()).unwrap();
        });
        assert!(receiver.try_recv().is_err(), "it is shut");
        gate.open();
        receiver.recv().unwrap();
        forks.join().unwrap();
        enters.join().unwrap();
    }
}
