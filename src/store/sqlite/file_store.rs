//! A store in a SQLite file.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use parking_lot::Mutex;

use super::database::Database;
use super::fault::SqliteFault;
use super::home::{Home, HomeEntry};
use super::options::SqliteOptions;
use super::rows::inspect;
use super::task::{Space, Task};
use super::writer::Writer;
use super::{files, url};
use crate::accounting::Invalid;
use crate::ledger::{Error, StoreError};
use crate::store::inspected::Inspected;
use crate::store::message::{Answer, FactGiven, FactId, HolderId, LimitId, Message};

/// How long the end of a program waits for the last commits.
const LAST: Duration = Duration::from_millis(200);

/// A store in a SQLite file. A process has one for each file and namespace.
#[derive(Debug)]
pub struct SqliteStore {
    home: &'static Home,
    writer: Arc<Writer>,
    space: Arc<Space>,
    options: SqliteOptions,
    closed: AtomicBool,
    /// How many stores of holders use it.
    users: Mutex<usize>,
}

/// The limits of a namespace of a file, which this process need not have open. It only reads.
///
/// # Errors
/// [`Error::Store`] for a file that is not there or is no store.
pub(crate) fn look(url: &str, namespace: &str) -> Result<Vec<Inspected>, Error> {
    let options = SqliteOptions { namespace: namespace.to_owned(), ..SqliteOptions::default() };
    options.check()?;
    let path = url::path_of(url)?;
    if !path.exists() {
        let gone = format!("{} is not there: no process has opened it yet", path.display());
        return Err(StoreError::Unavailable(gone).into());
    }
    let database = Database::open_to_read(&path, options.patience)?;
    let read = database.begin_reading().and_then(|()| {
        let rules = options.rules();
        database.end(inspect(database.file(), namespace, rules.ttl))
    });
    Ok(read.map_err(|fault| fault.about(&path))?)
}

impl SqliteStore {
    /// Opens the file at `url` (`sqlite:///relative.db` or `sqlite:////absolute/path.db`), and makes
    /// it if it is not there. The store that is open already is returned, if its options are equal.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an address or options that are not allowed, or for other options than
    /// those of the store that is open. [`Error::Store`] for a file that cannot be a store.
    pub fn open(url: &str, options: SqliteOptions) -> Result<Arc<Self>, Error> {
        options.check()?;
        let path = files::checked(&url::path_of(url)?)?;
        let home = Home::here();
        let mut stores = home.stores.lock();
        let same = |store: &Arc<Self>| {
            store.writer.path == path
                && store.options.namespace == options.namespace
                && !store.closed.load(Ordering::Acquire)
        };
        if let Some(open) = stores.all().into_iter().find(same) {
            if open.options == options {
                return Ok(open);
            }
            return Err(Invalid::sentence(format!(
                "the options of a store must be those it is open with in this process: {url:?} is \
                 open with {:?}, not {options:?}",
                open.options
            ))
            .into());
        }
        let writer = Self::writer(home, &path, options.patience)?;
        let (space, closed) = (Arc::new(Space::new(&options)), AtomicBool::new(false));
        let users = Mutex::new(0);
        let store = Arc::new(Self { home, writer, space, options, closed, users });
        stores.add(&store);
        Ok(store)
    }

    /// One more uses it, unless it was closed meanwhile.
    pub(in crate::store) fn enter(&self) -> bool {
        let mut users = self.users.lock();
        let open = !self.closed.load(Ordering::Acquire);
        *users += usize::from(open);
        open
    }

    /// One that has [entered](Self::enter) goes; the last one closes it.
    pub(in crate::store) fn leave(&self, timeout: Duration) -> bool {
        let mut users = self.users.lock();
        *users = users.saturating_sub(1);
        *users > 0 || self.close(timeout)
    }

