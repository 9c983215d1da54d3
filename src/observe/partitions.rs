//! How the Kafka partitions of this process stand.

use serde::Serialize;

use super::time::Time;
use crate::model::TopicPartition;

/// How one Kafka partition stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PartitionStatus {
    /// Topic.
    pub topic: String,
    /// Number.
    pub partition: i32,
    /// Where the log stands: all before this offset is landed. `None` before that is known.
    pub landed_offset: Option<i64>,
    /// Where reading stands; at least the landed offset.
    pub read_offset: Option<i64>,
    /// The offset after the newest message that may be read, as Kafka last said. `None` before it did.
    pub end_offset: Option<i64>,
    /// When Kafka last said so. While Kafka is away this grows old, and the lag may be larger than it says.
    pub end_known: Option<Time>,
    /// Offsets between the landed one and the end: messages, but for the few offsets that are none.
    pub lag_messages: Option<u64>,
    /// Seconds since the oldest message that is not landed was made, by its Kafka timestamp, or, as long as it is not read,
    /// since it was seen to be there. 0 when nothing is behind.
    pub lag_seconds: Option<f64>,
    /// What is done with it.
    #[serde(flatten)]
    pub state: PartitionState,
}

/// What is done with a partition.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "camelCase")]
pub enum PartitionState {
    /// It is ours, and reading has not begun yet: positions are taken from the log and compared with Kafka.
    Assigned,
    /// It is read.
    Reading,
    /// It is not read for a while; this ends by itself, or when what is said is done.
    Paused {
        /// `memory` or `dead_letters`.
        cause: &'static str,
        /// Why, in words.
        why: String,
    },
    /// It is not read until a person decides.
    Stopped {
        /// Since when.
        since: Time,
        /// What happened, and what to do.
        reason: String,
        /// The command that resolves it, if one does.
        command: Option<String>,
    },
}

impl PartitionState {
    /// Its name, as it is written.
    pub fn name(&self) -> &'static str {
        match self {
            PartitionState::Assigned => "assigned",
            PartitionState::Reading => "reading",
            PartitionState::Paused { .. } => "paused",
            PartitionState::Stopped { .. } => "stopped",
        }
    }
}

impl PartitionStatus {
    /// Of which nothing is known yet.
    pub fn new(partition: &TopicPartition) -> PartitionStatus {
        PartitionStatus {
            topic: partition.topic.to_string(),
            partition: partition.partition,
            landed_offset: None,
            read_offset: None,
            end_offset: None,
            end_known: None,
            lag_messages: None,
            lag_seconds: None,
            state: PartitionState::Assigned,
        }
    }
}
