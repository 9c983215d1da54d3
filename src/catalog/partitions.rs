//! Registering partitions: those that rows were landed in, and those whose directories are there.

use std::collections::{BTreeMap, BTreeSet};
use std::future::ready;

use tokio::sync::watch;
use tracing::info;

use super::port::{Catalog, CatalogError, CatalogPartition, PARTITIONS_AT_ONCE};
use super::reconcile::Wanted;
use super::spelling::same_location;
use crate::failpoint::around;
use crate::schema::partition;
use crate::storage::{Storage, StorageError};

/// So many differing partitions are named; the others are counted.
const NAMED: usize = 3;

/// Partitions in which rows were landed, and which may not be registered yet: table and partition. Shared.
#[derive(Debug, Clone)]
pub struct NewPartitions(watch::Sender<BTreeSet<(String, String)>>);

impl NewPartitions {
    /// None yet.
    pub fn new() -> NewPartitions {
        NewPartitions(watch::channel(BTreeSet::new()).0)
    }

    /// Rows were landed in them.
    pub fn tell(&self, new: impl Iterator<Item = (String, String)>) {
        self.0.send_if_modified(|waiting| {
            let before = waiting.len();
            waiting.extend(new);
            waiting.len() > before
        });
    }

    /// Whether all are registered.
    pub fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// Follows them.
    pub fn subscribe(&self) -> watch::Receiver<BTreeSet<(String, String)>> {
        self.0.subscribe()
    }

    fn of(&self, table: &str) -> BTreeSet<String> {
        self.0.borrow().iter().filter(|(t, _)| t == table).map(|(_, partition)| partition.clone()).collect()
    }

    fn done(&self, table: &str, done: &BTreeSet<String>) {
        self.0.send_if_modified(|waiting| {
            let before = waiting.len();
            waiting.retain(|(t, partition)| t != table || !done.contains(partition));
            waiting.len() < before
        });
    }
}

impl Default for NewPartitions {
    fn default() -> NewPartitions {
        NewPartitions::new()
    }
}

/// What is known of a table's partitions.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Whether the table itself was as wanted when it was last compared.
    pub(super) is_settled: bool,
    /// Those that the metastore has.
    names: BTreeSet<String>,
    /// Where it has them, if it is not where their rows land.
    elsewhere: BTreeMap<String, String>,
}

/// Why partitions are not registered.
#[derive(Debug, thiserror::Error)]
pub enum PartitionError {
    /// The metastore failed.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The metastore has answered, and has not done it.
    #[error("the metastore took partition {0}, but does not show it")]
    Lost(String),
}

/// One table's partitions.
pub(super) struct Partitions<'a> {
    pub catalog: &'a dyn Catalog,
    pub storage: &'a dyn Storage,
    pub wanted: &'a Wanted,
    pub new: &'a NewPartitions,
}

