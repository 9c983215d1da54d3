//! The one thread that talks to librdkafka. Blocking by nature: it polls, fills chunks, and takes orders between polls.

use std::collections::{HashSet, VecDeque};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, Offset as KafkaOffset, TopicPartitionList};
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;
use tracing::{debug, info, warn};

use super::client::{KafkaConfig, describe};
use super::port::{Assignment, Event, Hold, SourceError, Start};
use super::position::{Position, push};
use crate::model::{Chunk, Offset, TopicPartition};

/// A chunk is handed on when it has this many messages, or bytes, or when no more came after a nap.
const CHUNK_MESSAGES: usize = 2000;
const CHUNK_BYTES: usize = 1 << 20;
/// Slept when nothing is there; orders are taken after it. The client's own wait ends in a spin of a millisecond or
/// two, at every poll, which alone would cost an idle daemon two percent of a core.
const NAP: Duration = Duration::from_millis(20);
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
struct Context {
    rebalances: Mutex<VecDeque<Option<Vec<TopicPartition>>>>,
    control: Sender<Event>,
}

impl ClientContext for Context {
    fn error(&self, _: KafkaError, _: &str) {
        // Every error comes out of `poll` too, and is told there, once.
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
            warn!(error = describe(&e), "Kafka rebalance");
        }
        let partitions = given
            .then(|| tpl.elements().iter().map(|e| TopicPartition::new(e.topic(), e.partition())).collect::<Vec<_>>());
        self.rebalances.lock().unwrap_or_else(PoisonError::into_inner).push_back(partitions);
    }
}

pub(super) struct ConsumerThread {
    consumer: BaseConsumer<Context>,
    data: Sender<Event>,
    control: Sender<Event>,
    orders: Receiver<Command>,
    generation: u64,
    session: u64,
    /// Ordered, but some watermark could not be asked yet.
    wanted: Option<Assignment>,
    retry_at: Instant,
    positions: Vec<Position>,
    /// Index of the partition of the last message: the next one is mostly of the same.
    last: usize,
    /// Headers of the message at hand, if they are wanted.
    headers: Option<Vec<u8>>,
    /// Events for a full channel, oldest first.
    waiting: VecDeque<Event>,
    waiting_since: Option<Instant>,
    paused: bool,
    said: HashSet<String>,
    down_since: Option<Instant>,
}

enum Polled {
    Nothing,
    Message,
    End(i32),
    Fatal(KafkaError),
}

