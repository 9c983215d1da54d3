//! The source port on all its implementations: memory, the in-process cluster, real Kafka.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use landfall::model::{Offset, Tail, TopicPartition};
use landfall::source::{
    Assignment, EmbeddedKafka, Event, KafkaConfig, KafkaSource, MemorySource, MemoryTopic, Producer, Source,
    SourceError, Start, end_offsets, newest_messages, partitions_of,
};

const PARTITIONS: i32 = 2;
const MESSAGES: usize = 500;

async fn next(source: &mut dyn Source) -> Event {
    let event = tokio::time::timeout(Duration::from_secs(60), source.next(true)).await;
    event.expect("the source says something within a minute").expect("the source has not ended")
}

async fn assigned(source: &mut dyn Source) -> (u64, Vec<TopicPartition>) {
    loop {
        if let Event::Assigned { generation, mut partitions } = next(source).await {
            partitions.sort();
            return (generation, partitions);
        }
    }
}

/// What a session says.
#[derive(Default)]
struct Heard {
    positions: BTreeMap<TopicPartition, Offset>,
    tails: BTreeMap<(TopicPartition, i64), Tail>,
    messages: BTreeMap<TopicPartition, Vec<(i64, String)>>,
    ended: BTreeSet<i32>,
    errors: Vec<SourceError>,
}

/// Listens until `enough`.
async fn hear(source: &mut dyn Source, session: u64, enough: impl Fn(&Heard) -> bool) -> Heard {
    let mut heard = Heard::default();
    while !enough(&heard) {
        match next(source).await {
            Event::Positioned { session: s, positions } if s == session => heard.positions.extend(positions),
            Event::Messages { session: s, chunk } if s == session => {
                for r in chunk.records() {
                    let value = String::from_utf8(r.value.unwrap().to_vec()).unwrap();
                    heard.tails.insert((r.partition.clone(), r.offset), Tail::of(&r));
                    heard.messages.entry(r.partition.clone()).or_default().push((r.offset, value));
                    heard.ended.remove(&r.partition.partition);
                }
            }
            Event::EndReached { session: s, partition } if s == session => _ = heard.ended.insert(partition),
            Event::Stopped { session: s, error } if s == session => heard.errors.push(error),
            Event::Failed(e) => panic!("{e}"),
            _ => {}
        }
    }
    heard
}

fn count(heard: &Heard) -> usize {
    heard.messages.values().map(Vec::len).sum()
}

async fn ends_are_known(source: &dyn Source, sum: i64) {
    let known = async {
        while source.view().ends.values().map(|end| end.offset).sum::<i64>() != sum {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), known).await.unwrap_or_else(|_| panic!("{:?}", source.view()));
}

