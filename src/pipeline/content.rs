//! A sealed batch as the commit wants it: encoded on demand, as often as it takes.

use std::sync::Arc;

use crate::batch::{Plan, SealedBatch, SealedPartition, SealedTable};
use crate::checkpoint::{PartitionEntry, ReplayEntry, topic_in_rows};
use crate::commit::{Batch, Content, ContentError, DataFile};
use crate::encode::{self, EncodeOptions};
use crate::model::Slot;

/// What encoding needs besides the rows.
#[derive(Debug)]
pub struct EncodeContext {
    /// The job's name, for the files' footers.
    pub job: String,
    /// Tables and columns.
    pub plan: Arc<Plan>,
    /// Directory of each table of the plan.
    pub locations: Vec<String>,
}

#[derive(Debug)]
struct Rows {
    tables: Vec<SealedTable>,
    /// The batch's offsets, for the footers: the log can be rebuilt from the data after a disaster.
    offsets: String,
    /// The same of the dead letters that it lands.
    replay: String,
    names_slot: bool,
    context: Arc<EncodeContext>,
}

/// Turns a sealed batch into what is committed.
pub(super) fn to_commit(sealed: SealedBatch, context: &Arc<EncodeContext>) -> Batch {
    let partitions: Vec<PartitionEntry> = sealed.partitions.iter().map(entry).collect();
    let offsets = partitions.iter().map(|p| format!("{}[{}]:{}-{}", p.topic, p.p, p.start, p.end));
    let offsets = offsets.collect::<Vec<_>>().join(",");
    let replay: Vec<ReplayEntry> = sealed.replayed.entries();
    let letters = replay.iter().flat_map(|e| e.ranges().map(move |r| (e, r)));
    let letters =
        letters.map(|(e, r)| format!("{}[{}]:{}-{}", topic_in_rows(&e.topic, e.incarnation), e.p, r.start, r.end));
    let letters = letters.collect::<Vec<_>>().join(",");
    let planned = |t: &SealedTable| &context.plan.tables[t.table];
    let names_slot = sealed.tables.iter().any(|t| planned(t).sources.contains(&crate::batch::Source::BatchId));
    let content = Rows { tables: sealed.tables, offsets, replay: letters, names_slot, context: context.clone() };
    Batch { partitions, replay, counts: sealed.accounting, content: Box::new(content) }
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

impl Rows {
    fn file(&self, rows: &SealedTable, slot: Slot) -> Result<DataFile, ContentError> {
        let planned = &self.context.plan.tables[rows.table];
        let options = EncodeOptions {
            footer: vec![
                ("landfall.job".to_owned(), self.context.job.clone()),
                ("landfall.offsets".to_owned(), self.offsets.clone()),
            ]
            .into_iter()
            .chain((!self.replay.is_empty()).then(|| ("landfall.replay".to_owned(), self.replay.clone())))
            .collect(),
            plain_columns: planned.raw_columns.clone(),
            no_dictionary: planned.timestamp_text_columns.clone(),
            ..EncodeOptions::default()
        };
        let encoded = encode::parquet(&rows.record_batch(slot.0), &options)
            .map_err(|e| ContentError { table: rows.name.clone(), reason: e.to_string() })?;
        Ok(DataFile {
            table: rows.name.clone(),
            location: self.context.locations[rows.table].clone(),
            partition: rows.partition.clone(),
            schema: planned.table.fingerprint(),
            rows: encoded.rows,
            crc32c: encoded.crc32c,
            bytes: encoded.bytes,
        })
    }
}

impl Content for Rows {
    fn files(&self, slot: Slot) -> Result<Vec<DataFile>, ContentError> {
        self.tables.iter().map(|t| self.file(t, slot)).collect()
    }

    fn names_slot(&self) -> bool {
        self.names_slot
    }
}
