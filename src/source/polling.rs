//! Takes messages from the client by the batch, and makes chunks of those that belong to our positions.

use std::sync::Arc;
use std::time::{Duration, Instant};

use landfall_batch_queue::{BatchQueue, Polled};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::{Offset as KafkaOffset, TopicPartitionList};
use tracing::debug;

use super::client::describe;
use super::port::{SourceError, Start};
use super::position::{Position, push};
use crate::model::{Chunk, TopicPartition};

/// A chunk is full when it has this many messages, or bytes.
const CHUNK_MESSAGES: usize = 8000;
const CHUNK_BYTES: usize = 256 << 10;
/// How long a chunk that is not full waits for more, in all; orders are taken after it. The client's own wait ends in a
/// spin of a millisecond or two, at every poll, which alone would cost an idle daemon two percent of a core.
const NAP: Duration = Duration::from_millis(20);
/// A chunk that has this many bytes already, or follows a full one, naps in short steps: there is a backlog, and more is
/// on its way.
const BUSY_BYTES: usize = 64 << 10;
const SHORT_NAP: Duration = Duration::from_millis(1);

/// Why a chunk was closed.
pub(super) enum Closed {
    /// It is full, or nothing more came.
    Passed,
    /// All that was in a partition of this number has been read.
    End(i32),
    /// The client has trouble.
    Error(KafkaError),
    /// A partition whose topic was made anew is not read any more.
    Halted(SourceError),
    /// Some partition must be assigned again, from where it stands.
    Lost,
}

/// The consumer's messages, and where reading them stands.
pub(super) struct Reader<C: ConsumerContext + 'static> {
    queue: BatchQueue<C>,
    positions: Vec<Position>,
    /// Index of the partition of the last message: the next one is mostly of the same.
    last: usize,
    /// Headers of the message at hand, if they are wanted.
    headers: Option<Vec<u8>>,
    /// Messages and bytes of the last chunk: the next one is mostly about as large.
    size: (usize, usize),
    /// The last chunk was full.
    busy: bool,
}

impl<C: ConsumerContext + 'static> Reader<C> {
    /// Reads nothing yet.
    pub(super) fn new(consumer: Arc<BaseConsumer<C>>, headers: bool) -> Reader<C> {
        let queue = BatchQueue::new(consumer);
        Reader { queue, positions: Vec::new(), last: 0, headers: headers.then(Vec::new), size: (0, 0), busy: false }
    }

    pub(super) fn consumer(&self) -> &BaseConsumer<C> {
        self.queue.consumer()
    }

    /// Reads on from these positions, and nothing else. After an error nothing is read.
    pub(super) fn assign(&mut self, positions: Vec<Position>) -> KafkaResult<()> {
        self.forget();
        let mut list = TopicPartitionList::new();
        for p in &positions {
            let at = KafkaOffset::Offset(p.first());
            list.add_partition_offset(&p.partition.topic, p.partition.partition, at)?;
        }
        self.queue.assign(&list)?;
        self.positions = positions;
        Ok(())
    }

    /// Reads nothing until partitions are assigned again.
    pub(super) fn forget(&mut self) {
        self.queue.forget();
        self.positions.clear();
        self.last = 0;
    }

    /// From where reading would go on.
    pub(super) fn starts(&self) -> Vec<(TopicPartition, Start)> {
        self.positions.iter().map(|p| (p.partition.clone(), p.start())).collect()
    }

    /// The next chunk, maybe an empty one, and why it has no more. Serves the client's callbacks.
    pub(super) fn fill(&mut self) -> (Chunk, Closed) {
        let mut chunk = Chunk::default();
        let (begun, mut rested) = (Instant::now(), Duration::ZERO);
        let closed = self.fill_up(&mut chunk, &mut rested);
        if !chunk.is_empty() {
            chunk.poll = begun.elapsed().saturating_sub(rested);
            self.size = (chunk.len(), chunk.byte_size());
        }
        self.busy = is_full(&chunk);
        (chunk, closed)
    }

    /// `rested` is how long it has napped.
    fn fill_up(&mut self, chunk: &mut Chunk, rested: &mut Duration) -> Closed {
        while !is_full(chunk) {
            let replaced = match self.queue.poll() {
                Some(Polled::Message(m)) => {
                    if chunk.is_empty() {
                        let (messages, bytes) = self.size;
                        *chunk = Chunk::with_capacity(messages + messages / 16, bytes + bytes / 16);
                    }
                    push(&mut self.positions, &mut self.last, chunk, self.headers.as_mut(), &m)
                }
                Some(Polled::Error(KafkaError::PartitionEOF(partition))) => return Closed::End(partition),
                Some(Polled::Error(e)) => return Closed::Error(e),
                Some(Polled::Stray) => return Closed::Lost,
                None if *rested >= NAP => break,
                None => {
                    let busy = self.busy || chunk.byte_size() >= BUSY_BYTES;
                    let nap = if busy { SHORT_NAP } else { NAP - *rested };
                    std::thread::sleep(nap);
                    *rested += nap;
                    None
                }
            };
            if let Some((at, offset)) = replaced {
                return Closed::Halted(self.halt(at, offset));
            }
        }
        Closed::Passed
    }

    /// Stops reading a partition whose topic was made anew.
    fn halt(&mut self, at: usize, offset: i64) -> SourceError {
        let partition = self.positions.remove(at).partition;
        let mut list = TopicPartitionList::new();
        list.add_partition(&partition.topic, partition.partition);
        if let Err(e) = self.queue.consumer().pause(&list) {
            debug!(error = describe(&e), "not paused; its messages are ignored");
        }
        SourceError::Replaced { partition, offset }
    }
}

fn is_full(chunk: &Chunk) -> bool {
    chunk.len() >= CHUNK_MESSAGES || chunk.byte_size() >= CHUNK_BYTES
}