impl Partitions<'_> {
    /// Compares all partitions of the table: registers those that have a directory, and finds those that somebody has
    /// dropped or moved. What is different, in sentences.
    pub(super) async fn compare(&self, known: &mut Known) -> Result<Vec<String>, PartitionError> {
        let table = &self.wanted.table;
        if table.partition_keys.is_empty() {
            return Ok(Vec::new());
        }
        let held: BTreeSet<String> =
            self.catalog.partition_names(&table.database, &table.name).await?.into_iter().collect();
        known.names.retain(|name| held.contains(name));
        known.elsewhere.retain(|name, _| held.contains(name));
        let mut all: BTreeSet<String> = directories(self.storage, self.wanted).await?.into_iter().collect();
        all.append(&mut self.new.of(&table.name));
        self.register(all, &held, known).await?;
        Ok(self.differences(known))
    }

    /// Registers what is new. Whether all is well.
    pub(super) async fn register_new(&self, known: &mut Known) -> Result<bool, PartitionError> {
        let before = known.elsewhere.len();
        self.register(self.new.of(&self.wanted.table.name), &BTreeSet::new(), known).await?;
        Ok(known.elsewhere.len() == before)
    }

    /// Those that are `held` are there already, and only looked at. Of the others, those whose directories are there.
    async fn register(
        &self,
        names: BTreeSet<String>,
        held: &BTreeSet<String>,
        known: &mut Known,
    ) -> Result<(), PartitionError> {
        let table = &self.wanted.table;
        let unknown = names.iter().filter(|name| !known.names.contains(*name));
        let unknown: Vec<_> = unknown.filter_map(|name| self.entry(name)).collect();
        for some in unknown.chunks(PARTITIONS_AT_ONCE) {
            let (mut there, mut new) = (Vec::new(), Vec::new());
            for partition in some {
                let is_held = held.contains(&partition.name);
                if is_held || self.has_directory(&partition.name).await? {
                    there.push(partition);
                    new.extend((!is_held).then(|| partition.clone()));
                }
            }
            if there.is_empty() {
                continue;
            }
            if !new.is_empty() {
                self.add(&new).await?;
            }
            let names: Vec<_> = there.iter().map(|p| p.name.clone()).collect();
            let found = self.catalog.partitions(table, &names).await?;
            for partition in there {
                let Some(found) = found.iter().find(|f| f.name == partition.name) else {
                    return Err(PartitionError::Lost(partition.name.clone()));
                };
                if !same_location(&found.location, &partition.location) {
                    known.elsewhere.insert(partition.name.clone(), found.location.clone());
                }
                known.names.insert(partition.name.clone());
            }
            if let (Some(first), count) = (new.first(), new.len()) {
                info!(table = self.wanted.full_name(), count, first = first.name, "partitions registered");
            }
            self.new.done(&table.name, &known.names);
        }
        self.new.done(&table.name, &names);
        Ok(())
    }

    /// Who lands rows makes their directory. One that is gone was dropped since, and must not come back; nor must the
    /// metastore make it, which may then also delete it, with what was landed there meanwhile.
    async fn has_directory(&self, name: &str) -> Result<bool, StorageError> {
        match self.storage.list(&format!("{}/{name}", self.wanted.directory)).await {
            Ok(_) => Ok(true),
            Err(StorageError::NotFound { .. }) => Ok(false),
            Err(e) => Err(e),
        }
    }

    async fn add(&self, new: &[CatalogPartition]) -> Result<(), CatalogError> {
        let away = || CatalogError::Unavailable { uri: self.wanted.full_name(), reason: "failpoint".to_owned() };
        let call = self.catalog.add_partitions(&self.wanted.table, new);
        let added = around("hms.partitions.before", away, call).await;
        around("hms.partitions.after", away, ready(added)).await
    }

    /// `None`: readers would fail on a partition of this name.
    fn entry(&self, name: &str) -> Option<CatalogPartition> {
        let table = &self.wanted.table;
        let values = partition::values_of(name, &table.partition_keys)?;
        let location = format!("{}/{name}", table.location.trim_end_matches('/'));
        Some(CatalogPartition { name: name.to_owned(), values, location })
    }

    fn differences(&self, known: &Known) -> Vec<String> {
        let at = |(name, location): (&String, &String)| {
            format!(
                "the metastore has partition {name} at {location}, landfall lands its rows below {}: set its location back",
                self.wanted.table.location
            )
        };
        let mut out: Vec<_> = known.elsewhere.iter().take(NAMED).map(at).collect();
        if known.elsewhere.len() > NAMED {
            out.push(format!("{} more of its partitions are elsewhere too", known.elsewhere.len() - NAMED));
        }
        out
    }
}

/// Registers what is `new` of tables that the metastore has, once.
pub async fn register_new(
    catalog: &dyn Catalog,
    storage: &dyn Storage,
    tables: &[Wanted],
    new: &NewPartitions,
) -> Result<(), PartitionError> {
    for wanted in tables.iter().filter(|wanted| !new.of(&wanted.table.name).is_empty()) {
        Partitions { catalog, storage, wanted, new }.register_new(&mut Known::default()).await?;
    }
    Ok(())
}

/// The partitions whose directories are there. Others than landfall makes are left out: a value that is none of its
/// column's type would break every query of the table.
async fn directories(storage: &dyn Storage, wanted: &Wanted) -> Result<Vec<String>, StorageError> {
    let mut found = vec![String::new()];
    for (column, hive_type) in &wanted.table.partition_keys {
        let mut deeper = Vec::new();
        for parent in &found {
            let entries = match storage.list(&format!("{}{parent}", wanted.directory)).await {
                Ok(entries) => entries,
                Err(StorageError::NotFound { .. }) => continue,
                Err(e) => return Err(e),
            };
            let fit = entries.iter().filter(|e| e.is_dir && partition::value_of(&e.name, column, hive_type).is_some());
            deeper.extend(fit.map(|e| format!("{parent}/{}", e.name)));
        }
        found = deeper;
    }
    Ok(found.into_iter().map(|name| name.trim_start_matches('/').to_owned()).collect())
}

