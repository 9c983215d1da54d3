//! The open batch: messages in, rows of all their tables and the ranges they came from out.

use std::collections::HashMap;
use std::sync::Arc;

use super::letters::Letters;
use super::limits::{KEPT_OF_TOO_LARGE, MAX_BYTES, MAX_MESSAGES};
use super::plan::Plan;
use super::rows::{Again, Rows};
use super::sealed::{SealedBatch, SealedPartition};
use super::trigger::Size;
use crate::checkpoint::{Replayed, topic_in_rows};
use crate::config::settings::{OnMalformed, Tombstones, Unrouted};
use crate::decode::{Reason, Reject, UnionRow};
use crate::fault::Fault;
use crate::model::{Accounting, BrokenChain, Offset, OffsetRange, Record, Tail, TopicPartition};

/// A message that the batch does not take; the batch is as before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// The message is malformed, and `messages.on_malformed` is `fail`.
    #[error(
        "{partition} offset {offset}: {reject}; messages.on_malformed = \"fail\" stops here; \
         \"dead_letter\" or \"drop\" would go on"
    )]
    Rejected {
        /// Where it was read.
        partition: TopicPartition,
        /// Its offset.
        offset: i64,
        /// Why it is no good.
        reject: Reject,
    },
    /// The message lies before the end of what was read.
    #[error(transparent)]
    BrokenChain(#[from] BrokenChain),
    /// [`BatchBuffer::start`] was not called for its partition.
    #[error("{partition} offset {offset}: the batch has no start for this partition")]
    NotStarted {
        /// Where it was read.
        partition: TopicPartition,
        /// Its offset.
        offset: i64,
    },
    /// The batch should have been sealed long ago.
    #[error("the batch is full with {messages} messages of {bytes} bytes and was not sealed")]
    Full {
        /// Messages in it.
        messages: u64,
        /// Their bytes.
        bytes: u64,
    },
}

impl PushError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            PushError::Rejected { .. } => Fault::BadData,
            _ => Fault::Bug,
        }
    }
}

#[derive(Debug)]
struct Partition {
    name: TopicPartition,
    /// How often its topic was declared new before, and the topic as rows name it.
    incarnation: u32,
    topic: Arc<str>,
    range: OffsetRange,
    records: u64,
    bytes: u64,
    tail: Option<Tail>,
}

/// The open batch. Each message counts once, whole, or not at all.
pub struct BatchBuffer {
    rows: Rows,
    partitions: Vec<Partition>,
    by_name: HashMap<TopicPartition, usize>,
    /// The partition of the last message: most come in runs.
    latest: usize,
    accounting: Accounting,
    replayed: Replayed,
    buried: Vec<Buried>,
    letters: Letters,
    bytes: u64,
    row: UnionRow<'static>,
}

/// A message that became a dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buried {
    /// Where it was read.
    pub partition: TopicPartition,
    /// Its offset.
    pub offset: i64,
    /// Why.
    pub reject: Reject,
}

impl BatchBuffer {
    /// An empty batch without partitions.
    pub fn new(plan: Arc<Plan>) -> BatchBuffer {
        BatchBuffer {
            rows: Rows::new(plan),
            partitions: Vec::new(),
            by_name: HashMap::new(),
            latest: 0,
            accounting: Accounting::default(),
            replayed: Replayed::default(),
            buried: Vec::new(),
            letters: Letters::default(),
            bytes: 0,
            row: UnionRow::default(),
        }
    }

    /// Sets where the range of a partition begins, in the `incarnation` of its topic. A partition of which something was
    /// read already can only go on where it is.
    pub fn start(&mut self, partition: TopicPartition, offset: Offset, incarnation: u32) -> Result<(), BrokenChain> {
        match self.by_name.get(&partition) {
            Some(&at) => {
                let range = &mut self.partitions[at].range;
                if !range.is_empty() && range.end != offset {
                    return Err(BrokenChain { partition, expected: range.end, found: offset });
                }
                if range.is_empty() {
                    *range = OffsetRange::at(offset);
                }
            }
            None => {
                self.by_name.insert(partition.clone(), self.partitions.len());
                let topic = match incarnation {
                    0 => partition.topic.clone(),
                    n => topic_in_rows(&partition.topic, n).into(),
                };
                let range = OffsetRange::at(offset);
                let name = partition;
                self.partitions.push(Partition { name, incarnation, topic, range, records: 0, bytes: 0, tail: None });
            }
        }
        Ok(())
    }

