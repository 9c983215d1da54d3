//! The task that keeps the tables registered. It is never in the way of the data and never gives up.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::partitions::{Known, NewPartitions, PartitionError, Partitions};
use super::port::{Catalog, CatalogError};
use super::reconcile::{Plan, Wanted};
use super::settle::settle;
use super::status::{Ledger, Note, Outcome, RegistrarStatus};
use super::validate::validate;
use crate::storage::{Parents, Storage};

/// How often the tables are compared again when all is well.
pub const COMPARE_EVERY: Duration = Duration::from_secs(300);

/// The first wait after a failure, and the longest.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Tables asked about at a time.
const AT_ONCE: usize = 4;

/// Keeps tables registered in a metastore.
#[derive(Debug)]
pub struct Registrar {
    catalog: Arc<dyn Catalog>,
    storage: Arc<dyn Storage>,
    wanted: Vec<Wanted>,
    new: NewPartitions,
    retry: (Duration, Duration),
}

impl Registrar {
    /// Registers each wanted table, adds columns that it lacks at its end, compares them again at every `interval`, and
    /// makes anew what was dropped. Tries again for ever, with growing, jittered waits, while something is away. Leaves a
    /// table that differs alone. Partitions follow their table: `new` ones are registered as soon as they are told, others
    /// at the next comparison. Never returns; may be dropped at any time.
    pub async fn run(
        catalog: Arc<dyn Catalog>,
        storage: Arc<dyn Storage>,
        wanted: Vec<Wanted>,
        new: NewPartitions,
        interval: Duration,
        status: watch::Sender<RegistrarStatus>,
    ) {
        Registrar { catalog, storage, wanted, new, retry: RETRY }.keep(interval, &status).await
    }

    async fn keep(&self, interval: Duration, status: &watch::Sender<RegistrarStatus>) {
        let mut ledger = Ledger::new(self.wanted.iter().map(Wanted::full_name), Timestamp::now());
        let mut jitter = StdRng::seed_from_u64(seed());
        let mut failures: u32 = 0;
        let mut known: Vec<Known> = self.wanted.iter().map(|_| Known::default()).collect();
        let mut told = self.new.subscribe();
        loop {
            publish(status, &ledger.status);
            let begun = Instant::now();
            let outcomes = self.try_all(&mut known).await;
            let failed = outcomes.iter().any(|(_, o)| !o.is_answer());
            failures = if failed { failures.saturating_add(1) } else { 0 };
            ledger.enter(outcomes, Timestamp::now()).iter().for_each(log);
            ledger.count(begun.elapsed(), failed);
            publish(status, &ledger.status);
            if failed {
                tokio::time::sleep(growing(self.retry, failures, jitter.random())).await;
                continue;
            }
            let next = Instant::now() + interval;
            // What does not work here is found out, and told, by comparing all.
            while self.register_new(&mut known).await {
                tokio::select! {
                    () = tokio::time::sleep_until(next) => break,
                    // `self` has a sender, so there is always one.
                    _ = told.changed() => {}
                }
            }
        }
    }

    /// Registers new partitions of tables that are as wanted. Whether all is well.
    async fn register_new(&self, known: &mut [Known]) -> bool {
        for (wanted, known) in self.wanted.iter().zip(known).filter(|(_, known)| known.is_settled) {
            if !self.partitions(wanted).register_new(known).await.unwrap_or(false) {
                return false;
            }
        }
        true
    }

    fn partitions<'a>(&'a self, wanted: &'a Wanted) -> Partitions<'a> {
        Partitions { catalog: self.catalog.as_ref(), storage: self.storage.as_ref(), wanted, new: &self.new }
    }

    async fn try_all(&self, known: &mut [Known]) -> Vec<(String, Outcome)> {
        // gathered first: a closure that lives across the await would not be general enough for a spawned task
        let tries: Vec<_> = self.wanted.iter().zip(known).map(|(wanted, known)| self.try_one(wanted, known)).collect();
        stream::iter(tries).buffered(AT_ONCE).collect().await
    }

