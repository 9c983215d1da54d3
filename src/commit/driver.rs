//! Carries out what the machine says, on a real storage, until it is done.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use tracing::{debug, warn};
use uuid::Uuid;

use super::batch::{Batch, Claim, DataFile};
use super::log::{Log, LogError};
use super::machine::{Action, Input, Machine, Outcome};
use super::retry::Retry;
use crate::checkpoint::{FORMAT_VERSION, FileEntry, JobFile, Layout, LogState, Manifest};
use crate::model::{BatchId, Offset, Slot, TopicPartition};
use crate::storage::{Parents, StorageError};

/// How long the phases of a commit took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Durations {
    /// Encoding the files.
    pub encode: Duration,
    /// Writing and checking them in staging.
    pub stage: Duration,
    /// Winning the slot: renames and read-backs.
    pub commit: Duration,
    /// Moving the files into their tables.
    pub publish: Duration,
}

/// What became of a batch.
#[derive(Debug)]
pub enum Committed {
    /// It is landed: every row is visible, once.
    Landed {
        /// Its number.
        slot: Slot,
        /// Its manifest.
        manifest: Box<Manifest>,
        /// Time spent.
        durations: Durations,
        /// Slots that other daemons won meanwhile.
        lost_slots: u64,
    },
    /// Another daemon landed messages of this batch. Nothing of it is visible; read on from [`Committer::end`].
    Superseded,
}

/// Lands batches, one after the other.
#[derive(Debug)]
pub struct Committer {
    log: Log,
    job: JobFile,
    incarnation: Uuid,
    instance: String,
    now_ms: fn() -> i64,
    state: LogState,
}

struct Attempt {
    dir: String,
    durations: Durations,
    renames: Retry,
}

impl Committer {
    /// On top of an opened log. `instance` names this process in manifests; `now_ms` tells the time.
    pub fn new(
        log: Log,
        job: JobFile,
        state: LogState,
        incarnation: Uuid,
        instance: String,
        now_ms: fn() -> i64,
    ) -> Committer {
        Committer { log, job, incarnation, instance, now_ms, state }
    }

    /// Where a partition stands in the log; `None`: never read.
    pub fn end(&self, partition: &TopicPartition) -> Option<Offset> {
        self.state.end(partition)
    }

    /// The log's state.
    pub fn state(&self) -> &LogState {
        &self.state
    }

    /// Reads what other daemons have committed meanwhile.
    pub async fn catch_up(&mut self) -> Result<(), LogError> {
        let mut retry = Retry::new("read the log");
        loop {
            match self.log.catch_up(&mut self.state).await {
                Ok(_) => return Ok(()),
                Err(LogError::Storage(e)) => retry.failed(&e).await,
                Err(e) => return Err(e),
            }
        }
    }

    /// Lands a batch, however long the storage is away.
    pub async fn commit(&mut self, batch: &Arc<Batch>) -> Result<Committed, LogError> {
        let mut machine = Machine::new(self.state.clone());
        let renames = Retry::new("commit a batch");
        let mut attempt = Attempt { dir: String::new(), durations: Durations::default(), renames };
        let mut action = machine.on(Input::Start);
        let finished = loop {
            let input = match action {
                Action::Stage { slot } => Input::Staged(self.stage(batch, slot, &mut attempt).await?),
                Action::Rename { slot } => self.rename(machine.state(), slot, &mut attempt).await,
                Action::ReadSlot { slot } => self.read_slot(machine.state(), slot, &mut attempt).await?,
                Action::LookForStaging => self.look_for_staging(&mut attempt).await,
                Action::Publish { slot, manifest } => {
                    let begun = Instant::now();
                    self.log.publish(machine.state().dir(), slot, &manifest).await?;
                    attempt.durations.publish += begun.elapsed();
                    Input::Published
                }
                Action::Finish(outcome) => break outcome,
            };
            action = machine.on(input);
        };
        self.state = machine.into_state();
        match finished {
            Outcome::Committed { slot, manifest, lost_slots } => {
                Ok(Committed::Landed { slot, manifest, durations: attempt.durations, lost_slots })
            }
            Outcome::Superseded => {
                self.discard(&attempt.dir).await;
                Ok(Committed::Superseded)
            }
            Outcome::Broken(e) => Err(e.into()),
        }
    }