/// The contract, on a topic with two partitions that hold [`MESSAGES`] messages in all, whose values are all different.
async fn keeps_the_contract(mut open: impl FnMut() -> Box<dyn Source>) {
    let mut source = open();
    let (generation, partitions) = assigned(&mut *source).await;
    assert_eq!(partitions.len(), PARTITIONS as usize);

    // Nothing comes before it is asked for; then all comes, in order, from the oldest on.
    let starts = partitions.iter().map(|p| (p.clone(), Start::Oldest)).collect();
    source.assign(Assignment { generation, session: 1, starts });
    let both_ended = |h: &Heard| h.ended.len() == PARTITIONS as usize && count(h) == MESSAGES;
    let first = hear(&mut *source, 1, both_ended).await;
    assert!(first.errors.is_empty(), "{:?}", first.errors);
    assert!(first.positions.values().all(|o| *o == Offset(0)), "{:?}", first.positions);
    let (all, tails) = (first.messages, first.tails);
    for messages in all.values() {
        assert!(messages.iter().zip(0..).all(|((offset, _), i)| *offset == i), "offsets come in order, from 0");
    }

    // From given positions: exactly what lies behind them, in a session of its own.
    let starts = partitions.iter().map(|p| (p.clone(), Start::At { offset: Offset(7), tail: None })).collect();
    source.assign(Assignment { generation, session: 2, starts });
    let rest = hear(&mut *source, 2, |h| count(h) == MESSAGES - 7 * PARTITIONS as usize).await;
    assert!(rest.positions.values().all(|o| *o == Offset(7)));
    for (p, messages) in &rest.messages {
        assert_eq!(messages[..], all[p][7..]);
    }

    // The last message before the position is the one that was landed, or its partition is stopped.
    let tail = |p: &TopicPartition, offset| tails[&(p.clone(), offset)];
    let (known, strange) = (&partitions[0], &partitions[1]);
    let other = Tail { offset: 6, ..tail(strange, 5) };
    let start = |p: &TopicPartition, tail| (p.clone(), Start::At { offset: Offset(7), tail: Some(tail) });
    let starts = vec![start(known, tail(known, 6)), start(strange, other)];
    source.assign(Assignment { generation, session: 7, starts });
    let heard = hear(&mut *source, 7, |h| count(h) == all[known].len() - 7 && !h.errors.is_empty()).await;
    assert_eq!(heard.messages.keys().collect::<Vec<_>>(), [known], "nothing of the strange one");
    assert_eq!(heard.messages[known][..], all[known][7..], "the message that was compared does not come again");
    assert!(matches!(&heard.errors[..], [SourceError::Replaced { partition, offset: 6 }] if partition == strange));

    // A position behind the newest message stops that partition and no other.
    let (bad, good) = (partitions[0].clone(), partitions[1].clone());
    let beyond = Offset(all[&bad].len() as i64 + 10);
    let starts = vec![(bad.clone(), Start::At { offset: beyond, tail: None }), (good.clone(), Start::Oldest)];
    source.assign(Assignment { generation, session: 8, starts });
    let others = hear(&mut *source, 8, |h| count(h) == all[&good].len() && !h.errors.is_empty()).await;
    assert_eq!(others.messages.keys().collect::<Vec<_>>(), [&good]);
    let [SourceError::Truncated { partition, .. }] = &others.errors[..] else { panic!("{:?}", others.errors) };
    assert_eq!(*partition, bad);

    // Where the partitions end is known beside, also of the one that is not read.
    ends_are_known(&*source, MESSAGES as i64).await;

    // What we tell Kafka of our position is never read back.
    source.commit_offsets(partitions.iter().map(|p| (p.clone(), Offset(all[p].len() as i64))).collect());
    tokio::time::sleep(Duration::from_millis(300)).await;
    source.stop().await;
    let mut again = open();
    let (generation, partitions) = assigned(&mut *again).await;
    let starts = partitions.iter().map(|p| (p.clone(), Start::Oldest)).collect();
    again.assign(Assignment { generation, session: 9, starts });
    let same = hear(&mut *again, 9, |h| count(h) == MESSAGES).await;
    assert_eq!(same.messages, all);
    again.stop().await;
}

#[tokio::test]
async fn memory_keeps_the_contract_of_a_source() {
    let topic = MemoryTopic::default();
    for i in 0..MESSAGES {
        let p = TopicPartition::new("events", i as i32 % PARTITIONS);
        topic.append(&p, 1000 + i as i64, Some(format!("message {i}").as_bytes()));
    }
    keeps_the_contract(|| Box::new(MemorySource::subscribe(&topic, 64))).await;
    let gone = TopicPartition::new("events", 0);
    topic.expire(&gone, 20);
    let mut source = MemorySource::subscribe(&topic, 64);
    let (generation, _) = assigned(&mut source).await;
    source.assign(Assignment {
        generation,
        session: 1,
        starts: vec![(gone, Start::At { offset: Offset(5), tail: None })],
    });
    let heard = hear(&mut source, 1, |h| !h.errors.is_empty()).await;
    assert!(heard.errors[0].to_string().contains("15 offsets are gone by retention"), "{:?}", heard.errors);
}

