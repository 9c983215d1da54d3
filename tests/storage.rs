//! The storage port on all its implementations.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use common::storage_suite;
use landfall::storage::{HdfsStorage, LocalStorage, MemoryStorage, Storage, StorageError, TimedStorage};

#[tokio::test]
async fn memory_keeps_the_contract() {
    storage_suite::run(&MemoryStorage::default(), "/suite").await;
}

#[tokio::test]
async fn local_files_keep_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    storage_suite::run(&LocalStorage::new(folder.path()), "/suite").await;
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
}

#[tokio::test]
async fn hdfs_keeps_the_contract() {
    let Ok(url) = std::env::var("LANDFALL__STORAGE__URL") else {
        eprintln!("skipped: needs the real servers (make test)");
        return;
    };
    let hdfs = HdfsStorage::new(&url, None, &BTreeMap::new()).unwrap();
    let timed = TimedStorage::new(Arc::new(hdfs), Duration::from_secs(30), Duration::from_secs(60));
    storage_suite::run(&timed, &format!("/suite-{}", uuid::Uuid::new_v4())).await;
}

#[tokio::test]
async fn a_storage_that_is_away_is_an_error_within_the_limit() {
    // A port that nobody listens on: taken, then given back.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let hdfs = HdfsStorage::new(&format!("hdfs://127.0.0.1:{port}"), None, &BTreeMap::new()).unwrap();
    let timed = TimedStorage::new(Arc::new(hdfs), Duration::from_millis(300), Duration::from_millis(300));
    let e = timed.list("/").await.unwrap_err();
    assert!(matches!(e, StorageError::TimedOut { .. } | StorageError::Unavailable { .. }), "{e}");
}

/// A storage whose rename replaces, as many object stores and old HDFS calls do.
#[derive(Debug)]
struct Replacing(MemoryStorage);

#[async_trait::async_trait]
impl Storage for Replacing {
    fn uri(&self, path: &str) -> String {
        self.0.uri(path)
    }
    async fn mkdir(&self, path: &str, parents: landfall::storage::Parents) -> Result<(), StorageError> {
        self.0.mkdir(path, parents).await
    }
    async fn create(&self, path: &str, data: bytes::Bytes) -> Result<(), StorageError> {
        self.0.create(path, data).await
    }
    async fn read(&self, path: &str) -> Result<bytes::Bytes, StorageError> {
        self.0.read(path).await
    }
    async fn list(&self, path: &str) -> Result<Vec<landfall::storage::Entry>, StorageError> {
        self.0.list(path).await
    }
    async fn rename(&self, from: &str, to: &str) -> Result<(), StorageError> {
        self.0.delete(to).await?;
        self.0.rename(from, to).await
    }
    async fn delete(&self, path: &str) -> Result<bool, StorageError> {
        self.0.delete(path).await
    }
}

#[tokio::test]
async fn the_self_test_refuses_a_rename_that_replaces() {
    let s = Replacing(MemoryStorage::default());
    s.mkdir("/staging", landfall::storage::Parents::Create).await.unwrap();
    let e = landfall::storage::self_test(&s, "/staging", &[]).await.unwrap_err();
    assert!(e.to_string().contains("renaming a directory onto a full directory is refused does not hold"), "{e}");
    assert_eq!(e.fault(), landfall::fault::Fault::Config);
}
