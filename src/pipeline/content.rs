//! The batch that is filled, and what is committed of it: its rows are encoded as they come.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::lane::{Footer, Lane};
use super::memory::Memory;
use super::workers::Workers;
use crate::batch::{Plan, SealedBatch, SealedPartition, Size, Source};
use crate::checkpoint::{PartitionEntry, ReplayEntry, topic_in_rows};
use crate::commit::{Batch, Content, ContentError, DataFile};
use crate::encode::Dictionaries;
use crate::model::{BrokenChain, Slot};

/// What encoding needs besides the rows.
#[derive(Debug)]
pub struct EncodeContext {
    /// The job's name, for the files' footers.
    pub job: String,
    /// Tables and columns.
    pub plan: Arc<Plan>,
    /// Directory of each table of the plan.
    pub locations: Vec<String>,
    /// What the files of each table showed.
    pub(super) dictionaries: Vec<Dictionaries>,
}

impl EncodeContext {
    /// Of a job's name, its plan, and the directory of each of its tables.
    pub fn new(job: String, plan: Arc<Plan>, locations: Vec<String>) -> EncodeContext {
        let dictionaries = plan.tables.iter().map(|_| Dictionaries::default()).collect();
        EncodeContext { job, plan, locations, dictionaries }
    }
}

/// A table of the plan, and a partition of it.
type Place = (usize, Option<String>);

/// The batch that takes what is read.
#[derive(Debug)]
pub(super) struct OpenBatch {
    /// What was read, without the rows.
    read: SealedBatch,
    lanes: BTreeMap<Place, Arc<Lane>>,
    context: Arc<EncodeContext>,
    memory: Memory,
}

impl OpenBatch {
    pub(super) fn new(context: Arc<EncodeContext>, memory: Memory) -> OpenBatch {
        OpenBatch { read: SealedBatch::default(), lanes: BTreeMap::new(), context, memory }
    }

    /// Adds what was read next. `workers` begin to encode its rows; without them they wait until the files are asked for.
    pub(super) fn add(&mut self, mut piece: SealedBatch, workers: Option<&Workers>) -> Result<(), BrokenChain> {
        let tables = std::mem::take(&mut piece.tables);
        if self.read.accounting.read == 0 {
            self.read = piece;
        } else {
            self.read.extend(piece)?;
        }
        for rows in tables {
            let new = || Arc::new(Lane::new(rows.table, self.context.clone(), &self.memory));
            let lane = self.lanes.entry((rows.table, rows.partition.clone())).or_insert_with(new);
            lane.add(rows);
            if let Some(workers) = workers {
                lane.encode(workers);
            }
        }
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.read.accounting.read == 0
    }

    pub(super) fn size(&self) -> Size {
        Size { bytes: self.read.bytes, messages: self.read.accounting.read, files: self.lanes.len() }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = OpenBatch::new(self.context.clone(), self.memory.clone());
    }

    /// Hands out what was read, and the batch to commit, and begins the next. `workers` end its files meanwhile.
    pub(super) fn seal(&mut self, workers: Option<&Workers>) -> (SealedBatch, Batch) {
        let next = OpenBatch::new(self.context.clone(), self.memory.clone());
        let OpenBatch { read, lanes, context, .. } = std::mem::replace(self, next);
        let partitions: Vec<PartitionEntry> = read.partitions.iter().map(entry).collect();
        let replay: Vec<ReplayEntry> = read.replayed.entries();
        let footer = Arc::new(footer(&context.job, &partitions, &replay));
        if let Some(workers) = workers {
            lanes.values().for_each(|lane| lane.end(footer.clone(), workers));
        }
        let names_slot = lanes.keys().any(|(t, _)| context.plan.tables[*t].sources.contains(&Source::BatchId));
        let content = Files { lanes: lanes.into_iter().collect(), footer, names_slot, context };
        let batch = Batch { partitions, replay, counts: read.accounting, content: Box::new(content) };
        (read, batch)
    }
}

/// A batch's offsets, so that the log can be rebuilt from the data after a disaster.
fn footer(job: &str, partitions: &[PartitionEntry], replay: &[ReplayEntry]) -> Footer {
    let offsets = partitions.iter().map(|p| format!("{}[{}]:{}-{}", p.topic, p.p, p.start, p.end));
    let letters = replay.iter().flat_map(|e| e.ranges().map(move |r| (e, r)));
    let letters =
        letters.map(|(e, r)| format!("{}[{}]:{}-{}", topic_in_rows(&e.topic, e.incarnation), e.p, r.start, r.end));
    let mut footer = vec![
        ("landfall.job".to_owned(), job.to_owned()),
        ("landfall.offsets".to_owned(), offsets.collect::<Vec<_>>().join(",")),
    ];
    if !replay.is_empty() {
        footer.push(("landfall.replay".to_owned(), letters.collect::<Vec<_>>().join(",")));
    }
    footer
}

fn entry(p: &SealedPartition) -> PartitionEntry {
    PartitionEntry {
        topic: p.partition.topic.to_string(),
        p: p.partition.partition,
        incarnation: p.incarnation,
        start: p.range.start,
        end: p.range.end,
        records: p.records,
        tail: p.tail,
    }
}

#[derive(Debug)]
struct Files {
    lanes: Vec<(Place, Arc<Lane>)>,
    footer: Arc<Footer>,
    names_slot: bool,
    context: Arc<EncodeContext>,
}

impl Content for Files {
    fn files(&self, slot: Slot) -> Result<Vec<DataFile>, ContentError> {
        let file = |((table, partition), lane): &(Place, Arc<Lane>)| {
            let planned = &self.context.plan.tables[*table].table;
            let number = i64::try_from(slot.0).unwrap_or(i64::MAX);
            let wrong =
                |e: crate::encode::EncodeError| ContentError { table: planned.name.clone(), reason: e.to_string() };
            let encoded = lane.finish(&self.footer)?.file(number).map_err(wrong)?;
            Ok(DataFile {
                table: planned.name.clone(),
                location: self.context.locations[*table].clone(),
                partition: partition.clone(),
                schema: planned.fingerprint(),
                rows: encoded.rows,
                crc32c: encoded.crc32c,
                bytes: encoded.bytes,
            })
        };
        self.lanes.iter().map(file).collect()
    }

    fn names_slot(&self) -> bool {
        self.names_slot
    }

    fn worked(&self) -> Duration {
        self.lanes.iter().map(|(_, lane)| lane.worked()).sum()
    }
}
