//! What landfall asks of a file system. The commit protocol rests on the four refusals of [`Storage::rename`]
//! and [`Storage::create`]; `self_test` checks them on the storage itself before anything else is written.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::fault::Fault;

/// Whether missing parent directories are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parents {
    /// Made as needed. Only for directories that landfall owns for ever.
    Create,
    /// A missing parent is an error. Everywhere under staging: a late duplicate must not revive what was deleted.
    Require,
}

/// One entry of a directory listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Name without its directory.
    pub name: String,
    /// Whether it is a directory.
    pub is_dir: bool,
    /// Length in bytes; 0 for a directory.
    pub len: u64,
    /// Last modification, milliseconds since 1970 UTC.
    pub modified_ms: i64,
}

/// A file system with atomic renames. Paths are absolute, `/`-separated, and never end in `/`.
///
/// An error may leave the outcome unknown (a lost reply): callers read back and never believe a reply alone.
#[async_trait]
pub trait Storage: Send + Sync + std::fmt::Debug {
    /// The URI of `path`, as the metastore wants it (`hdfs://host:8020/tmp/purchases`).
    fn uri(&self, path: &str) -> String;

    /// Makes a directory; one that is there already is fine.
    async fn mkdir(&self, path: &str, parents: Parents) -> Result<(), StorageError>;

    /// Writes a new file whole, synced to disk and closed. Refuses an existing path and a missing parent.
    async fn create(&self, path: &str, data: Bytes) -> Result<(), StorageError>;

    /// Reads a file whole.
    async fn read(&self, path: &str) -> Result<Bytes, StorageError>;

    /// Lists a directory in name order.
    async fn list(&self, path: &str) -> Result<Vec<Entry>, StorageError>;

    /// Moves a file or a directory in one atomic step. Refuses an existing destination, be it a file, a full or an
    /// empty directory ([`StorageError::AlreadyExists`]), and a missing source or destination parent
    /// ([`StorageError::NotFound`]).
    async fn rename(&self, from: &str, to: &str) -> Result<(), StorageError>;

    /// Deletes a file, or a directory with all in it, in one atomic step. `false`: there was nothing.
    async fn delete(&self, path: &str) -> Result<bool, StorageError>;
}

/// Why a storage call failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StorageError {
    /// The path, its parent or the source of a rename is missing.
    #[error("{op} {path}: not found")]
    NotFound {
        /// Call.
        op: &'static str,
        /// Path.
        path: String,
    },
    /// The destination exists.
    #[error("{op} {path}: already exists")]
    AlreadyExists {
        /// Call.
        op: &'static str,
        /// Path.
        path: String,
    },
    /// No answer within the limit: it may have happened, may happen yet, or never.
    #[error("{op} {path}: no answer within {limit:?}")]
    TimedOut {
        /// Call.
        op: &'static str,
        /// Path.
        path: String,
        /// The limit.
        limit: Duration,
    },
    /// The storage is away, busy or in safe mode, or the reply was lost: try again, after reading back.
    #[error("{op} {path}: {reason}")]
    Unavailable {
        /// Call.
        op: &'static str,
        /// Path.
        path: String,
        /// First line of what the client said.
        reason: String,
    },
    /// Permission, quota or a path that cannot be: a person must act.
    #[error("{op} {path}: refused: {reason}")]
    Refused {
        /// Call.
        op: &'static str,
        /// Path.
        path: String,
        /// First line of what the client said.
        reason: String,
    },
}

impl StorageError {
    /// Its kind in a word, for counting.
    pub fn kind(&self) -> &'static str {
        match self {
            StorageError::NotFound { .. } => "not_found",
            StorageError::AlreadyExists { .. } => "already_exists",
            StorageError::TimedOut { .. } => "timed_out",
            StorageError::Unavailable { .. } => "unavailable",
            StorageError::Refused { .. } => "refused",
        }
    }

    /// Whether the call was perhaps carried out.
    pub fn is_ambiguous(&self) -> bool {
        matches!(self, StorageError::TimedOut { .. } | StorageError::Unavailable { .. })
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            StorageError::NotFound { .. } | StorageError::AlreadyExists { .. } => Fault::Bug,
            StorageError::TimedOut { .. } | StorageError::Unavailable { .. } => Fault::Retry,
            StorageError::Refused { .. } => Fault::Config,
        }
    }
}
