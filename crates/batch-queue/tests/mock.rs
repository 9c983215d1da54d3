//! The queue against librdkafka's mock cluster.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use landfall_batch_queue::{BatchQueue, Polled, TopicId};
use rdkafka::consumer::{BaseConsumer, Consumer, DefaultConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

const LIMIT: Duration = Duration::from_secs(60);

type Cluster = MockCluster<'static, DefaultProducerContext>;
type Queue = BatchQueue<DefaultConsumerContext>;

fn cluster(topics: &[(&str, i32)]) -> Cluster {
    let cluster = MockCluster::new(1).unwrap();
    topics.iter().for_each(|(topic, partitions)| cluster.create_topic(topic, *partitions, 1).unwrap());
    cluster
}

fn config(cluster: &Cluster) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", cluster.bootstrap_servers()).set("group.id", "g");
    config.set("enable.auto.commit", "false").set("enable.partition.eof", "true").set("auto.offset.reset", "error");
    config
}

/// Message `i` of `topic[p]` is `p:i`.
fn produce(cluster: &Cluster, topic: &str, partitions: i32, messages: usize) {
    let producer: BaseProducer = config(cluster).set("queue.buffering.max.messages", "1000000").create().unwrap();
    for i in 0..messages {
        for p in 0..partitions {
            let text = format!("{p}:{i}");
            producer.send(BaseRecord::<(), str>::to(topic).partition(p).payload(&text)).map_err(|(e, _)| e).unwrap();
        }
        producer.poll(Duration::ZERO);
    }
    producer.flush(LIMIT).unwrap();
}

fn produce_one(cluster: &Cluster, topic: &str, partition: i32, text: &str) {
    let producer: BaseProducer = config(cluster).create().unwrap();
    producer.send(BaseRecord::<(), str>::to(topic).partition(partition).payload(text)).map_err(|(e, _)| e).unwrap();
    producer.flush(LIMIT).unwrap();
}

fn queue(cluster: &Cluster) -> Queue {
    BatchQueue::new(Arc::new(config(cluster).create::<BaseConsumer>().unwrap()))
}

fn from(topic: &str, partitions: i32, offset: i64) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    (0..partitions).for_each(|p| list.add_partition_offset(topic, p, Offset::Offset(offset)).unwrap());
    list
}

/// Next offset of each topic and partition.
type Positions = BTreeMap<(String, i32), i64>;

/// Polls until `enough`; checks that offsets chain behind `positions`, and that values are those of their offsets.
/// Gives the ends that were reached.
fn read(queue: &mut Queue, positions: &mut Positions, enough: impl Fn(&Positions, &[i32]) -> bool) -> Vec<i32> {
    let since = Instant::now();
    let mut ends = Vec::new();
    while !enough(positions, &ends) {
        assert!(since.elapsed() < LIMIT, "after a minute: {positions:?}, ends {ends:?}");
        match queue.poll() {
            Some(Polled::Message(m)) => {
                let next = positions.get_mut(&(m.topic().to_owned(), m.partition())).expect("an assigned partition");
                assert_eq!(m.offset(), *next, "of {}[{}]", m.topic(), m.partition());
                assert_eq!(m.payload().unwrap(), format!("{}:{}", m.partition(), m.offset()).as_bytes());
                *next += 1;
            }
            Some(Polled::Error(KafkaError::PartitionEOF(p))) => ends.push(p),
            Some(other) => panic!("{other:?}"),
            None => std::thread::sleep(Duration::from_millis(1)),
        }
    }
    ends
}

fn positions(topic: &str, partitions: i32, offset: i64) -> Positions {
    (0..partitions).map(|p| ((topic.to_owned(), p), offset)).collect()
}

#[test]
fn all_messages_come_in_order_and_then_the_ends() {
    let cluster = cluster(&[("events", 4)]);
    produce(&cluster, "events", 4, 3000);
    let mut queue = queue(&cluster);
    queue.assign(&from("events", 4, 0)).unwrap();
    let mut at = positions("events", 4, 0);
    let mut ends = read(&mut queue, &mut at, |_, ends| ends.len() == 4);
    ends.sort_unstable();
    assert_eq!(ends, [0, 1, 2, 3]);
    assert!(at.values().all(|next| *next == 3000), "{at:?}");
    // What comes later is read on.
    produce_one(&cluster, "events", 2, "2:3000");
    read(&mut queue, &mut at, |at, _| at[&("events".to_owned(), 2)] == 3001);
}

