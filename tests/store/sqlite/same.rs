//! A file says, to the bit, what the store of the simulation says, whatever happens to both.

use std::cell::Cell;
use std::fs;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use outlay::Era;
use outlay::store::sqlite::Database;
use outlay::store::{Answer, HolderId, LimitId, Message, Now, ShareRow, StoreRules};
use tempfile::TempDir;

use crate::laws::settle;
use crate::memory::Memory;
use crate::plan::{Op, steps, world};
use crate::twin::{self, Twin};
use crate::world::Run;

const PATIENCE: Duration = Duration::from_secs(5);

struct File {
    folder: Rc<TempDir>,
    database: Option<Database>,
    copy: bool,
    messages: Rc<Cell<u64>>,
}

impl File {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn open(&mut self) {
        self.database = Some(Database::open(&self.path("b.db"), PATIENCE).unwrap());
    }
}

impl Twin for File {
    fn applied(&mut self, rules: &StoreRules, now: Now, message: &Message, answer: &Answer) {
        self.messages.set(self.messages.get() + 1);
        let database = self.database.as_mut().unwrap();
        let own = database.apply("a namespace", rules, now, message).unwrap();
        assert_eq!(own, *answer, "to {message:?}");
    }

    fn fault(&mut self, op: Op) {
        // A connection that is closed has written its log back: the file is the whole.
        match op {
            Op::Forget => {
                self.database = None;
                fs::remove_file(self.path("b.db")).unwrap();
                self.open();
            }
            Op::Copy => {
                self.database = None;
                fs::copy(self.path("b.db"), self.path("copy.db")).unwrap();
                self.copy = true;
                self.open();
            }
            Op::Failover if self.copy => {
                self.database = None;
                fs::rename(self.path("copy.db"), self.path("b.db")).unwrap();
                self.copy = false;
                self.open();
            }
            _ => {}
        }
    }
}

fn shares(rows: &Memory) -> Vec<(LimitId, Era, HolderId, ShareRow)> {
    let mut all = Vec::new();
    for ((limit, era), (_, shares)) in &rows.eras {
        all.extend(shares.iter().map(|(holder, row)| (*limit, *era, *holder, *row)));
    }
    all
}

fn kept(path: &PathBuf) -> Vec<(LimitId, Era, HolderId, ShareRow)> {
    let file = rusqlite::Connection::open(path).unwrap();
    let sql = "SELECT bound, generation, begins, holder, granted, spent, held, until, heard, need, since \
               FROM shares ORDER BY 1, 2, 3, 4";
    let mut statement = file.prepare(sql).unwrap();
    let id = |bytes: [u8; 16]| u128::from_be_bytes(bytes);
    let rows = statement.query_map([], |row| {
        let row_of = ShareRow {
            granted: row.get::<_, i64>(4)?.unsigned_abs(),
            spent: row.get::<_, i64>(5)?.unsigned_abs(),
            held: row.get::<_, i64>(6)?.unsigned_abs(),
            until: row.get(7)?,
            heard: row.get(8)?,
            need: row.get::<_, i64>(9)?.unsigned_abs(),
            since: row.get(10)?,
        };
        let era = Era { generation: row.get(1)?, begins: row.get(2)? };
        Ok((LimitId(id(row.get(0)?)), era, HolderId(id(row.get(3)?)), row_of))
    });
    rows.unwrap().map(Result::unwrap).collect()
}

#[test]
fn the_laws_hold_over_a_file_and_it_answers_as_the_store_of_the_simulation() {
    let folder = Rc::new(tempfile::tempdir().unwrap());
    let messages = Rc::new(Cell::new(0));
    for seed in 0..crate::laws::number("OUTLAY_FILE_SEEDS", 24) {
        let (folder, messages) = (Rc::clone(&folder), Rc::clone(&messages));
        let mut file = File { folder: Rc::clone(&folder), database: None, copy: false, messages };
        let path = file.path("b.db");
        for name in ["b.db", "copy.db"] {
            drop(fs::remove_file(file.path(name)));
        }
        file.open();
        twin::set(Some(Box::new(file)));
        let world = world(seed);
        let mut run = Run::new(&world, false);
        for step in &steps(seed, &world, 1_500) {
            run.step(step).unwrap();
        }
        settle(&mut run).unwrap();
        twin::set(None);
        assert_eq!(kept(&path), shares(&run.rows), "seed {seed}");
    }
    assert!(messages.get() > 4_000, "{}", messages.get());
    println!("{} messages", messages.get());
}