    /// Takes a message: its rows, or what else becomes of it, and its place in its partition's range.
    pub fn push(&mut self, record: &Record<'_>) -> Result<(), PushError> {
        let (at, range) = self.find(record)?;
        let value_len = record.value.map_or(0, <[u8]>::len);
        let too_large = value_len as u64 > self.rows.plan.messages.max_message_bytes.get();
        let kept = if too_large { KEPT_OF_TOO_LARGE.min(value_len) } else { value_len };
        let bytes = (record.key.map_or(0, <[u8]>::len) + kept + record.headers.bytes().len()) as u64;
        if self.messages() >= MAX_MESSAGES || (self.messages() > 0 && self.bytes + bytes > MAX_BYTES) {
            return Err(PushError::Full { messages: self.messages(), bytes: self.bytes });
        }
        match record.value {
            None if self.rows.plan.messages.tombstones == Tombstones::DeadLetter => {
                self.bury(record, None, None, &Reject::new(Reason::Tombstone, "the message has a null value"));
            }
            None => self.accounting.tombstones += 1,
            Some(value) => {
                let mut row = std::mem::take(&mut self.row).recycle();
                let done = match self.rows.plan.read(value, &mut row) {
                    Ok(text) => {
                        self.land(record, text, &mut row);
                        Ok(())
                    }
                    Err(reject) => self.refuse(record, &value[..kept], reject),
                };
                self.row = row.recycle();
                done?;
            }
        }
        let p = &mut self.partitions[at];
        p.range = range;
        p.records += 1;
        p.bytes += bytes;
        self.accounting.read += 1;
        self.bytes += bytes;
        Ok(())
    }

    /// Keeps what the last message of a partition is known again by. Not done for every message: it reads all of it.
    pub fn remember(&mut self, record: &Record<'_>) {
        if let Some(p) = self.by_name.get(record.partition).and_then(|at| self.partitions.get_mut(*at)) {
            p.tail = Some(Tail::of(record));
        }
    }

    /// The partition of a message that continues it, and its range with the message.
    fn find(&mut self, record: &Record<'_>) -> Result<(usize, OffsetRange), PushError> {
        if self.partitions.get(self.latest).is_none_or(|p| !p.name.is(record.partition)) {
            let found = self.by_name.get(record.partition).copied();
            let missing = || PushError::NotStarted { partition: record.partition.clone(), offset: record.offset };
            self.latest = found.ok_or_else(missing)?;
        }
        let p = &self.partitions[self.latest];
        let mut range = p.range;
        range.extend_over(&p.name, record.offset)?;
        Ok((self.latest, range))
    }

    /// Takes a dead letter once more, as a message of the `incarnation` of its topic. It belongs to no range of what is
    /// read: a batch has either ranges or these.
    pub fn replay(&mut self, record: &Record<'_>, incarnation: u32) -> Result<Again, PushError> {
        let Some(value) = record.value else { return Ok(Again::Unrouted) };
        let bytes = (record.key.map_or(0, <[u8]>::len) + value.len()) as u64;
        if self.messages() >= MAX_MESSAGES || (self.messages() > 0 && self.bytes + bytes > MAX_BYTES) {
            return Err(PushError::Full { messages: self.messages(), bytes: self.bytes });
        }
        let mut row = std::mem::take(&mut self.row).recycle();
        let again = match self.rows.plan.read(value, &mut row) {
            Ok(message) => {
                let topic = topic_in_rows(&record.partition.topic, incarnation);
                self.rows.add(record, &topic, message, &mut row)
            }
            Err(reject) => Again::Bad(reject),
        };
        self.row = row.recycle();
        if again == Again::Landed {
            self.replayed.insert(&record.partition.topic, incarnation, record.partition.partition, record.offset);
            self.accounting.read += 1;
            self.accounting.events += 1;
            self.bytes += bytes;
        }
        Ok(again)
    }

