//! Log retention: an epoch is closed by a seal, and its whole directory deleted in one call when it is old.
//!
//! Slot names are never deleted one by one: that would free a slot which a paused daemon may still go for. The
//! directory of an epoch has a uuid in its name and is never made again, so a late rename into it fails for ever.

use std::collections::BTreeMap;

use super::log::{Log, LogError};
use crate::checkpoint::{EpochFile, Layout, LogState};
use crate::storage::{Parents, StorageError, failing};

/// What was tidied up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tidied {
    /// Directories of dead processes in staging.
    pub staging: u64,
    /// Directories of closed epochs.
    pub epochs: u64,
}

impl Log {
    /// Makes the directory of the epoch that begins after a seal in slot `state.next()`; nothing names it yet.
    pub(super) async fn make_epoch(&self, state: &LogState) -> Result<String, StorageError> {
        let snapshot = state.next_snapshot();
        let name = self.new_epoch_name(snapshot.epoch);
        let (dir, path) = (self.layout.epoch_dir(&name), self.layout.snapshot(&name));
        failing::at("seal.mkdir", &dir, self.storage.mkdir(&dir, Parents::Require)).await?;
        let written = failing::at("seal.snapshot", &path, self.storage.create(&path, snapshot.to_bytes())).await;
        #[cfg(feature = "failpoints")]
        if self.has(super::defect::Defect::EpochName) && matches!(written, Err(StorageError::AlreadyExists { .. })) {
            return Ok(name);
        }
        written.map(|()| name)
    }

    pub(super) fn new_epoch_name(&self, epoch: u64) -> String {
        #[cfg(feature = "failpoints")]
        if self.has(super::defect::Defect::EpochName) && epoch > 1 {
            return Layout::new_epoch_dir(epoch, uuid::Uuid::nil());
        }
        Layout::new_epoch_dir(epoch, self.host.new_id())
    }

    /// Deletes the directories of epochs that were closed more than `age_ms` ago, and of attempts to open one that lost.
    /// Any age is safe; a daemon that was away for longer opens the log anew.
    pub async fn drop_epochs(&self, age_ms: i64) -> Result<u64, LogError> {
        let old = |modified_ms: i64| modified_ms < self.host.now_ms() - age_ms;
        let register = self.storage.list(&self.layout.epochs()).await?;
        let begun: BTreeMap<u64, i64> =
            register.iter().filter_map(|e| Some((e.name.parse().ok()?, e.modified_ms))).collect();
        let Some((&newest, _)) = begun.last_key_value() else { return Ok(0) };
        let path = self.layout.epoch_file(newest);
        let current = EpochFile::parse(&path, &self.storage.read(&path).await?)?.dir;
        let mut deleted = 0;
        for entry in self.storage.list(&self.layout.log()).await? {
            let Some(epoch) = Layout::parse_epoch_dir(&entry.name) else { continue };
            // One that is newer than the register may be named by a seal that nobody has registered yet.
            let unused = match epoch {
                e if e < newest => begun.get(&(e + 1)).is_some_and(|&closed_ms| old(closed_ms)),
                e if e == newest => entry.name != current && old(entry.modified_ms),
                _ => false,
            };
            if unused {
                let dir = self.layout.epoch_dir(&entry.name);
                failing::at("seal.drop", &dir, self.storage.delete(&dir)).await?;
                deleted += 1;
            }
        }
        Ok(deleted)
    }

    /// Deletes what dead processes left in staging more than `age_ms` ago. Any age is safe: a deletion and a commit race
    /// on one path, and who loses its directory stages again.
    pub async fn collect_staging(&self, own: uuid::Uuid, age_ms: i64) -> Result<u64, LogError> {
        let now_ms = self.host.now_ms();
        let mut deleted = 0;
        for entry in self.storage.list(&self.layout.staging()).await? {
            if entry.modified_ms < now_ms - age_ms && entry.name != own.to_string() {
                let path = format!("{}/{}", self.layout.staging(), entry.name);
                failing::at("gc.staging", &path, self.storage.delete(&path)).await?;
                deleted += 1;
            }
        }
        Ok(deleted)
    }
}