impl ConsumerThread {
    pub(super) fn new(
        config: &KafkaConfig,
        topics: &[String],
        headers: bool,
        data: Sender<Event>,
        control: Sender<Event>,
        orders: Receiver<Command>,
    ) -> Result<ConsumerThread, SourceError> {
        let refused = |e: KafkaError| SourceError::Config(describe(&e));
        let context = Context { rebalances: Mutex::default(), control: control.clone() };
        let consumer: BaseConsumer<Context> = config.consumer().create_with_context(context).map_err(refused)?;
        consumer.subscribe(&topics.iter().map(String::as_str).collect::<Vec<_>>()).map_err(refused)?;
        Ok(ConsumerThread {
            consumer,
            data,
            control,
            orders,
            generation: 0,
            session: 0,
            wanted: None,
            retry_at: Instant::now(),
            positions: Vec::new(),
            last: 0,
            headers: headers.then(Vec::new),
            waiting: VecDeque::new(),
            waiting_since: None,
            paused: false,
            said: HashSet::new(),
            down_since: None,
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
            if let Some(e) = self.fill_chunk() {
                let error = SourceError::Fatal(describe(&e));
                _ = self.control.blocking_send(Event::Failed(error));
                break;
            }
            self.report_rebalances();
        }
        self.consumer.unsubscribe();
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

    fn commit_offsets(&self, ends: &[(TopicPartition, Offset)]) {
        let mut list = TopicPartitionList::new();
        for (tp, end) in ends {
            _ = list.add_partition_offset(&tp.topic, tp.partition, KafkaOffset::Offset(end.0));
        }
        if let Err(e) = self.consumer.commit(&list, CommitMode::Async) {
            warn!(error = describe(&e), "group offsets not written (lag tools only)");
        }
    }

    /// Compares each start with what Kafka holds, and begins to read. A partition whose messages are gone is stopped.
    fn assign_wanted(&mut self) {
        let Some(wanted) = self.wanted.take_if(|_| Instant::now() >= self.retry_at) else { return };
        let mut positions = Vec::new();
        for (tp, start) in &wanted.starts {
            match self.position(tp, *start) {
                Ok(Ok(position)) => positions.push(position),
                Ok(Err(error)) => _ = self.control.blocking_send(Event::Stopped { error }),
                Err(e) => return self.assign_later(wanted, "ask for the offsets of a partition", &e),
            }
        }
        let mut list = TopicPartitionList::new();
        for p in &positions {
            let (topic, at) = (&p.partition.topic, KafkaOffset::Offset(p.first()));
            _ = list.add_partition_offset(topic, p.partition.partition, at);
        }
        if let Err(e) = self.consumer.assign(&list) {
            return self.assign_later(wanted, "assign partitions", &e);
        }
        // The client remembers a pause beyond an assignment.
        if let Err(e) = self.consumer.resume(&list) {
            return self.assign_later(wanted, "resume partitions", &e);
        }
        self.said.clear();
        self.paused = false;
        // What waits of an earlier session is of no use to anybody; of this one, reading goes on behind it.
        if self.session != wanted.session {
            self.waiting.clear();
        }
        let told = positions.iter().filter(|p| p.fresh || self.session != wanted.session);
        let told = told.map(|p| (p.partition.clone(), p.next)).collect();
        self.session = wanted.session;
        self.waiting.push_back(Event::Positioned { session: self.session, positions: told });
        self.positions = positions;
        self.last = 0;
    }

    fn assign_later(&mut self, wanted: Assignment, what: &str, e: &KafkaError) {
        self.say_once(format!("cannot {what}: {}; trying again", describe(e)));
        self.retry_at = Instant::now() + Duration::from_secs(1);
        self.wanted = Some(wanted);
    }

    fn position(&self, tp: &TopicPartition, start: Start) -> Result<Result<Position, SourceError>, KafkaError> {
        let (low, high) = self.consumer.fetch_watermarks(&tp.topic, tp.partition, WATERMARK_LIMIT)?;
        let partition = tp.clone();
        let Start::At { offset: end, tail } = start else {
            return Ok(Ok(Position { partition, next: Offset(low), fresh: true, check: None }));
        };
        Ok(match end.0 {
            at if at < low => Err(SourceError::Gap { partition, end, low, missing: low - at }),
            at if at > high => Err(SourceError::Truncated { partition, end, high }),
            _ => {
                let check = tail.filter(|tail| tail.offset >= low);
                Ok(Position { partition, next: end, fresh: false, check })
            }
        })
    }

    fn report_rebalances(&mut self) {
        loop {
            let next = {
                let context = self.consumer.context();
                context.rebalances.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
            };
            let Some(rebalance) = next else { return };
            self.generation += 1;
            self.wanted = None;
            self.positions.clear();
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
                self.switch(false);
            }
        } else {
            let since = *self.waiting_since.get_or_insert_with(Instant::now);
            if !self.paused && since.elapsed() > PATIENCE {
                self.switch(true);
            }
        }
    }

    fn switch(&mut self, pause: bool) {
        let Ok(assignment) = self.consumer.assignment() else { return };
        let done = if pause { self.consumer.pause(&assignment) } else { self.consumer.resume(&assignment) };
        match done {
            Ok(()) => {
                self.paused = pause;
                let what = if pause { "paused: what is read waits to be landed" } else { "resumed" };
                info!(partitions = assignment.count(), "reading {what}");
            }
            Err(e) => self.say_once(format!("cannot pause or resume: {}", describe(&e))),
        }
    }

    fn fill_chunk(&mut self) -> Option<KafkaError> {
        let mut chunk = Chunk::default();
        let mut end = None;
        let mut fatal = None;
        let mut rested = false;
        while chunk.len() < CHUNK_MESSAGES && chunk.byte_size() < CHUNK_BYTES {
            match self.poll(&mut chunk) {
                Polled::Message => {}
                Polled::Nothing if rested => break,
                Polled::Nothing => {
                    std::thread::sleep(NAP);
                    rested = true;
                }
                Polled::End(partition) => {
                    end = Some(partition);
                    break;
                }
                Polled::Fatal(e) => {
                    fatal = Some(e);
                    break;
                }
            }
        }
        if !chunk.is_empty() {
            self.waiting.push_back(Event::Messages { session: self.session, chunk });
        }
        if let Some(partition) = end {
            self.waiting.push_back(Event::EndReached { session: self.session, partition });
        }
        fatal
    }

    fn poll(&mut self, chunk: &mut Chunk) -> Polled {
        let error = match self.consumer.poll(Duration::ZERO) {
            None => return Polled::Nothing,
            Some(Ok(message)) => {
                let replaced = push(&mut self.positions, &mut self.last, chunk, self.headers.as_mut(), &message);
                self.brokers_answer();
                if let Some((at, offset)) = replaced {
                    self.halt(at, offset);
                }
                return Polled::Message;
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                self.brokers_answer();
                return Polled::End(partition);
            }
            Some(Err(e @ KafkaError::MessageConsumptionFatal(_))) => return Polled::Fatal(e),
            Some(Err(e)) => e,
        };
        match error.rdkafka_error_code() {
            // Retention overtook us, or the topic was cut, while reading: compare with Kafka again and say which.
            Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
                let starts = self.positions.iter().map(|p| (p.partition.clone(), p.start())).collect();
                self.wanted = Some(Assignment { generation: self.generation, session: self.session, starts });
                self.retry_at = Instant::now();
            }
            Some(RDKafkaErrorCode::UnknownTopicOrPartition) => {
                self.say_once("a topic of kafka.topics does not exist yet: waiting for it".to_owned());
            }
            Some(RDKafkaErrorCode::AllBrokersDown) => {
                if self.down_since.is_none() {
                    self.down_since = Some(Instant::now());
                    warn!("no Kafka broker answers: waiting, the client reconnects by itself");
                }
            }
            // One connection of several; it matters when the last one is gone.
            Some(
                RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::Resolve
                | RDKafkaErrorCode::OperationTimedOut,
            ) => debug!(error = describe(&error), "a connection to Kafka failed"),
            _ => self.say_once(format!("Kafka: {}; the client tries again", describe(&error))),
        }
        Polled::Nothing
    }

    /// Stops reading a partition whose topic was made anew.
    fn halt(&mut self, at: usize, offset: i64) {
        let position = self.positions.remove(at);
        let mut list = TopicPartitionList::new();
        list.add_partition(&position.partition.topic, position.partition.partition);
        if let Err(e) = self.consumer.pause(&list) {
            debug!(error = describe(&e), "not paused; its messages are ignored");
        }
        let error = SourceError::Replaced { partition: position.partition, offset };
        _ = self.control.blocking_send(Event::Stopped { error });
    }

    fn brokers_answer(&mut self) {
        if let Some(since) = self.down_since.take() {
            info!(outage_seconds = since.elapsed().as_secs_f64(), "Kafka answers again");
        }
    }

    /// Warns, but not again until an assignment has succeeded.
    fn say_once(&mut self, text: String) {
        if self.said.insert(text.clone()) {
            warn!("{text}");
        }
    }
}
