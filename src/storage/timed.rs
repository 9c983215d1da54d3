//! A time limit around every call of another storage: `hdfs-native` has none, and a frozen NameNode would hang it.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::port::{Entry, Parents, Storage, StorageError};

/// A storage whose every call ends.
#[derive(Debug)]
pub struct TimedStorage {
    inner: Arc<dyn Storage>,
    call: Duration,
    transfer: Duration,
}

impl TimedStorage {
    /// `call` limits namespace calls, `transfer` the reading and writing of one file.
    pub fn new(inner: Arc<dyn Storage>, call: Duration, transfer: Duration) -> TimedStorage {
        TimedStorage { inner, call, transfer }
    }
}

async fn within<T>(
    limit: Duration,
    op: &'static str,
    path: &str,
    call: impl Future<Output = Result<T, StorageError>>,
) -> Result<T, StorageError> {
    match tokio::time::timeout(limit, call).await {
        Ok(result) => result,
        Err(_) => Err(StorageError::TimedOut { op, path: path.to_owned(), limit }),
    }
}

#[async_trait]
impl Storage for TimedStorage {
    fn uri(&self, path: &str) -> String {
        self.inner.uri(path)
    }

    async fn mkdir(&self, path: &str, parents: Parents) -> Result<(), StorageError> {
        within(self.call, "mkdir", path, self.inner.mkdir(path, parents)).await
    }

    async fn create(&self, path: &str, data: Bytes) -> Result<(), StorageError> {
        within(self.transfer, "create", path, self.inner.create(path, data)).await
    }

    async fn read(&self, path: &str) -> Result<Bytes, StorageError> {
        within(self.transfer, "read", path, self.inner.read(path)).await
    }

    async fn list(&self, path: &str) -> Result<Vec<Entry>, StorageError> {
        within(self.call, "list", path, self.inner.list(path)).await
    }

    async fn rename(&self, from: &str, to: &str) -> Result<(), StorageError> {
        within(self.call, "rename", from, self.inner.rename(from, to)).await
    }

    async fn delete(&self, path: &str) -> Result<bool, StorageError> {
        within(self.call, "delete", path, self.inner.delete(path)).await
    }
}
