//! Kafka clients: their configuration, what is asked once at start-up, and the producer of `demo` and `produce`.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};
use rdkafka::{ClientConfig, ClientContext};

use super::access::Asking;
use super::port::SourceError;
use crate::config::settings;
use crate::model::TopicPartition;

/// How to reach Kafka.
#[derive(Debug, Clone)]
pub struct KafkaConfig {
    /// `host:port,…`
    pub bootstrap_servers: String,
    /// Consumer group.
    pub group_id: String,
    /// librdkafka properties of the user.
    pub properties: BTreeMap<String, String>,
    /// How long a start waits for the brokers.
    pub connect_timeout: Duration,
    /// About how many bytes of memory the consumer may fill with messages that are not read yet; at least 8 MiB. One
    /// message may be larger, and is read all the same.
    pub queue_bytes: u64,
}

impl From<&settings::Kafka> for KafkaConfig {
    fn from(kafka: &settings::Kafka) -> KafkaConfig {
        KafkaConfig {
            bootstrap_servers: kafka.bootstrap_servers.clone(),
            group_id: kafka.group_id.clone(),
            properties: kafka.properties.clone(),
            connect_timeout: kafka.connect_timeout,
            queue_bytes: KafkaConfig::QUEUE_BYTES,
        }
    }
}

impl KafkaConfig {
    /// [`KafkaConfig::queue_bytes`] where nobody chose any.
    pub const QUEUE_BYTES: u64 = 16 << 20;

    fn base(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        self.add_base(&mut config);
        config
    }

    /// Not by reading one configuration into another: what the library gives out has no secrets in it.
    fn add_base(&self, config: &mut ClientConfig) {
        config.set("client.id", "landfall");
        // How late it notices that a broker is back; librdkafka's 10 s are more than all the rest takes then.
        config.set("reconnect.backoff.max.ms", "1000");
        // A broker that says nothing is one that is away, and the log must not be silent for librdkafka's minute.
        config.set("socket.timeout.ms", "20000");
        // OpenSSL is built in, and its own default is a folder of the machine that built it.
        config.set("ssl.ca.location", "probe");
        for (k, v) in &self.properties {
            config.set(k, v);
        }
        config.set("bootstrap.servers", &self.bootstrap_servers);
    }

    /// The consumer's configuration. What stands behind `properties` belongs to landfall: offsets live in the log only.
    pub(super) fn consumer(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        // Our defaults, which the user may change.
        config.set("isolation.level", "read_committed");
        config.set("session.timeout.ms", "10000");
        config.set("topic.metadata.refresh.interval.ms", "10000");
        // librdkafka's 1000 ms lets a consumer that is slower than the network stand idle; with 5 ms two cores still did at times.
        config.set("fetch.queue.backoff.ms", "1");
        // A broker's answer may wait for this much, or for half a second: one for each small batch of a quiet producer
        // costs more than all that is done with its messages.
        config.set("fetch.min.bytes", "65536");
        config.set("fetch.wait.max.ms", "500");
        for (name, value) in self.queue_limits() {
            config.set(name, value.to_string());
        }
        self.add_base(&mut config);
        config.set("group.id", &self.group_id);
        config.set("enable.auto.commit", "false");
        config.set("enable.auto.offset.store", "false");
        config.set("auto.offset.reset", "error");
        config.set("enable.partition.eof", "true");
        // Eager: an assignment is always the whole of what is ours.
        config.set("partition.assignment.strategy", "range,roundrobin");
        config
    }

