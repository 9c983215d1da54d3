//! A reader that knows only the tables' directories. It lists them without end and reads every file as soon as it sees
//! it. It forgives the storage, which breaks in this test, everything but an answer that is wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use landfall::encode::read_back;
use landfall::storage::{Entry, HdfsStorage, Storage, StorageError, TimedStorage};

use super::{Run, TABLES};
use crate::by_day;

/// What the reader saw.
#[derive(Debug, Default)]
pub struct Seen {
    /// Rows of each of [`TABLES`].
    pub rows: [u64; 5],
    pub files: u64,
    pub listings: u64,
    /// Calls that the storage did not answer.
    pub failed: u64,
    /// The newest slot that a file names.
    pub last_slot: u64,
}

/// A table, as seen so far.
#[derive(Debug)]
struct Table {
    name: &'static str,
    dir: String,
    /// Every file ever seen, by its path in the table, and its length.
    files: BTreeMap<String, u64>,
    /// Those to be read.
    unread: BTreeSet<String>,
    /// The newest slot in the table's directory, or in each of its partitions': these are not listed at once.
    last_slots: BTreeMap<String, u64>,
    /// Which offsets were seen, a bit each, by partition.
    offsets: BTreeMap<u32, Vec<u64>>,
    rows: u64,
}

/// Looks until the bell rings, and then until it has seen all.
///
/// # Panics
/// If a file cannot be read as Parquet, has vanished, or is older than one that was there before; if a row is there
/// twice.
pub fn look(run: &Run) -> Seen {
    let _alarm = run.alarm();
    let stack = &run.world.stack;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let hdfs = HdfsStorage::new(&stack.hdfs(), Some(stack.user()), &BTreeMap::new()).unwrap();
        let hdfs = TimedStorage::new(Arc::new(hdfs), Duration::from_secs(5), Duration::from_secs(10));
        let mut tables = TABLES.map(|name| Table::new(name, run.job.table_dir(name)));
        let (mut seen, mut late) = (Seen::default(), None);
        loop {
            let (begun, last) = (Instant::now(), run.reader.has_rung());
            let mut complete = true;
            for table in &mut tables {
                complete &= table.look(&hdfs, &mut seen).await;
            }
            if last && complete {
                break;
            }
            if last {
                let since = late.get_or_insert_with(Instant::now);
                assert!(since.elapsed() < super::LIMIT, "the reader cannot read, and all servers are there");
            }
            // Long listings must not take the machine from those that do the work.
            tokio::time::sleep((begun.elapsed() * 2).max(Duration::from_millis(20))).await;
        }
        seen.rows = tables.each_ref().map(|table| table.rows);
        seen.last_slot = tables.iter().flat_map(|table| table.last_slots.values()).copied().max().unwrap_or(0);
        seen.files = tables.iter().map(|table| table.files.len() as u64).sum();
        seen
    })
}

impl Table {
    fn new(name: &'static str, dir: String) -> Table {
        let (files, unread, offsets) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
        Table { name, dir, files, unread, last_slots: BTreeMap::new(), offsets, rows: 0 }
    }

    /// Lists and reads; false if something could not be had.
    async fn look(&mut self, hdfs: &impl Storage, seen: &mut Seen) -> bool {
        let Some(places) = self.places(hdfs).await else {
            seen.failed += 1;
            return false;
        };
        for place in places {
            let entries = match hdfs.list(&format!("{}{place}", self.dir)).await {
                Ok(entries) => entries,
                Err(StorageError::NotFound { .. }) => Vec::new(),
                Err(_) => {
                    seen.failed += 1;
                    return false;
                }
            };
            self.compare(&place, entries).unwrap_or_else(|e| panic!("{e}"));
            seen.listings += 1;
        }
        for name in self.unread.clone() {
            let path = format!("{}{name}", self.dir);
            match hdfs.read(&path).await {
                Ok(bytes) => {
                    assert_eq!(bytes.len() as u64, self.files[&name], "{path} is not as long as it was listed");
                    let file = read_back::rows(bytes, usize::MAX).unwrap_or_else(|e| panic!("unreadable: {path}: {e}"));
                    self.remember(&path, &file).unwrap_or_else(|e| panic!("{e}"));
                    self.unread.remove(&name);
                }
                Err(_) => seen.failed += 1,
            }
        }
        self.unread.is_empty()
    }

    /// Where its files lie, below its directory: also in partitions that are not there any more. `None`: not known.
    async fn places(&self, hdfs: &impl Storage) -> Option<BTreeSet<String>> {
        if self.name != by_day::TABLE {
            return Some([String::new()].into());
        }
        let mut places: BTreeSet<String> = self.last_slots.keys().cloned().collect();
        match hdfs.list(&self.dir).await {
            Ok(entries) => places.extend(entries.into_iter().filter(|e| e.is_dir).map(|e| format!("/{}", e.name))),
            Err(StorageError::NotFound { .. }) => {}
            Err(_) => return None,
        }
        Some(places)
    }

