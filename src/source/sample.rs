//! A look at a topic's newest messages, outside of any consumer group.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Message, Offset, TopicPartitionList};

use super::client::{KafkaConfig, describe, watermarks};
use super::port::SourceError;
use crate::model::TopicPartition;

/// Gives `take` about the `most` newest messages of the topic, an even share of each partition; messages without a
/// value are passed over. Reads only: no group is joined, no offset committed. Blocking.
///
/// # Errors
/// Kafka cannot be reached for `connect_timeout`, or there is no such topic.
pub fn newest_messages(
    config: &KafkaConfig,
    topic: &str,
    most: u64,
    take: &mut impl FnMut(&[u8]),
) -> Result<(), SourceError> {
    let marks = watermarks(config, &[topic.to_owned()])?;
    if marks.is_empty() {
        return Err(SourceError::NoTopic { topic: topic.to_owned(), servers: config.bootstrap_servers.clone() });
    }
    let share = i64::try_from(most.div_ceil(marks.len() as u64)).unwrap_or(i64::MAX);
    let mut list = TopicPartitionList::new();
    let mut unread: BTreeSet<TopicPartition> = BTreeSet::new();
    for (tp, (low, high)) in marks.into_iter().filter(|(_, (low, high))| low < high) {
        let start = Offset::Offset(low.max(high.saturating_sub(share)));
        list.add_partition_offset(&tp.topic, tp.partition, start).map_err(|e| SourceError::Fatal(describe(&e)))?;
        unread.insert(tp);
    }
    let consumer: BaseConsumer = config.consumer().create().map_err(|e| SourceError::Config(describe(&e)))?;
    consumer.assign(&list).map_err(|e| SourceError::Fatal(describe(&e)))?;
    let (mut heard, mut taken) = (Instant::now(), 0);
    while !unread.is_empty() && taken < most {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                heard = Instant::now();
                if let Some(value) = message.payload() {
                    take(value);
                    taken += 1;
                }
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                unread.retain(|tp| tp.partition != partition);
            }
            Some(Err(e)) if heard.elapsed() > config.connect_timeout => return Err(config.unreachable(describe(&e))),
            Some(Err(_)) => {}
            None if heard.elapsed() > config.connect_timeout => {
                let (servers, seconds) = (config.bootstrap_servers.clone(), config.connect_timeout.as_secs());
                return Err(SourceError::Unreachable { servers, seconds, reason: "no message came".to_owned() });
            }
            None => {}
        }
    }
    Ok(())
}