    /// The limits that keep the messages fetched and not read within [`KafkaConfig::queue_bytes`].
    ///
    /// librdkafka asks for no more above either limit of its queue, which counts the messages' own bytes. But what one
    /// answer brings may come on top of it, and each message costs a few hundred bytes beside its own. An answer should hold two
    /// of the largest batches that producers commonly send, 1 MiB each: a smaller one costs the broker a quarter more.
    fn queue_limits(&self) -> Vec<(&'static str, u64)> {
        let bytes = self.queue_bytes.clamp(8 << 20, 1 << 30);
        let mut limits = vec![("queued.max.messages.kbytes", bytes / 3 / 1024), ("queued.min.messages", bytes / 1024)];
        // Compressed messages, which grow when they come, count as they are sent. The client refuses less than 1,000,000;
        // a message that is larger comes nevertheless, alone.
        let answer = bytes / 6;
        let given = |name: &str| self.properties.contains_key(name);
        // An older name of the same: which of both counted would be chance.
        if !given("max.partition.fetch.bytes") {
            limits.push(("fetch.message.max.bytes", answer.min(1 << 20)));
        }
        // It also refuses to fetch less than the largest message that the user allows, and sees to that by itself.
        if !given("message.max.bytes") {
            limits.push(("fetch.max.bytes", answer));
        }
        limits
    }

    /// A producer that repeats nothing and loses nothing, once it has seen that `topic` is there. Blocking.
    pub(super) fn producer<C: ProducerContext + 'static>(
        &self,
        topic: &str,
        settings: &[(&str, &str)],
        context: C,
    ) -> Result<ThreadedProducer<C>, SourceError> {
        let mut client = self.base();
        client.set("enable.idempotence", "true").set("acks", "all");
        settings.iter().for_each(|(name, value)| _ = client.set(*name, *value));
        let producer: ThreadedProducer<C> = client.create_with_context(context).map_err(|e| bad_config(&e))?;
        let metadata = producer.client().fetch_metadata(Some(topic), self.connect_timeout);
        let metadata = metadata.map_err(|e| self.denied(topic).unwrap_or_else(|| self.unreachable(describe(&e))))?;
        if metadata.topics().iter().any(|t| t.error().is_some()) {
            return Err(SourceError::NoTopic { topic: topic.to_owned(), servers: self.bootstrap_servers.clone() });
        }
        Ok(producer)
    }

    pub(super) fn unreachable(&self, reason: String) -> SourceError {
        SourceError::Unreachable {
            servers: self.bootstrap_servers.clone(),
            seconds: self.connect_timeout.as_secs(),
            reason,
        }
    }
}

/// A client error in words, without its Rust wrapping.
pub(super) fn describe(e: &KafkaError) -> String {
    match (e, e.rdkafka_error_code()) {
        (KafkaError::ClientConfig(_, reason, key, _), _) => format!("{key}: {reason}"),
        (KafkaError::ClientCreation(reason), _) => reason.clone(),
        (_, Some(code)) => code.to_string(),
        _ => e.to_string(),
    }
}

pub(super) fn bad_config(e: &KafkaError) -> SourceError {
    SourceError::Config(describe(e))
}

/// All partitions of the topics, those that exist; asks the brokers for at most `connect_timeout`. Blocking.
/// A topic that does not exist has no partitions in the answer.
pub fn partitions_of(config: &KafkaConfig, topics: &[String]) -> Result<Vec<TopicPartition>, SourceError> {
    visible(&config.asking()?, topics)
}

fn visible(asking: &Asking<'_>, topics: &[String]) -> Result<Vec<TopicPartition>, SourceError> {
    let found = asking.partitions(topics)?;
    found.refused.into_iter().next().map_or(Ok(found.partitions), Err)
}

/// The offsets after the newest message of every partition of the topics. Blocking.
pub fn end_offsets(config: &KafkaConfig, topics: &[String]) -> Result<BTreeMap<TopicPartition, i64>, SourceError> {
    Ok(watermarks(config, topics)?.into_iter().map(|(tp, (_, high))| (tp, high)).collect())
}

