//! What one process has of one store.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use parking_lot::Mutex;

use super::name::{LimitName, hash};
use super::notices::StoreEvent;
use super::options::StoreOptions;
use super::shared::{FactAsked, FactDone, NamedLimit, StoreState, Word, hear};
use super::status::Status;
use crate::accounting::{Changes, Clock, Invalid};
use crate::ledger::{Account, Error, Lack, Supply, SupplyMember};
use crate::store::durable::Durable;
use crate::store::inspected::Inspected;
use crate::store::message::{Fact, FactGiven, FactId, LimitId};
use crate::store::supply::{OnDown, Standing, passes_when_down};

/// What one process has of one store: limits that it shares with other processes. It has a thread of
/// its own, which speaks to the store. Calls are decided in memory.
#[derive(Debug)]
pub struct Store {
    pub(super) shared: Arc<StoreState>,
    pub(super) me: Weak<Self>,
    accounts: Mutex<HashMap<u128, Weak<Account>>>,
    /// The store of a child of this process, in that child.
    child: OnceLock<Arc<Self>>,
}

impl Store {
    pub(super) fn of(shared: Arc<StoreState>) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            shared,
            me: Weak::clone(me),
            accounts: Mutex::default(),
            child: OnceLock::new(),
        })
    }

    /// How it is used.
    pub fn options(&self) -> &StoreOptions {
        &self.shared.options
    }

    /// Its clock, and that of its accounts.
    pub fn clock(&self) -> &Clock {
        &self.shared.options.clock
    }

    /// Where it is, without secrets.
    pub fn url(&self) -> String {
        self.shared.backend.place()
    }

    /// This store, or in a forked child the child's own: another holder, opened by the same options.
    pub fn present(&self) -> Result<Arc<Self>, Error> {
        if self.shared.is_here() {
            let me = self.me.upgrade();
            return me.ok_or_else(|| self.shared.closed());
        }
        if let Some(child) = self.child.get() {
            return child.present();
        }
        let child = Self::open(&self.shared.backend.place(), self.shared.options.clone())?;
        Ok(Arc::clone(self.child.get_or_init(|| child)))
    }

    /// The number of a limit, for [`Meter::shared`](crate::Meter::shared). The store keeps its name.
    pub fn limit(&self, name: &LimitName<'_>) -> u128 {
        self.name_limit(name, None)
    }

    /// The same for a limit of which something else passes while the store is away.
    pub fn limit_on_down(&self, name: &LimitName<'_>, on_down: OnDown) -> u128 {
        self.name_limit(name, Some(on_down))
    }

    fn name_limit(&self, name: &LimitName<'_>, on_down: Option<OnDown>) -> u128 {
        let name = name.readable();
        let id = hash(&name);
        self.shared.names.write().insert(LimitId(id), NamedLimit { name, on_down });
        id
    }

    /// The account with that key, or the one that `make` makes: all objects of one key are handles
    /// of one account.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn account(
        &self,
        key: u128,
        make: impl FnOnce() -> Result<Arc<Account>, Error>,
    ) -> Result<Arc<Account>, Error> {
        if let Some(known) = self.known(key) {
            return Ok(known);
        }
        // Without the lock: it may call anything.
        let made = make()?;
        let mut accounts = self.accounts.lock();
        let known = accounts.get(&key).and_then(Weak::upgrade);
        let account = known.unwrap_or_else(|| Arc::clone(&made));
        if accounts.len() >= 64 && accounts.len() == accounts.capacity() {
            accounts.retain(|_, account| account.strong_count() > 0);
        }
        accounts.insert(key, Arc::downgrade(&account));
        drop(accounts);
        Ok(account)
    }

    fn known(&self, key: u128) -> Option<Arc<Account>> {
        let known = self.accounts.lock().get(&key)?.upgrade()?;
        // The thread may just be giving it up.
        let member: Arc<dyn SupplyMember> = Arc::clone(&known) as _;
        self.shared.say(Word::Joined(member));
        Some(known)
    }

    /// Says a fact with the next message, and waits for what became of it, up to the timeout.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if there is no answer in time.
    pub fn fact(&self, fact: Fact) -> Result<FactGiven, Error> {
        if !self.shared.is_here() {
            return self.present()?.fact(fact);
        }
        self.open_here()?;
        let (sender, receiver) = channel();
        let given_up = Arc::new(AtomicBool::new(false));
        let done: FactDone = Box::new(move |given| drop(sender.send(given)));
        let asked = FactAsked { fact, given_up: Arc::clone(&given_up), done };
        self.shared.say(Word::Say(asked));
        match hear(receiver, self.shared.options.timeout) {
            Ok(given) => given,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                given_up.store(true, Ordering::Release);
                Err(self.shared.silent("it is not known whether the change was made"))
            }
        }
    }

    /// The facts of the group of `id` that stand, in the order of their addresses.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the store cannot be read within the connect timeout.
    pub fn facts(&self, id: FactId) -> Result<Vec<(FactId, FactGiven)>, Error> {
        if !self.shared.is_here() {
            return self.present()?.facts(id);
        }
        self.open_here()?;
        let (sender, receiver) = channel();
        self.shared.backend.facts(id, Box::new(move |found| drop(sender.send(found))));
        let found = receiver.recv_timeout(self.shared.options.connect_timeout);
        found.unwrap_or_else(|_| Err(self.shared.silent("its facts are not known")))
    }

    /// Says what this process has used of some limits, and hears what all have used of them.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if there is no answer within the timeout.
    pub fn hear(&self, limits: &[u128]) -> Result<(), Error> {
        if !self.shared.is_here() {
            return self.present()?.hear(limits);
        }
        self.open_here()?;
        let (sender, receiver) = channel();
        let limits = limits.iter().map(|limit| LimitId(*limit)).collect();
        self.shared.say(Word::Look(limits, sender));
        self.until_answered(&receiver)
    }

    /// Says all that this process has used, and hears what all have used: `used()` and
    /// `remaining()` of its objects are exact then.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if there is no answer within the timeout. Many limits take several
    /// messages, and while these are answered it waits on, up to the time for a connection.
    pub fn sync(&self) -> Result<(), Error> {
        if !self.shared.is_here() {
            return self.present()?.sync();
        }
        self.open_here()?;
        let (sender, receiver) = channel();
        self.shared.say(Word::Sync(sender));
        self.until_answered(&receiver)
    }

    /// Waits for the answer to the last of what is to be said, while the store answers.
    fn until_answered(&self, receiver: &Receiver<Result<(), Error>>) -> Result<(), Error> {
        let StoreOptions { timeout, connect_timeout, .. } = self.shared.options;
        let begun = Clock::System.precise_tick();
        loop {
            match receiver.recv_timeout(timeout) {
                Ok(answered) => return answered,
                Err(RecvTimeoutError::Disconnected) => return Err(self.shared.closed()),
                Err(RecvTimeoutError::Timeout) => {}
            }
            let passed = Clock::System.precise_tick().since(begun);
            if self.shared.is_away() || passed >= connect_timeout {
                return Err(self.shared.silent("its figures may be old"));
            }
        }
    }

    /// What this process knows of the store.
    pub fn status(&self) -> Result<Status, Error> {
        if !self.shared.is_here() {
            return self.present()?.status();
        }
        self.open_here()?;
        let (sender, receiver) = channel();
        self.shared.say(Word::Status(sender));
        let status = receiver.recv_timeout(self.shared.options.connect_timeout);
        status.map_err(|_| self.shared.silent("its thread is busy"))
    }

    /// All limits of the namespace, read from the store.
    pub fn inspect(&self) -> Result<Vec<Inspected>, Error> {
        if !self.shared.is_here() {
            return self.present()?.inspect();
        }
        self.open_here()?;
        self.shared.backend.inspect()
    }

    /// Calls `listener` with what happens between this process and the store, from the thread of the
    /// store. It must not wait for the store.
    pub fn listen(&self, listener: impl Fn(&StoreEvent) + Send + Sync + 'static) {
        self.shared.notices.add(Arc::new(listener));
    }

    /// Gives back what is free, and closes the store. Objects that use it then refuse what needs a
    /// share. Returns whether all went back within `timeout`.
    pub fn close(&self, timeout: Duration) -> bool {
        if !self.shared.is_here() || !self.shared.shut() {
            return true;
        }
        let (sender, receiver) = channel();
        self.shared.say(Word::Close(sender, timeout));
        if self.shared.is_thread() {
            return false;
        }
        receiver.recv().unwrap_or(false)
    }

    /// Whether it was closed in this process.
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed()
    }

    fn open_here(&self) -> Result<(), Error> {
        if !self.shared.is_here() {
            return Err(Error::Forked);
        }
        if self.is_closed() { Err(self.shared.closed()) } else { Ok(()) }
    }
}

