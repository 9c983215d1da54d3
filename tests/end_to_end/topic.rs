//! A topic of the test's own, written and read by a client that knows nothing of landfall.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use landfall::game::Load;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::world::{World, wait_for};

/// Seconds of load without an acknowledgement.
const STUCK_AFTER: i32 = 40;

pub struct Topic {
    pub name: String,
    pub partitions: i32,
    servers: String,
}

/// A message as Kafka has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    pub partition: i32,
    pub offset: i64,
    pub timestamp_ms: i64,
    pub value: Option<Vec<u8>>,
}

impl Topic {
    pub fn create(world: &World, name: &str, partitions: i32) -> Topic {
        // Some tests send messages of years ago.
        Topic::create_with(world, name, partitions, &[("retention.ms", "-1")])
    }

    /// With settings of its own.
    pub fn create_with(world: &World, name: &str, partitions: i32, settings: &[(&str, &str)]) -> Topic {
        let topic = Topic { name: name.to_owned(), partitions, servers: world.stack.kafka() };
        let new = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        let new = settings.iter().fold(new, |new, (name, value)| new.set(name, value));
        let results = world.runtime.block_on(topic.admin().create_topics([&new], &AdminOptions::new())).unwrap();
        results.into_iter().for_each(|r| drop(r.unwrap()));
        topic
    }

    /// Deletes the topic of that name, and waits until it is gone; no error if there is none.
    pub fn delete(world: &World, name: &str) {
        let topic = Topic { name: name.to_owned(), partitions: 0, servers: world.stack.kafka() };
        _ = world.runtime.block_on(topic.admin().delete_topics(&[name], &AdminOptions::new()));
        wait_for(Duration::from_secs(20), format!("topic {name} is gone"), || {
            let metadata = topic.consumer().fetch_metadata(Some(name), Duration::from_secs(5)).ok()?;
            metadata.topics()[0].error().is_some().then_some(())
        });
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.client().create().unwrap()
    }

    fn client(&self) -> ClientConfig {
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", &self.servers);
        client
    }

    pub fn sender(&self) -> Sender {
        Sender::new(self.client(), self.name.clone())
    }

    /// A producer of transactions, ready to begin one.
    pub fn transactional_sender(&self) -> Sender {
        let inner = self.client().set("transactional.id", &self.name).create();
        let sender = Sender { topic: self.name.clone(), inner: inner.unwrap() };
        sender.inner.init_transactions(Duration::from_secs(30)).unwrap();
        sender
    }

    /// Each partition's end offset; asked again, by a new client, of a broker that has just come back: one that met it
    /// while it started may not find the leader for half a minute.
    pub fn ends(&self) -> Vec<i64> {
        let limit = Duration::from_secs(5);
        let end = |p| {
            let what = format!("where {}[{p}] ends", self.name);
            let ask = || self.consumer().fetch_watermarks(&self.name, p, limit).ok();
            wait_for(Duration::from_secs(30), what, ask).1
        };
        (0..self.partitions).map(end).collect()
    }

    fn consumer(&self) -> BaseConsumer {
        let mut client = self.client();
        client.set("group.id", format!("reader-of-{}", self.name)).set("enable.auto.commit", "false");
        client.set("enable.partition.eof", "true").set("isolation.level", "read_committed").create().unwrap()
    }

    /// Every committed message there is, read from the beginning.
    pub fn read(&self) -> Vec<Message> {
        self.read_partitions(0..self.partitions)
    }

    /// The same of some partitions.
    pub fn read_partitions(&self, partitions: Range<i32>) -> Vec<Message> {
        let consumer = self.consumer();
        let mut list = TopicPartitionList::new();
        let count = partitions.len();
        partitions.for_each(|p| list.add_partition_offset(&self.name, p, Offset::Beginning).unwrap());
        consumer.assign(&list).unwrap();
        let (mut messages, mut ended, begun) = (Vec::new(), 0, Instant::now());
        while ended < count {
            match consumer.poll(Duration::from_millis(200)) {
                Some(Ok(m)) => messages.push(Message {
                    partition: m.partition(),
                    offset: m.offset(),
                    timestamp_ms: m.timestamp().to_millis().unwrap(),
                    value: m.payload().map(<[u8]>::to_vec),
                }),
                Some(Err(KafkaError::PartitionEOF(_))) => ended += 1,
                Some(Err(e)) => panic!("{e}"),
                None => assert!(begun.elapsed() < Duration::from_secs(60), "the topic has no end"),
            }
        }
        messages
    }

