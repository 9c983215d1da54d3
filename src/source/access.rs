//! Whether Kafka lets us in, and what it lets us do: asked before a start, and heard of while running.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{ClientContext, Offset as KafkaOffset, TopicPartitionList};

use super::client::{KafkaConfig, bad_config, describe};
use super::port::SourceError;
use crate::model::TopicPartition;

/// How long a right is asked for. Without an answer by then it is taken for granted: the daemon is told later.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long brokers must keep us out to be believed.
const DENIED_FOR: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(100);

const SASL: &str = "Check sasl.mechanism, sasl.username and sasl.password of kafka.properties, and that this user is known \
                    to the brokers";
const TLS: &str = "Check in kafka.properties that ssl.ca.location holds the authority that signed the brokers' \
                   certificates; that kafka.bootstrap_servers and the brokers' advertised.listeners name hosts as their \
                   certificates do; that the port is one for TLS; and, if the brokers ask clients for a certificate, \
                   ssl.keystore.location, or ssl.certificate.location and ssl.key.location";

/// Keeps what the client says last, with its reason, which comes nowhere else.
#[derive(Debug, Default)]
pub(super) struct Ear(Mutex<Option<(RDKafkaErrorCode, String)>>);

impl Ear {
    pub(super) fn hear(&self, error: &KafkaError, reason: &str) {
        if let Some(code) = error.rdkafka_error_code() {
            let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // That no broker is left follows from something, and says nothing of it.
            if code != RDKafkaErrorCode::AllBrokersDown || last.is_none() {
                *last = Some((code, reason.to_owned()));
            }
        }
    }

    /// What was said with this code, if it was the last.
    pub(super) fn reason(&self, code: RDKafkaErrorCode) -> Option<String> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().filter(|(of, _)| *of == code).map(|(_, reason)| reason.clone())
    }

    fn last(&self) -> Option<(RDKafkaErrorCode, String)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ClientContext for Ear {
    fn error(&self, error: KafkaError, reason: &str) {
        self.hear(&error, reason);
    }
}

impl ConsumerContext for Ear {}

impl KafkaConfig {
    /// A client that asks, and joins no group.
    pub(super) fn asking(&self) -> Result<Asking<'_>, SourceError> {
        let mut client = self.consumer();
        // What is asked is mostly an empty partition, whose broker would else wait for messages.
        client.set("fetch.min.bytes", "1").set("fetch.wait.max.ms", "10");
        let consumer = client.create_with_context(Ear::default()).map_err(|e| bad_config(&e))?;
        Ok(Asking { consumer, config: self })
    }

    /// The error for a code that says that the brokers do not let us in, or do not let us do something; `None`: another.
    pub(super) fn refusal(&self, code: RDKafkaErrorCode, reason: Option<String>) -> Option<SourceError> {
        let denied = |advice| {
            let reason = reason.clone().unwrap_or_else(|| code.to_string());
            SourceError::Denied { servers: self.bootstrap_servers.clone(), reason, advice }
        };
        match code {
            RDKafkaErrorCode::Authentication
            | RDKafkaErrorCode::SaslAuthenticationFailed
            | RDKafkaErrorCode::UnsupportedSASLMechanism => Some(denied(SASL)),
            RDKafkaErrorCode::SSL => Some(denied(TLS)),
            RDKafkaErrorCode::GroupAuthorizationFailed => Some(self.forbidden("Read", "group", &self.group_id)),
            RDKafkaErrorCode::TopicAuthorizationFailed => Some(self.forbidden("Read", "topic", "of kafka.topics")),
            _ => None,
        }
    }

    /// Whether it is that the brokers do not let us in, after they could not be asked for `topic`. Blocking.
    pub(super) fn denied(&self, topic: &str) -> Option<SourceError> {
        let quick = KafkaConfig { connect_timeout: DENIED_FOR * 2, ..self.clone() };
        let asked = quick.asking().and_then(|asking| asking.partitions(&[topic.to_owned()]).map(drop));
        asked.err().filter(|e| matches!(e, SourceError::Denied { .. }))
    }

    fn forbidden(&self, operation: &'static str, resource: &'static str, name: &str) -> SourceError {
        let user = self.properties.get("sasl.username").map_or("<the certificate's subject>", String::as_str);
        SourceError::Forbidden {
            servers: self.bootstrap_servers.clone(),
            user: user.to_owned(),
            operation,
            resource,
            name: name.to_owned(),
        }
    }
}

/// What there is and may be seen.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub partitions: Vec<TopicPartition>,
    /// Topics that we may not see.
    pub refused: Vec<SourceError>,
}

/// A client that asks the brokers questions. Blocking.
pub(super) struct Asking<'c> {
    pub(super) consumer: BaseConsumer<Ear>,
    config: &'c KafkaConfig,
}

