//! The registrar against the twins of a metastore and a storage.

use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;

use super::*;
use crate::catalog::{CatalogTable, MemoryCatalog, check_once};
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
    let files: Vec<_> = [("0001_a.sql".to_owned(), create)].into_iter().chain((2..=migrations).map(alter)).collect();
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
    let registrar = Registrar { catalog, storage, wanted, new, retry, look: Duration::from_secs(3600) };
    let (sender, receiver) = watch::channel(RegistrarStatus::default());
    tokio::spawn(async move { registrar.keep(Duration::from_millis(10), &sender).await });
    receiver
}

#[tokio::test]
async fn what_somebody_does_between_two_comparisons_is_seen_by_a_look_and_only_then_all_is_compared() {
    let (catalog, storage) = (Arc::new(MemoryCatalog::default()), Arc::new(Directories::default()));
    let mut other = table("a");
    other.columns[0].1 = "string".into();
    catalog.create_table(&other).await.unwrap();
    let retry = (Duration::from_millis(2), Duration::from_millis(20));
    let (wanted, new, look) = (["a", "b"].map(wanted).to_vec(), NewPartitions::new(), Duration::from_millis(5));
    let registrar = Registrar { catalog: catalog.clone(), storage: storage.clone(), wanted, new, retry, look };
    let (sender, mut status) = watch::channel(RegistrarStatus::default());
    tokio::spawn(async move { registrar.keep(Duration::from_secs(3600), &sender).await });
    until(&mut status, |s| s.unregistered() == 1).await;
    let compared = storage.made.lock().unwrap().len();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(storage.made.lock().unwrap().len(), compared, "a table that differs is nothing new");
    catalog.drop_table("d", "b").await.unwrap();
    tokio::time::timeout(Duration::from_secs(20), async {
        while catalog.tables().len() < 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .unwrap();
    catalog.drop_table("d", "a").await.unwrap();
    until(&mut status, registered).await;
    catalog.set_away(true);
    until(&mut status, |s| s.away.is_some()).await;
    catalog.set_away(false);
    until(&mut status, registered).await;
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
    assert!(matches!(&status.borrow().tables["d.a"], TableStatus::Differs(d) if d[0].contains("column a is string")));
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
fn that_the_metastore_is_away_is_said_again_after_a_minute_and_anew_when_it_goes_again() {
    let gone = RegistrarStatus { away: Some((Timestamp::now(), "no answer".to_owned())), ..RegistrarStatus::default() };
    let (mut away, begun) = (None, std::time::Instant::now());
    let mut after = |status: &RegistrarStatus, seconds| remind(&mut away, status, begun + Duration::from_secs(seconds));
    assert!(!after(&gone, 0), "this was said by the one who noticed it");
    assert!(!after(&gone, 59));
    assert!(after(&gone, 61));
    assert!(!after(&gone, 70));
    assert!(!after(&RegistrarStatus::default(), 300), "it is back");
    assert!(!after(&gone, 310), "another absence");
    assert!(after(&gone, 371));
}

#[test]
fn waits_grow_to_the_longest_and_are_jittered() {
    let wait = |failures, unit| growing(RETRY, failures, unit).as_millis();
    assert_eq!([1, 2, 3, 4, 5, 1000].map(|n| wait(n, 0.0)), [1000, 2000, 4000, 8000, 10000, 10000]);
    assert_eq!((wait(1, 1.0), wait(9, 0.5)), (500, 7500));
}
