//! A store that is a SQLite file, for the processes of one machine.
//!
//! | room | what is in it |
//! | --- | --- |
//! | `url`, `files`, `fault`, `value` | the address, which files may be a store, what goes wrong, how values are kept |
//! | `process`, `moment` | whether a process is dead; the time of the store |
//! | `schema`, `rows`, `dead` | the tables, the rows of a namespace, holders that are dead |
//! | `database` | one connection |
//! | `writer`, `home` | the thread that writes; what a process has open, and forks |
//! | `options` | how a store is run |

mod database;
mod dead;
mod fault;
mod files;
mod home;
mod moment;
mod options;
mod process;
mod rows;
mod schema;
mod task;
mod url;
mod value;
mod writer;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak, mpsc};
use std::time::Duration;

use self::home::Home;
use self::task::{Space, Task};
use self::writer::Writer;
use super::message::{Answer, HolderId, LimitId, Message};
use crate::accounting::Invalid;
use crate::ledger::{Error, StoreError};

#[doc(hidden)]
pub use database::Database;
pub use home::{after_fork_in_child, after_fork_in_parent, before_fork};
pub use options::{Durable, SqliteOptions};
pub use task::fresh;

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
        stores.retain(|store| store.strong_count() > 0);
        let same = |store: &Arc<Self>| {
            store.writer.path == path
                && store.options.namespace == options.namespace
                && !store.closed.load(Ordering::Acquire)
        };
        if let Some(open) = stores.iter().filter_map(Weak::upgrade).find(same) {
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
        let store = Arc::new(Self { home, writer, space, options, closed });
        stores.push(Arc::downgrade(&store));
        Ok(store)
    }

    fn writer(
        home: &'static Home,
        path: &Path,
        patience: Duration,
    ) -> Result<Arc<Writer>, StoreError> {
        let mut writers = home.writers.lock();
        writers.retain(|writer| writer.strong_count() > 0);
        let open = writers.iter().filter_map(Weak::upgrade);
        if let Some(writer) = open.filter(|writer| writer.path == path).find(|open| open.join()) {
            return Ok(writer);
        }
        let writer = Writer::open(home, path.to_owned(), patience)?;
        writers.push(Arc::downgrade(&writer));
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

    /// Creates the namespace in a strict store. One that exists stays as it is.
    pub fn create(&self) -> Result<(), Error> {
        let (space, full) = (Arc::clone(&self.space), self.options.durable.is_full());
        self.wait(Some(full), move |database| space.create(database))
    }

    fn put<T: Send + 'static>(
        &self,
        durable: Option<bool>,
        act: impl FnMut(&Database) -> Result<T, fault::Fault> + Send + 'static,
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
        act: impl FnMut(&Database) -> Result<T, fault::Fault> + Send + 'static,
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