/// The offset of the oldest message and the one after the newest, of every partition of the topics. Blocking.
pub fn watermarks(
    config: &KafkaConfig,
    topics: &[String],
) -> Result<BTreeMap<TopicPartition, (i64, i64)>, SourceError> {
    let asking = config.asking()?;
    let partitions = visible(&asking, topics)?;
    asking.watermarks(&partitions)
}

/// Keeps the first failed delivery: the client itself counts such a message as done.
#[derive(Default)]
struct Deliveries {
    failed: OnceLock<KafkaError>,
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((e, _)) = result {
            // Only the first one is kept.
            _ = self.failed.set(e.clone());
        }
    }
}

/// Writes messages to a topic: idempotent, acknowledged by all replicas.
pub struct Producer {
    inner: ThreadedProducer<Deliveries>,
    topic: String,
}

impl Producer {
    /// A producer to `topic`, which must exist (or be created by the broker); asks for at most `connect_timeout`. Blocking.
    pub fn new(config: &KafkaConfig, topic: &str) -> Result<Producer, SourceError> {
        let inner = config.producer(topic, &[("linger.ms", "20")], Deliveries::default())?;
        Ok(Producer { inner, topic: topic.to_owned() })
    }

    /// Queues a message; waits while the queue is full. Blocking.
    pub fn send(&self, value: &[u8]) -> Result<(), SourceError> {
        loop {
            match self.inner.send(BaseRecord::<(), [u8]>::to(&self.topic).payload(value)) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err((e, _)) => return Err(SourceError::Fatal(describe(&e))),
            }
        }
    }

    /// Waits until every message queued is acknowledged; an error if one was refused or given up. Blocking.
    pub fn flush(&self, limit: Duration) -> Result<(), SourceError> {
        let failed = |e: &KafkaError| SourceError::Fatal(format!("messages not acknowledged: {}", describe(e)));
        self.inner.flush(limit).map_err(|e| failed(&e))?;
        self.inner.context().failed.get().map_or(Ok(()), |e| Err(failed(e)))
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::consumer::BaseConsumer;

    use super::*;

    fn config(queue_bytes: u64, properties: &[(&str, &str)]) -> KafkaConfig {
        KafkaConfig {
            bootstrap_servers: "localhost:1".to_owned(),
            group_id: "g".to_owned(),
            properties: properties.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            connect_timeout: Duration::from_secs(1),
            queue_bytes,
        }
    }

    #[test]
    fn the_client_takes_every_limit_and_the_users_come_first() {
        let users = [
            &[][..],
            &[("message.max.bytes", "20000000")],
            &[("fetch.max.bytes", "70000000"), ("message.max.bytes", "60000000")],
            &[("max.partition.fetch.bytes", "123456")],
            &[("queued.max.messages.kbytes", "77"), ("queued.min.messages", "5"), ("fetch.message.max.bytes", "99")],
        ];
        for properties in users {
            for queue_bytes in [0, 1 << 20, KafkaConfig::QUEUE_BYTES, 300 << 20, u64::MAX] {
                let consumer = config(queue_bytes, properties).consumer();
                let native = consumer.create_native_config().unwrap();
                for (name, value) in properties {
                    assert_eq!(native.get(name).unwrap(), *value, "{name} with {queue_bytes}");
                }
                let made: Result<BaseConsumer, _> = consumer.create();
                assert!(made.is_ok(), "{properties:?} with {queue_bytes}: {:?}", made.err());
            }
        }
        let native = config(0, &[("sasl.password", "pa55")]).consumer().create_native_config().unwrap();
        assert_eq!(native.get("sasl.password").unwrap(), "pa55", "not what is shown in its place");
        let native = config(32 << 20, &[]).consumer().create_native_config().unwrap();
        let of = |name| native.get(name).unwrap();
        assert_eq!((of("queued.max.messages.kbytes"), of("queued.min.messages")), ("10922".into(), "32768".into()));
        assert_eq!((of("fetch.max.bytes"), of("max.partition.fetch.bytes")), ("5592405".into(), "1048576".into()));
    }
}