    /// The one address of the file at `url`, which need not be there.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn place(url: &str) -> Result<String, Error> {
        Ok(url::url_of(&files::checked(&url::path_of(url)?)?))
    }

    /// The address of the file.
    pub fn url(&self) -> String {
        url::url_of(&self.writer.path)
    }

    /// All limits of the namespace.
    pub fn inspect(&self) -> Result<Vec<Inspected>, Error> {
        let space = Arc::clone(&self.space);
        self.wait(None, move |database| space.inspect(database))
    }

    fn writer(
        home: &'static Home,
        path: &Path,
        patience: Duration,
    ) -> Result<Arc<Writer>, StoreError> {
        let mut writers = home.writers.lock();
        let open = |writer: &Arc<Writer>| writer.path == path && writer.join();
        if let Some(writer) = writers.all().into_iter().find(open) {
            return Ok(writer);
        }
        let writer = Writer::open(home, path.to_owned(), patience)?;
        writers.add(&writer);
        Ok(writer)
    }

    /// Applies `message`, and calls `done` with the answer, from the thread of the file. What fails
    /// has changed nothing as far as this process knows: the same message may be sent again, and is
    /// applied once.
    ///
    /// `done` gets [`Error::Forked`] in a child of the process that opened the store.
    pub fn send(
        &self,
        message: Arc<Message>,
        done: impl FnOnce(Result<Answer, Error>) + Send + 'static,
    ) {
        let (space, full) = (Arc::clone(&self.space), self.options.durable.is_full());
        self.put(Some(full), move |database| space.apply(database, &message), done);
    }

    /// Calls `done` with the limits for which another holder waits, if other processes have written
    /// since the last look; else with nothing.
    pub fn look(
        &self,
        holder: HolderId,
        done: impl FnOnce(Result<Vec<LimitId>, Error>) + Send + 'static,
    ) {
        let space = Arc::clone(&self.space);
        self.put(None, move |database| space.waited_for(database, holder), done);
    }

    /// Calls `done` with the facts of the group of `id`, as the file has them now, in the order of
    /// their addresses.
    pub fn facts(
        &self,
        id: FactId,
        done: impl FnOnce(Result<Vec<(FactId, FactGiven)>, Error>) + Send + 'static,
    ) {
        let space = Arc::clone(&self.space);
        self.put(None, move |database| space.facts(database, id), done);
    }

    /// Creates the namespace in a strict store. One that exists stays as it is.
    pub fn create(&self) -> Result<(), Error> {
        let (space, full) = (Arc::clone(&self.space), self.options.durable.is_full());
        self.wait(Some(full), move |database| space.create(database))
    }

    fn put<T: Send + 'static>(
        &self,
        durable: Option<bool>,
        act: impl FnMut(&Database) -> Result<T, SqliteFault> + Send + 'static,
        done: impl FnOnce(Result<T, Error>) + Send + 'static,
    ) {
        if !self.home.is_here() {
            return done(Err(Error::Forked));
        }
        if self.closed.load(Ordering::Acquire) {
            let problem = format!("the store {} is closed", self.writer.path.display());
            return done(Err(StoreError::Unavailable(problem).into()));
        }
        self.writer.send(Box::new(Task::new(durable, act, done)));
    }

    fn wait<T: Send + 'static>(
        &self,
        durable: Option<bool>,
        act: impl FnMut(&Database) -> Result<T, SqliteFault> + Send + 'static,
    ) -> Result<T, Error> {
        let (sender, receiver) = mpsc::channel();
        self.put(durable, act, move |outcome| drop(sender.send(outcome)));
        receiver.recv().unwrap_or_else(|_| {
            let problem = format!("the thread of {} has ended", self.writer.path.display());
            Err(StoreError::Unavailable(problem).into())
        })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.writer.path
    }

    /// How it is run.
    pub const fn options(&self) -> &SqliteOptions {
        &self.options
    }

    /// Whether the wall clock has leapt by more than an hour that the boot-time clock does not
    /// confirm. The store goes on without the leap.
    pub fn has_leapt(&self) -> bool {
        self.space.has_leapt()
    }

    /// Closes it: what was sent is done, and nothing more is taken. Returns whether all was done
    /// within `timeout`. The second call does nothing.
    pub fn close(&self, timeout: Duration) -> bool {
        if !self.home.is_here() || self.closed.swap(true, Ordering::AcqRel) {
            return true;
        }
        self.writer.leave(timeout)
    }
}

impl HomeEntry for SqliteStore {}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        if self.home.is_here() {
            self.close(LAST);
        } else {
            // What the parent has open stays as it is.
            std::mem::forget(Arc::clone(&self.writer));
        }
    }
}