    async fn try_one(&self, wanted: &Wanted, known: &mut Known) -> (String, Outcome) {
        known.is_settled = false;
        let outcome = match self.register(wanted).await {
            settled @ Outcome::Newer(_) => self.compare_partitions(wanted, known, settled).await,
            Outcome::Found(differences) if differences.is_empty() => {
                self.compare_partitions(wanted, known, Outcome::Found(Vec::new())).await
            }
            other => other,
        };
        (wanted.full_name(), outcome)
    }

    /// `settled`: what is said if all partitions are as they should be.
    async fn compare_partitions(&self, wanted: &Wanted, known: &mut Known, settled: Outcome) -> Outcome {
        match self.partitions(wanted).compare(known).await {
            Ok(differences) => {
                known.is_settled = true;
                if differences.is_empty() { settled } else { Outcome::Found(differences) }
            }
            Err(PartitionError::Catalog(e @ CatalogError::Unavailable { .. })) => Outcome::Away(e.to_string()),
            Err(e) => Outcome::Failed(format!("its partitions: {e}")),
        }
    }

    /// The directory first: a metastore that makes it may also delete it.
    async fn register(&self, wanted: &Wanted) -> Outcome {
        let wrong = validate(&wanted.table);
        if !wrong.is_empty() {
            return Outcome::Failed(format!("the definition must change: {}", wrong.join("; ")));
        }
        if let Err(e) = self.storage.mkdir(&wanted.directory, Parents::Create).await {
            return Outcome::Failed(e.to_string());
        }
        match settle(self.catalog.as_ref(), wanted).await {
            Ok(Plan::UpToDate) => Outcome::Found(Vec::new()),
            Ok(newer @ Plan::Newer(_)) => Outcome::Newer(newer.refusals().join("; ")),
            Ok(Plan::Differs(differences)) => Outcome::Found(differences),
            Ok(Plan::Create | Plan::Alter(_)) => {
                Outcome::Failed("the metastore took the table, but does not show it as it was sent".to_owned())
            }
            Err(e @ CatalogError::Unavailable { .. }) => Outcome::Away(e.to_string()),
            Err(e) => Outcome::Failed(e.to_string()),
        }
    }
}

fn publish(status: &watch::Sender<RegistrarStatus>, new: &RegistrarStatus) {
    status.send_if_modified(|old| {
        let changed = old != new;
        if changed {
            old.clone_from(new);
        }
        changed
    });
}

fn log(note: &Note) {
    match note {
        Note::Away(reason) => {
            warn!(%reason, "the metastore is away: data lands all the same, new tables are registered when it is back");
        }
        Note::Back { since } => info!(away_since = %since, "the metastore is back"),
        Note::Registered(table) => info!(table, "registered"),
        Note::Failed { table, reason } => warn!(table, %reason, "not registered; trying again"),
        Note::Newer { table, reason } => warn!(
            table,
            %reason,
            "the table has new columns that this daemon does not fill: bring it up to date, a start would be refused"
        ),
        Note::Differs { table, differences } => error!(
            table,
            differences = %differences.join("; "),
            "the metastore holds another definition; landfall leaves it alone: change it there, or the migrations"
        ),
    }
}

/// The wait after the n-th failure in a row, from 1: doubling from the first to the longest, less up to half of it.
/// `unit` is from 0 to 1.
fn growing((first, longest): (Duration, Duration), failures: u32, unit: f64) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    (first * 2u32.pow(doublings)).min(longest).mul_f64(1.0 - unit.clamp(0.0, 1.0) / 2.0)
}

