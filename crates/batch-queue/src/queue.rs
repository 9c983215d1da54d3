//! The queue that the messages of all assigned partitions go to.

use std::ffi::{CStr, CString};
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::bindings as rd;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};

use super::message::Message;

/// Messages taken over at a time. They no longer count against librdkafka's limits, so they are not many; more would
/// not be cheaper.
const BATCH: usize = 256;

/// What a poll brings.
#[derive(Debug)]
pub enum Polled<'q> {
    /// A message.
    Message(Message<'q>),
    /// What `BaseConsumer::poll` would have given as an error: the end of a partition, trouble of a partition or of the
    /// whole client.
    Error(KafkaError),
    /// A message that belongs to a partition assigned by [`BatchQueue::assign`] came on the consumer's own queue, and
    /// is dropped. Later ones of that partition have not been given out: assign again, from the positions reached.
    Stray,
}

/// The messages of a consumer's assigned partitions, in order within each partition.
pub struct BatchQueue<C: ConsumerContext + 'static> {
    raw: NonNull<rd::rd_kafka_queue_t>,
    /// Taken over from librdkafka; those before `next` are given out already.
    taken: Vec<*mut rd::rd_kafka_message_t>,
    next: usize,
    /// Assigned partitions of which nothing came yet.
    silent: Vec<(CString, i32)>,
    /// Last: it must outlive the queue.
    consumer: Arc<BaseConsumer<C>>,
}

// SAFETY: queues and messages of librdkafka belong to no thread, and all its functions lock what they use. That only one
// thread at a time takes from this queue is seen to by `&mut self`.
unsafe impl<C: ConsumerContext + 'static> Send for BatchQueue<C> where Arc<BaseConsumer<C>>: Send {}