    /// Writes the batch into a new staging directory until that worked; each try has a name of its own.
    async fn stage(&mut self, batch: &Arc<Batch>, slot: Slot, attempt: &mut Attempt) -> Result<Claim, LogError> {
        let mut begun = Instant::now();
        let content = batch.clone();
        let files = tokio::task::spawn_blocking(move || content.content.files(slot)).await;
        // The task cannot be cancelled; a panic in it is a bug that must not be swallowed.
        let files = files.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()))?;
        attempt.durations.encode += begun.elapsed();
        begun = Instant::now();
        let mut retry = Retry::new("stage a batch");
        loop {
            self.discard(&attempt.dir).await;
            let id = BatchId(Uuid::new_v4());
            attempt.dir = self.log.layout.attempt(self.incarnation, id);
            let manifest = self.manifest(batch, &files, id);
            match self.stage_once(&attempt.dir, &manifest, &files).await {
                Ok(()) => {
                    retry.worked();
                    attempt.durations.stage += begun.elapsed();
                    let stamped_for = batch.content.names_slot().then_some(slot);
                    return Ok(Claim { batch: id, partitions: batch.partitions.clone(), stamped_for });
                }
                Err(StorageError::NotFound { .. }) => {
                    // Our incarnation's directory was collected: take a new one.
                    self.incarnation = Uuid::new_v4();
                    let dir = self.log.layout.incarnation(self.incarnation);
                    if let Err(e) = self.log.storage.mkdir(&dir, Parents::Require).await {
                        retry.failed(&e).await;
                    }
                }
                Err(e) => retry.failed(&e).await,
            }
        }
    }

    async fn stage_once(&self, dir: &str, manifest: &Manifest, files: &[DataFile]) -> Result<(), StorageError> {
        let storage = &self.log.storage;
        storage.mkdir(dir, Parents::Require).await?;
        // All at once: closing one file on HDFS can take half a second.
        let name = Layout::manifest_name(manifest.batch);
        let mut expected: BTreeMap<String, u64> = BTreeMap::new();
        let mut writes = Vec::with_capacity(files.len() + 1);
        let entries = manifest.files.iter().map(|f| f.name.clone()).zip(files.iter().map(|f| f.bytes.clone()));
        for (name, bytes) in entries.chain([(name, manifest.to_bytes())]) {
            expected.insert(name.clone(), bytes.len() as u64);
            writes.push(async move { storage.create(&format!("{dir}/{name}"), bytes).await });
        }
        try_join_all(writes).await?;
        let found: BTreeMap<String, u64> = storage.list(dir).await?.into_iter().map(|e| (e.name, e.len)).collect();
        if found == expected {
            return Ok(());
        }
        let reason = format!("the staged files are {found:?}, written were {expected:?}");
        Err(StorageError::Unavailable { op: "list", path: dir.to_owned(), reason })
    }

    fn manifest(&self, batch: &Batch, files: &[DataFile], id: BatchId) -> Manifest {
        let entries = files.iter().enumerate().map(|(k, f)| FileEntry {
            name: Layout::staged_name(&f.table, k),
            table: f.table.clone(),
            rows: f.rows,
            bytes: f.bytes.len() as u64,
            crc32c: format!("{:08x}", f.crc32c),
        });
        Manifest {
            v: FORMAT_VERSION,
            kind: Manifest::BATCH.to_owned(),
            job: self.job.job.clone(),
            job_id: self.job.id,
            batch: id,
            instance: self.instance.clone(),
            created_ms: (self.now_ms)(),
            partitions: batch.partitions.clone(),
            counts: batch.counts,
            files: entries.collect(),
            publish_order: files.iter().map(|f| f.table.clone()).collect(),
            locations: files.iter().map(|f| (f.table.clone(), f.location.clone())).collect(),
            schema: files.iter().map(|f| (f.table.clone(), f.schema.clone())).collect(),
            more: serde_json::Map::new(),
        }
    }

    async fn rename(&self, state: &LogState, slot: Slot, attempt: &mut Attempt) -> Input {
        let begun = Instant::now();
        let to = self.log.layout.slot(state.dir(), slot);
        match self.log.storage.rename(&attempt.dir, &to).await {
            Ok(()) => attempt.renames.worked(),
            Err(e) => {
                debug!(error = %e, slot = slot.0, "the commit rename gave an error; the slot tells what happened");
                if !matches!(e, StorageError::AlreadyExists { .. }) {
                    attempt.renames.failed(&e).await;
                }
            }
        }
        attempt.durations.commit += begun.elapsed();
        Input::Renamed
    }

    async fn read_slot(&self, state: &LogState, slot: Slot, attempt: &mut Attempt) -> Result<Input, LogError> {
        let begun = Instant::now();
        let mut retry = Retry::new("read the log");
        let view = loop {
            match self.log.read_slot(state.dir(), slot).await {
                Ok(view) => break view,
                Err(LogError::Storage(e)) => retry.failed(&e).await,
                Err(e) => return Err(e),
            }
        };
        retry.worked();
        attempt.durations.commit += begun.elapsed();
        Ok(Input::Slot(view))
    }

    async fn look_for_staging(&self, attempt: &mut Attempt) -> Input {
        let mut retry = Retry::new("look for a staged batch");
        loop {
            match self.log.storage.list(&attempt.dir).await {
                Ok(_) => {
                    retry.worked();
                    return Input::Staging(true);
                }
                Err(StorageError::NotFound { .. }) => {
                    warn!(staging = attempt.dir, "a staged batch is gone without having been committed");
                    return Input::Staging(false);
                }
                Err(e) => retry.failed(&e).await,
            }
        }
    }

    /// Deletes an attempt that cannot commit any more. Best effort: what stays is collected later.
    async fn discard(&self, dir: &str) {
        if dir.is_empty() {
            return;
        }
        if let Err(e) = self.log.storage.delete(dir).await {
            debug!(error = %e, "an abandoned staging directory stays for the collector");
        }
    }
}
