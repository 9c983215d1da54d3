//! `file://`: a folder of this machine. Every path is below the folder of the URL.

use std::io::{ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use rustix::fs::{CWD, RenameFlags};

use super::port::{Entry, Parents, Storage, StorageError};

/// Files of this machine, for laptops, tests and single-node use.
#[derive(Debug)]
pub struct LocalStorage {
    root: PathBuf,
}

impl LocalStorage {
    /// Everything below `root`, an absolute path.
    pub fn new(root: impl Into<PathBuf>) -> LocalStorage {
        LocalStorage { root: root.into() }
    }

    fn full(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// Runs a blocking call off the runtime's threads and names it in its error.
    async fn call<T: Send + 'static>(
        &self,
        op: &'static str,
        path: &str,
        work: impl FnOnce(PathBuf) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, StorageError> {
        let full = self.full(path);
        let done = tokio::task::spawn_blocking(move || work(full)).await;
        match done {
            Ok(result) => result.map_err(|e| classify(op, path, &e)),
            Err(e) => Err(StorageError::Unavailable { op, path: path.to_owned(), reason: e.to_string() }),
        }
    }
}

fn classify(op: &'static str, path: &str, e: &std::io::Error) -> StorageError {
    let path = path.to_owned();
    match e.kind() {
        ErrorKind::NotFound => StorageError::NotFound { op, path },
        ErrorKind::AlreadyExists | ErrorKind::DirectoryNotEmpty => StorageError::AlreadyExists { op, path },
        ErrorKind::PermissionDenied
        | ErrorKind::ReadOnlyFilesystem
        | ErrorKind::CrossesDevices
        | ErrorKind::NotADirectory
        | ErrorKind::InvalidFilename => StorageError::Refused { op, path, reason: e.to_string() },
        _ => StorageError::Unavailable { op, path, reason: e.to_string() },
    }
}

fn sync_dir(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(parent) => std::fs::File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

#[async_trait]
impl Storage for LocalStorage {
    fn uri(&self, path: &str) -> String {
        format!("file://{}", self.full(path).display())
    }

    async fn mkdir(&self, path: &str, parents: Parents) -> Result<(), StorageError> {
        self.call("mkdir", path, move |full| match parents {
            Parents::Create => std::fs::create_dir_all(full),
            Parents::Require => match std::fs::create_dir(&full) {
                Err(e) if e.kind() == ErrorKind::AlreadyExists && full.is_dir() => Ok(()),
                other => other,
            },
        })
        .await
    }

    async fn create(&self, path: &str, data: Bytes) -> Result<(), StorageError> {
        self.call("create", path, move |full| {
            let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(&full)?;
            file.write_all(&data)?;
            file.sync_all()?;
            sync_dir(&full)
        })
        .await
    }

    async fn read(&self, path: &str) -> Result<Bytes, StorageError> {
        self.call("read", path, |full| std::fs::read(full).map(Bytes::from)).await
    }

    async fn list(&self, path: &str) -> Result<Vec<Entry>, StorageError> {
        self.call("list", path, |full| {
            let mut entries = Vec::new();
            for entry in std::fs::read_dir(full)? {
                let entry = entry?;
                // A file that was moved away between the two calls is simply no longer there.
                let Ok(meta) = entry.metadata() else { continue };
                entries.push(Entry {
                    name: entry.file_name().to_string_lossy().into_owned(),
                    is_dir: meta.is_dir(),
                    len: if meta.is_dir() { 0 } else { meta.len() },
                    modified_ms: meta.mtime() * 1000 + meta.mtime_nsec() / 1_000_000,
                });
            }
            entries.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(entries)
        })
        .await
    }

    async fn rename(&self, from: &str, to: &str) -> Result<(), StorageError> {
        let target = self.full(to);
        self.call("rename", from, move |source| {
            // Plain rename(2) replaces files and empty directories; the protocol needs the refusal.
            rustix::fs::renameat_with(CWD, &source, CWD, &target, RenameFlags::NOREPLACE)?;
            sync_dir(&target)?;
            sync_dir(&source)
        })
        .await
        .map_err(|e| match e {
            StorageError::AlreadyExists { op, .. } => StorageError::AlreadyExists { op, path: to.to_owned() },
            other => other,
        })
    }

    async fn delete(&self, path: &str) -> Result<bool, StorageError> {
        let grave = self.root.join(format!(".landfall-deleted-{}", uuid::Uuid::new_v4()));
        self.call("delete", path, move |full| {
            let meta = match std::fs::symlink_metadata(&full) {
                Err(e) if e.kind() == ErrorKind::NotFound => return Ok(false),
                other => other?,
            };
            if !meta.is_dir() {
                return std::fs::remove_file(full).map(|()| true);
            }
            // A tree must vanish in one step: move it out of sight, then take it apart.
            match std::fs::rename(&full, &grave) {
                Err(e) if e.kind() == ErrorKind::NotFound => return Ok(false),
                other => other?,
            }
            std::fs::remove_dir_all(grave).map(|()| true)
        })
        .await
    }
}
