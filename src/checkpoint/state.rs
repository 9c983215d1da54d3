//! The state that the log adds up to: where every partition stands. A pure fold over slots.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::entry::{Entry, SealEntry};
use super::formats::{FORMAT_VERSION, Snapshot, SnapshotEnd, TableTotal};
use super::manifest::{Manifest, PartitionEntry};
use super::replay::{Replayed, topic_in_rows};
use crate::fault::Fault;
use crate::model::{BrokenChain, Offset, Slot, Tail, TopicPartition};

/// A slot does not continue the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// It was made on top of another state than that of the slots before it.
    #[error(
        "slot {slot} of the log does not continue it: {source}. The checkpoint is damaged; stop and keep it as it is"
    )]
    Broken {
        /// The slot.
        slot: Slot,
        /// What does not fit.
        source: Outdated,
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

/// An entry does not go on top of a state: the log has moved on since it was made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Outdated {
    /// Its offsets do not start where the last ones ended.
    #[error("{0}")]
    Offsets(BrokenChain),
    /// It is of a topic before, or after, that was declared new.
    #[error("topic {topic}: the entry is of incarnation {found}, the log is at {expected}")]
    Incarnation {
        /// Topic.
        topic: String,
        /// Of the entry.
        found: u32,
        /// Of the log.
        expected: u32,
    },
    /// It lands a dead letter that was landed already.
    #[error("{topic}[{p}] offset {offset}: the entry lands a dead letter that was landed already")]
    Replayed {
        /// Topic, with its incarnation.
        topic: String,
        /// Partition.
        p: i32,
        /// Offset.
        offset: Offset,
    },
    /// It closes another epoch.
    #[error(
        "the seal names epoch {found} from slot {found_slot} on, expected epoch {expected} from {expected_slot} on"
    )]
    Epoch {
        /// Of the seal.
        found: u64,
        /// Of the seal.
        found_slot: Slot,
        /// The next one.
        expected: u64,
        /// The slot after the seal.
        expected_slot: Slot,
    },
}

