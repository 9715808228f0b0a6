//! The one thread of a process that writes to a file. What arrives while it commits shares the next
//! commit.

use std::collections::VecDeque;
use std::mem;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;

use super::database::Database;
use super::fault::SqliteFault;
use super::files;
use super::home::{Home, HomeEntry};
use crate::accounting::{Clock, Tick};
use crate::ledger::{Error, StoreError};

/// The pause before a file is tried again that another process has. After a commit the others are
/// left so much time, too: so each of them gets its turn.
const TURN: Duration = Duration::from_millis(1);
/// For how long others are expected to wait after they had the file.
const CROWDED: Duration = Duration::from_millis(100);

/// What is done in a transaction. It may run more than once until one is committed.
pub(super) trait WriterTask: Send {
    /// Whether it must survive the loss of power. `None`: it only reads.
    fn durable(&self) -> Option<bool>;
    fn run(&mut self, database: &Database) -> Result<(), SqliteFault>;
    /// It is committed, or it has failed and changed nothing.
    fn end(self: Box<Self>, outcome: Result<(), Error>);
}

/// A file that this process has open.
#[derive(Debug)]
pub(super) struct Writer {
    home: &'static Home,
    pub(super) path: PathBuf,
    patience: Duration,
    slot: Mutex<WriterSlot>,
    /// Of std, as the two that wait for it: its thread sleeps here, also during a fork.
    queue: std::sync::Mutex<WriteQueue>,
    /// A job has come, or the last user has gone.
    wake: Condvar,
    /// The thread has ended.
    ended: Condvar,
}

#[derive(Debug, Default)]
struct WriterSlot {
    database: Option<Database>,
    /// The file is damaged. Nothing is written to it any more.
    broken: Option<StoreError>,
}

#[derive(Default)]
struct WriteQueue {
    jobs: VecDeque<Box<dyn WriterTask>>,
    users: usize,
    has_thread: bool,
}

impl std::fmt::Debug for WriteQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let jobs = self.jobs.len();
        f.debug_struct("WriteQueue").field("jobs", &jobs).field("users", &self.users).finish()
    }
}

impl Writer {
    /// Opens the file for its first user.
    pub(super) fn open(
        home: &'static Home,
        path: PathBuf,
        patience: Duration,
    ) -> Result<Arc<Self>, StoreError> {
        let writer = Self {
            home,
            path,
            patience,
            slot: Mutex::default(),
            queue: std::sync::Mutex::new(WriteQueue { users: 1, ..WriteQueue::default() }),
            wake: Condvar::new(),
            ended: Condvar::new(),
        };
        {
            let _gate = home.gate.pass();
            writer.opened(&mut writer.slot.lock())?;
        }
        Ok(Arc::new(writer))
    }

    fn queue(&self) -> MutexGuard<'_, WriteQueue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a user, unless the last one has gone.
    pub(super) fn join(&self) -> bool {
        let mut queue = self.queue();
        let open = queue.users > 0;
        queue.users += usize::from(open);
        open
    }

    /// A user goes. After the last one all jobs are done and the file is closed; it waits for that
    /// so long. Returns whether there is nothing left to do.
    pub(super) fn leave(&self, timeout: Duration) -> bool {
        let mut queue = self.queue();
        queue.users -= 1;
        if queue.users > 0 {
            return true;
        }
        if !queue.has_thread {
            drop(queue);
            self.close();
            return true;
        }
        self.wake.notify_one();
        let ended = self.ended.wait_timeout_while(queue, timeout, |queue| queue.has_thread);
        !ended.unwrap_or_else(PoisonError::into_inner).0.has_thread
    }

    /// Does `job` in one of the next transactions.
    pub(super) fn send(self: &Arc<Self>, job: Box<dyn WriterTask>) {
        let mut queue = self.queue();
        if !queue.has_thread {
            let writer = Arc::clone(self);
            let thread = thread::Builder::new().name("outlay-sqlite".to_owned());
            if let Err(error) = thread.spawn(move || writer.serve()) {
                drop(queue);
                let problem =
                    format!("cannot start the thread of {}: {error}", self.path.display());
                return job.end(Err(StoreError::Unavailable(problem).into()));
            }
            queue.has_thread = true;
        }
        queue.jobs.push_back(job);
        self.wake.notify_one();
    }