impl Asking<'_> {
    /// All partitions of the topics that exist; asks the brokers for at most `connect_timeout`, but ends sooner when
    /// they do not let us in.
    pub(super) fn partitions(&self, topics: &[String]) -> Result<Found, SourceError> {
        let begun = Instant::now();
        let until = begun + self.config.connect_timeout;
        let (mut found, mut denied) = (Found::default(), None);
        for topic in topics {
            // Short at first, for what the client hears of the brokers comes between two tries.
            let mut patience = Duration::from_millis(500);
            let metadata = loop {
                let left = until.saturating_duration_since(Instant::now()).max(LOOK);
                let e = match self.consumer.fetch_metadata(Some(topic), left.min(patience)) {
                    Ok(metadata) => break metadata,
                    Err(e) => e,
                };
                denied = self.listen().or(denied);
                // A broker that is just starting, or ending, may break off anything.
                let is_over = Instant::now() >= until;
                if let Some(denied) = denied.take_if(|_| is_over || begun.elapsed() > DENIED_FOR) {
                    return Err(denied);
                }
                if is_over {
                    let said = self.consumer.context().last().map(|(_, reason)| reason);
                    return Err(self.config.unreachable(said.unwrap_or_else(|| describe(&e))));
                }
                patience = (patience * 2).min(Duration::from_secs(5));
            };
            for t in metadata.topics() {
                match t.error().map(RDKafkaErrorCode::from) {
                    None => {
                        found.partitions.extend(t.partitions().iter().map(|p| TopicPartition::new(t.name(), p.id())));
                    }
                    Some(RDKafkaErrorCode::TopicAuthorizationFailed) => {
                        found.refused.push(self.config.forbidden("Read", "topic", topic));
                    }
                    Some(_) => {}
                }
            }
        }
        found.partitions.sort();
        Ok(found)
    }

    /// Offset of the oldest message and the one after the newest, of each partition.
    pub(super) fn watermarks(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, (i64, i64)>, SourceError> {
        let mark = |tp: &TopicPartition| {
            let marks = self.consumer.fetch_watermarks(&tp.topic, tp.partition, self.config.connect_timeout);
            marks.map(|marks| (tp.clone(), marks)).map_err(|e| self.config.unreachable(describe(&e)))
        };
        partitions.iter().map(mark).collect()
    }

    /// What we may not do of what a daemon does: use the group, and read the topics of these partitions.
    pub(super) fn refusals(&self, partitions: &[TopicPartition]) -> Vec<SourceError> {
        let mut one_each = partitions.to_vec();
        one_each.dedup_by(|a, b| a.topic == b.topic);
        let group = one_each.first().and_then(|tp| self.group_refused(tp));
        let topics = one_each.iter().filter(|tp| self.reading_refused(tp));
        group.into_iter().chain(topics.map(|tp| self.config.forbidden("Read", "topic", &tp.topic))).collect()
    }

    /// Hears for a while what the client has to say of the brokers: an error, if they do not let us in.
    fn listen(&self) -> Option<SourceError> {
        let until = Instant::now() + LOOK;
        let mut heard = None;
        loop {
            // Without a wait it might hear log lines only.
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return heard;
            }
            let Some(Err(e)) = self.consumer.poll(left) else { continue };
            let Some(code) = e.rdkafka_error_code() else { continue };
            let reason = self.consumer.context().reason(code);
            let refusal = self.config.refusal(code, reason);
            heard = refusal.filter(|e| matches!(e, SourceError::Denied { .. })).or(heard);
        }
    }

    fn group_refused(&self, tp: &TopicPartition) -> Option<SourceError> {
        const CODE: RDKafkaErrorCode = RDKafkaErrorCode::GroupAuthorizationFailed;
        let until = Instant::now() + PATIENCE;
        let refused = |e: &KafkaError| e.rdkafka_error_code() == Some(CODE);
        while Instant::now() < until {
            let mut list = TopicPartitionList::new();
            list.add_partition(&tp.topic, tp.partition);
            // Refused while its coordinator is looked for, the client only says so, and looks on.
            let answer = self.consumer.committed_offsets(list, LOOK);
            let said = self.consumer.poll(LOOK / 10).is_some_and(|event| event.is_err_and(|e| refused(&e)));
            match answer {
                Ok(_) => return None,
                Err(e) if refused(&e) || said => return self.config.refusal(CODE, None),
                Err(_) => {}
            }
        }
        None
    }

    fn reading_refused(&self, tp: &TopicPartition) -> bool {
        let mut list = TopicPartitionList::new();
        let added = list.add_partition_offset(&tp.topic, tp.partition, KafkaOffset::End);
        if added.is_err() || self.consumer.assign(&list).is_err() {
            return false;
        }
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            match self.consumer.poll(LOOK) {
                Some(Err(e)) if e.rdkafka_error_code() == Some(RDKafkaErrorCode::TopicAuthorizationFailed) => {
                    return true;
                }
                Some(Ok(_) | Err(KafkaError::PartitionEOF(_))) => return false,
                _ => {}
            }
        }
        false
    }
}

/// What a look at the brokers shows.
#[derive(Debug)]
pub struct Look {
    /// Offset of the oldest message and the one after the newest, of each partition of topics that we may see.
    pub watermarks: BTreeMap<TopicPartition, (i64, i64)>,
    /// What a daemon needs and may not do; each a [`SourceError::Forbidden`].
    pub refusals: Vec<SourceError>,
}

/// Looks at the topics, and whether we may read them and use the group, which is not joined. Blocking.
pub fn look(config: &KafkaConfig, topics: &[String]) -> Result<Look, SourceError> {
    let asking = config.asking()?;
    let Found { partitions, refused } = asking.partitions(topics)?;
    let refusals = refused.into_iter().chain(asking.refusals(&partitions)).collect();
    Ok(Look { watermarks: asking.watermarks(&partitions)?, refusals })
}

/// All partitions of the topics that exist, if we may read them and use the group. Blocking.
pub fn reach(config: &KafkaConfig, topics: &[String]) -> Result<Vec<TopicPartition>, SourceError> {
    let asking = config.asking()?;
    let Found { partitions, refused } = asking.partitions(topics)?;
    match refused.into_iter().chain(asking.refusals(&partitions)).next() {
        Some(refused) => Err(refused),
        None => Ok(partitions),
    }
}
