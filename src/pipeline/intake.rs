//! Messages on their way to rows: gathered to units, decoded by the workers side by side, handed on in their order.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::memory::{Held, Memory};
use super::workers::Workers;
use crate::batch::{BatchBuffer, Buried, Plan, PushError, SealedBatch};
use crate::model::{Chunk, Offset, Record, TopicPartition};

/// What is decoded at once: so many messages, or bytes, or what came in so long. A core's cache holds this with its
/// columns; in units of 1 MiB a message costs a tenth more.
const UNIT_MESSAGES: usize = 8000;
const UNIT_BYTES: usize = 256 << 10;
const UNIT_AGE: Duration = Duration::from_secs(1);
/// Units under way, for each worker: one at work and some to follow.
const UNITS: usize = 4;
/// Dead letters are counted by so many messages.
const SLICE: usize = 500;

/// Where the next message of a partition begins.
#[derive(Debug, Clone)]
struct Next {
    offset: Offset,
    incarnation: u32,
}

/// Some chunks that are decoded together.
#[derive(Debug, Default)]
struct Unit {
    chunks: Vec<Chunk>,
    starts: Vec<(TopicPartition, Next)>,
    messages: usize,
    bytes: usize,
    since: Option<Instant>,
}

/// What became of a unit.
#[derive(Debug)]
pub(super) struct Decoded {
    /// Its rows, and what was read; up to the error, if there is one.
    pub piece: SealedBatch,
    /// How many messages, and which of them became dead letters, by slices; the letters only where a ceiling asks for them.
    pub buried: Vec<(u64, Vec<Buried>)>,
    /// What ends the run.
    pub error: Option<PushError>,
    /// How long a worker was at it.
    pub took: Duration,
    /// The messages' memory.
    _held: Held,
}

/// Where a bounded run ends.
pub(super) type Until = Arc<BTreeMap<TopicPartition, i64>>;

/// Everything between the source and the open batch.
pub(super) struct Intake {
    plan: Arc<Plan>,
    workers: Workers,
    memory: Memory,
    until: Option<Until>,
    /// Messages, bytes and units, as above; one small unit at a time where too many dead letters must stop the reading.
    limits: (usize, usize, usize),
    next: HashMap<TopicPartition, Next>,
    unit: Unit,
    held: Held,
    /// Units under way, with their messages.
    decoding: VecDeque<(usize, oneshot::Receiver<Decoded>)>,
    /// What knows routes already.
    spare: Arc<Mutex<Vec<BatchBuffer>>>,
}

impl Intake {
    pub(super) fn new(plan: Arc<Plan>, workers: Workers, memory: Memory, until: Option<Until>) -> Intake {
        Intake {
            limits: limits(&plan, &workers),
            plan,
            workers,
            held: memory.hold(),
            memory,
            until,
            next: HashMap::new(),
            unit: Unit::default(),
            decoding: VecDeque::new(),
            spare: Arc::default(),
        }
    }

    /// Goes on by another plan where reading stands. Nothing may be under way.
    pub(super) fn go_on_with(&mut self, plan: Arc<Plan>) {
        debug_assert!(self.is_empty(), "messages of two plans in a batch");
        self.limits = limits(&plan, &self.workers);
        self.plan = plan;
        self.spare = Arc::default();
    }

    /// Sets where reading of a partition begins, in the `incarnation` of its topic.
    pub(super) fn start(&mut self, partition: TopicPartition, offset: Offset, incarnation: u32) {
        self.next.insert(partition, Next { offset, incarnation });
    }

    /// Takes messages; a unit that is large enough is decoded.
    pub(super) fn push(&mut self, chunk: Chunk) {
        for (partition, end) in chunk.ends() {
            // A partition that was not begun is told by the buffer.
            let Some(next) = self.next.get_mut(partition) else { continue };
            if self.unit.starts.iter().all(|(p, _)| p != partition) {
                self.unit.starts.push((partition.clone(), next.clone()));
            }
            next.offset = end;
        }
        self.unit.since.get_or_insert_with(Instant::now);
        self.unit.messages += chunk.len();
        self.unit.bytes += chunk.byte_size();
        self.unit.chunks.push(chunk);
        self.held.set(self.unit.bytes as u64);
        let (messages, bytes, _) = self.limits;
        if self.unit.messages >= messages || self.unit.bytes >= bytes {
            self.decode();
        }
    }