/// The fold of all slots before `next`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogState {
    job: Uuid,
    epoch: u64,
    dir: String,
    base: Slot,
    next: Slot,
    ends: BTreeMap<TopicPartition, SnapshotEnd>,
    incarnations: BTreeMap<String, u32>,
    totals: BTreeMap<String, TableTotal>,
    replayed: Replayed,
    #[cfg(feature = "failpoints")]
    lenient: bool,
    #[cfg(feature = "failpoints")]
    forgetful: bool,
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
            base: snapshot.base_slot,
            next: snapshot.base_slot,
            ends: ends.collect(),
            incarnations: snapshot.incarnations.clone(),
            totals: snapshot.tables.clone(),
            replayed: Replayed::of(&snapshot.replayed),
            #[cfg(feature = "failpoints")]
            lenient: false,
            #[cfg(feature = "failpoints")]
            forgetful: false,
        }
    }

    /// The snapshot of a job that has read nothing, but for the given positions.
    pub fn first_snapshot(job: Uuid, starts: &[(TopicPartition, Offset)]) -> Snapshot {
        let mut offsets: BTreeMap<String, BTreeMap<i32, SnapshotEnd>> = BTreeMap::new();
        for (tp, end) in starts {
            let of_topic = offsets.entry(tp.topic.to_string()).or_default();
            of_topic.insert(tp.partition, SnapshotEnd { end: *end, tail: None });
        }
        Snapshot {
            v: FORMAT_VERSION,
            job,
            epoch: 1,
            base_slot: Slot(0),
            prev: None,
            offsets,
            incarnations: BTreeMap::new(),
            tables: BTreeMap::new(),
            replayed: Vec::new(),
        }
    }

    /// The snapshot of the epoch that begins after a seal in slot `next`.
    pub fn next_snapshot(&self) -> Snapshot {
        let mut offsets: BTreeMap<String, BTreeMap<i32, SnapshotEnd>> = BTreeMap::new();
        for (tp, end) in &self.ends {
            offsets.entry(tp.topic.to_string()).or_default().insert(tp.partition, end.clone());
        }
        Snapshot {
            v: FORMAT_VERSION,
            job: self.job,
            epoch: self.epoch + 1,
            base_slot: self.next.next(),
            prev: Some(self.dir.clone()),
            offsets,
            incarnations: self.incarnations.clone(),
            tables: self.totals.clone(),
            replayed: self.replayed.entries(),
        }
    }

    /// Job id.
    pub fn job(&self) -> Uuid {
        self.job
    }

    /// Number of the current epoch.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Directory name of the current epoch.
    pub fn dir(&self) -> &str {
        &self.dir
    }

    /// First slot of the current epoch.
    pub fn base(&self) -> Slot {
        self.base
    }

    /// The slot that the next batch goes for.
    pub fn next(&self) -> Slot {
        self.next
    }

    /// Where a partition stands; `None`: never read.
    pub fn end(&self, partition: &TopicPartition) -> Option<Offset> {
        self.ends.get(partition).map(|e| e.end)
    }

    /// Fingerprint of the last message read of a partition.
    pub fn tail(&self, partition: &TopicPartition) -> Option<&Tail> {
        self.ends.get(partition)?.tail.as_ref()
    }

    /// Every partition that was read, and its end.
    pub fn ends(&self) -> impl Iterator<Item = (&TopicPartition, Offset)> {
        self.ends.iter().map(|(tp, e)| (tp, e.end))
    }

    /// How often a topic was declared new.
    pub fn incarnation(&self, topic: &str) -> u32 {
        self.incarnations.get(topic).copied().unwrap_or(0)
    }

    /// What each table got since the job began.
    pub fn totals(&self) -> &BTreeMap<String, TableTotal> {
        &self.totals
    }

    /// The dead letters that were landed after all.
    pub fn replayed(&self) -> &Replayed {
        &self.replayed
    }

    /// Whether an entry that was made earlier, or elsewhere, goes on top of this state, at whichever slot.
    pub fn accepts(&self, entry: &Entry) -> Result<(), Outdated> {
        #[cfg(feature = "failpoints")]
        if self.lenient {
            return Ok(());
        }
        match entry {
            Entry::Batch(m) => {
                m.partitions.iter().try_for_each(|p| self.continues(p))?;
                self.lands_once(m)
            }
            Entry::Gap(g) => {
                let partition = TopicPartition::new(g.topic.as_str(), g.p);
                self.starts_at(&partition, g.from)?;
                // Back over what has landed since the gap was seen: its rows would land again.
                let back = g.to < g.from;
                let chain = BrokenChain { partition, expected: g.from, found: g.to };
                if back { Err(Outdated::Offsets(chain)) } else { Ok(()) }
            }
            Entry::Topic(t) => self.same_incarnation(&t.topic, t.incarnation.wrapping_sub(1)),
            Entry::Seal(s) if s.epoch == self.epoch + 1 => Ok(()),
            Entry::Seal(s) => Err(self.other_epoch(s)),
        }
    }

    fn continues(&self, p: &PartitionEntry) -> Result<(), Outdated> {
        self.same_incarnation(&p.topic, p.incarnation)?;
        self.starts_at(&p.partition(), p.start)
    }

    fn lands_once(&self, m: &Manifest) -> Result<(), Outdated> {
        #[cfg(feature = "failpoints")]
        if self.forgetful {
            return Ok(());
        }
        match self.replayed.common(&m.replay) {
            None => Ok(()),
            Some((e, offset)) => {
                let topic = topic_in_rows(&e.topic, e.incarnation);
                Err(Outdated::Replayed { topic, p: e.p, offset })
            }
        }
    }

    fn same_incarnation(&self, topic: &str, found: u32) -> Result<(), Outdated> {
        let expected = self.incarnation(topic);
        if found == expected { Ok(()) } else { Err(Outdated::Incarnation { topic: topic.to_owned(), found, expected }) }
    }

    fn starts_at(&self, partition: &TopicPartition, found: Offset) -> Result<(), Outdated> {
        match self.end(partition) {
            Some(expected) if expected != found => {
                Err(Outdated::Offsets(BrokenChain { partition: partition.clone(), expected, found }))
            }
            _ => Ok(()),
        }
    }

    fn other_epoch(&self, s: &SealEntry) -> Outdated {
        let (found, found_slot) = (s.epoch, s.base_slot);
        Outdated::Epoch { found, found_slot, expected: self.epoch + 1, expected_slot: self.next.next() }
    }

    /// This state without the check of offsets, of `Defect::NoFence`.
    #[cfg(feature = "failpoints")]
    pub fn lenient(self) -> LogState {
        LogState { lenient: true, ..self }
    }

    /// This state without the check of replayed dead letters, of `Defect::ReplayTwice`.
    #[cfg(feature = "failpoints")]
    pub fn forgetful(self) -> LogState {
        LogState { forgetful: true, ..self }
    }

    /// Believes another position, as one that came from Kafka's group offsets.
    #[cfg(feature = "failpoints")]
    pub fn override_end(&mut self, partition: TopicPartition, end: Offset) {
        self.ends.insert(partition, SnapshotEnd { end, tail: None });
    }

    /// Adds a void slot: a directory without a manifest is a no-op for everybody, for ever.
    pub fn skip_void(&mut self) {
        self.next = self.next.next();
    }

    /// Adds the entry in slot `next`. After a seal the state is that at the start of the next epoch.
    pub fn fold(&mut self, entry: &Entry) -> Result<(), ChainError> {
        let slot = self.next;
        if entry.job_id() != self.job {
            return Err(ChainError::OtherJob { slot, found: entry.job_id(), expected: self.job });
        }
        self.accepts(entry).map_err(|source| ChainError::Broken { slot, source })?;
        match entry {
            Entry::Batch(m) => self.add_batch(m),
            Entry::Gap(g) => {
                self.ends.insert(TopicPartition::new(g.topic.as_str(), g.p), SnapshotEnd { end: g.to, tail: None });
            }
            Entry::Topic(t) => {
                self.ends.retain(|tp, _| *tp.topic != *t.topic);
                let starts = t.starts.iter().map(|(p, end)| (TopicPartition::new(t.topic.as_str(), *p), *end));
                self.ends.extend(starts.map(|(tp, end)| (tp, SnapshotEnd { end, tail: None })));
                self.incarnations.insert(t.topic.clone(), t.incarnation);
            }
            Entry::Seal(s) => {
                if s.base_slot != slot.next() {
                    return Err(ChainError::Broken { slot, source: self.other_epoch(s) });
                }
                (self.epoch, self.dir, self.base) = (s.epoch, s.next.clone(), s.base_slot);
            }
        }
        self.next = slot.next();
        Ok(())
    }

    fn add_batch(&mut self, m: &Manifest) {
        for p in &m.partitions {
            self.ends.insert(p.partition(), SnapshotEnd { end: p.end, tail: p.tail });
        }
        m.replay.iter().for_each(|e| self.replayed.add(e));
        for file in &m.files {
            let total = self.totals.entry(file.table.clone()).or_default();
            total.files += 1;
            total.rows += file.rows;
            total.bytes += file.bytes;
        }
    }
}