#[test]
fn a_new_assignment_takes_over_at_once_however_often() {
    let cluster = cluster(&[("events", 8), ("others", 8)]);
    produce(&cluster, "events", 8, 1000);
    produce(&cluster, "others", 8, 100);
    let mut queue = queue(&cluster);
    // The same and other partitions, forward and back, some while nothing came yet and some in the middle of a batch:
    // `read` fails at any message of an assignment before, and never ends if a partition falls silent.
    for round in 0..60 {
        let (topic, start) = if round % 5 == 4 { ("others", 7) } else { ("events", i64::from(round * 37 % 900)) };
        queue.assign(&from(topic, 8, start)).unwrap();
        let (mut at, some) = (positions(topic, 8, start), [0, 1, 300][round as usize % 3]);
        read(&mut queue, &mut at, |at, _| at.values().map(|next| next - start).sum::<i64>() >= some);
    }
    queue.assign(&from("events", 8, 5)).unwrap();
    let mut at = positions("events", 8, 5);
    read(&mut queue, &mut at, |at, _| at.values().all(|next| *next == 1000));
    // The half of it, and then nothing.
    queue.assign(&from("events", 4, 990)).unwrap();
    let mut at = positions("events", 4, 990);
    read(&mut queue, &mut at, |at, ends| ends.len() == 4 && at.values().all(|next| *next == 1000));
    queue.assign(&from("events", 8, 0)).unwrap();
    let mut at = positions("events", 8, 0);
    read(&mut queue, &mut at, |at, _| at.values().any(|next| *next > 0));
    queue.forget();
    queue.consumer().unassign().unwrap();
    for _ in 0..50 {
        assert!(queue.poll().is_none());
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn paused_partitions_say_nothing_and_go_on_when_they_are_assigned_again() {
    let cluster = cluster(&[("events", 3)]);
    produce(&cluster, "events", 3, 2000);
    let mut queue = queue(&cluster);
    let mut list = from("events", 3, 0);
    let mut at = positions("events", 3, 0);
    for pause in 1..=4 {
        queue.assign(&list).unwrap();
        // The last time, all ends were reached: after those, the client's own idea of the position is wrong.
        read(&mut queue, &mut at, |at, ends| {
            at.values().sum::<i64>() >= 2000 * pause - 2000 && (pause < 4 || ends.len() == 3)
        });
        queue.consumer().pause(&list).unwrap();
        // What was taken over before the pause still comes; nothing else does.
        let (before, since): (i64, _) = (at.values().sum(), Instant::now());
        read(&mut queue, &mut at, |_, _| since.elapsed() > Duration::from_millis(200));
        assert!(at.values().sum::<i64>() - before < 256, "{at:?}");
        list = TopicPartitionList::new();
        at.iter().for_each(|((t, p), next)| list.add_partition_offset(t, *p, Offset::Offset(*next)).unwrap());
    }
    assert!(at.values().all(|next| *next == 2000), "{at:?}");
    produce_one(&cluster, "events", 1, "1:2000");
    queue.assign(&list).unwrap();
    read(&mut queue, &mut at, |at, _| at[&("events".to_owned(), 1)] == 2001);
}

#[test]
fn a_message_shows_all_its_parts() {
    let cluster = cluster(&[("events", 1), ("others", 1)]);
    let producer: BaseProducer = config(&cluster).create().unwrap();
    let headers = OwnedHeaders::new()
        .insert(Header { key: "trace", value: Some(&b"1"[..]) })
        .insert(Header { key: "é", value: None::<&[u8]> })
        .insert(Header { key: "", value: Some(&b""[..]) });
    let all = BaseRecord::<str, [u8]>::to("events").key("k").payload(b"\xff\0").headers(headers).timestamp(1234);
    producer.send(all).map_err(|(e, _)| e).unwrap();
    producer.send(BaseRecord::<str, [u8]>::to("events").timestamp(5)).map_err(|(e, _)| e).unwrap();
    producer.send(BaseRecord::<str, [u8]>::to("events").key("").payload(b"")).map_err(|(e, _)| e).unwrap();
    producer.send(BaseRecord::<str, [u8]>::to("others").payload(b"other")).map_err(|(e, _)| e).unwrap();
    producer.flush(LIMIT).unwrap();

    let mut queue = queue(&cluster);
    let mut list = from("events", 1, 0);
    list.add_partition_offset("others", 0, Offset::Offset(0)).unwrap();
    queue.assign(&list).unwrap();
    let (mut seen, since) = (BTreeMap::new(), Instant::now());
    let mut ids: BTreeMap<String, TopicId> = BTreeMap::new();
    while seen.len() < 4 {
        assert!(since.elapsed() < LIMIT);
        let Some(Polled::Message(m)) = queue.poll() else { continue };
        let headers: Vec<_> = m.headers().map(|(k, v)| (k.to_vec(), v.map(<[u8]>::to_vec))).collect();
        let id = *ids.entry(m.topic().to_owned()).or_insert(m.topic_id());
        assert_eq!(id, m.topic_id(), "always the same of {}", m.topic());
        let (key, value) = (m.key().map(<[u8]>::to_vec), m.payload().map(<[u8]>::to_vec));
        seen.insert((m.topic().to_owned(), m.offset()), (key, value, m.timestamp().to_millis(), headers));
    }
    assert_ne!(ids["events"], ids["others"]);
    let of = |offset| &seen[&("events".to_owned(), offset)];
    let want = [(b"trace".to_vec(), Some(b"1".to_vec())), ("é".into(), None), (vec![], Some(vec![]))];
    assert_eq!(*of(0), (Some(b"k".to_vec()), Some(b"\xff\0".to_vec()), Some(1234), want.to_vec()));
    assert_eq!(*of(1), (None, None, Some(5), vec![]));
    assert_eq!((&of(2).0, &of(2).1), (&Some(vec![]), &Some(vec![])));
    assert!(of(2).2.is_some_and(|now| now > 1_500_000_000_000), "{:?}", of(2).2);
}

#[test]
fn an_offset_that_is_not_there_is_told() {
    let cluster = cluster(&[("events", 2)]);
    produce(&cluster, "events", 2, 10);
    let mut queue = queue(&cluster);
    let mut list = from("events", 1, 500);
    list.add_partition_offset("events", 1, Offset::Offset(0)).unwrap();
    queue.assign(&list).unwrap();
    let (mut read, mut told, since) = (0, false, Instant::now());
    while read < 10 || !told {
        assert!(since.elapsed() < LIMIT, "{read} messages, {told}");
        match queue.poll() {
            Some(Polled::Message(m)) => {
                assert_eq!(m.partition(), 1, "nothing of the other one");
                read += 1;
            }
            Some(Polled::Error(KafkaError::PartitionEOF(1))) | None => {}
            Some(Polled::Error(KafkaError::MessageConsumption(code))) => {
                assert_eq!(code, rdkafka::error::RDKafkaErrorCode::AutoOffsetReset);
                told = true;
            }
            Some(other) => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_was_assigned_behind_its_back_is_told_and_not_given_out() {
    let cluster = cluster(&[("events", 1)]);
    produce(&cluster, "events", 1, 10);
    let mut queue = queue(&cluster);
    queue.consumer().assign(&from("events", 1, 0)).unwrap();
    let since = Instant::now();
    while !matches!(queue.poll(), Some(Polled::Stray)) {
        assert!(since.elapsed() < LIMIT);
    }
    queue.assign(&from("events", 1, 0)).unwrap();
    let mut at = positions("events", 1, 0);
    read(&mut queue, &mut at, |at, _| at.values().all(|next| *next == 10));
}

#[test]
fn it_can_be_dropped_at_any_time() {
    let cluster = cluster(&[("events", 4)]);
    produce(&cluster, "events", 4, 2000);
    for taken in [0, 1, 100, 256, 257, 3000] {
        let consumer: Arc<BaseConsumer> = Arc::new(config(&cluster).create().unwrap());
        let mut queue = BatchQueue::new(consumer.clone());
        queue.assign(&from("events", 4, 0)).unwrap();
        let mut at = positions("events", 4, 0);
        read(&mut queue, &mut at, |at, _| at.values().sum::<i64>() >= taken);
        if taken % 2 == 0 {
            // The consumer goes with the queue.
            drop(consumer);
            drop(queue);
        } else {
            // The consumer lives on, and another queue takes its place.
            drop(queue);
            let mut queue = BatchQueue::new(consumer);
            queue.assign(&from("events", 4, 1000)).unwrap();
            let mut at = positions("events", 4, 1000);
            read(&mut queue, &mut at, |at, _| at.values().all(|next| *next == 2000));
        }
    }
}
