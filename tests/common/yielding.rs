//! A storage whose calls interleave.

use std::sync::Arc;

use bytes::Bytes;
use landfall::storage::{Entry, Parents, Storage, StorageError};

/// Lets others go on before each call, so that an audit and a daemon run into each other.
#[derive(Debug)]
pub struct Yielding(pub Arc<dyn Storage>);

#[async_trait::async_trait]
impl Storage for Yielding {
    fn uri(&self, path: &str) -> String {
        self.0.uri(path)
    }
    async fn mkdir(&self, path: &str, parents: Parents) -> Result<(), StorageError> {
        tokio::task::yield_now().await;
        self.0.mkdir(path, parents).await
    }
    async fn create(&self, path: &str, data: Bytes) -> Result<(), StorageError> {
        tokio::task::yield_now().await;
        self.0.create(path, data).await
    }
    async fn read(&self, path: &str) -> Result<Bytes, StorageError> {
        tokio::task::yield_now().await;
        self.0.read(path).await
    }
    async fn list(&self, path: &str) -> Result<Vec<Entry>, StorageError> {
        tokio::task::yield_now().await;
        self.0.list(path).await
    }
    async fn rename(&self, from: &str, to: &str) -> Result<(), StorageError> {
        tokio::task::yield_now().await;
        self.0.rename(from, to).await
    }
    async fn delete(&self, path: &str) -> Result<bool, StorageError> {
        tokio::task::yield_now().await;
        self.0.delete(path).await
    }
}
