//! The one file system that all daemons share, what a reader sees in it, and what must be true after every step.

use std::collections::btree_map::Entry::Vacant;
use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use futures_util::FutureExt;
use landfall::checkpoint::{self, Layout, LogState, Snapshot, SnapshotEnd};
use landfall::storage::{Entry, MemoryStorage, Parents, Storage, StorageError};

use crate::common::toy::{CHECKPOINT, TABLES, data_files, table_dir};
use crate::wire::{Answer, Call, Reply};

/// How the storage breaks its contract, for a deliberate defect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// A rename replaces an existing destination.
    Overwrites,
    /// A rename moves into an existing directory, and says ok.
    MovesInside,
    /// A new file makes its parents.
    MakesParents,
}

/// A message: incarnation of the topic, partition, offset.
pub type Row = (u32, i32, i64);

/// What the log and its readers went through.
#[derive(Debug, Default, Clone)]
pub struct Seen {
    pub slots: u64,
    pub seals: u64,
    pub voids: u64,
    pub gaps: u64,
    pub topics: u64,
    pub replays: u64,
    pub epochs_dropped: u64,
}

#[derive(Debug, Default)]
struct Table {
    files: BTreeMap<String, Vec<Row>>,
    rows: BTreeSet<Row>,
}

pub struct World {
    storage: MemoryStorage,
    broken: Option<Broken>,
    tables: [Table; 2],
    /// Rows that a gap skipped, or that a topic's new beginning left behind.
    given_up: BTreeSet<Row>,
    incarnation: u32,
    messages: Vec<i64>,
    /// Whether every second message is a dead letter, which may be missing.
    letters: bool,
    pub seen: Seen,
}

/// The memory storage never waits.
fn now<T>(call: impl Future<Output = T>) -> T {
    call.now_or_never().expect("the memory storage answers at once")
}

fn parse(line: &str) -> Row {
    let mut numbers = line.split(':').map(|n| n.parse::<i64>().unwrap());
    let mut next = || numbers.next().unwrap();
    (next() as u32, next() as i32, next())
}

impl World {
    /// `messages`: how many each partition has, in each incarnation of the topic.
    pub fn new(broken: Option<Broken>, messages: Vec<i64>, letters: bool) -> World {
        let (storage, tables, given_up, seen) = Default::default();
        World { storage, broken, tables, given_up, incarnation: 0, messages, letters, seen }
    }

    /// Carries a call out. `Err`: what must never be.
    pub fn execute(&mut self, call: &Call) -> Result<Reply, String> {
        let files = &self.storage;
        let was_free = !call.is_commit() || now(files.list(call.to())).is_err();
        let reply = match call {
            Call::Mkdir(path, parents) => now(files.mkdir(path, *parents)).map(|()| Answer::Done),
            Call::Create(path, data) => self.create(path, data.clone()).map(|()| Answer::Done),
            Call::Read(path) => now(files.read(path)).map(Answer::Bytes),
            Call::List(path) => now(files.list(path)).map(Answer::Listing),
            Call::Rename(from, to) => self.rename(from, to).map(|()| Answer::Done),
            Call::Delete(path) => now(files.delete(path)).map(Answer::Deleted),
            Call::Wait => Ok(Answer::Done),
        };
        if reply.is_ok() && call.changes() {
            if call.is_commit() && was_free {
                self.look_at_slot(call.to())?;
            }
            if matches!(call, Call::Delete(path) if path.contains("/log/e")) {
                self.seen.epochs_dropped += 1;
            }
            if call.to().starts_with("/tables/") || call.path().starts_with("/tables/") {
                self.look_at_tables()?;
            }
        }
        Ok(reply)
    }

    fn create(&self, path: &str, data: Bytes) -> Result<(), StorageError> {
        if self.broken == Some(Broken::MakesParents) {
            now(self.storage.mkdir(path.rsplit_once('/').unwrap().0, Parents::Create))?;
        }
        now(self.storage.create(path, data))
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), StorageError> {
        let Err(e) = now(self.storage.rename(from, to)) else { return Ok(()) };
        if !matches!(e, StorageError::AlreadyExists { .. }) {
            return Err(e);
        }
        let is_dir = now(self.storage.list(to)).is_ok();
        match self.broken {
            Some(Broken::Overwrites) => {
                now(self.storage.delete(to))?;
                now(self.storage.rename(from, to))
            }
            Some(Broken::MovesInside) if is_dir => {
                now(self.storage.rename(from, &format!("{to}/{}", from.rsplit_once('/').unwrap().1)))
            }
            _ => Err(e),
        }
    }

    pub fn list(&self, path: &str) -> Vec<Entry> {
        now(self.storage.list(path)).unwrap_or_default()
    }

    fn entry(&self, slot_dir: &str) -> Option<checkpoint::Entry> {
        let manifest = self.list(slot_dir).into_iter().find(|e| Layout::parse_manifest_name(&e.name).is_some())?;
        let path = format!("{slot_dir}/{}", manifest.name);
        checkpoint::Entry::parse(&path, &now(self.storage.read(&path)).unwrap()).ok()
    }

