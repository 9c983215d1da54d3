//! A storage that fails at one chosen call, as a crash or a lost reply would.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use landfall::storage::{Entry, Parents, Storage, StorageError};
use tokio::sync::Notify;

/// What happens at the chosen call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The process dies before the call is sent: it never returns.
    CrashBefore,
    /// The process dies after the call was carried out: it never returns.
    CrashAfter,
    /// The call is carried out, but its reply is lost.
    LostReply,
    /// The call fails and nothing happens.
    Error,
}

/// Another storage, with one fault.
#[derive(Debug)]
pub struct FaultyStorage {
    inner: Arc<dyn Storage>,
    fault: Fault,
    at: usize,
    calls: AtomicUsize,
    crashed: Notify,
}

impl FaultyStorage {
    /// `fault` happens at call number `at`, from 0.
    pub fn new(inner: Arc<dyn Storage>, fault: Fault, at: usize) -> FaultyStorage {
        FaultyStorage { inner, fault, at, calls: AtomicUsize::new(0), crashed: Notify::new() }
    }

    /// Calls so far.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// Waits until the process is dead, should it die.
    pub async fn crashed(&self) {
        self.crashed.notified().await;
    }

    async fn call<T>(
        &self,
        op: &'static str,
        path: &str,
        work: impl Future<Output = Result<T, StorageError>>,
    ) -> Result<T, StorageError> {
        if self.calls.fetch_add(1, Ordering::SeqCst) != self.at {
            return work.await;
        }
        if matches!(self.fault, Fault::CrashAfter | Fault::LostReply) {
            _ = work.await;
        }
        if matches!(self.fault, Fault::CrashBefore | Fault::CrashAfter) {
            self.crashed.notify_one();
            std::future::pending::<()>().await;
        }
        Err(StorageError::Unavailable { op, path: path.to_owned(), reason: "injected".to_owned() })
    }
}

#[async_trait]
impl Storage for FaultyStorage {
    fn uri(&self, path: &str) -> String {
        self.inner.uri(path)
    }
    async fn mkdir(&self, path: &str, parents: Parents) -> Result<(), StorageError> {
        self.call("mkdir", path, self.inner.mkdir(path, parents)).await
    }
    async fn create(&self, path: &str, data: Bytes) -> Result<(), StorageError> {
        self.call("create", path, self.inner.create(path, data)).await
    }
    async fn read(&self, path: &str) -> Result<Bytes, StorageError> {
        self.call("read", path, self.inner.read(path)).await
    }
    async fn list(&self, path: &str) -> Result<Vec<Entry>, StorageError> {
        self.call("list", path, self.inner.list(path)).await
    }
    async fn rename(&self, from: &str, to: &str) -> Result<(), StorageError> {
        self.call("rename", from, self.inner.rename(from, to)).await
    }
    async fn delete(&self, path: &str) -> Result<bool, StorageError> {
        self.call("delete", path, self.inner.delete(path)).await
    }
}
