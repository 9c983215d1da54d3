//! The one thread that talks to librdkafka. Blocking by nature: it reads chunks, and takes orders between them.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, Offset as KafkaOffset, TopicPartitionList};
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;
use tracing::{debug, info, warn};

use super::access::Ear;
use super::client::{KafkaConfig, describe};
use super::ends::{Ends, Shared};
use super::polling::{Closed, Reader};
use super::port::{Assignment, Event, Hold, SourceError, Start};
use super::position::Position;
use super::refusal::Refusals;
use super::trouble::Trouble;
use crate::model::{Offset, TopicPartition};
use crate::observe::Metrics;

/// How long a full channel is waited for before partitions are paused. Pausing throws fetched messages away.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the group is kept waiting while what was read is landed.
const FLUSH_LIMIT: Duration = Duration::from_secs(10);
const WATERMARK_LIMIT: Duration = Duration::from_secs(10);

/// An order to the thread.
#[derive(Debug)]
pub(super) enum Command {
    Assign(Assignment),
    CommitOffsets(Vec<(TopicPartition, Offset)>),
    Stop,
}

/// Notes rebalances; they are handled between polls. What is taken away is told at once, from within the poll, so that
/// the group waits until it is landed.
pub(super) struct Context {
    rebalances: Mutex<VecDeque<Option<Vec<TopicPartition>>>>,
    control: Sender<Event>,
    ear: Ear,
}

impl ClientContext for Context {
    fn error(&self, error: KafkaError, reason: &str) {
        // Every error comes out of `poll` too, and is told there, once; only the reason does not.
        self.ear.hear(&error, reason);
    }
}

impl ConsumerContext for Context {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, err: RDKafkaRespErr, tpl: &mut TopicPartitionList) {
        let given = err == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if !given {
            let (hold, released) = Hold::new();
            let event = Event::Revoked { lost: consumer.assignment_lost(), hold };
            // A pipeline that is gone, or too slow, is not waited for: who gets the partitions reads them again.
            if self.control.try_send(event).is_ok() {
                _ = released.recv_timeout(FLUSH_LIMIT);
            }
        }
        // Accept what the group decided, but read nothing yet: where to start is the log's to say.
        let accepted = if given { consumer.assign(&TopicPartitionList::new()) } else { consumer.unassign() };
        if let Err(e) = accepted {
            warn!(error = describe(&e), "what the consumer group decided was not taken over: it decides again");
        }
        let partitions = given
            .then(|| tpl.elements().iter().map(|e| TopicPartition::new(e.topic(), e.partition())).collect::<Vec<_>>());
        self.rebalances.lock().unwrap_or_else(PoisonError::into_inner).push_back(partitions);
    }
}

/// To whom it tells what happens.
pub(super) struct Out {
    pub data: Sender<Event>,
    pub control: Sender<Event>,
    pub view: Shared,
    pub metrics: Metrics,
}

pub(super) struct ConsumerThread {
    reader: Reader<Context>,
    ends: Ends,
    data: Sender<Event>,
    control: Sender<Event>,
    view: Shared,
    trouble: Trouble,
    orders: Receiver<Command>,
    generation: u64,
    session: u64,
    /// Ordered, but some watermark could not be asked yet.
    wanted: Option<Assignment>,
    retry_at: Instant,
    /// Events for a full channel, oldest first.
    waiting: VecDeque<Event>,
    waiting_since: Option<Instant>,
    paused: bool,
    config: KafkaConfig,
    refusals: Refusals,
}

impl ConsumerThread {
    pub(super) fn new(
        config: &KafkaConfig,
        topics: &[String],
        headers: bool,
        out: Out,
        orders: Receiver<Command>,
    ) -> Result<ConsumerThread, SourceError> {
        let Out { data, control, view, metrics } = out;
        let refused = |e: KafkaError| SourceError::Config(describe(&e));
        let context = Context { rebalances: Mutex::default(), control: control.clone(), ear: Ear::default() };
        let consumer: BaseConsumer<Context> = config.consumer().create_with_context(context).map_err(refused)?;
        consumer.subscribe(&topics.iter().map(String::as_str).collect::<Vec<_>>()).map_err(refused)?;
        let consumer = Arc::new(consumer);
        let ends = Ends::ask(&consumer, &view, &metrics)?;
        Ok(ConsumerThread {
            reader: Reader::new(consumer, headers),
            ends,
            refusals: Refusals::new(control.clone(), topics.len()),
            data,
            control,
            trouble: Trouble::new(&metrics, &view),
            view,
            orders,
            generation: 0,
            session: 0,
            wanted: None,
            retry_at: Instant::now(),
            waiting: VecDeque::new(),
            waiting_since: None,
            paused: false,
            config: config.clone(),
        })
    }

