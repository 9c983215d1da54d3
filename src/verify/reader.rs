//! Reading a storage for an audit: a failure that may pass is tried again a few times.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::try_join_all;

use super::VerifyError;
use super::facts::{Epoch, SlotFacts, View};
use super::finding::Kind;
use crate::checkpoint::{Entry as LogEntry, Layout};
use crate::fault::Fault;
use crate::model::Slot;
use crate::storage::{Entry, Storage, StorageError};

/// Calls at once, as when a daemon reads its log.
pub(super) const AT_ONCE: usize = 32;
const TRIES: u32 = 4;
const WAIT: Duration = Duration::from_millis(500);

/// A storage, read only.
#[derive(Debug, Clone)]
pub(super) struct Reader {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) layout: Layout,
}

/// Slots of an epoch by their numbers, and what else is in its directory.
pub(super) type Listed = (BTreeMap<Slot, String>, Vec<String>);

impl Reader {
    /// `None`: there is no such directory.
    pub(super) async fn list(&self, path: &str) -> Result<Option<Vec<Entry>>, VerifyError> {
        again(|| self.storage.list(path)).await
    }

    /// `None`: there is no such file.
    pub(super) async fn read(&self, path: &str) -> Result<Option<Bytes>, VerifyError> {
        again(|| self.storage.read(path)).await
    }

    /// The slots that stand in an epoch; `None`: its directory is gone.
    pub(super) async fn slots(&self, epoch: &Epoch) -> Result<Option<Listed>, VerifyError> {
        let Some(entries) = self.list(&self.layout.epoch_dir(&epoch.dir)).await? else { return Ok(None) };
        let (mut slots, mut others) = (BTreeMap::new(), Vec::new());
        for entry in entries {
            match Layout::parse_slot(&entry.name) {
                Some(slot) if entry.is_dir => _ = slots.insert(slot, entry.name),
                _ if entry.name == "snapshot.json" => {}
                _ => others.push(entry.name),
            }
        }
        Ok(Some((slots, others)))
    }

    /// Some slots at once; `None`: the epoch was deleted meanwhile.
    pub(super) async fn read_slots(&self, dir: &str, slots: &[Slot]) -> Result<Option<Vec<SlotFacts>>, VerifyError> {
        let read = try_join_all(slots.iter().map(|slot| self.read_slot(dir, *slot))).await?;
        Ok(read.into_iter().collect())
    }

    async fn read_slot(&self, dir: &str, slot: Slot) -> Result<Option<SlotFacts>, VerifyError> {
        let path = self.layout.slot(dir, slot);
        let Some(entries) = self.list(&path).await? else { return Ok(None) };
        let (manifests, left): (Vec<_>, Vec<_>) =
            entries.into_iter().map(|e| e.name).partition(|n| Layout::parse_manifest_name(n).is_some());
        let view = match manifests.as_slice() {
            [] => View::Void,
            [name] => {
                let path = format!("{path}/{name}");
                let Some(bytes) = self.read(&path).await? else { return Ok(None) };
                match LogEntry::parse(&path, &bytes) {
                    Ok(entry) if Some(entry.id()) == Layout::parse_manifest_name(name) => View::Entry(entry),
                    Ok(entry) => View::Damaged(Kind::DamagedSlot, format!("{name} is of batch {}", entry.id())),
                    Err(e) => View::Damaged(Kind::Unreadable, e.to_string()),
                }
            }
            many => View::Damaged(Kind::DamagedSlot, format!("it holds {} manifests: {}", many.len(), many.join(", "))),
        };
        Ok(Some(SlotFacts { slot, view, left }))
    }
}

async fn again<T, F: Future<Output = Result<T, StorageError>>>(call: impl Fn() -> F) -> Result<Option<T>, VerifyError> {
    let mut tries = 1;
    loop {
        match call().await {
            Ok(found) => return Ok(Some(found)),
            Err(StorageError::NotFound { .. }) => return Ok(None),
            Err(e) if e.fault() == Fault::Retry && tries < TRIES => {
                tries += 1;
                tokio::time::sleep(WAIT).await;
            }
            Err(e) => return Err(e.into()),
        }
    }
}
