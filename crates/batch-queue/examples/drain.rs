//! What reading a topic costs: `cargo run --release -p landfall-batch-queue --example drain -- SERVERS TOPIC PARTITIONS
//! MESSAGES [batch|poll|produce] [name=value]…` reads so many messages from offset 0 on, by the batch or by
//! `BaseConsumer::poll`, copies each, and prints CPU and wall time a message and the most memory of the process; or writes
//! so many, 160 bytes each. Linux only.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use landfall_batch_queue::{BatchQueue, Polled};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

/// CPU time of all threads, in nanoseconds: user and system of `/proc/self/stat`, hundredths of a second.
fn cpu() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    (fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()) * 10_000_000
}

fn most_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap().trim().to_owned()
}

fn produce(config: &ClientConfig, topic: &str, partitions: i32, messages: u64) {
    let producer: BaseProducer = config.create().unwrap();
    for i in 0..messages {
        let text = format!("{i:0160}");
        let record = || BaseRecord::<(), str>::to(topic).partition((i / 1000) as i32 % partitions).payload(&text);
        while producer.send(record()).is_err() {
            producer.poll(Duration::from_millis(5));
        }
    }
    producer.flush(Duration::from_secs(60)).unwrap();
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().expect("SERVERS TOPIC PARTITIONS MESSAGES [batch|poll|produce] [name=value]…");
    let (servers, topic, partitions, messages) = (next(), next(), next(), next());
    let (partitions, messages): (i32, u64) = (partitions.parse().unwrap(), messages.parse().unwrap());
    let rest: Vec<String> = arguments.collect();
    if rest.iter().any(|a| a == "produce") {
        return produce(ClientConfig::new().set("bootstrap.servers", servers), &topic, partitions, messages);
    }
    let by_poll = rest.iter().any(|a| a == "poll");
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", servers).set("group.id", "drain").set("enable.auto.commit", "false");
    config.set("enable.auto.offset.store", "false").set("fetch.queue.backoff.ms", "5");
    rest.iter().filter_map(|a| a.split_once('=')).for_each(|(name, value)| _ = config.set(name, value));
    let consumer: Arc<BaseConsumer> = Arc::new(config.create().unwrap());
    let mut list = TopicPartitionList::new();
    (0..partitions).for_each(|p| list.add_partition_offset(&topic, p, Offset::Offset(0)).unwrap());
    let (mut read, mut copy) = (0, Vec::with_capacity(2 << 20));
    let mut take = |value: Option<&[u8]>| {
        copy.extend_from_slice(value.unwrap_or_default());
        if copy.len() > 1 << 20 {
            copy.clear();
        }
        read += 1;
        read < messages
    };
    let mut queue = BatchQueue::new(consumer.clone());
    let (cpu_before, since) = (cpu(), Instant::now());
    if by_poll {
        consumer.assign(&list).unwrap();
        while consumer.poll(Duration::from_secs(10)).is_none_or(|m| take(m.unwrap().payload())) {}
    } else {
        queue.assign(&list).unwrap();
        loop {
            match queue.poll() {
                Some(Polled::Message(m)) if take(m.payload()) => {}
                Some(Polled::Message(_)) => break,
                Some(other) => panic!("{other:?}"),
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    }
    let (cpu, wall) = (cpu() - cpu_before, since.elapsed().as_nanos() as u64);
    println!("CPU {} ns, wall {} ns a message; at most {}", cpu / messages, wall / messages, most_memory());
}
