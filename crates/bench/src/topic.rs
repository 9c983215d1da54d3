//! Topics and what is in them.

use crate::events::{Event, Events, Ring};
use anyhow::{Context, Result, bail, ensure};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const LIMIT: Duration = Duration::from_secs(20);
/// Neighbours in a backlog that go to the same partition.
const RUN: u64 = 1000;

/// A topic on the stack's Kafka.
#[derive(Debug, Clone)]
pub struct Topic {
    servers: String,
    /// Its name.
    pub name: String,
    /// How many partitions it has.
    pub partitions: u32,
}

impl Topic {
    /// Creates a topic. Its messages stay, however old they say they are, but for `keep_bytes` a partition if given.
    pub fn create(servers: &str, name: &str, partitions: u32, keep_bytes: Option<u64>) -> Result<Topic> {
        let topic = Topic { servers: servers.to_owned(), name: name.to_owned(), partitions };
        let keep = keep_bytes.map_or("-1".to_owned(), |n| n.to_string());
        let new = NewTopic::new(name, partitions as i32, TopicReplication::Fixed(1)).set("retention.ms", "-1");
        let new = new.set("retention.bytes", &keep).set("segment.bytes", "67108864");
        let admin: AdminClient<DefaultClientContext> = topic.client().create()?;
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let results = runtime.block_on(admin.create_topics([&new], &AdminOptions::new()))?;
        for result in results {
            result.map_err(|(name, why)| anyhow::anyhow!("cannot create the topic {name}: {why}"))?;
        }
        Ok(topic)
    }

    /// The topic with the first `events` events in it, made unless it is there.
    pub fn backlog(servers: &str, events: u64, partitions: u32) -> Result<Topic> {
        let name = format!("events-{events}-{partitions}");
        let topic = Topic { servers: servers.to_owned(), name: name.clone(), partitions };
        let found = topic.consumer()?.fetch_metadata(None, LIMIT).context("no answer from Kafka")?;
        if found.topics().iter().any(|t| t.name() == name) {
            ensure!(topic.messages()? == events, "the topic {name} was not filled to its end; use a new stack");
            return Ok(topic);
        }
        let topic = Topic::create(servers, &name, partitions, None)?;
        eprintln!("filling {name}");
        let producer = topic.producer()?;
        let (mut all, mut event) = (Events::new(), Event::default());
        for i in 0..events {
            all.next_into(&mut event);
            topic.send(&producer, &event.json, (i / RUN) % u64::from(partitions), event.timestamp_ms)?;
        }
        producer.flush(Duration::from_secs(120))?;
        ensure!(topic.messages()? == events, "Kafka does not hold what was sent to {name}");
        Ok(topic)
    }

    fn client(&self) -> ClientConfig {
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", &self.servers);
        client
    }

    fn consumer(&self) -> Result<BaseConsumer> {
        Ok(self.client().set("group.id", "landfall-bench").create()?)
    }

    fn producer(&self) -> Result<Producer> {
        let mut client = self.client();
        client.set("enable.idempotence", "true").set("linger.ms", "5").set("batch.num.messages", "5000");
        client.set("queue.buffering.max.messages", "1000000").set("queue.buffering.max.kbytes", "262144");
        Ok(client.create()?)
    }

    /// How many messages Kafka has taken.
    pub fn messages(&self) -> Result<u64> {
        let consumer = self.consumer()?;
        let end = |p: u32| Ok(consumer.fetch_watermarks(&self.name, p as i32, LIMIT)?.1 as u64);
        (0..self.partitions).map(end).sum()
    }

    fn send(&self, producer: &Producer, json: &[u8], partition: u64, timestamp_ms: i64) -> Result<()> {
        let mut record = BaseRecord::<(), [u8]>::to(&self.name).payload(json);
        record = record.partition(partition as i32).timestamp(timestamp_ms);
        while let Err((why, back)) = producer.send(record) {
            if why != KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) {
                bail!("cannot produce to {}: {why}", self.name);
            }
            record = back;
            thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    /// Produces the ring's events, `rate` a second, for this long; the partitions get them in turn, so that event n is
    /// at offset n / partitions.
    pub fn produce(&self, ring: Arc<Ring>, rate: u64, time: Duration) -> Producing {
        let (topic, stop) = (self.clone(), Arc::new(AtomicBool::new(false)));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || topic.produce_to_end(&ring, rate, time, &stopped));
        Producing { stop, thread: Some(thread) }
    }

