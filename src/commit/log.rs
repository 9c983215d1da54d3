//! The log on the storage: reading slots, publishing them, following epochs.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::try_join_all;
use tracing::warn;
use uuid::Uuid;

use super::host::Host;
use super::machine::SlotView;
use super::retry::Retry;
use crate::checkpoint::{ChainError, Entry, EpochFile, FORMAT_VERSION, FormatError, Layout, LogState, Manifest};
use crate::checkpoint::{SealEntry, Snapshot};
use crate::fault::Fault;
use crate::model::Slot;
use crate::storage::{Parents, Storage, StorageError, failing};

/// How often a small file is staged anew that somebody deleted from staging.
const PUTS: usize = 5;
/// Slots read at once while the log is read at start-up.
pub(super) const READ_AHEAD: usize = 32;

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

/// The path of a file that a manifest names.
pub(super) fn file_in(dir: &str, name: &str) -> String {
    // Of `Defect::SplitCommit`: the file is still in staging.
    #[cfg(feature = "failpoints")]
    if name.starts_with('/') {
        return name.to_owned();
    }
    format!("{dir}/{name}")
}

/// Access to one job's log.
#[derive(Debug, Clone)]
pub struct Log {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) layout: Layout,
    pub(super) host: Arc<dyn Host>,
}

impl Log {
    /// The log below `layout`.
    pub fn new(storage: Arc<dyn Storage>, layout: Layout, host: Arc<dyn Host>) -> Log {
        Log { storage, layout, host }
    }

    #[cfg(feature = "failpoints")]
    pub(super) fn has(&self, defect: super::defect::Defect) -> bool {
        self.host.has(defect)
    }