    pub(super) fn run(mut self) {
        while self.take_orders() {
            self.assign_wanted();
            self.hand_on();
            if !self.waiting.is_empty() && !self.paused {
                // librdkafka's own threads keep the group membership alive meanwhile.
                std::thread::sleep(Duration::from_millis(1));
                continue;
            }
            if let Err(e) = self.read_chunk() {
                let error = SourceError::Fatal(describe(&e));
                _ = self.control.blocking_send(Event::Failed(error));
                break;
            }
            self.report_rebalances();
            if self.trouble.look() {
                self.refusals.answered();
            }
        }
        self.reader.consumer().unsubscribe();
        // Before the consumer goes, so that it leaves the group here and now.
        self.ends.stop();
    }

    /// `false`: stop.
    fn take_orders(&mut self) -> bool {
        loop {
            match self.orders.try_recv() {
                Ok(Command::Assign(a)) if a.generation == self.generation => {
                    self.wanted = Some(a);
                    self.retry_at = Instant::now();
                }
                // The group has moved on: another `Assigned` is on its way.
                Ok(Command::Assign(_)) => {}
                Ok(Command::CommitOffsets(ends)) => self.commit_offsets(&ends),
                Ok(Command::Stop) | Err(TryRecvError::Disconnected) => return false,
                Err(TryRecvError::Empty) => return !self.control.is_closed(),
            }
        }
    }

    fn commit_offsets(&mut self, ends: &[(TopicPartition, Offset)]) {
        let mut list = TopicPartitionList::new();
        for (tp, end) in ends {
            _ = list.add_partition_offset(&tp.topic, tp.partition, KafkaOffset::Offset(end.0));
        }
        if let Err(e) = self.reader.consumer().commit(&list, CommitMode::Async) {
            self.trouble.say_once(format!(
                "Kafka does not take the group's offsets: {}; tools that show its lag are wrong, nothing else",
                describe(&e)
            ));
        }
    }

    /// Compares each start with what Kafka holds, and begins to read. A partition whose messages are gone is stopped.
    fn assign_wanted(&mut self) {
        let Some(wanted) = self.wanted.take_if(|_| Instant::now() >= self.retry_at) else { return };
        let (mut positions, mut stopped) = (Vec::new(), Vec::new());
        for (tp, start) in &wanted.starts {
            match self.position(tp, *start) {
                Ok(Ok(position)) => positions.push(position),
                Ok(Err(error)) => stopped.push(Event::Stopped { session: wanted.session, error }),
                Err(e) => return self.assign_later(wanted, "ask for the offsets of a partition", &e),
            }
        }
        let told = positions.iter().filter(|p| p.fresh || self.session != wanted.session);
        let told = told.map(|p| (p.partition.clone(), p.next)).collect();
        if let Err(e) = self.reader.assign(positions) {
            return self.assign_later(wanted, "assign partitions", &e);
        }
        self.refusals.assigned();
        self.trouble.assigned();
        if std::mem::take(&mut self.paused) {
            self.view.set_paused(false);
            info!("reading resumed");
        }
        // What waits of an earlier session is of no use to anybody; of this one, reading goes on behind it.
        if self.session != wanted.session {
            self.waiting.clear();
        }
        self.session = wanted.session;
        self.waiting.extend(stopped);
        self.waiting.push_back(Event::Positioned { session: self.session, positions: told });
    }

    fn assign_later(&mut self, wanted: Assignment, what: &str, e: &KafkaError) {
        // What would be read meanwhile would be read again then.
        self.reader.forget();
        let text = format!("cannot {what}: {}", describe(e));
        self.trouble.failed(&text);
        self.trouble.say_once(format!("{text}; trying again"));
        self.retry_at = Instant::now() + Duration::from_secs(1);
        self.wanted = Some(wanted);
    }

    fn position(&self, tp: &TopicPartition, start: Start) -> Result<Result<Position, SourceError>, KafkaError> {
        let (low, high) = self.reader.consumer().fetch_watermarks(&tp.topic, tp.partition, WATERMARK_LIMIT)?;
        let partition = tp.clone();
        let Start::At { offset: end, tail } = start else {
            return Ok(Ok(Position::new(partition, Offset(low), true, None)));
        };
        Ok(match end.0 {
            at if at < low => Err(SourceError::Gap { partition, end, low, missing: low - at }),
            at if at > high => Err(SourceError::Truncated { partition, end, high }),
            _ => {
                let check = tail.filter(|tail| tail.offset >= low);
                Ok(Position::new(partition, end, false, check))
            }
        })
    }

