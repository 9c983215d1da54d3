//! Staging: what goes for a slot is written whole into a private directory first, and checked there.

use std::collections::BTreeMap;
use std::time::Instant;

use bytes::Bytes;
use futures_util::future::try_join_all;

use super::batch::{Batch, Claim, DataFile, Decision, Proposal};
#[cfg(feature = "failpoints")]
use super::defect::{Defect, split};
use super::driver::{Attempt, Committer};
use super::log::{LogError, file_in};
use crate::checkpoint::{
    Entry, FORMAT_VERSION, FileEntry, GapEntry, Header, Layout, LogState, Manifest, PARTITIONED_VERSION, SealEntry,
    TopicEntry,
};
use crate::model::{BatchId, Slot};
use crate::storage::{Parents, StorageError, failing};

/// Files written at once: a batch of many partitions has hundreds.
const WRITES_AT_ONCE: usize = 64;

impl Committer {
    /// Writes the proposal into a new staging directory until that worked; each try has a name of its own.
    pub(super) async fn stage(
        &mut self,
        proposal: &Proposal,
        state: &LogState,
        slot: Slot,
        attempt: &mut Attempt<'_>,
    ) -> Result<Claim, LogError> {
        let mut begun = Instant::now();
        let files = match proposal {
            Proposal::Batch(batch) => self.log.host.encode(batch.clone(), slot).await?,
            _ => Vec::new(),
        };
        attempt.durations.encode += begun.elapsed();
        begun = Instant::now();
        let log = self.log.clone();
        let mut retry = log.retry("stage a batch");
        loop {
            self.discard(&attempt.dir).await;
            let id = BatchId(log.host.new_id());
            attempt.dir = log.layout.attempt(self.incarnation, id);
            match self.stage_once(proposal, state, &attempt.dir, id, &files).await {
                Ok(entry) => {
                    retry.worked();
                    attempt.durations.stage += begun.elapsed();
                    return Ok(Claim { entry, only_for: only_for(proposal, slot) });
                }
                Err(StorageError::NotFound { .. }) => {
                    // Our incarnation's directory was collected: take a new one.
                    self.incarnation = log.host.new_id();
                    let dir = log.layout.incarnation(self.incarnation);
                    if let Err(e) = log.storage.mkdir(&dir, Parents::Require).await {
                        retry.failed(&e).await;
                    }
                }
                Err(e) => retry.failed(&e).await,
            }
        }
    }

    async fn stage_once(
        &self,
        proposal: &Proposal,
        state: &LogState,
        dir: &str,
        id: BatchId,
        files: &[DataFile],
    ) -> Result<Entry, StorageError> {
        let storage = &self.log.storage;
        let entry = self.entry(proposal, state, id, files).await?;
        #[cfg(feature = "failpoints")]
        let entry = if self.log.has(Defect::SplitCommit) { split(entry, dir) } else { entry };
        failing::at("stage.mkdir", dir, storage.mkdir(dir, Parents::Require)).await?;
        #[cfg(feature = "failpoints")]
        if self.log.has(Defect::SplitCommit) {
            storage.mkdir(&format!("{dir}.data"), Parents::Require).await?;
        }
        // Many at once: closing one file on HDFS can take half a second.
        let mut expected: BTreeMap<String, u64> = BTreeMap::new();
        let mut writes = Vec::with_capacity(files.len() + 1);
        let names = entry.batch().map(|m| m.files.iter().map(|f| f.name.clone()).collect::<Vec<_>>());
        let data = names.unwrap_or_default().into_iter().zip(files.iter().map(|f| f.bytes.clone()));
        let data = data.map(|(name, bytes)| ("stage.create", name, bytes));
        for (place, name, bytes) in data.chain([("stage.manifest", Layout::manifest_name(id), entry.to_bytes())]) {
            expected.insert(name.clone(), bytes.len() as u64);
            writes.push(self.write(place, file_in(dir, &name), bytes));
        }
        let mut writes = writes.into_iter();
        while writes.len() > 0 {
            try_join_all(writes.by_ref().take(WRITES_AT_ONCE)).await?;
        }
        #[cfg(feature = "failpoints")]
        if self.log.has(Defect::NoList) || self.log.has(Defect::SplitCommit) {
            return Ok(entry);
        }
        let found = failing::at("stage.list", dir, storage.list(dir)).await?;
        let found: BTreeMap<String, u64> = found.into_iter().map(|e| (e.name, e.len)).collect();
        if found == expected {
            return Ok(entry);
        }
        let reason = format!("the staged files are {found:?}, written were {expected:?}");
        Err(StorageError::Unavailable { op: "list", path: dir.to_owned(), reason })
    }

