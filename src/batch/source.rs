//! Where each column's values come from, and whether they fit its type.

use crate::config::settings::ColumnSource;
use crate::schema::HiveType;

/// Where a column's values come from, resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The JSON field in this slot of the decoder.
    Field(usize),
    /// The message.
    Value,
    /// Its key.
    Key,
    /// Its Kafka timestamp.
    Timestamp,
    /// Its topic.
    Topic,
    /// Its partition.
    Partition,
    /// Its offset.
    Offset,
    /// The number of the batch.
    BatchId,
    /// Why it is a dead letter.
    Reason,
    /// More on that.
    Detail,
}

impl Source {
    /// The source that a column of any table has by its name, in lower case.
    pub(super) fn built_in(name: &str) -> Option<ColumnSource> {
        Some(match name {
            "_kafka_topic" => ColumnSource::KafkaTopic,
            "_kafka_partition" => ColumnSource::KafkaPartition,
            "_kafka_offset" => ColumnSource::KafkaOffset,
            "_kafka_timestamp" => ColumnSource::KafkaTimestamp,
            _ => return None,
        })
    }

    /// The source that a column of the dead-letter table has by its name, in lower case.
    pub(super) fn of_dead_letter(name: &str) -> Option<Source> {
        Some(match name {
            "reason" => Source::Reason,
            "detail" => Source::Detail,
            "raw_event" | "raw_bytes" => Source::Value,
            "kafka_topic" => Source::Topic,
            "kafka_partition" => Source::Partition,
            "kafka_offset" => Source::Offset,
            "kafka_timestamp" => Source::Timestamp,
            "batch_id" => Source::BatchId,
            _ => return None,
        })
    }

    /// A source of the configuration; `slot` gives the slot of a field.
    pub(super) fn new(source: &ColumnSource, slot: impl FnOnce(&str) -> usize) -> Source {
        match source {
            ColumnSource::Field(name) => Source::Field(slot(name)),
            ColumnSource::KafkaValue => Source::Value,
            ColumnSource::KafkaKey => Source::Key,
            ColumnSource::KafkaTimestamp => Source::Timestamp,
            ColumnSource::KafkaTopic => Source::Topic,
            ColumnSource::KafkaPartition => Source::Partition,
            ColumnSource::KafkaOffset => Source::Offset,
            ColumnSource::BatchId => Source::BatchId,
        }
    }

    /// Its name in messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Source::Field(_) => "a JSON field",
            Source::Value => "kafka.value",
            Source::Key => "kafka.key",
            Source::Timestamp => "kafka.timestamp",
            Source::Topic => "kafka.topic",
            Source::Partition => "kafka.partition",
            Source::Offset => "kafka.offset",
            Source::BatchId => "batch.id",
            Source::Reason => "the dead letter's reason",
            Source::Detail => "the dead letter's detail",
        }
    }

    /// The types of columns that it can fill.
    pub(super) fn types(self) -> &'static [HiveType] {
        use HiveType as T;
        match self {
            Source::Field(_) => {
                &[T::Boolean, T::TinyInt, T::SmallInt, T::Int, T::BigInt, T::Float, T::Double, T::String]
            }
            Source::Value | Source::Key => &[T::String, T::Binary],
            Source::Timestamp => &[T::String, T::Timestamp, T::BigInt],
            Source::Topic | Source::Reason | Source::Detail => &[T::String],
            Source::Partition => &[T::Int, T::BigInt],
            Source::Offset | Source::BatchId => &[T::BigInt],
        }
    }
}
