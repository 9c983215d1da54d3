//! The last batches of a log, read only.

use futures_util::future::try_join_all;

use super::log::{Log, LogError};
use super::machine::SlotView;
use crate::checkpoint::{Entry, LogState, Manifest, Snapshot};
use crate::model::Slot;

/// Slots read at once.
const AT_ONCE: u64 = 16;

impl Log {
    /// The batches among the last `slots` slots before `state.next()`, the newest first. Slots of an epoch that is
    /// deleted are left out.
    pub async fn recent(&self, state: &LogState, slots: u64) -> Result<Vec<(Slot, Manifest)>, LogError> {
        let (mut dir, mut base, mut end) = (state.dir().to_owned(), state.base().0, state.next().0);
        let stop = end.saturating_sub(slots);
        let mut found = Vec::new();
        while end > stop {
            if end == base {
                // Where a new epoch has just begun, the last batch is in the one before.
                let Some((before, its_base)) = self.epoch_before(&dir).await? else { break };
                if its_base >= end {
                    break;
                }
                (dir, base) = (before, its_base);
                continue;
            }
            let from = end.saturating_sub(AT_ONCE).max(base).max(stop);
            let slots = (from..end).rev().map(Slot);
            let views = try_join_all(slots.clone().map(|slot| self.read_slot(&dir, slot))).await?;
            for (slot, view) in slots.zip(views) {
                if let SlotView::Entry(Entry::Batch(manifest)) = view {
                    found.push((slot, *manifest));
                }
            }
            end = from;
        }
        Ok(found)
    }

    /// Directory and first slot of the epoch before the one in `dir`; `None`: there is none, or no more.
    async fn epoch_before(&self, dir: &str) -> Result<Option<(String, u64)>, LogError> {
        let Some(prev) = self.snapshot_of(dir).await?.and_then(|snapshot| snapshot.prev) else { return Ok(None) };
        Ok(self.snapshot_of(&prev).await?.map(|snapshot| (prev, snapshot.base_slot.0)))
    }

    async fn snapshot_of(&self, dir: &str) -> Result<Option<Snapshot>, LogError> {
        let path = self.layout.snapshot(dir);
        let Some(bytes) = self.read_if_there(&path).await? else { return Ok(None) };
        Ok(Some(Snapshot::parse(&path, &bytes)?))
    }
}