fn kafka(servers: &str) -> KafkaConfig {
    KafkaConfig {
        bootstrap_servers: servers.to_owned(),
        group_id: format!("suite-{}", uuid::Uuid::new_v4()),
        properties: BTreeMap::new(),
        connect_timeout: Duration::from_secs(10),
        queue_bytes: KafkaConfig::QUEUE_BYTES,
    }
}

async fn kafka_keeps_the_contract(servers: &str, topic: &str) {
    let config = kafka(servers);
    let (mut producing, name) = (config.clone(), topic.to_owned());
    // Every message to a partition of its own choice, so that both have some.
    producing.properties.insert("sticky.partitioning.linger.ms".to_owned(), "0".to_owned());
    let produced = tokio::task::spawn_blocking(move || {
        let producer = Producer::new(&producing, &name).unwrap();
        (0..MESSAGES).for_each(|i| producer.send(format!("message {i}").as_bytes()).unwrap());
        producer.flush(Duration::from_secs(30)).unwrap();
        let ends = end_offsets(&producing, std::slice::from_ref(&name)).unwrap();
        (partitions_of(&producing, &[name]).unwrap().len(), ends.values().sum::<i64>())
    });
    assert_eq!(produced.await.unwrap(), (PARTITIONS as usize, MESSAGES as i64));
    let topics = [topic.to_owned()];
    keeps_the_contract(|| Box::new(KafkaSource::subscribe(&config, &topics).unwrap())).await;
    let [topic] = topics;
    tokio::task::spawn_blocking(move || looks_at_the_newest(&config, &topic)).await.unwrap();
}

/// What `infer` asks: the newest of each partition, once each, and no more than there are.
fn looks_at_the_newest(config: &KafkaConfig, topic: &str) {
    let newest = |most: u64| {
        let mut seen = BTreeSet::new();
        newest_messages(config, topic, most, &mut |m| {
            assert!(seen.insert(String::from_utf8(m.to_vec()).unwrap()), "each once");
        })
        .unwrap();
        seen
    };
    assert_eq!((newest(10_000).len(), newest(1).len()), (MESSAGES, 1));
    let some = newest(100);
    assert!((50..=100).contains(&some.len()) && some.contains(&format!("message {}", MESSAGES - 1)), "{some:?}");
    let missing = newest_messages(config, "no-such-topic", 1, &mut |_| ());
    assert!(matches!(missing, Err(SourceError::NoTopic { .. })), "{missing:?}");
}

#[tokio::test]
async fn the_in_process_cluster_keeps_the_contract_of_a_source() {
    let cluster = EmbeddedKafka::start(&[("events", PARTITIONS)]).unwrap();
    kafka_keeps_the_contract(&cluster.bootstrap_servers(), "events").await;
}