    fn land<'m>(&mut self, record: &Record<'_>, message: &'m str, row: &mut UnionRow<'m>) {
        let topic = &self.partitions[self.latest].topic;
        let reject = match self.rows.add(record, topic, message, row) {
            Again::Landed => {
                self.accounting.events += 1;
                return;
            }
            Again::Unrouted if self.rows.plan.messages.unrouted == Unrouted::Drop => {
                self.accounting.unrouted += 1;
                return;
            }
            Again::Unrouted => Reject::new(Reason::Unrouted, "no table's condition holds for it"),
            Again::Bad(reject) => reject,
        };
        self.bury(record, Some(message.as_bytes()), Some(message), &reject);
    }

    fn refuse(&mut self, record: &Record<'_>, kept: &[u8], reject: Reject) -> Result<(), PushError> {
        match self.rows.plan.messages.on_malformed {
            OnMalformed::Fail => {
                return Err(PushError::Rejected { partition: record.partition.clone(), offset: record.offset, reject });
            }
            OnMalformed::Drop => self.accounting.dropped += 1,
            OnMalformed::DeadLetter => {
                // The beginning of a message that is too large must not pass for the message.
                let whole = reject.reason != Reason::TooLarge;
                let text = std::str::from_utf8(kept).ok().filter(|_| whole);
                self.bury(record, Some(kept), text, &reject);
            }
        }
        Ok(())
    }

    /// Makes the message a row of the dead-letter table.
    fn bury(&mut self, record: &Record<'_>, bytes: Option<&[u8]>, text: Option<&str>, reject: &Reject) {
        let topic = &self.partitions[self.latest].topic;
        self.rows.bury(record, topic, bytes, text, reject);
        self.accounting.dead_letters += 1;
        self.letters.add(record, reject);
        if self.rows.plan.messages.has_ceiling() {
            let (partition, offset) = (record.partition.clone(), record.offset);
            self.buried.push(Buried { partition, offset, reject: reject.clone() });
        }
    }

    /// The messages that became dead letters since the last call; none are kept where there is no ceiling.
    pub fn take_buried(&mut self) -> Vec<Buried> {
        std::mem::take(&mut self.buried)
    }

    /// Bytes of keys, values and wanted headers; of a message that is too large, only those kept.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Messages read, whatever became of them.
    pub fn messages(&self) -> u64 {
        self.accounting.read
    }

    /// How large it is.
    pub fn size(&self) -> Size {
        let files = self.rows.files();
        Size { bytes: self.bytes, messages: self.messages(), files }
    }

    /// Whether no offset was consumed.
    pub fn is_empty(&self) -> bool {
        self.messages() == 0
    }

    /// Forgets all partitions, each of which needs a [`BatchBuffer::start`] again, but not what it has learned of messages.
    /// For a buffer that was sealed.
    pub fn forget_partitions(&mut self) {
        self.partitions.clear();
        self.by_name.clear();
        self.latest = 0;
    }

    /// Hands out the batch and begins the next, each partition where this one ended.
    pub fn seal(&mut self) -> SealedBatch {
        let mut partitions: Vec<SealedPartition> = Vec::new();
        for p in self.partitions.iter_mut().filter(|p| !p.range.is_empty()) {
            let next = OffsetRange::at(p.range.end);
            let range = std::mem::replace(&mut p.range, next);
            let (records, bytes) = (std::mem::take(&mut p.records), std::mem::take(&mut p.bytes));
            let (partition, incarnation, tail) = (p.name.clone(), p.incarnation, p.tail.take());
            partitions.push(SealedPartition { partition, incarnation, range, records, bytes, tail });
        }
        partitions.sort_by(|a, b| a.partition.cmp(&b.partition));
        let (tables, field_errors, unknown_fields) = self.rows.finish();
        let (accounting, bytes) = (std::mem::take(&mut self.accounting), std::mem::take(&mut self.bytes));
        let (replayed, letters) = (std::mem::take(&mut self.replayed), std::mem::take(&mut self.letters));
        SealedBatch { partitions, replayed, tables, accounting, letters, field_errors, unknown_fields, bytes }
    }
}