    /// Joins a consumer group as one more member, which takes its share of the partitions and lands nothing, and leaves
    /// when `stay` says false.
    pub fn visit_group(&self, group: &str, mut stay: impl FnMut() -> bool) {
        let mut client = self.client();
        client.set("group.id", group).set("enable.auto.commit", "false").set("session.timeout.ms", "2000");
        client.set("heartbeat.interval.ms", "500").set("partition.assignment.strategy", "range,roundrobin");
        let consumer: BaseConsumer = client.create().unwrap();
        consumer.subscribe(&[&self.name]).unwrap();
        while stay() {
            // What it reads and what fails are nothing to it.
            _ = consumer.poll(Duration::from_millis(50));
        }
    }

    /// Overwrites what a consumer group believes to have read. The group must have no members.
    pub fn commit_group_offsets(&self, group: &str, offset: i64) {
        let consumer: BaseConsumer = self.client().set("group.id", group).create().unwrap();
        let mut list = TopicPartitionList::new();
        let at = Offset::Offset(offset);
        (0..self.partitions).for_each(|p| list.add_partition_offset(&self.name, p, at).unwrap());
        consumer.commit(&list, CommitMode::Sync).unwrap();
    }

    /// Produces this load at `rate` messages a second until told to stop.
    pub fn produce_on(&self, load: Load, rate: u64) -> Producing {
        self.produce_at(load, rate, |_| None)
    }

    /// The same with timestamps: `time` says that of the n-th message, from 1, in ms; `None`: now.
    pub fn produce_at(&self, load: Load, rate: u64, time: impl Fn(u64) -> Option<i64> + Send + 'static) -> Producing {
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, count) = (stop.clone(), sent.clone());
        let (client, topic) = (self.client(), self.name.clone());
        let new_sender = move || Sender::new(client.clone(), topic.clone());
        let mut sender = new_sender();
        let thread = std::thread::spawn(move || {
            let begun = Instant::now();
            for (message, n) in load.zip(1u64..) {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                sender.send_to(None, None, time(n), Some(&message.value));
                // An idempotent producer may be stuck for good after its only broker was killed. What it still has is
                // given up: what counts is what Kafka holds.
                if sender.waiting() > STUCK_AFTER * rate as i32 {
                    sender = new_sender();
                }
                count.store(n, Ordering::Relaxed);
                let due = Duration::from_secs_f64(n as f64 / rate as f64);
                std::thread::sleep(due.saturating_sub(begun.elapsed()));
            }
            sender.flush();
        });
        Producing { stop, sent, thread: Some(thread) }
    }
}

/// A load that is being produced.
pub struct Producing {
    stop: Arc<AtomicBool>,
    pub sent: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Producing {
    /// Ends it; how many messages it produced, all acknowledged.
    pub fn stop(mut self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
        self.sent.load(Ordering::Relaxed)
    }
}

impl Drop for Producing {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Writes messages.
pub struct Sender {
    topic: String,
    inner: ThreadedProducer<DefaultProducerContext>,
}

impl Sender {
    fn new(mut client: ClientConfig, topic: String) -> Sender {
        let inner = client.set("linger.ms", "5").set("enable.idempotence", "true");
        // What is measured after an outage is not how late the load comes back.
        let inner = inner.set("reconnect.backoff.max.ms", "500").create().unwrap();
        Sender { topic, inner }
    }

    /// Messages that are not acknowledged.
    fn waiting(&self) -> i32 {
        self.inner.in_flight_count()
    }

    pub fn send(&self, value: Option<&[u8]>) {
        self.send_to(None, None, None, value);
    }

    /// With what a producer can say besides the value.
    pub fn send_to(&self, partition: Option<i32>, key: Option<&[u8]>, timestamp_ms: Option<i64>, value: Option<&[u8]>) {
        let mut record = BaseRecord::<[u8], [u8]>::to(&self.topic);
        (record.partition, record.key, record.payload, record.timestamp) = (partition, key, value, timestamp_ms);
        while let Err((e, back)) = self.inner.send(record) {
            assert_eq!(e.rdkafka_error_code(), Some(RDKafkaErrorCode::QueueFull), "{e}");
            record = back;
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until all is acknowledged.
    pub fn flush(&self) {
        // After a broker was killed or frozen the client may wait out its own limit of 60 s before it sends again.
        self.inner.flush(Duration::from_secs(300)).unwrap();
    }

    /// One transaction of these messages to a partition, committed or aborted.
    pub fn transaction(&self, partition: i32, values: &[Vec<u8>], commit: bool) {
        self.inner.begin_transaction().unwrap();
        values.iter().for_each(|value| self.send_to(Some(partition), None, None, Some(value)));
        self.flush();
        let limit = Duration::from_secs(30);
        if commit { self.inner.commit_transaction(limit) } else { self.inner.abort_transaction(limit) }.unwrap();
    }
}