#[tokio::test]
async fn a_pipeline_that_stands_still_gets_every_message_once_in_the_end() {
    let cluster = EmbeddedKafka::start(&[("events", PARTITIONS)]).unwrap();
    let mut config = kafka(&cluster.bootstrap_servers());
    config.properties.insert("sticky.partitioning.linger.ms".to_owned(), "0".to_owned());
    let producing = config.clone();
    let producer =
        tokio::task::spawn_blocking(move || std::sync::Arc::new(Producer::new(&producing, "events").unwrap()));
    let producer = producer.await.unwrap();
    // One at a time, so that each is followed by the end of its partition.
    let send = async |messages: std::ops::Range<usize>| {
        for i in messages {
            let producer = producer.clone();
            let sent = tokio::task::spawn_blocking(move || {
                producer.send(format!("message {i}").as_bytes()).unwrap();
                producer.flush(Duration::from_secs(30)).unwrap();
            });
            sent.await.unwrap();
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let mut source = KafkaSource::subscribe(&config, &["events".to_owned()]).unwrap();
    let (generation, partitions) = assigned(&mut source).await;
    let starts = partitions.into_iter().map(|p| (p, Start::Oldest)).collect();
    source.assign(Assignment { generation, session: 1, starts });
    // More than the channel holds, and longer than the thread waits before it pauses.
    send(0..20).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    ends_are_known(&source, 20).await;
    assert!(source.view().paused, "and is told of no new messages; they are asked for");
    send(20..30).await;
    let mut heard = hear(&mut source, 1, |h| count(h) >= 30).await;
    send(30..40).await;
    let rest = hear(&mut source, 1, |h| count(h) >= 10).await;
    source.stop().await;
    for (p, messages) in rest.messages {
        heard.messages.entry(p).or_default().extend(messages);
    }
    assert!(heard.errors.is_empty() && rest.errors.is_empty());
    assert_eq!(heard.messages.len(), PARTITIONS as usize);
    for (p, messages) in &heard.messages {
        assert!(messages.iter().zip(0..).all(|((offset, _), i)| *offset == i), "{p}: {messages:?}");
    }
    let texts: BTreeSet<_> = heard.messages.values().flatten().map(|(_, text)| text.clone()).collect();
    assert_eq!(texts.len(), 40);
}

/// Headers of the messages of partition 0 of `topic`, as a source brings them.
async fn headers_of(config: &KafkaConfig, topic: &str, wanted: bool) -> Vec<Vec<(String, Option<Vec<u8>>)>> {
    let config = KafkaConfig { group_id: format!("suite-{}", uuid::Uuid::new_v4()), ..config.clone() };
    let mut source =
        KafkaSource::subscribe_with(&config, &[topic.to_owned()], wanted, &landfall::observe::Metrics::new()).unwrap();
    let (generation, partitions) = assigned(&mut source).await;
    let starts = partitions.into_iter().map(|p| (p, Start::Oldest)).collect();
    source.assign(Assignment { generation, session: 1, starts });
    let mut found = Vec::new();
    while found.len() < 3 {
        if let Event::Messages { chunk, .. } = next(&mut source).await {
            found.extend(chunk.records().map(|r| {
                assert_eq!(r.value, Some(&b"{}"[..]));
                r.headers.iter().map(|(k, v)| (k.to_owned(), v.map(<[u8]>::to_vec))).collect()
            }));
        }
    }
    source.stop().await;
    found
}

#[tokio::test]
async fn headers_come_only_if_they_are_wanted() {
    use rdkafka::message::{Header, OwnedHeaders};
    use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

    let cluster = EmbeddedKafka::start(&[("events", 1)]).unwrap();
    let servers = cluster.bootstrap_servers();
    let sending = servers.clone();
    let sent = tokio::task::spawn_blocking(move || {
        let mut settings = rdkafka::ClientConfig::new();
        let producer: BaseProducer = settings.set("bootstrap.servers", sending).create().unwrap();
        let header = |key, value| Header { key, value };
        let many = OwnedHeaders::new()
            .insert(header("trace", Some(&b"1"[..])))
            .insert(header("é", None))
            .insert(header("trace", Some(b"\xff")));
        for headers in [Some(many), None, Some(OwnedHeaders::new().insert(header("", Some(&b""[..]))))] {
            let record = BaseRecord::<(), [u8]>::to("events").payload(b"{}");
            let record = if let Some(headers) = headers { record.headers(headers) } else { record };
            producer.send(record).map_err(|(e, _)| e).unwrap();
        }
        producer.flush(Duration::from_secs(30)).unwrap();
    });
    sent.await.unwrap();
    let config = kafka(&servers);
    let header = |key: &str, value: Option<&[u8]>| (key.to_owned(), value.map(<[u8]>::to_vec));
    let want = [
        vec![header("trace", Some(b"1")), header("é", None), header("trace", Some(b"\xff"))],
        vec![],
        vec![header("", Some(b""))],
    ];
    assert_eq!(headers_of(&config, "events", true).await, want);
    assert!(headers_of(&config, "events", false).await.iter().all(Vec::is_empty));
}

#[tokio::test]
async fn real_kafka_keeps_the_contract_of_a_source() {
    let Some(stack) = landfall_stack::Stack::attach() else {
        eprintln!("skipped: needs the real servers (make test)");
        return;
    };
    let topic = format!("suite-{}", uuid::Uuid::new_v4());
    stack.create_topic(&topic, PARTITIONS as u32).unwrap();
    kafka_keeps_the_contract(&stack.kafka(), &topic).await;
}

/// Creates a topic that takes messages of 20 MB.
async fn topic_of_large_messages(servers: &str, topic: &str, partitions: i32) {
    use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
    use rdkafka::client::DefaultClientContext;

    let mut settings = rdkafka::ClientConfig::new();
    let admin: AdminClient<DefaultClientContext> = settings.set("bootstrap.servers", servers).create().unwrap();
    let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1)).set("max.message.bytes", "20000000");
    admin.create_topics([&new], &AdminOptions::new()).await.unwrap()[0].as_ref().unwrap();
}

