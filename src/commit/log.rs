//! The log on the storage: reading slots, publishing them, starting a job.

use std::sync::Arc;

use futures_util::future::try_join_all;
use tracing::warn;

use super::machine::SlotView;
use super::retry::Retry;
use crate::checkpoint::{ChainError, FormatError, Layout, LogState, Manifest};
use crate::fault::Fault;
use crate::model::Slot;
use crate::storage::{Parents, Storage, StorageError};

/// Slots read at once while the log is read at start-up.
const READ_AHEAD: usize = 32;

/// The log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The storage failed.
    #[error("checkpoint: {0}")]
    Storage(#[from] StorageError),
    /// A file cannot be understood.
    #[error("checkpoint: {0}")]
    Format(#[from] FormatError),
    /// The log does not add up.
    #[error("checkpoint: {0}")]
    Chain(#[from] ChainError),
    /// The rows cannot be written.
    #[error("{0}")]
    Content(#[from] super::batch::ContentError),
    /// The configuration does not fit the checkpoint or the tables.
    #[error("{0}")]
    Config(String),
}

impl LogError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            LogError::Storage(e) => e.fault(),
            LogError::Format(e) => e.fault(),
            LogError::Chain(e) => e.fault(),
            LogError::Content(_) => Fault::Bug,
            LogError::Config(_) => Fault::Config,
        }
    }
}

/// Access to one job's log.
#[derive(Debug, Clone)]
pub struct Log {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) layout: Layout,
}

impl Log {
    /// The log below `layout`.
    pub fn new(storage: Arc<dyn Storage>, layout: Layout) -> Log {
        Log { storage, layout }
    }

    /// What stands in a slot of the epoch directory `dir`. The listing settles whose slot it is; the manifest follows.
    pub async fn read_slot(&self, dir: &str, slot: Slot) -> Result<SlotView, LogError> {
        let path = self.layout.slot(dir, slot);
        let entries = match self.storage.list(&path).await {
            Ok(entries) => entries,
            Err(StorageError::NotFound { .. }) => return Ok(SlotView::Absent),
            Err(e) => return Err(e.into()),
        };
        let Some(name) = entries.iter().map(|e| &e.name).find(|n| Layout::parse_manifest_name(n).is_some()) else {
            return Ok(SlotView::Void);
        };
        let path = format!("{path}/{name}");
        let manifest = Manifest::parse(&path, &self.storage.read(&path).await?)?;
        Ok(SlotView::Entry(Box::new(manifest)))
    }

    /// Moves the data files of a slot into their tables, in publish order, and returns when none is left in the slot.
    /// Anybody may do it, any number of times: a file that has left is simply not found.
    pub async fn publish(&self, dir: &str, slot: Slot, manifest: &Manifest) -> Result<(), LogError> {
        let slot_dir = self.layout.slot(dir, slot);
        let mut retry = Retry::new("publish a batch");
        loop {
            match self.publish_once(&slot_dir, slot, manifest).await {
                Ok(true) => {
                    retry.worked();
                    return Ok(());
                }
                Ok(false) => retry.pause().await,
                Err(e) => retry.failed(&e).await,
            }
        }
    }

    async fn publish_once(&self, slot_dir: &str, slot: Slot, m: &Manifest) -> Result<bool, StorageError> {
        for (k, file) in m.files.iter().enumerate() {
            let location = m.locations.get(&file.table).map_or("", String::as_str);
            let from = format!("{slot_dir}/{}", file.name);
            let to = format!("{location}/{}", Layout::table_file_name(slot, k, m.batch));
            match self.storage.rename(&from, &to).await {
                Ok(()) => {}
                // Either somebody moved it already, or the table's directory is missing: the listing below tells.
                Err(StorageError::NotFound { .. }) => {}
                Err(e) => return Err(e),
            }
        }
        let left = self.storage.list(slot_dir).await?;
        let left: Vec<_> = left.iter().filter(|e| Layout::parse_manifest_name(&e.name).is_none()).collect();
        for location in m.locations.values().filter(|_| !left.is_empty()) {
            warn!(slot = slot.0, location, "table directory is missing: making it again");
            self.storage.mkdir(location, Parents::Create).await?;
        }
        Ok(left.is_empty())
    }

    /// Folds all slots from `state.next()` on into `state` and publishes the last of them: nobody goes for a slot
    /// before every file of the one before it is in its table.
    /// An error leaves `state` as it was, so that the next try publishes too.
    pub async fn catch_up(&self, known: &mut LogState) -> Result<u64, LogError> {
        let mut state = known.clone();
        let mut read = 0;
        let mut last: Option<(Slot, Box<Manifest>)> = None;
        'log: loop {
            let dir = state.dir().to_owned();
            let mut slots = vec![state.next()];
            // One probe while nothing is there; in bulk once something is.
            while read > 0 && slots.len() < READ_AHEAD {
                slots.push(slots[slots.len() - 1].next());
            }
            for view in try_join_all(slots.iter().map(|&s| self.read_slot(&dir, s))).await? {
                match view {
                    SlotView::Absent => break 'log,
                    SlotView::Void => state.skip_void(),
                    SlotView::Entry(m) => {
                        let slot = state.next();
                        state.fold(&m)?;
                        last = Some((slot, m));
                    }
                }
                read += 1;
            }
        }
        if let Some((slot, manifest)) = last {
            self.publish(state.dir(), slot, &manifest).await?;
        }
        *known = state;
        Ok(read)
    }
}
