//! The servers, as the tests see them.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use landfall::storage::{Entry, HdfsStorage, Storage, StorageError};
use landfall_stack::Stack;
use serde_json::Value;
use tokio::runtime::Runtime;

/// Presto's catalogs: columns by name, and by position, its default.
pub const CATALOGS: [&str; 2] = ["hive", "hive_by_position"];

static TURN: Mutex<()> = Mutex::new(());

pub struct World {
    pub stack: Stack,
    pub hdfs: HdfsStorage,
    pub runtime: Runtime,
    begun: Instant,
    _turn: MutexGuard<'static, ()>,
}

/// The servers, for this test alone; `None`, with a note, where there are none.
pub fn world() -> Option<World> {
    let Some(stack) = Stack::attach() else {
        eprintln!("skipped: needs the real servers (make test)");
        return None;
    };
    // A test that failed has told so already.
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let hdfs = runtime.block_on(async { HdfsStorage::new(&stack.hdfs(), Some(stack.user()), &BTreeMap::new()) });
    Some(World { hdfs: hdfs.unwrap(), stack, runtime, begun: Instant::now(), _turn: turn })
}

impl World {
    /// Presto's answer to a statement that must succeed.
    pub fn presto(&self, catalog: &str, sql: &str) -> Vec<Vec<Value>> {
        self.stack.presto().query(catalog, sql).unwrap_or_else(|e| panic!("{catalog}: {sql}\n{e:#}")).rows
    }

    /// The same for a statement with one number as its answer; `None` if it fails, as on a table not there yet.
    pub fn number(&self, sql: &str) -> Option<i64> {
        self.stack.presto().query("hive", sql).ok()?.rows[0][0].as_i64()
    }

    /// What lies in a directory of HDFS; `None` if there is no such directory.
    pub fn list(&self, dir: &str) -> Option<Vec<Entry>> {
        match self.runtime.block_on(self.hdfs.list(dir)) {
            Ok(entries) => Some(entries),
            Err(StorageError::NotFound { .. }) => None,
            Err(e) => panic!("{e}"),
        }
    }

    /// The files of a table directory that readers see.
    pub fn visible(&self, dir: &str) -> Vec<String> {
        let names = self.list(dir).unwrap_or_default().into_iter().map(|e| e.name);
        names.filter(|n| !n.starts_with(['_', '.'])).collect()
    }

    pub fn delete(&self, path: &str) {
        self.runtime.block_on(self.hdfs.delete(path)).unwrap();
    }
}

impl Drop for World {
    fn drop(&mut self) {
        println!("{:.0} s: {}", self.begun.elapsed().as_secs_f64(), std::thread::current().name().unwrap_or_default());
    }
}

/// Waits until `done` gives something; panics with `what` when it takes too long.
pub fn wait_for<T>(limit: Duration, what: impl Display, mut done: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = done() {
            return found;
        }
        assert!(begun.elapsed() < limit, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Compares as multisets; a difference shows what is missing and what is too many.
pub fn assert_same_rows(what: impl Display, found: &[Vec<Value>], expected: &[Vec<Value>]) {
    let mut difference: BTreeMap<String, i64> = BTreeMap::new();
    let text = |row: &Vec<Value>| Value::Array(row.clone()).to_string();
    expected.iter().for_each(|row| *difference.entry(text(row)).or_default() -= 1);
    found.iter().for_each(|row| *difference.entry(text(row)).or_default() += 1);
    difference.retain(|_, count| *count != 0);
    let some: Vec<_> = difference.iter().take(6).map(|(row, count)| format!("{count:+} {row}")).collect();
    assert!(
        difference.is_empty(),
        "{what}: {} rows found, {} expected, {} differ (+ too many, - missing):\n{}",
        found.len(),
        expected.len(),
        difference.len(),
        some.join("\n")
    );
}