/// The partitions that have a directory and are not in the metastore: their rows are landed, and nobody sees them.
pub async fn unregistered(
    catalog: &dyn Catalog,
    storage: &dyn Storage,
    wanted: &Wanted,
) -> Result<Vec<String>, PartitionError> {
    let table = &wanted.table;
    if table.partition_keys.is_empty() {
        return Ok(Vec::new());
    }
    let there = directories(storage, wanted).await?;
    let held: BTreeSet<String> = catalog.partition_names(&table.database, &table.name).await?.into_iter().collect();
    Ok(there.into_iter().filter(|name| !held.contains(name)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::MemoryCatalog;
    use crate::schema::migrations;
    use crate::storage::{MemoryStorage, Parents};

    async fn table(catalog: &MemoryCatalog) -> Wanted {
        let text = "create external table d.t (a int) partitioned by (dt date, h int) stored as parquet location '/t'";
        let tables = migrations::load(&[("0001_t.sql".into(), text.into())]).unwrap();
        let wanted = Wanted::new(&tables[0], "d", "/t", "memory:///t".into());
        catalog.create_table(&wanted.table).await.unwrap();
        wanted
    }

    async fn names(catalog: &MemoryCatalog) -> Vec<String> {
        catalog.partition_names("d", "t").await.unwrap()
    }

    #[tokio::test]
    async fn what_has_a_directory_that_readers_take_is_registered_once() {
        let (catalog, storage, new) = (MemoryCatalog::default(), MemoryStorage::default(), NewPartitions::new());
        let wanted = table(&catalog).await;
        let partitions = Partitions { catalog: &catalog, storage: &storage, wanted: &wanted, new: &new };
        for dir in ["dt=2026-11-22/h=7", "dt=2026-11-22/h=07", "dt=today/h=7", "dt=2026-11-23", "_tmp/h=1"] {
            storage.mkdir(&format!("/t/{dir}"), Parents::Create).await.unwrap();
        }
        let mut known = Known::default();
        assert_eq!(unregistered(&catalog, &storage, &wanted).await.unwrap(), ["dt=2026-11-22/h=7"]);
        for _ in 0..2 {
            assert_eq!(partitions.compare(&mut known).await.unwrap(), [""; 0]);
            assert_eq!(names(&catalog).await, ["dt=2026-11-22/h=7"]);
        }
        assert_eq!(unregistered(&catalog, &storage, &wanted).await.unwrap(), [""; 0]);
        let held = catalog.partitions(&wanted.table, &["dt=2026-11-22/h=7".into()]).await.unwrap();
        assert_eq!(held[0].values, ["2026-11-22", "7"]);
        assert_eq!(held[0].location, "memory:///t/dt=2026-11-22/h=7");
    }

    #[tokio::test]
    async fn new_ones_are_registered_whatever_reply_is_lost_and_in_calls_of_a_bounded_size() {
        let (catalog, storage, new) = (MemoryCatalog::default(), MemoryStorage::default(), NewPartitions::new());
        let wanted = table(&catalog).await;
        let partitions = Partitions { catalog: &catalog, storage: &storage, wanted: &wanted, new: &new };
        let mut known = Known::default();
        for h in 0..250 {
            storage.mkdir(&format!("/t/dt=2026-11-22/h={h}"), Parents::Create).await.unwrap();
        }
        new.tell((0..250).map(|h| ("t".to_owned(), format!("dt=2026-11-22/h={h}"))));
        new.tell([("u".to_owned(), "x=1".to_owned())].into_iter());
        catalog.lose_next_reply();
        assert!(partitions.register_new(&mut known).await.is_err());
        assert!(partitions.register_new(&mut known).await.unwrap());
        assert_eq!((names(&catalog).await.len(), new.of("t").len(), new.of("u").len()), (250, 0, 1));
        catalog.set_away(true);
        new.tell([("t".to_owned(), "dt=2026-11-22/h=7".to_owned())].into_iter());
        assert!(partitions.register_new(&mut known).await.unwrap(), "nothing is asked about what is known");
        assert!(new.of("t").is_empty());
    }

    #[tokio::test]
    async fn one_that_was_dropped_does_not_come_back_and_nobody_waits_for_it() {
        let (catalog, storage, new) = (MemoryCatalog::default(), MemoryStorage::default(), NewPartitions::new());
        let wanted = table(&catalog).await;
        storage.mkdir("/t/dt=2026-11-22/h=8", Parents::Create).await.unwrap();
        let told = ["dt=2026-11-22/h=7", "dt=2026-11-22/h=8", "dt=today/h=1"];
        new.tell(told.into_iter().map(|name| ("t".to_owned(), name.to_owned())));
        register_new(&catalog, &storage, std::slice::from_ref(&wanted), &new).await.unwrap();
        assert_eq!(names(&catalog).await, ["dt=2026-11-22/h=8"]);
        assert_eq!(storage.list("/t/dt=2026-11-22").await.unwrap().len(), 1, "and no directory was made");
        assert!(new.is_empty());
    }

    #[tokio::test]
    async fn one_that_is_elsewhere_is_told_and_left_alone() {
        let (catalog, storage, new) = (MemoryCatalog::default(), MemoryStorage::default(), NewPartitions::new());
        let wanted = table(&catalog).await;
        let partitions = Partitions { catalog: &catalog, storage: &storage, wanted: &wanted, new: &new };
        let name = "dt=2026-11-22/h=7".to_owned();
        let values = vec!["2026-11-22".to_owned(), "7".to_owned()];
        let other = CatalogPartition { name: name.clone(), values, location: "memory:///u/g1".into() };
        catalog.add_partitions(&wanted.table, std::slice::from_ref(&other)).await.unwrap();
        let mut known = Known::default();
        storage.mkdir(&format!("/t/{name}"), Parents::Create).await.unwrap();
        new.tell([("t".to_owned(), name.clone())].into_iter());
        assert!(!partitions.register_new(&mut known).await.unwrap());
        let differences = partitions.compare(&mut known).await.unwrap();
        assert!(differences.len() == 1 && differences[0].contains("at memory:///u/g1"), "{differences:?}");
        assert_eq!(catalog.partitions(&wanted.table, &[name]).await.unwrap(), [other]);
    }
}
