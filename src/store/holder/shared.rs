//! What the callers of a process and the thread of its store share.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::thread::ThreadId;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};

use super::backend::Backend;
use super::notices::Notices;
use super::options::StoreOptions;
use super::status::Status;
use crate::accounting::{Changes, Clock, Follower, Tick};
use crate::ledger::{Error, Sleeper, StoreError, SupplyMember, fork_generation, sleep_for_store};
use crate::store::message::{Answer, Fact, FactGiven, LimitId};
use crate::store::supply::OnDown;

/// The time of the machine, whatever the clock of the store is.
pub(super) fn machine() -> Tick {
    Clock::System.precise_tick()
}

/// Hears what became of a fact.
pub(super) type FactDone = Box<dyn FnOnce(Result<FactGiven, Error>) + Send>;

/// A fact that waits for the next message. It is not sent if nobody waits for it any more.
pub(super) struct FactAsked {
    pub(super) fact: Fact,
    pub(super) given_up: Arc<AtomicBool>,
    pub(super) done: FactDone,
}

/// What the thread of a store hears.
pub(super) enum Word {
    Joined(Arc<dyn SupplyMember>),
    Short(LimitId),
    Surplus(LimitId),
    Changed(LimitId, Changes),
    Booked(LimitId, Sender<Result<(), Error>>),
    Say(FactAsked),
    Sync(Sender<Result<(), Error>>),
    /// The same of these limits alone.
    Look(Vec<LimitId>, Sender<Result<(), Error>>),
    /// Answer once there is nothing to do at this time.
    Settle(Sender<()>),
    Status(Sender<Status>),
    Answer(Box<Result<Answer, Error>>),
    Looked(Result<Vec<LimitId>, Error>),
    /// Give back what is free within that time, say whether it is done, and end.
    Close(Sender<bool>, Duration),
}

/// How a limit is called, and what passes while the store is away.
#[derive(Debug)]
pub(super) struct NamedLimit {
    pub(super) name: String,
    pub(super) on_down: Option<OnDown>,
}

/// What the callers of a process and the thread of its store share.
pub(super) struct StoreState {
    pub(super) backend: Arc<dyn Backend>,
    pub(super) options: StoreOptions,
    pub(super) notices: Notices,
    pub(super) names: RwLock<HashMap<LimitId, NamedLimit>>,
    /// The process that it belongs to.
    generation: u64,
    words: Mutex<Vec<Word>>,
    sleeper: Arc<Sleeper>,
    /// Since when a message is not answered, by the machine's clock. 0 if none waits.
    unanswered: AtomicU64,
    closed: AtomicBool,
    /// When the thread acts next, by the clock of the store.
    next: AtomicU64,
    thread: Mutex<Option<ThreadId>>,
}

impl StoreState {
    pub(super) fn new(backend: Arc<dyn Backend>, options: StoreOptions) -> Arc<Self> {
        Arc::new(Self {
            backend,
            options,
            notices: Notices::default(),
            names: RwLock::default(),
            generation: fork_generation(),
            words: Mutex::default(),
            sleeper: Sleeper::new(),
            unanswered: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            next: AtomicU64::new(u64::MAX),
            thread: Mutex::default(),
        })
    }

    /// Whether this is the process that opened the store.
    pub(super) fn is_here(&self) -> bool {
        self.generation == fork_generation()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Closes it to callers. Whether it was open.
    pub(super) fn shut(&self) -> bool {
        !self.closed.swap(true, Ordering::AcqRel)
    }

    /// Says something to the thread.
    pub(super) fn say(&self, word: Word) {
        if self.is_here() {
            self.words.lock().push(word);
            self.sleeper.wake();
        }
    }

    /// What was said since the last call.
    pub(super) fn heard(&self) -> Vec<Word> {
        std::mem::take(&mut *self.words.lock())
    }

    /// Whether something was said.
    pub(super) fn has_words(&self) -> bool {
        !self.words.lock().is_empty()
    }

    pub(super) fn sleep(&self, limit: Option<Duration>) {
        self.sleeper.sleep(limit);
    }

    pub(super) fn is_thread(&self) -> bool {
        *self.thread.lock() == Some(std::thread::current().id())
    }

    pub(super) fn runs_here(&self) {
        *self.thread.lock() = Some(std::thread::current().id());
    }

    pub(super) fn set_next(&self, next: Tick) {
        self.next.store(next.raw(), Ordering::Relaxed);
    }

    /// A message is under way since `tick`, or none is.
    pub(super) fn set_unanswered(&self, since: Option<Tick>) {
        self.unanswered.store(since.map_or(0, Tick::raw), Ordering::Release);
    }

    /// A store that has not answered for so long is away. A little less than a call waits for.
    pub(super) fn patience(&self) -> Duration {
        let timeout = self.options.timeout;
        timeout - (timeout / 5).min(Duration::from_millis(50))
    }

    /// Whether the store does not answer.
    pub(super) fn is_away(&self) -> bool {
        let since = self.unanswered.load(Ordering::Acquire);
        let now = || Clock::System.precise_tick();
        self.is_closed() || since != 0 && now().since(Tick::from_raw(since)) >= self.patience()
    }

    /// What passes of a limit while the store is away.
    pub(super) fn on_down(&self, limit: LimitId) -> OnDown {
        let names = self.names.read();
        let own = names.get(&limit).and_then(|named| named.on_down);
        own.unwrap_or(self.options.on_down)
    }

    /// The readable name of a limit.
    pub(super) fn name_of(&self, limit: LimitId) -> String {
        let name = self.names.read().get(&limit).map(|named| named.name.clone());
        name.unwrap_or_else(|| format!("{:032x}", limit.0))
    }

    pub(super) fn closed(&self) -> Error {
        let place = self.backend.place();
        StoreError::Unavailable(format!("the store {place} is closed in this process")).into()
    }

    /// The error of a call that got no answer in time.
    pub(super) fn silent(&self, what: &str) -> Error {
        let (place, timeout) = (self.backend.place(), self.options.timeout);
        let text = format!("the store {place} has not answered within {timeout:?}: {what}");
        StoreError::Unavailable(text).into()
    }
}

impl std::fmt::Debug for StoreState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (backend, options) = (&self.backend, &self.options);
        f.debug_struct("StoreState").field("backend", backend).field("options", options).finish()
    }
}

/// Waits for what the thread of a store says. The host of this thread lets others run meanwhile.
pub(super) fn hear<T: Send>(
    mut receiver: Receiver<T>,
    timeout: Duration,
) -> Result<T, RecvTimeoutError> {
    let mut heard = Err(RecvTimeoutError::Timeout);
    let (ours, into) = (&mut receiver, &mut heard);
    sleep_for_store(move || *into = ours.recv_timeout(timeout));
    heard
}

/// For how long a move of a clock by hand waits for the thread.
const MOVED: Duration = Duration::from_millis(500);

impl Follower for StoreState {
    fn next(&self) -> Option<Tick> {
        let next = self.next.load(Ordering::Relaxed);
        (next != u64::MAX && self.is_here()).then(|| Tick::from_raw(next))
    }

    fn moved(&self) {
        if !self.is_here() || self.is_closed() || self.is_thread() {
            return;
        }
        let (sender, receiver) = std::sync::mpsc::channel();
        self.say(Word::Settle(sender));
        // What the thread still does at this time it does later.
        let _ = hear(receiver, MOVED);
    }
}