    /// Compares a listing of one of its places with those before it; an error says what must not be.
    fn compare(&mut self, place: &str, entries: Vec<Entry>) -> Result<(), String> {
        let listed = entries.into_iter().filter(|e| !e.name.starts_with(['_', '.']));
        let listed: BTreeMap<String, u64> = listed.map(|e| (format!("{place}/{}", e.name), e.len)).collect();
        let here = self.files.iter().filter(|(path, _)| path.rsplit_once('/').is_some_and(|(dir, _)| dir == place));
        let vanished: Vec<_> = here.filter(|(path, len)| listed.get(*path) != Some(len)).collect();
        if !vanished.is_empty() {
            return Err(format!("vanished from {}, or changed: {vanished:?}", self.dir));
        }
        let before = self.last_slots.get(place).copied();
        for (name, len) in listed {
            if self.files.contains_key(&name) {
                continue;
            }
            let slot = name[place.len() + 1..].split('-').next().and_then(|slot| slot.parse::<u64>().ok());
            let slot = slot.ok_or_else(|| format!("a strange file in {}: {name}", self.dir))?;
            if Some(slot) <= before {
                return Err(format!("out of order: {}{name} came after slot {before:?}", self.dir));
            }
            let last = self.last_slots.entry(place.to_owned()).or_insert(slot);
            *last = slot.max(*last);
            self.unread.insert(name.clone());
            self.files.insert(name, len);
        }
        Ok(())
    }

    /// Marks the file's rows as seen.
    fn remember(&mut self, path: &str, file: &read_back::ReadBack) -> Result<(), String> {
        let column = |name: &str| file.schema.iter().position(|(column, _)| column.trim_start_matches('_') == name);
        let (partition, offset) = (column("kafka_partition").unwrap(), column("kafka_offset").unwrap());
        assert_eq!(file.rows.len() as u64, file.total_rows, "{path}");
        assert!(file.total_rows > 0, "{path}: no rows");
        for row in &file.rows {
            let number = |column: usize| row[column].as_ref().unwrap().parse::<u64>().unwrap();
            let (partition, offset) = (number(partition) as u32, number(offset));
            let (word, bit) = ((offset / 64) as usize, 1 << (offset % 64));
            let bits = self.offsets.entry(partition).or_default();
            bits.resize(bits.len().max(word + 1), 0);
            if bits[word] & bit != 0 {
                return Err(format!("twice in {}: partition {partition}, offset {offset}; {path}", self.name));
            }
            bits[word] |= bit;
        }
        self.rows += file.total_rows;
        Ok(())
    }
}

// What makes it fail is what it is for.
mod tests {
    use super::{Entry, Table, read_back};

    fn listing(names: &[&str]) -> Vec<Entry> {
        let entry = |name: &&str| Entry { name: (*name).to_owned(), is_dir: false, len: 9, modified_ms: 0 };
        names.iter().map(entry).collect()
    }

    fn table() -> Table {
        Table::new("guilds", "/guilds".to_owned())
    }

    /// A file with these offsets of partition 0.
    fn file(offsets: &[u64]) -> read_back::ReadBack {
        let schema = ["_kafka_partition", "_kafka_offset"].map(|name| (name.to_owned(), "bigint".to_owned()));
        let rows: Vec<_> = offsets.iter().map(|offset| vec![Some("0".to_owned()), Some(offset.to_string())]).collect();
        let total_rows = rows.len() as u64;
        read_back::ReadBack { schema: schema.to_vec(), rows, total_rows, footer: [].into() }
    }

    fn says(found: Result<(), String>, what: &str) {
        let said = found.unwrap_err();
        assert!(said.starts_with(what), "{said}");
    }

    #[test]
    fn the_chaos_reader_refuses_a_file_that_is_gone_and_one_that_comes_before_another() {
        let mut table = table();
        table.compare("", listing(&["_owner.json"])).unwrap();
        table.compare("", listing(&["01-0-a.parquet", "03-0-b.parquet"])).unwrap();
        table.compare("/dt=1", listing(&["02-0-a.parquet"])).unwrap();
        assert_eq!((table.files.len(), table.last_slots[""], table.last_slots["/dt=1"]), (3, 3, 2));
        says(table.compare("", listing(&["03-0-b.parquet"])), "vanished");
        says(table.compare("/dt=1", listing(&[])), "vanished");
        says(table.compare("", listing(&["01-0-a.parquet", "02-0-c.parquet", "03-0-b.parquet"])), "out of order");
    }

    #[test]
    fn the_chaos_reader_refuses_a_row_that_was_there() {
        let mut table = table();
        table.remember("one", &file(&[0, 64, 200])).unwrap();
        table.remember("two", &file(&[1, 63])).unwrap();
        assert_eq!(table.rows, 5);
        says(table.remember("three", &file(&[2, 64])), "twice");
    }
}
