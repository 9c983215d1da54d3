//! A storage that can be made to stand still.

use std::sync::Arc;

use bytes::Bytes;
use landfall::storage::{Entry, Parents, Storage, StorageError};
use tokio::sync::watch;

/// Writes no file while `open` is false.
#[derive(Debug)]
pub struct Gated {
    pub inner: Arc<dyn Storage>,
    pub open: watch::Receiver<bool>,
}

#[async_trait::async_trait]
impl Storage for Gated {
    fn uri(&self, path: &str) -> String {
        self.inner.uri(path)
    }
    async fn mkdir(&self, path: &str, parents: Parents) -> Result<(), StorageError> {
        self.inner.mkdir(path, parents).await
    }
    async fn create(&self, path: &str, data: Bytes) -> Result<(), StorageError> {
        self.open.clone().wait_for(|open| *open).await.unwrap();
        self.inner.create(path, data).await
    }
    async fn read(&self, path: &str) -> Result<Bytes, StorageError> {
        self.inner.read(path).await
    }
    async fn list(&self, path: &str) -> Result<Vec<Entry>, StorageError> {
        self.inner.list(path).await
    }
    async fn rename(&self, from: &str, to: &str) -> Result<(), StorageError> {
        self.inner.rename(from, to).await
    }
    async fn delete(&self, path: &str) -> Result<bool, StorageError> {
        self.inner.delete(path).await
    }
}