impl<C: ConsumerContext + 'static> BatchQueue<C> {
    /// A queue that nothing goes to until [`BatchQueue::assign`].
    ///
    /// # Panics
    /// Memory is exhausted: librdkafka gives no queue for no other reason.
    pub fn new(consumer: Arc<BaseConsumer<C>>) -> BatchQueue<C> {
        // SAFETY: the client is alive, and stays so: `consumer` is kept.
        let raw = unsafe { rd::rd_kafka_queue_new(consumer.client().native_ptr()) };
        let raw = NonNull::new(raw).expect("librdkafka gives a queue unless memory is exhausted");
        BatchQueue { raw, taken: Vec::with_capacity(BATCH), next: 0, silent: Vec::new(), consumer }
    }

    /// The consumer. Partitions are assigned by [`BatchQueue::assign`] only; taking all away is no matter. Paused ones
    /// go on when they are assigned again, not by `resume`: when librdkafka 2.12 gives out the end of a partition in a
    /// batch, it takes its position for one further than it is, and after a pause a message would be skipped
    /// (confluentinc/librdkafka#4844).
    pub fn consumer(&self) -> &BaseConsumer<C> {
        &self.consumer
    }

    /// Replaces the assignment: reads these partitions from their offsets, paused ones too. Nothing that was fetched
    /// before comes any more.
    ///
    /// # Errors
    /// A topic's name is none, or the client refuses the assignment.
    pub fn assign(&mut self, list: &TopicPartitionList) -> KafkaResult<()> {
        self.forget();
        for element in list.elements() {
            let topic = CString::new(element.topic()).map_err(KafkaError::Nul)?;
            self.silent.push((topic, element.partition()));
        }
        // Before the assignment: a partition that starts keeps what the application has set, and is otherwise forwarded
        // to the consumer's own queue.
        self.forward_silent()?;
        self.consumer.assign(list)?;
        // The answer to this comes behind the end of the assignment before. To replace an assignment while that is still
        // under way trips an assertion of librdkafka 2.12, which ends the process.
        self.consumer.assignment()?;
        // The client remembers a pause beyond an assignment.
        self.consumer.resume(list)
    }

    /// Drops what was fetched and is not given out yet. For when the partitions are taken away: otherwise messages of
    /// an assignment that is over may still come.
    pub fn forget(&mut self) {
        self.silent.clear();
        self.drop_taken();
    }

    /// The next message or error, if there is one already; serves the consumer's own queue, callbacks too, between two
    /// batches. Never waits.
    pub fn poll(&mut self) -> Option<Polled<'_>> {
        if self.next == self.taken.len() {
            // An error can only be one that `assign` has told before.
            _ = self.forward_silent();
            // After forwarding and before taking: of a partition that was not forwarded until now, the messages on the
            // consumer's queue are older than those on ours.
            match self.consumer.poll(Duration::ZERO) {
                Some(Ok(_)) => return Some(Polled::Stray),
                Some(Err(e)) => return Some(Polled::Error(e)),
                None => {}
            }
            self.take_batch();
        }
        let raw = NonNull::new(*self.taken.get(self.next)?)?;
        self.next += 1;
        // SAFETY: it came from the queue and is not destroyed yet; from here on it is behind `next`, so that nobody but
        // its new owner destroys it.
        let message = unsafe { Message::new(raw) };
        // SAFETY: as above; errors are a field of every message.
        let err = unsafe { raw.as_ref() }.err;
        Some(match RDKafkaErrorCode::from(err) {
            RDKafkaErrorCode::NoError => Polled::Message(message),
            RDKafkaErrorCode::PartitionEOF => Polled::Error(KafkaError::PartitionEOF(message.partition())),
            code => Polled::Error(KafkaError::MessageConsumption(code)),
        })
    }

    /// Forwards the queues of the partitions of which nothing came yet to ours.
    ///
    /// Once, before the assignment, is not enough: if the partition is still being read for an assignment before, its
    /// end takes the forwarding away, at some time that nobody is told, and the messages then gather where nobody
    /// reads. Forwarding again brings them over. What comes at last is of this assignment, since librdkafka drops
    /// everything older, so the assignment before it has ended by then.
    fn forward_silent(&self) -> KafkaResult<()> {
        let client = self.consumer.client().native_ptr();
        for (topic, partition) in &self.silent {
            // SAFETY: the client is alive, and the name ends in a zero byte.
            let queue = unsafe { rd::rd_kafka_queue_get_partition(client, topic.as_ptr(), *partition) };
            if queue.is_null() {
                return Err(KafkaError::MessageConsumption(RDKafkaErrorCode::UnknownPartition));
            }
            // SAFETY: both queues are alive. librdkafka counts the references: ours is kept by the partition that is
            // forwarded to it, and the partition's is let go here without taking the forwarding back.
            unsafe {
                rd::rd_kafka_queue_forward(queue, self.raw.as_ptr());
                rd::rd_kafka_queue_destroy(queue);
            }
        }
        Ok(())
    }

    fn take_batch(&mut self) {
        self.taken.clear();
        self.next = 0;
        // SAFETY: the queue is alive, and `taken` has room for `BATCH` pointers.
        let n = unsafe { rd::rd_kafka_consume_batch_queue(self.raw.as_ptr(), 0, self.taken.as_mut_ptr(), BATCH) };
        // SAFETY: that many were written, at most `BATCH`; on errors it is -1 and there are none.
        unsafe { self.taken.set_len(usize::try_from(n).unwrap_or(0)) };
        if !self.silent.is_empty() {
            self.note_heard();
        }
    }

    fn note_heard(&mut self) {
        for raw in &self.taken {
            // SAFETY: taken from librdkafka and not destroyed yet.
            let message = unsafe { &**raw };
            let code = RDKafkaErrorCode::from(message.err);
            // Errors of other kinds may come without a topic, or be older.
            if message.rkt.is_null() || !matches!(code, RDKafkaErrorCode::NoError | RDKafkaErrorCode::PartitionEOF) {
                continue;
            }
            // SAFETY: the message holds a reference to its topic, whose name ends in a zero byte.
            let topic = unsafe { CStr::from_ptr(rd::rd_kafka_topic_name(message.rkt)) };
            self.silent.retain(|(name, partition)| *partition != message.partition || name.as_c_str() != topic);
            if self.silent.is_empty() {
                break;
            }
        }
    }

    fn drop_taken(&mut self) {
        for raw in self.taken.drain(..).skip(std::mem::take(&mut self.next)) {
            // SAFETY: taken from librdkafka, not given out, and no longer in `taken`.
            unsafe { rd::rd_kafka_message_destroy(raw) }
        }
    }
}

impl<C: ConsumerContext + 'static> Drop for BatchQueue<C> {
    fn drop(&mut self) {
        self.drop_taken();
        // SAFETY: ours, and destroyed nowhere else. Partitions that are still forwarded to it keep what they need of it
        // alive by a reference of their own; what lies in it is dropped now. The consumer goes after it.
        unsafe { rd::rd_kafka_queue_destroy(self.raw.as_ptr()) }
    }
}