/// Only for spreading the tries of several daemons.
fn seed() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64) ^ u64::from(std::process::id())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use bytes::Bytes;

    use super::*;
    use crate::catalog::{CatalogTable, MemoryCatalog, TableStatus, check_once};
    use crate::storage::{Entry, StorageError};

    /// Only makes directories; the first tries fail.
    #[derive(Debug, Default)]
    struct Directories {
        made: Mutex<Vec<String>>,
        failures: Mutex<u32>,
    }

    #[async_trait]
    impl Storage for Directories {
        fn uri(&self, path: &str) -> String {
            format!("hdfs://nn{path}")
        }
        async fn mkdir(&self, path: &str, parents: Parents) -> Result<(), StorageError> {
            assert_eq!(parents, Parents::Create);
            let mut failures = self.failures.lock().unwrap();
            if *failures > 0 {
                *failures -= 1;
                return Err(StorageError::Unavailable { op: "mkdir", path: path.into(), reason: "safe mode".into() });
            }
            self.made.lock().unwrap().push(path.to_owned());
            Ok(())
        }
        async fn create(&self, _: &str, _: Bytes) -> Result<(), StorageError> {
            unreachable!()
        }
        async fn read(&self, _: &str) -> Result<Bytes, StorageError> {
            unreachable!()
        }
        async fn list(&self, _: &str) -> Result<Vec<Entry>, StorageError> {
            unreachable!()
        }
        async fn rename(&self, _: &str, _: &str) -> Result<(), StorageError> {
            unreachable!()
        }
        async fn delete(&self, _: &str) -> Result<bool, StorageError> {
            unreachable!()
        }
    }

    fn table(name: &str) -> CatalogTable {
        CatalogTable {
            database: "d".into(),
            name: name.into(),
            columns: vec![("a".into(), "bigint".into())],
            comments: Default::default(),
            partition_keys: vec![],
            location: format!("hdfs://nn/{name}"),
            external: true,
            parquet: true,
            properties: Default::default(),
        }
    }

    fn wanted(name: &str) -> Wanted {
        Wanted::from((table(name), format!("/{name}")))
    }

    /// Table `a` with a column of each of so many migrations.
    fn migrated(migrations: usize) -> Wanted {
        let column = |n: usize| format!(", c{n} int");
        let create = "create external table d.a (a bigint) stored as parquet location '/a'".to_owned();
        let alter = |n| (format!("{n:04}_c.sql"), format!("alter table d.a add columns ({})", &column(n)[2..]));
        let files: Vec<_> =
            [("0001_a.sql".to_owned(), create)].into_iter().chain((2..=migrations).map(alter)).collect();
        let tables = crate::schema::migrations::load(&files).unwrap();
        Wanted::new(&tables[0], "d", "/a", "hdfs://nn/a".to_owned())
    }

    /// A registrar of tables `a` and `b` in a task, with short waits.
    fn start(catalog: &Arc<MemoryCatalog>, storage: &Arc<Directories>) -> watch::Receiver<RegistrarStatus> {
        let wanted = ["a", "b"].map(wanted).to_vec();
        start_with(catalog, storage, wanted)
    }

    fn start_with(
        catalog: &Arc<MemoryCatalog>,
        storage: &Arc<Directories>,
        wanted: Vec<Wanted>,
    ) -> watch::Receiver<RegistrarStatus> {
        let retry = (Duration::from_millis(2), Duration::from_millis(20));
        let (catalog, storage, new) = (catalog.clone(), storage.clone(), NewPartitions::new());
        let registrar = Registrar { catalog, storage, wanted, new, retry };
        let (sender, receiver) = watch::channel(RegistrarStatus::default());
        tokio::spawn(async move { registrar.keep(Duration::from_millis(10), &sender).await });
        receiver
    }

    async fn until(status: &mut watch::Receiver<RegistrarStatus>, what: impl FnMut(&RegistrarStatus) -> bool) {
        tokio::time::timeout(Duration::from_secs(20), status.wait_for(what)).await.unwrap().unwrap();
    }

    fn registered(s: &RegistrarStatus) -> bool {
        s.tables.len() == 2 && s.unregistered() == 0 && s.away.is_none()
    }

    #[tokio::test]
    async fn tables_are_registered_and_made_anew_when_dropped() {
        let (catalog, storage) = (Arc::new(MemoryCatalog::default()), Arc::new(Directories::default()));
        let mut status = start(&catalog, &storage);
        until(&mut status, registered).await;
        assert_eq!(catalog.tables(), [table("a"), table("b")]);
        assert!(storage.made.lock().unwrap().contains(&"/a".to_owned()));
        assert!(catalog.drop_table("d", "b").await.unwrap());
        while catalog.tables().len() < 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(registered(&status.borrow()));
    }

    #[tokio::test]
    async fn whatever_is_away_is_waited_for() {
        let (catalog, storage) = (Arc::new(MemoryCatalog::default()), Arc::new(Directories::default()));
        *storage.failures.lock().unwrap() = 3;
        catalog.set_away(true);
        let mut status = start(&catalog, &storage);
        until(&mut status, |s| s.away.is_some() && s.unregistered() == 2).await;
        catalog.set_away(false);
        catalog.lose_next_reply();
        until(&mut status, registered).await;
        catalog.set_away(true);
        until(&mut status, |s| s.away.is_some()).await;
        assert_eq!(status.borrow().unregistered(), 0, "what was registered stays so");
    }

    #[tokio::test]
    async fn a_table_that_differs_is_reported_and_left_alone() {
        let (catalog, storage) = (Arc::new(MemoryCatalog::default()), Arc::new(Directories::default()));
        let mut other = table("a");
        other.columns[0].1 = "string".into();
        catalog.create_table(&other).await.unwrap();
        let mut status = start(&catalog, &storage);
        until(&mut status, |s| s.unregistered() == 1).await;
        assert!(
            matches!(&status.borrow().tables["d.a"], TableStatus::Differs(d) if d[0].contains("column a is string"))
        );
        assert_eq!(catalog.tables()[0], other);
        let found = check_once(catalog.as_ref(), &[wanted("a"), wanted("b"), wanted("c")]).await.unwrap();
        assert_eq!(found.len(), 1);
        catalog.set_away(true);
        assert_eq!(check_once(catalog.as_ref(), &[wanted("a")]).await, None);
    }

    #[tokio::test]
    async fn new_columns_are_added_once_whoever_does_it_and_whatever_reply_is_lost() {
        let (catalog, storage) = (Arc::new(MemoryCatalog::default()), Arc::new(Directories::default()));
        let mut old = table("a");
        old.properties.insert("owner".into(), "somebody".into());
        catalog.create_table(&old).await.unwrap();
        catalog.lose_next_reply();
        let done = |s: &RegistrarStatus| s.unregistered() == 0 && s.tables.len() == 1;
        let mut daemons = [2, 3, 3].map(|n| start_with(&catalog, &storage, vec![migrated(n)]));
        for status in &mut daemons {
            until(status, done).await;
        }
        let newest = migrated(3);
        until(&mut daemons[0], |s| matches!(&s.tables["d.a"], TableStatus::Newer(r) if r.contains("0003"))).await;
        let held = &catalog.tables()[0];
        assert_eq!(held.columns, newest.table.columns);
        assert_eq!(held.properties[crate::catalog::RECORD], newest.table.properties[crate::catalog::RECORD]);
        assert_eq!(held.properties["owner"], "somebody");
        let refused = check_once(catalog.as_ref(), &[migrated(2)]).await.unwrap();
        assert!(refused[0].1[0].contains("migration 0003"), "{refused:?}");
        assert_eq!(check_once(catalog.as_ref(), &[newest]).await, Some(vec![]));
    }

    #[test]
    fn waits_grow_to_the_longest_and_are_jittered() {
        let wait = |failures, unit| growing(RETRY, failures, unit).as_millis();
        assert_eq!([1, 2, 3, 5, 6, 1000].map(|n| wait(n, 0.0)), [1000, 2000, 4000, 16000, 30000, 30000]);
        assert_eq!((wait(1, 1.0), wait(9, 0.5)), (500, 22500));
    }
}