#[tokio::test]
async fn real_messages_larger_than_the_queue_come_from_each_of_many_partitions() {
    let Some(stack) = landfall_stack::Stack::attach() else {
        eprintln!("skipped: needs the real servers (make test)");
        return;
    };
    const MANY: i32 = 64;
    let topic = format!("suite-{}", uuid::Uuid::new_v4());
    topic_of_large_messages(&stack.kafka(), &topic, MANY).await;
    // The producer only: the consumer is not told how large messages may be.
    let mut producing = kafka(&stack.kafka());
    let larger = [("message.max.bytes", "20000000"), ("sticky.partitioning.linger.ms", "0"), ("batch.size", "1")];
    producing.properties.extend(larger.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let name = topic.clone();
    let sent = tokio::task::spawn_blocking(move || {
        let producer = Producer::new(&producing, &name).unwrap();
        for i in 0..4000 {
            // Some of 16 MiB, twice what the queue takes, and some of the size of a whole answer, between small ones.
            let size = if i % 1000 == 500 { 16 << 20 } else { [100, 1 << 20][usize::from(i % 200 == 7)] };
            producer.send(&vec![b'a' + (i % 26) as u8; size]).unwrap();
        }
        producer.flush(Duration::from_secs(60)).unwrap();
        end_offsets(&producing, &[name]).unwrap()
    });
    let ends = sent.await.unwrap();
    assert!(ends.values().filter(|end| **end > 0).count() > 32, "spread over the partitions: {ends:?}");

    let mut source = KafkaSource::subscribe(&kafka(&stack.kafka()), &[topic]).unwrap();
    let (generation, partitions) = assigned(&mut source).await;
    assert_eq!(partitions.len(), MANY as usize);
    source.assign(Assignment {
        generation,
        session: 1,
        starts: partitions.into_iter().map(|p| (p, Start::Oldest)).collect(),
    });
    let (mut offsets, mut bytes): (BTreeMap<TopicPartition, i64>, usize) = (BTreeMap::new(), 0);
    while offsets.values().sum::<i64>() < 4000 {
        if let Event::Messages { chunk, .. } = next(&mut source).await {
            for r in chunk.records() {
                let next = offsets.entry(r.partition.clone()).or_default();
                assert_eq!(r.offset, *next, "{}", r.partition);
                *next += 1;
                bytes += r.value.unwrap().len();
            }
        }
    }
    source.stop().await;
    assert!(offsets.iter().all(|(p, next)| ends[p] == *next));
    assert_eq!(bytes, 4 * (16 << 20) + 20 * (1 << 20) + 3976 * 100);
}

#[tokio::test]
async fn brokers_that_do_not_answer_are_named_within_the_limit() {
    // A port that nobody listens on: taken, then given back.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut config = kafka(&format!("127.0.0.1:{port}"));
    config.connect_timeout = Duration::from_secs(2);
    let asked = tokio::task::spawn_blocking(move || partitions_of(&config, &["events".to_owned()]));
    let e = asked.await.unwrap().unwrap_err();
    assert!(e.to_string().contains(&format!("127.0.0.1:{port}")), "{e}");
    assert_eq!(e.fault(), landfall::fault::Fault::Retry);
}