    fn report_rebalances(&mut self) {
        loop {
            let next = {
                let context = self.reader.consumer().context();
                context.rebalances.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
            };
            let Some(rebalance) = next else { return };
            self.generation += 1;
            self.wanted = None;
            self.reader.forget();
            self.ends.of(rebalance.clone().unwrap_or_default());
            if let Some(partitions) = rebalance {
                _ = self.control.blocking_send(Event::Assigned { generation: self.generation, partitions });
            }
        }
    }

    /// Sends what waits, as far as there is room; pauses and resumes the partitions by it.
    fn hand_on(&mut self) {
        while let Some(event) = self.waiting.pop_front() {
            match self.data.try_send(event) {
                Ok(()) | Err(TrySendError::Closed(_)) => {}
                Err(TrySendError::Full(event)) => {
                    self.waiting.push_front(event);
                    break;
                }
            }
        }
        if self.waiting.is_empty() {
            self.waiting_since = None;
            if self.paused {
                // Not by the client's own resuming, which may leave a message out: see `BatchQueue::consumer`.
                self.assign_again();
            }
        } else {
            let since = *self.waiting_since.get_or_insert_with(Instant::now);
            if !self.paused && since.elapsed() > PATIENCE {
                self.pause();
            }
        }
    }

    fn pause(&mut self) {
        let consumer = self.reader.consumer();
        let Ok(assignment) = consumer.assignment() else { return };
        match consumer.pause(&assignment) {
            Ok(()) => {
                self.paused = true;
                self.view.set_paused(true);
                info!(partitions = assignment.count(), "reading paused: what is read waits to be landed");
            }
            Err(e) => self.trouble.say_once(format!("cannot pause: {}", describe(&e))),
        }
    }

    /// Reads a chunk and tells what came with it. An error is the client's last.
    fn read_chunk(&mut self) -> Result<(), KafkaError> {
        let (chunk, closed) = self.reader.fill();
        if !chunk.is_empty() {
            self.refusals.answered();
            self.refusals.read(&chunk);
            self.trouble.answered();
            self.waiting.push_back(Event::Messages { session: self.session, chunk });
        }
        match closed {
            Closed::Passed => {}
            Closed::End(partition) => {
                self.trouble.answered();
                self.waiting.push_back(Event::EndReached { session: self.session, partition });
            }
            Closed::Halted(error) => self.waiting.push_back(Event::Stopped { session: self.session, error }),
            Closed::Lost => {
                debug!("messages came on the wrong queue: assigning again");
                self.assign_again();
            }
            Closed::Error(e @ KafkaError::MessageConsumptionFatal(_)) => return Err(e),
            Closed::Error(e) => self.tell(&e),
        }
        Ok(())
    }

    /// Assigns the same partitions again, from where reading them stands; until then nothing is read.
    fn assign_again(&mut self) {
        // What is ordered already assigns everything anew.
        if self.wanted.is_none() {
            let starts = self.reader.starts();
            self.reader.forget();
            self.wanted = Some(Assignment { generation: self.generation, session: self.session, starts });
            self.retry_at = Instant::now();
        }
    }

    fn tell(&mut self, error: &KafkaError) {
        let code = error.rdkafka_error_code();
        let reason = code.and_then(|code| self.reader.consumer().context().ear.reason(code));
        if let Some(refusal) = code.and_then(|code| self.config.refusal(code, reason)) {
            return self.refusals.heard(refusal);
        }
        match code {
            // Retention overtook us, or the topic was cut, while reading: compare with Kafka again and say which.
            Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => self.assign_again(),
            Some(RDKafkaErrorCode::UnknownTopicOrPartition) => self.trouble.topic_is_missing(),
            Some(RDKafkaErrorCode::AllBrokersDown) => self.trouble.is_down(),
            // One connection of several; it matters when the last one is gone.
            Some(
                RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::Resolve
                | RDKafkaErrorCode::OperationTimedOut,
            ) => debug!(error = describe(error), "a connection to Kafka failed"),
            _ => {
                self.trouble.failed(&describe(error));
                self.trouble.say_once(format!("Kafka: {}; the client tries again", describe(error)));
            }
        }
    }
}