impl Supply for Store {
    fn joined(&self, account: &Arc<dyn SupplyMember>) {
        self.shared.say(Word::Joined(Arc::clone(account)));
    }

    fn keeps_bookings(&self) -> bool {
        self.shared.options.durable == Durable::Commit
    }

    fn booked(&self, limit: u128) {
        let (sender, receiver) = channel();
        self.shared.say(Word::Booked(LimitId(limit), sender));
        if !self.shared.is_thread() && !self.shared.is_away() {
            // If the store is away, it is kept when the store is back.
            let _ = hear(receiver, self.shared.options.timeout);
        }
    }

    fn short(&self, limit: u128) {
        self.shared.say(Word::Short(LimitId(limit)));
    }

    fn surplus(&self, limit: u128) {
        self.shared.say(Word::Surplus(LimitId(limit)));
    }

    fn changed(&self, limit: u128, changes: Changes) {
        self.shared.say(Word::Changed(LimitId(limit), changes));
    }

    fn timeout(&self) -> Duration {
        self.shared.options.timeout
    }

    fn is_over(&self) -> bool {
        self.is_closed()
    }

    fn passes_when_away(&self, lack: &Lack) -> Option<bool> {
        if self.is_closed() {
            // It never comes back, so nothing passes that it could not book.
            return Some(false);
        }
        if !self.shared.is_away() {
            return None;
        }
        let heard = lack.others.map(|others| Standing {
            most: others.most.unwrap_or(0),
            used_by_others: others.used,
            out_to_others: others.out,
            free_with_others: 0,
            live: others.live,
        });
        let on_down = self.shared.on_down(LimitId(lack.limit));
        Some(passes_when_down(on_down, heard.as_ref(), lack.share, lack.taken, lack.asked))
    }
}

/// How long a store that nobody has any more tries to give back what it has.
const LAST: Duration = Duration::from_millis(200);

impl Drop for Store {
    fn drop(&mut self) {
        if self.shared.is_here() && self.shared.shut() {
            let (sender, _) = channel();
            self.shared.say(Word::Close(sender, LAST));
        }
    }
}

/// The error of an address that no store has.
pub(super) fn unknown(url: &str) -> Error {
    let scheme = url.split_once("://").map_or(url, |(scheme, _)| scheme);
    Invalid::sentence(format!(
        "store must begin with sqlite://, not {scheme:?}; the other kinds of stores are not in this \
         build"
    ))
    .into()
}
