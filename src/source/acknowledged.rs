//! A producer that tells of every message whether Kafka has it.

use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};
use tokio::sync::oneshot;

use super::client::{KafkaConfig, describe};
use super::port::SourceError;

/// How long a message may take, unless `message.timeout.ms` says otherwise: somebody waits for the answer.
const LIMIT: (&str, &str) = ("message.timeout.ms", "10000");

type Outcome = Result<(), KafkaError>;

struct Replies;

impl ClientContext for Replies {}

impl ProducerContext for Replies {
    type DeliveryOpaque = Box<oneshot::Sender<Outcome>>;

    fn delivery(&self, result: &DeliveryResult<'_>, reply: Box<oneshot::Sender<Outcome>>) {
        let outcome = result.as_ref().map(|_| ()).map_err(|(e, _)| e.clone());
        // Nobody may wait any more.
        _ = reply.send(outcome);
    }
}

/// Writes messages to a topic, one answer each: idempotent, acknowledged by all replicas.
pub struct AcknowledgedProducer {
    inner: ThreadedProducer<Replies>,
    topic: String,
}

/// A message on its way.
#[derive(Debug)]
pub struct Sent(oneshot::Receiver<Outcome>);

impl Sent {
    /// Waits until Kafka has the message.
    ///
    /// # Errors
    /// It was refused or given up: nearly always Kafka does not have it.
    pub async fn acknowledged(self) -> Result<(), SourceError> {
        match self.0.await {
            Ok(outcome) => outcome.map_err(|e| SourceError::Fatal(describe(&e))),
            Err(_) => Err(SourceError::Fatal("the producer is gone".to_owned())),
        }
    }
}

impl AcknowledgedProducer {
    /// A producer to `topic`, which must exist (or be created by the broker); asks for at most `connect_timeout`. Blocking.
    pub fn new(config: &KafkaConfig, topic: &str) -> Result<AcknowledgedProducer, SourceError> {
        let limit = Some(LIMIT).filter(|(name, _)| !config.properties.contains_key(*name));
        let inner = config.producer(topic, limit.as_slice(), Replies)?;
        Ok(AcknowledgedProducer { inner, topic: topic.to_owned() })
    }

    /// Queues a message behind those before it. Does not block.
    ///
    /// # Errors
    /// The queue is full, because Kafka takes nothing.
    pub fn send(&self, value: &[u8]) -> Result<Sent, SourceError> {
        let (reply, outcome) = oneshot::channel();
        let record = BaseRecord::<(), [u8], _>::with_opaque_to(&self.topic, Box::new(reply)).payload(value);
        match self.inner.send(record) {
            Ok(()) => Ok(Sent(outcome)),
            Err((e, _)) => Err(SourceError::Fatal(describe(&e))),
        }
    }

    /// Waits until nothing is on its way. Blocking.
    pub fn flush(&self, limit: Duration) -> Result<(), SourceError> {
        let flushed = self.inner.flush(limit);
        flushed.map_err(|e| SourceError::Fatal(format!("messages not acknowledged: {}", describe(&e))))
    }
}
