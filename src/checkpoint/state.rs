//! The state that the log adds up to: where every partition stands. A pure fold over slots.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::formats::{FORMAT_VERSION, Snapshot, SnapshotEnd};
use super::manifest::{Manifest, PartitionEntry};
use crate::fault::Fault;
use crate::model::{BrokenChain, Offset, Slot, TopicPartition};

/// A slot does not continue the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// Its offsets do not start where the last ones ended.
    #[error(
        "slot {slot} of the log does not continue it: {source}. The checkpoint is damaged; stop and keep it as it is"
    )]
    Offsets {
        /// The slot.
        slot: Slot,
        /// Which partition, and how.
        source: BrokenChain,
    },
    /// It is of another job.
    #[error("slot {slot} of the log belongs to job id {found}, this is job id {expected}")]
    OtherJob {
        /// The slot.
        slot: Slot,
        /// The job that it names.
        found: Uuid,
        /// This job.
        expected: Uuid,
    },
}

impl ChainError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        Fault::BadData
    }
}

/// The fold of all slots before `next`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogState {
    job: Uuid,
    epoch: u64,
    dir: String,
    next: Slot,
    ends: BTreeMap<TopicPartition, SnapshotEnd>,
}

impl LogState {
    /// The state at an epoch's start; `dir` is the epoch's directory name.
    pub fn from_snapshot(snapshot: &Snapshot, dir: &str) -> LogState {
        let ends = snapshot.offsets.iter().flat_map(|(topic, partitions)| {
            partitions.iter().map(|(p, end)| (TopicPartition::new(topic.as_str(), *p), end.clone()))
        });
        LogState {
            job: snapshot.job,
            epoch: snapshot.epoch,
            dir: dir.to_owned(),
            next: snapshot.base_slot,
            ends: ends.collect(),
        }
    }

    /// The snapshot of a job that has read nothing, but for the given positions.
    pub fn first_snapshot(job: Uuid, starts: &[(TopicPartition, Offset)]) -> Snapshot {
        let mut offsets: BTreeMap<String, BTreeMap<i32, SnapshotEnd>> = BTreeMap::new();
        for (tp, end) in starts {
            let of_topic = offsets.entry(tp.topic.to_string()).or_default();
            of_topic.insert(tp.partition, SnapshotEnd { end: *end, tail: None });
        }
        Snapshot { v: FORMAT_VERSION, job, epoch: 1, base_slot: Slot(0), offsets }
    }

    /// Directory name of the current epoch.
    pub fn dir(&self) -> &str {
        &self.dir
    }

    /// The slot that the next batch goes for.
    pub fn next(&self) -> Slot {
        self.next
    }

    /// Where a partition stands; `None`: never read.
    pub fn end(&self, partition: &TopicPartition) -> Option<Offset> {
        self.ends.get(partition).map(|e| e.end)
    }

    /// Whether a batch over these partitions still starts where the log ends.
    pub fn continues(&self, partitions: &[PartitionEntry]) -> Result<(), BrokenChain> {
        for p in partitions {
            let partition = p.partition();
            if let Some(expected) = self.end(&partition)
                && expected != p.start
            {
                return Err(BrokenChain { partition, expected, found: p.start });
            }
        }
        Ok(())
    }

    /// Adds a void slot: a directory without a manifest is a no-op for everybody, for ever.
    pub fn skip_void(&mut self) {
        self.next = self.next.next();
    }

    /// Adds the batch in slot `next`.
    pub fn fold(&mut self, m: &Manifest) -> Result<(), ChainError> {
        if m.job_id != self.job {
            return Err(ChainError::OtherJob { slot: self.next, found: m.job_id, expected: self.job });
        }
        self.continues(&m.partitions).map_err(|source| ChainError::Offsets { slot: self.next, source })?;
        for p in &m.partitions {
            self.ends.insert(p.partition(), SnapshotEnd { end: p.end, tail: p.tail.clone() });
        }
        self.next = self.next.next();
        Ok(())
    }
}
