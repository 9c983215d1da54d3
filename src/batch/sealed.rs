//! A batch that takes no more messages.

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::SchemaRef;

use super::columns::batch_ids;
use super::letters::Letters;
use super::unknown;
use crate::checkpoint::Replayed;
use crate::model::{Accounting, BrokenChain, OffsetRange, Tail, TopicPartition};

/// What was read and what became of it; the ranges ride with the rows.
#[derive(Debug, Clone, Default)]
pub struct SealedBatch {
    /// The partitions of which something was read, in the order of their names.
    pub partitions: Vec<SealedPartition>,
    /// The dead letters of which it has the rows: then nothing was read.
    pub replayed: Replayed,
    /// The tables that got rows, in the order of the plan; a partitioned one once for each partition.
    pub tables: Vec<SealedTable>,
    /// What became of every message.
    pub accounting: Accounting,
    /// The dead letters, by reason, and some of them.
    pub letters: Letters,
    /// Values that became null because they were of another type than their column.
    pub field_errors: Vec<FieldErrors>,
    /// Fields that no column of their table takes, if they are to be counted.
    pub unknown_fields: Vec<UnknownField>,
    /// Bytes of keys and values; of a message that is too large, only those kept.
    pub bytes: u64,
}

impl SealedBatch {
    /// Adds what was read after it: all but the tables, which the caller has taken out, and dead letters that are
    /// landed again, which come in one piece. The ranges must chain; if they do not, it is as before.
    pub fn extend(&mut self, later: SealedBatch) -> Result<(), BrokenChain> {
        for p in &later.partitions {
            if let Ok(at) = self.place(&p.partition)
                && (self.partitions[at].range.end, self.partitions[at].incarnation) != (p.range.start, p.incarnation)
            {
                let (expected, found) = (self.partitions[at].range.end, p.range.start);
                return Err(BrokenChain { partition: p.partition.clone(), expected, found });
            }
        }
        for p in later.partitions {
            match self.place(&p.partition) {
                Ok(at) => {
                    let known = &mut self.partitions[at];
                    known.range.end = p.range.end;
                    known.records += p.records;
                    known.bytes += p.bytes;
                    known.tail = p.tail;
                }
                Err(at) => self.partitions.insert(at, p),
            }
        }
        self.accounting.add(&later.accounting);
        self.letters.extend(later.letters);
        self.bytes += later.bytes;
        for e in later.field_errors {
            match self.field_errors.iter_mut().find(|k| (&k.table, &k.column) == (&e.table, &e.column)) {
                Some(known) => known.count += e.count,
                None => self.field_errors.push(e),
            }
        }
        later.unknown_fields.into_iter().for_each(|u| unknown::add(&mut self.unknown_fields, u));
        Ok(())
    }

    fn place(&self, partition: &TopicPartition) -> Result<usize, usize> {
        self.partitions.binary_search_by(|p| p.partition.cmp(partition))
    }
}

/// What was read of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedPartition {
    /// Which.
    pub partition: TopicPartition,
    /// How often its topic was declared new before.
    pub incarnation: u32,
    /// From where to where.
    pub range: OffsetRange,
    /// Messages in it.
    pub records: u64,
    /// Bytes of their keys and values, as in [`SealedBatch::bytes`].
    pub bytes: u64,
    /// The last of them, to know the partition again by.
    pub tail: Option<Tail>,
}

/// Values of another type than their column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldErrors {
    /// Table name.
    pub table: String,
    /// Column name as written in the DDL.
    pub column: String,
    /// How many.
    pub count: u64,
}

/// A field at the top level of messages that no column of their table takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownField {
    /// Table name.
    pub table: String,
    /// The field's name; `…` stands for all that were too many or too long to be counted one by one.
    pub field: String,
    /// In how many messages it came, twice in one counted twice.
    pub count: u64,
}

/// The rows of one table, or of one partition of it.
#[derive(Debug, Clone)]
pub struct SealedTable {
    /// Its index in the plan's tables.
    pub table: usize,
    /// Its name.
    pub name: String,
    /// The partition, as its directory below the table's: `dt=2026-11-22/hour=7`.
    pub partition: Option<String>,
    /// Number of rows, at least 1.
    pub rows: usize,
    pub(super) schema: SchemaRef,
    /// `None` where the batch's number goes.
    pub(super) columns: Vec<Option<ArrayRef>>,
}

impl SealedTable {
    /// Its columns; `None` where the batch's number goes.
    pub fn columns(&self) -> &[Option<ArrayRef>] {
        &self.columns
    }

    /// Bytes of memory that they hold.
    pub fn memory(&self) -> u64 {
        self.columns.iter().flatten().map(|c| c.get_array_memory_size() as u64).sum()
    }

    /// The rows, with `batch_id`, the slot's number, in the columns that ask for it. Cheap: arrays are shared.
    pub fn record_batch(&self, batch_id: u64) -> RecordBatch {
        let columns = self.columns.iter().map(|c| c.clone().unwrap_or_else(|| batch_ids(batch_id, self.rows)));
        RecordBatch::try_new(self.schema.clone(), columns.collect())
            .expect("builders and schema are made from the same columns, and each row appends to every builder")
    }
}