    /// Has what was gathered decoded.
    pub(super) fn decode(&mut self) {
        if self.unit.chunks.is_empty() {
            return;
        }
        let unit = std::mem::take(&mut self.unit);
        let messages = unit.messages;
        let held = std::mem::replace(&mut self.held, self.memory.hold());
        let (sender, receiver) = oneshot::channel();
        let (plan, until, spare) = (self.plan.clone(), self.until.clone(), self.spare.clone());
        self.workers.run(move || {
            let begun = Instant::now();
            let lock = || spare.lock().unwrap_or_else(PoisonError::into_inner);
            let mut buffer = lock().pop().unwrap_or_else(|| BatchBuffer::new(plan));
            let mut buried = Vec::new();
            let error = unit.decode(&mut buffer, until.as_deref(), &mut buried).err();
            let piece = buffer.seal();
            buffer.forget_partitions();
            lock().push(buffer);
            // Nobody waits for what was read of an assignment that is gone.
            _ = sender.send(Decoded { piece, buried, error, took: begun.elapsed(), _held: held });
        });
        self.decoding.push_back((messages, receiver));
    }

    /// The next unit that is decoded; for ever, if none is. Cancel-safe.
    pub(super) async fn decoded(&mut self) -> Decoded {
        let Some((_, first)) = self.decoding.front_mut() else { return std::future::pending().await };
        let decoded = first.await;
        self.decoding.pop_front();
        decoded.expect("a worker sends what it decoded, and a panic in it ends the process")
    }

    /// How long until what was gathered is to be decoded, if something was.
    pub(super) fn due(&self) -> Option<Duration> {
        Some(UNIT_AGE.saturating_sub(self.unit.since?.elapsed()))
    }

    /// Messages that are under way.
    pub(super) fn messages(&self) -> u64 {
        (self.unit.messages + self.decoding.iter().map(|(messages, _)| messages).sum::<usize>()) as u64
    }

    /// Whether nothing is under way.
    pub(super) fn is_empty(&self) -> bool {
        self.unit.chunks.is_empty() && self.decoding.is_empty()
    }

    /// Whether more may come.
    pub(super) fn has_room(&self) -> bool {
        self.decoding.len() < self.limits.2 && !self.memory.is_behind() && !self.memory.is_full()
    }

    /// Forgets what is under way.
    pub(super) fn drop_undecoded(&mut self) {
        self.unit = Unit::default();
        self.held.set(0);
        self.decoding.clear();
    }

    /// Forgets all partitions too, each of which needs an [`Intake::start`] again.
    pub(super) fn clear(&mut self) {
        self.drop_undecoded();
        self.next.clear();
    }
}

/// Messages, bytes and units at a time.
fn limits(plan: &Plan, workers: &Workers) -> (usize, usize, usize) {
    match plan.messages.has_ceiling() {
        true => (1, 1, 1),
        false => (UNIT_MESSAGES, UNIT_BYTES, UNITS * workers.threads()),
    }
}

impl Unit {
    fn decode(
        self,
        buffer: &mut BatchBuffer,
        until: Option<&BTreeMap<TopicPartition, i64>>,
        buried: &mut Vec<(u64, Vec<Buried>)>,
    ) -> Result<(), PushError> {
        for (partition, next) in self.starts {
            buffer.start(partition, next.offset, next.incarnation)?;
        }
        let mut bound = Bound { until, last: None };
        let records = self.chunks.iter().flat_map(Chunk::records).filter(|record| bound.takes(record));
        let mut slices = 0;
        let mut slice = |buffer: &mut BatchBuffer| {
            let read = buffer.messages();
            buried.push((read - std::mem::replace(&mut slices, read), buffer.take_buried()));
        };
        let mut last = Last::default();
        let mut result = Ok(());
        for (n, record) in records.enumerate() {
            if n % SLICE == 0 {
                slice(buffer);
            }
            result = buffer.push(&record);
            if result.is_err() {
                break;
            }
            last.keep(record);
        }
        slice(buffer);
        last.records.iter().for_each(|record| buffer.remember(record));
        result
    }
}

/// The last message of each partition.
#[derive(Default)]
struct Last<'c> {
    records: Vec<Record<'c>>,
    /// Place of the one kept last: the next one is mostly of the same partition.
    at: usize,
}

impl<'c> Last<'c> {
    fn keep(&mut self, record: Record<'c>) {
        let same = |r: &Record<'_>| r.partition.is(record.partition);
        if !self.records.get(self.at).is_some_and(same) {
            self.at = self.records.iter().position(same).unwrap_or(self.records.len());
        }
        match self.records.get_mut(self.at) {
            Some(last) => *last = record,
            None => self.records.push(record),
        }
    }
}

/// Where a bounded run ends; messages of one partition come in runs.
struct Bound<'u, 'c> {
    until: Option<&'u BTreeMap<TopicPartition, i64>>,
    last: Option<(&'c TopicPartition, Option<i64>)>,
}

impl<'c> Bound<'_, 'c> {
    fn takes(&mut self, record: &Record<'c>) -> bool {
        let Some(until) = self.until else { return true };
        let end = match self.last {
            Some((partition, end)) if std::ptr::eq(partition, record.partition) => end,
            _ => self.last.insert((record.partition, until.get(record.partition).copied())).1,
        };
        end.is_some_and(|end| record.offset < end)
    }
}