    fn produce_to_end(&self, ring: &Ring, rate: u64, time: Duration, stop: &AtomicBool) -> Result<Produced> {
        let producer = self.producer()?;
        let mut done = Produced { partitions: u64::from(self.partitions), ..Produced::default() };
        let begun = Instant::now();
        while begun.elapsed() < time && !stop.load(Ordering::Relaxed) {
            let now = now_ms();
            let due = (begun.elapsed().as_secs_f64() * rate as f64) as u64;
            if due > done.events {
                done.ticks.push((done.events, now));
                done.latest = done.latest.max((due - done.events) as f64 / rate as f64);
            }
            for at in done.events..due {
                self.send(&producer, ring.message(at), at % done.partitions, now)?;
            }
            done.events = done.events.max(due);
            done.waiting = done.waiting.max(producer.in_flight_count() as f64 / rate as f64);
            thread::sleep(Duration::from_millis(10));
        }
        producer.flush(Duration::from_secs(60))?;
        ensure!(self.messages()? == done.events, "Kafka does not hold what was sent to {}, once each", self.name);
        Ok(done)
    }
}

type Producer = ThreadedProducer<DefaultProducerContext>;

/// Milliseconds since 1970, as in a message's timestamp.
pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |t| t.as_millis() as i64)
}

/// A steady load in a thread of its own. It ends when this is dropped.
#[derive(Debug)]
pub struct Producing {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<Produced>>>,
}

impl Producing {
    /// Whether it still produces.
    pub fn goes_on(&self) -> bool {
        self.thread.as_ref().is_some_and(|t| !t.is_finished())
    }

    /// Waits for its end.
    pub fn join(mut self) -> Result<Produced> {
        let thread = self.thread.take().context("it is joined once")?;
        thread.join().map_err(|_| anyhow::anyhow!("the load's thread panicked"))?
    }
}

impl Drop for Producing {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// What a steady load was.
#[derive(Debug, Default)]
pub struct Produced {
    /// Events sent, all of them acknowledged.
    pub events: u64,
    partitions: u64,
    /// Number of the first event of a tick, and the time that all of the tick's events carry.
    ticks: Vec<(u64, i64)>,
    /// The most seconds that an event was sent behind its schedule, a tick of a hundredth of a second included.
    pub latest: f64,
    /// The most seconds' worth of events that were sent and not yet acknowledged.
    pub waiting: f64,
}

impl Produced {
    /// The times of the events at these offsets of a partition: for each time, how many.
    pub fn times(&self, partition: u64, start: u64, end: u64) -> Vec<(i64, u64)> {
        // Event n is at offset n / partitions of partition n % partitions: of the first n, so many are in it.
        let before = |n: u64| (n + self.partitions - 1 - partition) / self.partitions;
        let from = self.ticks.partition_point(|(first, _)| before(*first) <= start).saturating_sub(1);
        let mut times = Vec::new();
        for (at, (first, time)) in self.ticks.iter().enumerate().skip(from) {
            let next = self.ticks.get(at + 1).map_or(self.events, |t| t.0);
            let (low, high) = (before(*first).max(start), before(next).min(end));
            if before(*first) >= end {
                break;
            }
            if low < high {
                times.push((*time, high - low));
            }
        }
        times
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_of_offsets_are_those_of_their_events() {
        let ticks = vec![(0, 1000), (5, 1010), (6, 1020), (6, 1025), (17, 1030)];
        let load = Produced { events: 23, partitions: 3, ticks, ..Produced::default() };
        let time_of = |n: u64| load.ticks.iter().rev().find(|(first, _)| *first <= n).expect("a tick").1;
        for partition in 0..3 {
            let events: Vec<u64> = (0..23).filter(|n| n % 3 == partition).collect();
            for start in 0..events.len() {
                for end in start..=events.len() {
                    let wanted: Vec<i64> = events[start..end].iter().map(|n| time_of(*n)).collect();
                    let found = load.times(partition, start as u64, end as u64);
                    let found: Vec<i64> = found.iter().flat_map(|(t, n)| vec![*t; *n as usize]).collect();
                    assert_eq!(found, wanted, "{start}..{end} of {partition}");
                }
            }
        }
    }
}