    async fn write(&self, place: &'static str, path: String, bytes: Bytes) -> Result<(), StorageError> {
        let written = failing::at(place, &path, self.log.storage.create(&path, bytes)).await;
        if written.as_ref().is_err_and(StorageError::is_ambiguous) {
            self.log.host.ambiguous("create");
        }
        written
    }

    /// What the manifest file says. A seal has its next epoch's directory made first.
    async fn entry(
        &self,
        proposal: &Proposal,
        state: &LogState,
        id: BatchId,
        files: &[DataFile],
    ) -> Result<Entry, StorageError> {
        let header = |kind| Header::new(kind, &self.job.job, self.job.id, id, &self.instance, self.log.host.now_ms());
        let more = serde_json::Map::new();
        Ok(match proposal {
            Proposal::Batch(batch) => Entry::Batch(Box::new(self.manifest(batch, files, id))),
            Proposal::Seal => {
                let next = self.log.make_epoch(state).await?;
                let (epoch, base_slot) = (state.epoch() + 1, state.next().next());
                Entry::Seal(Box::new(SealEntry { header: header(SealEntry::KIND), epoch, next, base_slot, more }))
            }
            Proposal::Gap { partition, to, why } => {
                let Decision { reason, operator } = why.clone();
                Entry::Gap(Box::new(GapEntry {
                    header: header(GapEntry::KIND),
                    topic: partition.topic.to_string(),
                    p: partition.partition,
                    from: state.end(partition).unwrap_or(*to),
                    to: *to,
                    reason,
                    operator,
                    more,
                }))
            }
            Proposal::Topic { topic, starts, why } => {
                let Decision { reason, operator } = why.clone();
                let (topic, starts, incarnation) = (topic.clone(), starts.clone(), state.incarnation(topic) + 1);
                let header = header(TopicEntry::KIND);
                Entry::Topic(Box::new(TopicEntry { header, topic, incarnation, starts, reason, operator, more }))
            }
        })
    }

    fn manifest(&self, batch: &Batch, files: &[DataFile], id: BatchId) -> Manifest {
        let entries = files.iter().enumerate().map(|(k, f)| FileEntry {
            name: Layout::staged_name(&f.table, k),
            table: f.table.clone(),
            partition: f.partition.clone(),
            rows: f.rows,
            bytes: f.bytes.len() as u64,
            crc32c: format!("{:08x}", f.crc32c),
        });
        let mut order: Vec<_> = files.iter().map(|f| f.table.clone()).collect();
        order.dedup();
        Manifest {
            v: if files.iter().any(|f| f.partition.is_some()) { PARTITIONED_VERSION } else { FORMAT_VERSION },
            kind: if batch.replay.is_empty() { Manifest::KIND } else { Manifest::REPLAY }.to_owned(),
            job: self.job.job.clone(),
            job_id: self.job.id,
            batch: id,
            instance: self.instance.clone(),
            created_ms: self.log.host.now_ms(),
            partitions: batch.partitions.clone(),
            replay: batch.replay.clone(),
            counts: batch.counts,
            files: entries.collect(),
            publish_order: order,
            locations: files.iter().map(|f| (f.table.clone(), f.location.clone())).collect(),
            schema: files.iter().map(|f| (f.table.clone(), f.schema.clone())).collect(),
            more: serde_json::Map::new(),
        }
    }
}

/// Rows may carry the number of their slot, and a seal's snapshot is of the state before it.
fn only_for(proposal: &Proposal, slot: Slot) -> Option<Slot> {
    let bound = match proposal {
        Proposal::Batch(batch) => batch.content.names_slot(),
        Proposal::Seal => true,
        Proposal::Gap { .. } | Proposal::Topic { .. } => false,
    };
    bound.then_some(slot)
}
