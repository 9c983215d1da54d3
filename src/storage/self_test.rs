//! Refuses a storage that cannot commit. The protocol's only atomic step is a rename that refuses an existing
//! destination; a storage that replaces, merges or makes parents instead would lose or double rows in silence.

use bytes::Bytes;
use uuid::Uuid;

use super::port::{Parents, Storage, StorageError};
use crate::fault::Fault;

/// Why the storage cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SelfTestError {
    /// It does what it must refuse, or the other way about.
    #[error(
        "storage {uri} cannot be used: {promise} does not hold. Use HDFS, or a local file system whose kernel knows \
         RENAME_NOREPLACE (ext4, xfs, btrfs, tmpfs)"
    )]
    Broken {
        /// URI of the scratch directory.
        uri: String,
        /// The promise that was broken.
        promise: &'static str,
    },
    /// A table's directory cannot be reached by a rename from the checkpoint.
    #[error(
        "a file cannot be moved from the checkpoint {checkpoint} to the table directory {table}: {source}. Both must \
         lie in one file system (HDFS: one namespace and one encryption zone) and be writable"
    )]
    Apart {
        /// Checkpoint path.
        checkpoint: String,
        /// Table directory.
        table: String,
        /// What the rename said.
        source: StorageError,
    },
    /// A call failed.
    #[error("storage self-test: {0}")]
    Storage(#[from] StorageError),
}

impl SelfTestError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            SelfTestError::Broken { .. } => Fault::Config,
            SelfTestError::Apart { source, .. } if source.fault() == Fault::Retry => Fault::Retry,
            SelfTestError::Apart { .. } => Fault::Config,
            SelfTestError::Storage(e) => e.fault(),
        }
    }
}

struct Probe<'a> {
    storage: &'a dyn Storage,
    dir: String,
}

impl Probe<'_> {
    fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.dir)
    }

    fn check(&self, holds: bool, promise: &'static str) -> Result<(), SelfTestError> {
        if holds { Ok(()) } else { Err(SelfTestError::Broken { uri: self.storage.uri(&self.dir), promise }) }
    }

    async fn names(&self, dir: &str) -> Result<Vec<String>, StorageError> {
        Ok(self.storage.list(&self.path(dir)).await?.into_iter().map(|e| e.name).collect())
    }

    /// A refusal is an error that is not about the storage being away.
    async fn refused(&self, from: &str, to: &str) -> Result<bool, SelfTestError> {
        match self.storage.rename(&self.path(from), &self.path(to)).await {
            Ok(()) => Ok(false),
            Err(StorageError::AlreadyExists { .. } | StorageError::NotFound { .. }) => Ok(true),
            Err(e) => Err(e.into()),
        }
    }

    async fn run(&self) -> Result<(), SelfTestError> {
        let s = self.storage;
        for dir in ["batch", "full", "empty"] {
            s.mkdir(&self.path(dir), Parents::Require).await?;
        }
        s.create(&self.path("batch/file"), Bytes::from_static(b"new")).await?;
        s.create(&self.path("full/file"), Bytes::from_static(b"old")).await?;
        s.create(&self.path("file"), Bytes::from_static(b"old")).await?;

        let refused = self.refused("batch", "full").await?;
        self.check(refused, "renaming a directory onto a full directory is refused")?;
        let refused = self.refused("batch", "empty").await?;
        self.check(refused, "renaming a directory onto an empty directory is refused")?;
        self.check(self.names("empty").await?.is_empty(), "a refused rename moves nothing into its destination")?;
        let refused = self.refused("batch/file", "file").await?;
        self.check(refused, "renaming a file onto a file is refused")?;
        self.check(s.read(&self.path("file")).await? == "old", "a refused rename leaves its destination as it was")?;
        let refused = self.refused("batch", "absent/slot").await?;
        self.check(refused, "renaming into a missing parent directory is refused")?;
        let refused = self.refused("absent", "slot").await?;
        self.check(refused, "renaming a missing source is refused")?;

        let again = s.create(&self.path("file"), Bytes::from_static(b"new")).await;
        self.check(matches!(again, Err(StorageError::AlreadyExists { .. })), "creating an existing file is refused")?;
        let orphan = s.create(&self.path("absent/file"), Bytes::from_static(b"new")).await;
        self.check(
            matches!(orphan, Err(StorageError::NotFound { .. })),
            "creating a file in a missing directory is refused",
        )?;
        let orphan = s.mkdir(&self.path("absent/dir"), Parents::Require).await;
        self.check(
            matches!(orphan, Err(StorageError::NotFound { .. })),
            "making a directory in a missing directory is refused",
        )?;

        s.rename(&self.path("batch"), &self.path("slot")).await?;
        self.check(self.names("slot").await? == ["file"], "renaming a directory takes its files along")?;
        let gone = s.list(&self.path("batch")).await;
        self.check(matches!(gone, Err(StorageError::NotFound { .. })), "a renamed directory leaves its old place")
    }
}

/// Tries every promise of the port in a scratch directory below `scratch_parent` (which must exist), and moves a file
/// from there into each of `table_dirs` (which must exist) under a name that readers skip.
pub async fn self_test(
    storage: &dyn Storage,
    scratch_parent: &str,
    table_dirs: &[String],
) -> Result<(), SelfTestError> {
    let id = Uuid::new_v4();
    let probe = Probe { storage, dir: format!("{scratch_parent}/self-test-{id}") };
    storage.mkdir(&probe.dir, Parents::Require).await?;
    let mut result = probe.run().await;
    for table in table_dirs {
        if result.is_ok() {
            result = reach(&probe, table, id).await;
        }
    }
    let cleaned = storage.delete(&probe.dir).await;
    result?;
    cleaned?;
    Ok(())
}

async fn reach(probe: &Probe<'_>, table: &str, id: Uuid) -> Result<(), SelfTestError> {
    let from = probe.path("reach");
    let to = format!("{table}/_self-test-{id}");
    probe.storage.create(&from, Bytes::from_static(b"landfall")).await?;
    let moved = probe.storage.rename(&from, &to).await;
    moved.map_err(|source| SelfTestError::Apart { checkpoint: probe.dir.clone(), table: table.to_owned(), source })?;
    probe.storage.delete(&to).await?;
    Ok(())
}
