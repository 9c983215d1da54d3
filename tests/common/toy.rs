//! A job whose messages are their own offsets and whose files are lists of them: the protocol without Parquet.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use landfall::checkpoint::{Layout, PartitionEntry, Replayed};
use landfall::commit::{Batch, Committer, Content, ContentError, DataFile, Host, Job, Log, RealHost};
use landfall::model::{Accounting, Offset, Slot, TopicPartition};
use landfall::storage::Storage;

pub const CHECKPOINT: &str = "/checkpoint";
pub const TABLES: [&str; 2] = ["a", "b"];

pub fn table_dir(table: &str) -> String {
    format!("/tables/{table}")
}

/// The partition of table `b` for rows of a Kafka partition, on two levels.
pub fn toy_partition(p: &str) -> String {
    format!("of=kafka/p={p}")
}

pub fn partition(p: i32) -> TopicPartition {
    TopicPartition::new("events", p)
}

/// Every message goes to both tables; `b` is partitioned by the Kafka partition.
#[derive(Debug)]
struct Rows {
    text: String,
    stamped: bool,
}

impl Content for Rows {
    fn files(&self, slot: Slot) -> Result<Vec<DataFile>, ContentError> {
        let file = |table: &str, partition: Option<String>, text: &str| {
            let stamp = if self.stamped { format!("slot {}\n", slot.0) } else { String::new() };
            let bytes = Bytes::from(format!("{stamp}{text}"));
            let rows = text.lines().count() as u64;
            let crc32c = crc32c::crc32c(&bytes);
            let (table, location, schema) = (table.to_owned(), table_dir(table), String::new());
            DataFile { table, location, partition, schema, rows, crc32c, bytes }
        };
        // A batch of dead letters only.
        if self.text.is_empty() {
            return Ok(Vec::new());
        }
        let mut parts: BTreeMap<&str, String> = BTreeMap::new();
        for line in self.text.lines() {
            let p = line.rsplit(':').nth(1).unwrap();
            parts.entry(p).or_default().push_str(&format!("{line}\n"));
        }
        let parts = parts.iter().map(|(p, text)| file(TABLES[1], Some(toy_partition(p)), text));
        Ok([file(TABLES[0], None, &self.text)].into_iter().chain(parts).collect())
    }
    fn names_slot(&self) -> bool {
        self.stamped
    }
}

/// Messages `start..end` of some partitions.
pub fn batch(ranges: &[(i32, i64, i64)], stamped: bool) -> Arc<Batch> {
    let mut text = String::new();
    for &(p, start, end) in ranges {
        (start..end).for_each(|o| text.push_str(&format!("{p}:{o}\n")));
    }
    batch_of(0, ranges, text, stamped)
}

/// Messages of a topic that was declared new so often, with these rows.
pub fn batch_of(incarnation: u32, ranges: &[(i32, i64, i64)], text: String, stamped: bool) -> Arc<Batch> {
    let entry = |&(p, start, end): &(i32, i64, i64)| {
        let (records, topic) = ((end - start) as u64, "events".to_owned());
        let (start, end) = (Offset(start), Offset(end));
        PartitionEntry { topic, p, start, end, incarnation, records, tail: None }
    };
    let partitions: Vec<_> = ranges.iter().map(entry).collect();
    let read = partitions.iter().map(|p| p.records).sum();
    let counts = Accounting { read, events: read, ..Accounting::default() };
    Arc::new(Batch { partitions, replay: Vec::new(), counts, content: Box::new(Rows { text, stamped }) })
}

/// Some messages of partitions that were dead letters, and are landed after all.
pub fn replay_of(letters: &[(i32, i64)], text: String, stamped: bool) -> Arc<Batch> {
    let mut replayed = Replayed::default();
    letters.iter().for_each(|&(p, offset)| assert!(replayed.insert("events", 0, p, offset)));
    let read = letters.len() as u64;
    let counts = Accounting { read, events: read, ..Accounting::default() };
    let (partitions, replay) = (Vec::new(), replayed.entries());
    Arc::new(Batch { partitions, replay, counts, content: Box::new(Rows { text, stamped }) })
}

/// The job, as its daemons know it.
pub fn job() -> Job {
    let tables = TABLES.map(|t| (t.to_owned(), table_dir(t))).to_vec();
    Job { name: "toy".to_owned(), topics: vec!["events".to_owned()], tables }
}

/// Starts a daemon's committer on the storage, as `run` does.
pub async fn open(storage: Arc<dyn Storage>) -> Committer {
    open_on(storage, Arc::new(RealHost), 5000).await
}

/// The same in another process, with epochs of so many slots.
pub async fn open_on(storage: Arc<dyn Storage>, host: Arc<dyn Host>, slots_per_epoch: u64) -> Committer {
    let log = Log::new(storage, Layout::new(CHECKPOINT), host.clone());
    let incarnation = host.new_id();
    loop {
        // Start-up stops at the first error; a supervisor starts it again.
        if log.make_directories(incarnation, &job()).await.is_err() {
            continue;
        }
        if let Ok(opened) = log.open(&job(), &[]).await {
            return Committer::new(log, opened.job, opened.state, incarnation, "test".to_owned(), slots_per_epoch);
        }
    }
}

/// The paths of all files in a table's directory and in those of its partitions.
pub async fn data_files(storage: &dyn Storage, dir: &str) -> Vec<String> {
    let (mut dirs, mut files) = (vec![dir.to_owned()], Vec::new());
    while let Some(dir) = dirs.pop() {
        for entry in storage.list(&dir).await.unwrap_or_default() {
            let path = format!("{dir}/{}", entry.name);
            match entry.is_dir {
                _ if entry.name.starts_with('_') => {}
                true => dirs.push(path),
                false => files.push(path),
            }
        }
    }
    files.sort();
    files
}

/// What a plain directory reader sees: each row of each table, and how often.
pub async fn visible(storage: &dyn Storage) -> BTreeMap<String, BTreeMap<String, usize>> {
    let mut tables = BTreeMap::new();
    for table in TABLES {
        let mut rows = BTreeMap::new();
        for path in data_files(storage, &table_dir(table)).await {
            let data = storage.read(&path).await.unwrap();
            let text = String::from_utf8(data.to_vec()).unwrap();
            for line in text.lines().filter(|l| !l.starts_with("slot ")) {
                *rows.entry(line.to_owned()).or_default() += 1;
            }
        }
        tables.insert(table.to_owned(), rows);
    }
    tables
}

/// Every message `0..end` of the partitions, once in each table.
pub fn complete(ends: &[(i32, i64)]) -> BTreeMap<String, BTreeMap<String, usize>> {
    let rows: BTreeMap<String, usize> =
        ends.iter().flat_map(|&(p, end)| (0..end).map(move |o| (format!("{p}:{o}"), 1))).collect();
    TABLES.map(|t| (t.to_owned(), rows.clone())).into()
}