    /// What was just committed.
    fn look_at_slot(&mut self, dir: &str) -> Result<(), String> {
        self.seen.slots += 1;
        match self.entry(dir) {
            None => self.seen.voids += 1,
            Some(checkpoint::Entry::Batch(m)) => self.seen.replays += u64::from(!m.replay.is_empty()),
            Some(checkpoint::Entry::Seal(_)) => self.seen.seals += 1,
            Some(checkpoint::Entry::Gap(g)) => {
                self.seen.gaps += 1;
                // Of a partition that was never read, a gap says only where it ends.
                let from = if g.from == g.to { 0 } else { g.from.0 };
                let rows = (from..g.to.0).map(|o| (self.incarnation, g.p, o));
                self.given_up.extend(rows.filter(|r| !self.tables[1].rows.contains(r)));
            }
            Some(checkpoint::Entry::Topic(t)) => {
                self.seen.topics += 1;
                // All slots before are published, so what is not visible now must never be.
                let left = self.all_rows(self.incarnation).filter(|r| !self.tables[1].rows.contains(r));
                self.given_up.extend(left.collect::<Vec<_>>());
                self.incarnation = t.incarnation;
            }
        }
        Ok(())
    }

    fn all_rows(&self, incarnation: u32) -> impl Iterator<Item = Row> {
        let partitions = self.messages.iter().zip(0..);
        partitions.flat_map(move |(&n, p)| (0..n).map(move |o| (incarnation, p, o)))
    }

    fn look_at_tables(&mut self) -> Result<(), String> {
        for (k, name) in TABLES.iter().enumerate() {
            let dir = table_dir(name);
            let names: BTreeSet<String> = now(data_files(&self.storage, &dir)).into_iter().collect();
            let table = &mut self.tables[k];
            table.files.retain(|file, _| names.contains(file));
            for file in names {
                if let Vacant(new) = table.files.entry(file) {
                    let file = new.key();
                    let data = now(self.storage.read(file)).unwrap();
                    let text = std::str::from_utf8(&data).unwrap();
                    let rows = text.lines().filter(|l| !l.starts_with("slot ")).map(parse).collect();
                    new.insert(rows);
                }
            }
            let mut rows = BTreeSet::new();
            for row in table.files.values().flatten() {
                if !rows.insert(*row) {
                    return Err(format!("DUPLICATE: row {row:?} is in table {name} twice"));
                }
                if self.given_up.contains(row) {
                    return Err(format!("GIVEN UP: row {row:?} is in table {name} after the log has skipped it"));
                }
            }
            if let Some(row) = table.rows.difference(&rows).next() {
                return Err(format!("VANISHED: row {row:?} was in table {name} and is not any more"));
            }
            for row in &rows {
                // Dead letters come in any order, each behind the message before it.
                let before = row.2 - if self.letters && row.2 % 2 == 0 { 2 } else { 1 };
                let before = (row.0, row.1, before);
                if before.2 >= 0 && !rows.contains(&before) && !self.given_up.contains(&before) {
                    return Err(format!("LOSS: row {row:?} is in table {name}, and the one before it is not"));
                }
            }
            table.rows = rows;
        }
        if let Some(row) = self.tables[1].rows.difference(&self.tables[0].rows).next() {
            return Err(format!("ORDER: row {row:?} is in table b and not in table a"));
        }
        Ok(())
    }

    /// Whether everything has landed but dead letters: `Err` says what is missing.
    pub fn complete(&self) -> Result<(), String> {
        self.all_there(|row| !self.letters || row.2 % 2 == 0)
    }

    /// Whether every dead letter was replayed.
    pub fn all_replayed(&self) -> Result<(), String> {
        self.all_there(|_| true)
    }

    fn all_there(&self, needed: impl Fn(&Row) -> bool) -> Result<(), String> {
        for (table, name) in self.tables.iter().zip(TABLES) {
            for row in (0..=self.incarnation).flat_map(|i| self.all_rows(i)).filter(&needed) {
                if !table.rows.contains(&row) && !self.given_up.contains(&row) {
                    return Err(format!("LOSS: row {row:?} is not in table {name} at the end"));
                }
            }
        }
        Ok(())
    }

    /// `x_slot_gc`: as Spark purges its offset log, the first slot of the live epoch is deleted by name, after the
    /// snapshot has been moved on. Whether there was one that is all published.
    pub fn delete_first_slot(&mut self) -> Option<String> {
        let layout = Layout::new(CHECKPOINT);
        let newest = self.list(&layout.epochs()).pop()?.name;
        let path = layout.epoch_file(newest.parse().ok()?);
        let dir = checkpoint::EpochFile::parse(&path, &now(self.storage.read(&path)).ok()?).ok()?.dir;
        let path = layout.snapshot(&dir);
        let old = Snapshot::parse(&path, &now(self.storage.read(&path)).ok()?).ok()?;
        let mut state = LogState::from_snapshot(&old, &dir);
        let slot = layout.slot(&dir, state.next());
        let entry = self.entry(&slot).filter(|e| e.batch().is_some() && self.list(&slot).len() == 1)?;
        state.fold(&entry).ok()?;
        let mut moved = Snapshot { base_slot: state.next(), ..old };
        for (tp, end) in state.ends() {
            let end = SnapshotEnd { end, tail: None };
            moved.offsets.entry(tp.topic.to_string()).or_default().insert(tp.partition, end);
        }
        _ = now(self.storage.delete(&path));
        now(self.storage.create(&path, moved.to_bytes())).ok()?;
        _ = now(self.storage.delete(&slot));
        Some(slot)
    }
}
