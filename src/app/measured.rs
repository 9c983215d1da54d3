//! A storage whose calls are counted and timed.

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;

use crate::observe::Metrics;
use crate::observe::metrics::table;
use crate::storage::{Entry, Parents, Storage, StorageError};

/// Another storage, counted.
#[derive(Debug)]
pub struct MeasuredStorage {
    inner: Arc<dyn Storage>,
    metrics: Metrics,
}

impl MeasuredStorage {
    /// Counts the calls of `inner`.
    pub fn new(inner: Arc<dyn Storage>, metrics: &Metrics) -> MeasuredStorage {
        for call in ["mkdir", "create", "read", "list", "rename", "delete"] {
            metrics.touch(&table::STORAGE_CALLS, &[call]);
            for error in ["timed_out", "unavailable", "refused"] {
                metrics.count(&table::STORAGE_ERRORS, &[call, error], 0);
            }
        }
        MeasuredStorage { inner, metrics: metrics.clone() }
    }

    async fn count<T>(
        &self,
        name: &'static str,
        call: impl Future<Output = Result<T, StorageError>>,
    ) -> Result<T, StorageError> {
        let begun = Instant::now();
        let answer = call.await;
        self.metrics.seconds(&table::STORAGE_CALLS, &[name], begun.elapsed());
        if let Err(e) = &answer {
            self.metrics.count(&table::STORAGE_ERRORS, &[name, e.kind()], 1);
        }
        answer
    }
}

#[async_trait]
impl Storage for MeasuredStorage {
    fn uri(&self, path: &str) -> String {
        self.inner.uri(path)
    }

    async fn mkdir(&self, path: &str, parents: Parents) -> Result<(), StorageError> {
        self.count("mkdir", self.inner.mkdir(path, parents)).await
    }

    async fn create(&self, path: &str, data: Bytes) -> Result<(), StorageError> {
        self.count("create", self.inner.create(path, data)).await
    }

    async fn read(&self, path: &str) -> Result<Bytes, StorageError> {
        self.count("read", self.inner.read(path)).await
    }

    async fn list(&self, path: &str) -> Result<Vec<Entry>, StorageError> {
        self.count("list", self.inner.list(path)).await
    }

    async fn rename(&self, from: &str, to: &str) -> Result<(), StorageError> {
        self.count("rename", self.inner.rename(from, to)).await
    }

    async fn delete(&self, path: &str) -> Result<bool, StorageError> {
        self.count("delete", self.inner.delete(path)).await
    }
}
