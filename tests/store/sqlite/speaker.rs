//! A holder that says what a test wants, and files to say it to.

use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use outlay::store::sqlite::{SqliteOptions, SqliteStore};
use outlay::store::{
    Answer, Epoch, HeardOfOthers, HolderId, LimitId, Message, Outcome, ShareAsk, ShareGiven,
    WhichEra, WindowSpan,
};
use outlay::{Era, Error};
use tempfile::TempDir;

/// A folder that goes with the test, and the file in it.
pub(super) struct Place {
    pub(super) folder: TempDir,
}

impl Place {
    pub(super) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("b.db")
    }

    pub(super) fn url(&self) -> String {
        format!("sqlite:///{}", self.path().display())
    }

    pub(super) fn open(&self) -> Result<Arc<SqliteStore>, Error> {
        SqliteStore::open(&self.url(), SqliteOptions::default())
    }

    /// What `open` says when it refuses, with the file as it was before.
    pub(super) fn refusal(&self) -> String {
        let before = self.bytes();
        let error = self.open().unwrap_err();
        assert!(self.bytes() == before, "something was written");
        let message = error.to_string();
        assert!(message.contains(&self.path().display().to_string()), "{message}");
        message
    }

    /// The file and its log, if there is something in them.
    pub(super) fn bytes(&self) -> Vec<Option<Vec<u8>>> {
        let name = |end| self.folder.path().join(format!("b.db{end}"));
        let read = |end| std::fs::read(name(end)).ok().filter(|bytes| !bytes.is_empty());
        ["", "-wal"].map(read).to_vec()
    }
}

pub(super) fn say(store: &SqliteStore, message: &Message) -> Result<Answer, Error> {
    let (sender, receiver) = mpsc::channel();
    store.send(Arc::new(message.clone()), move |answer| sender.send(answer).unwrap());
    receiver.recv_timeout(Duration::from_secs(60)).unwrap()
}

/// One holder.
pub(super) struct Speaker {
    id: HolderId,
    number: u64,
    epoch: Option<Epoch>,
}

impl Speaker {
    pub(super) fn new(id: u128) -> Self {
        Self { id: HolderId(id), number: 0, epoch: None }
    }

    pub(super) fn id(&self) -> HolderId {
        self.id
    }

    pub(super) fn message(&mut self, asks: Vec<ShareAsk>) -> Message {
        self.number += 1;
        let (holder, number, epoch) = (self.id, self.number, self.epoch);
        let (together, facts) = (Vec::new(), Vec::new());
        Message {
            holder,
            number,
            epoch,
            whole: false,
            asks,
            together,
            facts,
            names: Vec::new(),
            bye: false,
        }
    }

    /// Says hello.
    pub(super) fn hello(&mut self, store: &SqliteStore) -> Answer {
        let message = self.message(Vec::new());
        let answer = say(store, &message).unwrap();
        self.epoch = answer.epoch;
        answer
    }

    /// Says one thing of one limit.
    pub(super) fn ask(&mut self, store: &SqliteStore, ask: ShareAsk) -> ShareGiven {
        let message = self.message(vec![ask]);
        let answer = say(store, &message).unwrap();
        assert_eq!(answer.said, Outcome::Applied);
        answer.given[0]
    }
}

/// An ask for `want` of a limit of `most`.
pub(super) fn ask(limit: u128, span: WindowSpan, most: u64, want: u64) -> ShareAsk {
    ShareAsk {
        limit: LimitId(limit),
        span,
        most,
        most_set: 0,
        era: WhichEra::Present,
        edges: None,
        reset: None,
        have: 0,
        want,
        spent: 0,
        held: 0,
        until: 0,
        need: want,
        waited: 0,
        heard: HeardOfOthers::default(),
        leaves: false,
    }
}

/// What a holder says that has a share.
pub(super) fn has(ask: ShareAsk, era: Era, have: u64, spent: u64) -> ShareAsk {
    ShareAsk { era: WhichEra::This(era), have, want: have.max(ask.want), spent, ..ask }
}
