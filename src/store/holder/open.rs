//! Opening a store: a process has one for each place and namespace.

use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use parking_lot::Mutex;

use super::backend::Backend;
use super::options::StoreOptions;
use super::shared::{StoreState, Word};
use super::store::{Store, unknown};
use super::talk::Talk;
use crate::accounting::{Clock, Follower, Invalid};
use crate::ledger::{Error, StoreError, fork_generation};
use crate::store::fresh::fresh;
use crate::store::inspected::Inspected;
use crate::store::message::HolderId;
use crate::store::supply::{HolderSupply, OnDown};

/// The stores of one process.
#[derive(Debug)]
struct Stores {
    generation: u64,
    open: Mutex<Vec<Weak<Store>>>,
    /// Those of a child of this process, in that child.
    child: OnceLock<Box<Self>>,
}

static FIRST: OnceLock<Stores> = OnceLock::new();

impl Stores {
    fn new() -> Self {
        let generation = fork_generation();
        Self { generation, open: Mutex::default(), child: OnceLock::new() }
    }

    /// Those of this process.
    fn here() -> &'static Self {
        let mut stores = FIRST.get_or_init(Self::new);
        while stores.generation != fork_generation() {
            stores = stores.child.get_or_init(|| Box::new(Self::new()));
        }
        stores
    }
}

impl Store {
    /// Opens the store at `url`, and waits for its first answer. The store that is open already is
    /// returned, if its options are equal.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an address or options that are not allowed, or for other options than
    /// those of the store that is open. [`Error::Store`] for a store that cannot be used, or that
    /// does not answer in time and lets nothing pass while it is away.
    pub fn open(url: &str, options: StoreOptions) -> Result<Arc<Self>, Error> {
        options.check()?;
        let place = place(url)?;
        let stores = Stores::here();
        let mut open = stores.open.lock();
        open.retain(|store| store.strong_count() > 0);
        let same = |store: &Arc<Self>| {
            let namespace = &store.shared.options.namespace;
            !store.is_closed() && store.url() == place && *namespace == options.namespace
        };
        if let Some(known) = open.iter().filter_map(Weak::upgrade).find(same) {
            if *known.options() == options {
                return Ok(known);
            }
            return Err(Invalid::sentence(format!(
                "the options of a store must be those it is open with in this process: {place:?} is \
                 open with {:?}, not {options:?}",
                known.options()
            ))
            .into());
        }
        let store = Self::start(backend(url, &options)?, options)?;
        open.push(Arc::downgrade(&store));
        Ok(store)
    }

    /// Creates the namespace of a strict store, and returns. One that exists stays as it is.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn create(url: &str, options: &StoreOptions) -> Result<(), Error> {
        options.check()?;
        let backend = backend(url, options)?;
        let created = backend.create();
        backend.close(options.connect_timeout);
        created
    }

    /// The limits of a store that this process need not have open. It only reads.
    ///
    /// # Errors
    /// [`Error::Store`] for a store that is not there or cannot be read.
    pub fn look(url: &str, namespace: &str) -> Result<Vec<Inspected>, Error> {
        place(url)?;
        read(url, namespace)
    }

    fn start(backend: Arc<dyn Backend>, options: StoreOptions) -> Result<Arc<Self>, Error> {
        let supply = HolderSupply::new(options.rules(), HolderId(fresh()?));
        let shared = StoreState::new(backend, options);
        if let Clock::Manual(clock) = &shared.options.clock {
            let follower: Weak<dyn Follower> = Arc::downgrade(&shared) as _;
            clock.follow(follower);
        }
        let talk = Talk::new(Arc::clone(&shared), supply);
        let thread = std::thread::Builder::new().name("outlay-store".to_owned());
        thread.spawn(move || talk.run()).map_err(|error| {
            StoreError::Unavailable(format!("cannot start the thread of a store: {error}"))
        })?;
        let store = Self::of(shared);
        store.connect()?;
        Ok(store)
    }

    /// Waits for the first answer.
    fn connect(&self) -> Result<(), Error> {
        let shared = &self.shared;
        let (sender, receiver) = std::sync::mpsc::channel();
        shared.say(Word::Sync(sender));
        let answered = receiver.recv_timeout(shared.options.connect_timeout);
        match answered {
            Ok(Ok(())) => Ok(()),
            Ok(Err(refused)) => {
                self.close(Duration::ZERO);
                Err(refused)
            }
            Err(_) if shared.options.on_down != OnDown::Deny => Ok(()),
            Err(_) => {
                let problem = self.status().ok().and_then(|status| status.problem);
                self.close(Duration::ZERO);
                let (place, timeout) = (self.url(), shared.options.connect_timeout);
                let problem = problem.unwrap_or_else(|| {
                    format!("the store {place} has not answered within {timeout:?}")
                });
                Err(StoreError::Unavailable(problem).into())
            }
        }
    }
}

/// Closes all stores of this process, each within `timeout`: what is free goes back. An orderly end
/// of a program calls it.
pub fn close_all(timeout: Duration) -> bool {
    let open: Vec<Weak<Store>> = std::mem::take(&mut *Stores::here().open.lock());
    let mut all = true;
    for store in open.iter().filter_map(Weak::upgrade) {
        all &= store.close(timeout);
    }
    all
}

#[cfg(feature = "sqlite")]
fn place(url: &str) -> Result<String, Error> {
    if url.starts_with("sqlite:") { super::file::place(url) } else { Err(unknown(url)) }
}

#[cfg(feature = "sqlite")]
fn backend(url: &str, options: &StoreOptions) -> Result<Arc<dyn Backend>, Error> {
    super::file::open(url, options)
}

#[cfg(feature = "sqlite")]
fn read(url: &str, namespace: &str) -> Result<Vec<Inspected>, Error> {
    crate::store::sqlite::look(url, namespace)
}

#[cfg(not(feature = "sqlite"))]
fn place(url: &str) -> Result<String, Error> {
    Err(unknown(url))
}

#[cfg(not(feature = "sqlite"))]
fn backend(url: &str, _options: &StoreOptions) -> Result<Arc<dyn Backend>, Error> {
    Err(unknown(url))
}

#[cfg(not(feature = "sqlite"))]
fn read(url: &str, _namespace: &str) -> Result<Vec<Inspected>, Error> {
    Err(unknown(url))
}