    pub(super) fn retry(&self, what: &'static str) -> Retry<'_> {
        Retry::new(&*self.host, what)
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
        Ok(SlotView::Entry(Entry::parse(&path, &self.storage.read(&path).await?)?))
    }

    /// Moves the data files of a slot into their tables, in publish order, and returns when none is left in the slot.
    /// Anybody may do it, any number of times: a file that has left is simply not found.
    pub async fn publish(&self, dir: &str, slot: Slot, manifest: &Manifest) -> Result<(), LogError> {
        let slot_dir = self.layout.slot(dir, slot);
        let mut retry = self.retry("publish a batch");
        let mut unmarked = BTreeSet::new();
        loop {
            match self.publish_once(&slot_dir, slot, manifest, &mut unmarked).await {
                Ok(true) => {
                    retry.worked();
                    self.host.published(manifest);
                    return Ok(());
                }
                Ok(false) => retry.pause().await,
                Err(e) => retry.failed(&e).await,
            }
        }
    }

    /// `unmarked`: tables' directories that were perhaps made here, and are not this job's again yet.
    async fn publish_once(
        &self,
        slot_dir: &str,
        slot: Slot,
        m: &Manifest,
        unmarked: &mut BTreeSet<String>,
    ) -> Result<bool, StorageError> {
        // What was in the slot when a file was not found for the first time: those that are not are in their tables.
        let mut waiting: Option<BTreeSet<String>> = None;
        for (k, file) in m.files.iter().enumerate() {
            let from = file_in(slot_dir, &file.name);
            let to = format!("{}/{}", m.directory(file).unwrap_or_default(), Layout::table_file_name(slot, k, m.batch));
            if self.move_file(&from, &to).await? {
                continue;
            }
            // Either somebody moved it already, or its directory is missing. That of a new partition is made right here, so
            // that files appear in the manifest's order; but for no other file: a partition that was dropped must not come
            // back because somebody looks at a slot that is published long since.
            let (Some(partition), Some(location)) = (&file.partition, m.locations.get(&file.table)) else { continue };
            if waiting.is_none() {
                waiting = Some(self.names_in(slot_dir).await?);
            }
            if waiting.as_ref().is_some_and(|names| names.contains(&file.name))
                && self.make_partition(location, partition).await?
            {
                self.move_file(&from, &to).await?;
            }
        }
        let left = self.names_in(slot_dir).await?;
        let waiting: Vec<_> = m.files.iter().filter(|file| left.contains(&file.name)).collect();
        for location in waiting.iter().filter_map(|file| m.locations.get(&file.table)).collect::<BTreeSet<_>>() {
            warn!(slot = slot.0, location, "table directory is missing: making it again");
            // Before the call: if its reply is lost, the next try finds the directory there.
            unmarked.insert(location.clone());
            failing::at("publish.mkdir", location, self.storage.mkdir(location, Parents::Create)).await?;
        }
        while let Some(location) = unmarked.first().cloned() {
            self.mark_again(&location).await?;
            unmarked.remove(&location);
        }
        Ok(waiting.is_empty())
    }

    /// Moves a file into its table; `false`: it, or the directory, is not there.
    async fn move_file(&self, from: &str, to: &str) -> Result<bool, StorageError> {
        failing::at("publish.rename.before", from, async { Ok(()) }).await?;
        let moved = match failing::at("publish.rename.rpc", from, self.storage.rename(from, to)).await {
            Ok(()) => true,
            Err(StorageError::NotFound { .. }) => false,
            Err(e) => {
                if e.is_ambiguous() {
                    self.host.ambiguous("publish");
                }
                return Err(e);
            }
        };
        failing::at("publish.rename.after", from, async { Ok(()) }).await?;
        Ok(moved)
    }

    /// What is in a slot; nothing if the whole epoch was deleted, long after: it was closed, and so all of it was
    /// published.
    async fn names_in(&self, slot_dir: &str) -> Result<BTreeSet<String>, StorageError> {
        match self.storage.list(slot_dir).await {
            Ok(entries) => Ok(entries.into_iter().map(|e| e.name).collect()),
            Err(StorageError::NotFound { .. }) => Ok(BTreeSet::new()),
            Err(e) => Err(e),
        }
    }

    /// `false`: the table's own directory is missing.
    async fn make_partition(&self, location: &str, partition: &str) -> Result<bool, StorageError> {
        let mut dir = location.to_owned();
        for name in partition.split('/') {
            dir = format!("{dir}/{name}");
            match failing::at("publish.partition", &dir, self.storage.mkdir(&dir, Parents::Require)).await {
                Ok(()) => {}
                Err(StorageError::NotFound { .. }) => return Ok(false),
                Err(e) => return Err(e),
            }
        }
        Ok(true)
    }

    /// Folds all slots from `state.next()` on into `state` and publishes the last of them: nobody goes for a slot
    /// before every file of the one before it is in its table.
    /// An error leaves `state` as it was, so that the next try publishes too.
    pub async fn catch_up(&self, known: &mut LogState) -> Result<u64, LogError> {
        self.follow(known, true).await
    }

    /// The same. `tells`: the process hears of all slots, and not only of the last.
    pub(super) async fn follow(&self, known: &mut LogState, tells: bool) -> Result<u64, LogError> {
        let mut state = known.clone();
        let mut read = 0;
        let mut last: Option<(String, Slot, Box<Manifest>)> = None;
        loop {
            let more = self.read_on(&mut state, read > 0, tells, &mut last).await?;
            read += more;
            if more > 0 {
                continue;
            }
            // A free slot: the end of the log, unless its epoch was closed and deleted since.
            if self.newest_epoch().await? <= state.epoch() {
                break;
            }
            state = self.last_snapshot(state.job()).await?;
            last = None;
            read += 1;
        }
        if let Some((dir, slot, manifest)) = last {
            self.help(&dir, slot, &manifest).await?;
        }
        *known = state;
        Ok(read)
    }

    /// Reads one slot, or many at once if `in_bulk`, until one is free or closes the epoch. How many there were.
    async fn read_on(
        &self,
        state: &mut LogState,
        in_bulk: bool,
        tells: bool,
        last: &mut Option<(String, Slot, Box<Manifest>)>,
    ) -> Result<u64, LogError> {
        let dir = state.dir().to_owned();
        let mut slots = vec![state.next()];
        while in_bulk && slots.len() < READ_AHEAD {
            slots.push(slots[slots.len() - 1].next());
        }
        failing::at("sync.slot", &dir, async { Ok(()) }).await?;
        let mut read = 0;
        for view in try_join_all(slots.iter().map(|&s| self.read_slot(&dir, s))).await? {
            match view {
                SlotView::Absent => break,
                SlotView::Void => state.skip_void(),
                SlotView::Entry(entry) => {
                    let slot = state.next();
                    if let Entry::Seal(seal) = &entry {
                        self.register(seal).await?;
                    }
                    state.fold(&entry)?;
                    match entry {
                        Entry::Batch(m) => {
                            // A slot is there only if the one before it is published.
                            let before = last.replace((dir.clone(), slot, m));
                            before.iter().filter(|_| tells).for_each(|(.., m)| self.host.published(m));
                        }
                        // What follows in this directory does not belong to the log.
                        Entry::Seal(_) => return Ok(read + 1),
                        Entry::Gap(_) | Entry::Topic(_) => {}
                    }
                }
            }
            read += 1;
        }
        Ok(read)
    }

    /// Folds some slots into `state`, and does nothing else; whether the log goes on behind them.
    pub(super) async fn look_on(&self, state: &mut LogState) -> Result<bool, LogError> {
        let dir = state.dir().to_owned();
        let slots = (0..READ_AHEAD as u64).map(|n| Slot(state.next().0 + n));
        for view in try_join_all(slots.map(|slot| self.read_slot(&dir, slot))).await? {
            match view {
                SlotView::Absent => return Ok(false),
                SlotView::Void => state.skip_void(),
                SlotView::Entry(entry) => {
                    state.fold(&entry)?;
                    if matches!(entry, Entry::Seal(_)) {
                        return Ok(true);
                    }
                }
            }
        }
        Ok(true)
    }

    pub(super) async fn help(&self, dir: &str, slot: Slot, manifest: &Manifest) -> Result<(), LogError> {
        #[cfg(feature = "failpoints")]
        if self.has(super::defect::Defect::NoHelp) {
            return Ok(());
        }
        self.publish(dir, slot, manifest).await
    }

    /// Number of the newest epoch in the register; 0 if there is none.
    pub(super) async fn newest_epoch(&self) -> Result<u64, StorageError> {
        let entries = failing::at("sync.register", "epochs", self.storage.list(&self.layout.epochs())).await?;
        Ok(entries.iter().filter_map(|e| e.name.parse().ok()).max().unwrap_or(0))
    }

    /// The state at the start of the newest epoch.
    pub(super) async fn last_snapshot(&self, job: Uuid) -> Result<LogState, LogError> {
        loop {
            let epoch = self.newest_epoch().await?;
            if epoch == 0 {
                let uri = self.storage.uri(&self.layout.epochs());
                return Err(LogError::Config(format!("{uri} holds no epoch: the checkpoint is damaged; restore it")));
            }
            let path = self.layout.epoch_file(epoch);
            let bytes = failing::at("sync.epoch", &path, self.storage.read(&path)).await?;
            let dir = EpochFile::parse(&path, &bytes)?.dir;
            let path = self.layout.snapshot(&dir);
            let bytes = match failing::at("sync.snapshot", &path, self.storage.read(&path)).await {
                Ok(bytes) => bytes,
                // Closed and deleted since the listing: look again.
                Err(StorageError::NotFound { .. }) if self.newest_epoch().await? > epoch => continue,
                Err(e) => return Err(e.into()),
            };
            let snapshot = Snapshot::parse(&path, &bytes)?;
            if snapshot.job != job || snapshot.epoch != epoch {
                return Err(LogError::Config(format!(
                    "{path} is of job id {} and epoch {}, expected {job} and {epoch}: files of two checkpoints are mixed",
                    snapshot.job, snapshot.epoch
                )));
            }
            return Ok(self.prepared(LogState::from_snapshot(&snapshot, &dir)));
        }
    }

    #[cfg(not(feature = "failpoints"))]
    fn prepared(&self, state: LogState) -> LogState {
        state
    }

    #[cfg(feature = "failpoints")]
    fn prepared(&self, state: LogState) -> LogState {
        let state = if self.has(super::defect::Defect::NoFence) { state.lenient() } else { state };
        if self.has(super::defect::Defect::ReplayTwice) { state.forgetful() } else { state }
    }

    /// Enters the epoch that a seal names into the register. Whoever sees the seal may do it: all write the same.
    pub(super) async fn register(&self, seal: &SealEntry) -> Result<(), LogError> {
        let path = self.layout.epoch_file(seal.epoch);
        if self.read_if_there(&path).await?.is_none() {
            let entry = EpochFile { v: FORMAT_VERSION, dir: seal.next.clone(), base_slot: seal.base_slot };
            failing::at("seal.register", &path, self.put_once(&path, entry.to_bytes())).await?;
        }
        Ok(())
    }

    /// Writes a file that must appear whole and only once: privately first, then renamed into place. In a directory of
    /// its own, so that a late duplicate of the writing makes no empty file where a collector has deleted the whole one.
    pub(super) async fn put_once(&self, path: &str, data: Bytes) -> Result<(), StorageError> {
        for _ in 0..PUTS {
            let dir = format!("{}/put-{}", self.layout.staging(), self.host.new_id());
            let private = format!("{dir}/file");
            self.storage.mkdir(&dir, Parents::Require).await?;
            match self.storage.create(&private, data.clone()).await {
                Ok(()) => {}
                // A collector was quicker; or the client sent it twice, and what stands there may be half of it.
                Err(StorageError::NotFound { .. } | StorageError::AlreadyExists { .. }) => continue,
                Err(e) => return Err(e),
            }
            match self.storage.rename(&private, path).await {
                Ok(()) | Err(StorageError::AlreadyExists { .. }) => return self.storage.delete(&dir).await.map(|_| ()),
                Err(StorageError::NotFound { .. }) => {}
                Err(e) => return Err(e),
            }
        }
        let reason = format!("staged {PUTS} times, and gone each time before it could be put in its place");
        Err(StorageError::Unavailable { op: "put", path: path.to_owned(), reason })
    }

    pub(super) async fn read_if_there(&self, path: &str) -> Result<Option<Bytes>, StorageError> {
        match self.storage.read(path).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(StorageError::NotFound { .. }) => Ok(None),
            Err(e) => Err(e),
        }
    }
}