    fn serve(&self) {
        let mut crowded = None;
        while let Some(mut batch) = self.next() {
            let others = |at: &Tick| Clock::System.precise_tick().since(*at) < CROWDED;
            if crowded.as_ref().is_some_and(others) {
                thread::sleep(TURN);
            }
            let outcome = self.commit(&mut batch, &mut crowded).map_err(Error::from);
            for job in batch {
                job.end(outcome.clone());
            }
        }
        self.close();
        self.queue().has_thread = false;
        self.ended.notify_all();
    }

    /// All jobs that have come. `None` after the last user has gone.
    fn next(&self) -> Option<Vec<Box<dyn WriterTask>>> {
        let mut queue = self.queue();
        while queue.jobs.is_empty() {
            if queue.users == 0 {
                return None;
            }
            queue = self.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        Some(mem::take(&mut queue.jobs).into())
    }

    /// Does all jobs in one transaction. While another process has the file it is tried again, but
    /// not for longer than the user's patience.
    fn commit(
        &self,
        batch: &mut [Box<dyn WriterTask>],
        crowded: &mut Option<Tick>,
    ) -> Result<(), StoreError> {
        let clock = Clock::System;
        let until = clock.precise_tick().plus(self.patience);
        loop {
            if self.attempt(batch)?.is_ok() {
                return Ok(());
            }
            let now = clock.precise_tick();
            *crowded = Some(now);
            if now >= until {
                return Err(SqliteFault::Busy(self.patience).about(&self.path));
            }
            // Nothing is held here: a fork may pass.
            thread::sleep(TURN);
        }
    }

    /// One try. The inner error says that another process has the file.
    fn attempt(
        &self,
        batch: &mut [Box<dyn WriterTask>],
    ) -> Result<Result<(), SqliteFault>, StoreError> {
        let _gate = self.home.gate.pass();
        let mut slot = self.slot.lock();
        let done = transact(self.opened(&mut slot)?, batch);
        let Err(fault) = done else { return Ok(Ok(())) };
        if fault.is_busy() {
            return Ok(Err(fault));
        }
        let corrupt = fault.is_corrupt();
        let error = fault.about(&self.path);
        if corrupt {
            slot.broken = Some(error.clone());
        }
        self.drop_quickly(&mut slot);
        Err(error)
    }

    /// The connection. It is opened anew after a fork, after an error, and if the file was replaced.
    fn opened<'a>(&self, slot: &'a mut WriterSlot) -> Result<&'a mut Database, StoreError> {
        if let Some(broken) = &slot.broken {
            return Err(broken.clone());
        }
        if slot.database.as_ref().is_some_and(|database| !database.is_there()) {
            self.drop_quickly(slot);
        }
        if let Some(ref mut database) = slot.database {
            return Ok(database);
        }
        if self.home.inherits() {
            return Err(StoreError::Unavailable(format!(
                "cannot open {} in this process: it was forked while its parent had a SQLite store \
                 open, and the locks of the file would not hold here; call before_fork() before a \
                 fork, or open stores only in the children",
                self.path.display()
            )));
        }
        let path = files::checked(&self.path)?;
        let database = Database::open_checked(&path, self.patience)?;
        self.home.open.fetch_add(1, Ordering::Relaxed);
        Ok(slot.database.insert(database))
    }

    fn drop_quickly(&self, slot: &mut WriterSlot) {
        if let Some(database) = slot.database.take() {
            database.close_quickly();
            self.home.open.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn close(&self) {
        let _gate = self.home.gate.pass();
        if let Some(database) = self.slot.lock().database.take() {
            drop(database);
            self.home.open.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl HomeEntry for Writer {
    fn close_for_fork(&self) {
        self.drop_quickly(&mut self.slot.lock());
    }
}

fn transact(database: &mut Database, batch: &mut [Box<dyn WriterTask>]) -> Result<(), SqliteFault> {
    let durable = batch.iter().filter_map(|job| job.durable()).reduce(|one, other| one || other);
    match durable {
        None => database.begin_reading()?,
        Some(full) => {
            database.set_full(full)?;
            database.begin()?;
        }
    }
    let done = batch.iter_mut().try_for_each(|job| job.run(database));
    database.end(done)
}
