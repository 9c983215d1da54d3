//! Where each column's values come from, and whether they fit its type.

use super::derived::Moment;
use crate::config::settings::{self, ColumnSource};
use crate::schema::HiveType;

/// Where a column's values come from, resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The JSON field, or the end of a path, in this slot of the decoder.
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
    /// Its headers.
    Headers,
    /// The number of the batch.
    BatchId,
    /// The day of a moment.
    Date(Moment),
    /// Its hour.
    Hour(Moment),
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

    /// A source of the configuration; `slot` gives the slot of a field, by its path.
    pub(super) fn new(source: &ColumnSource, slot: impl FnOnce(&[String]) -> usize) -> Source {
        match source {
            ColumnSource::Date(settings::Moment::Kafka) => Source::Date(Moment::Kafka),
            ColumnSource::Date(settings::Moment::Field(names)) => Source::Date(Moment::Field(slot(names))),
            ColumnSource::Hour(settings::Moment::Kafka) => Source::Hour(Moment::Kafka),
            ColumnSource::Hour(settings::Moment::Field(names)) => Source::Hour(Moment::Field(slot(names))),
            ColumnSource::Field(name) => Source::Field(slot(std::slice::from_ref(name))),
            ColumnSource::Path(names) => Source::Field(slot(names)),
            ColumnSource::KafkaValue => Source::Value,
            ColumnSource::KafkaKey => Source::Key,
            ColumnSource::KafkaTimestamp => Source::Timestamp,
            ColumnSource::KafkaTopic => Source::Topic,
            ColumnSource::KafkaPartition => Source::Partition,
            ColumnSource::KafkaOffset => Source::Offset,
            ColumnSource::KafkaHeaders => Source::Headers,
            ColumnSource::BatchId => Source::BatchId,
        }
    }

    /// The slot of the decoder that it needs.
    pub(super) fn slot(self) -> Option<usize> {
        match self {
            Source::Field(slot) | Source::Date(Moment::Field(slot)) | Source::Hour(Moment::Field(slot)) => Some(slot),
            _ => None,
        }
    }

    /// Whether rows can be parted by it: not by what nearly every row has another of, or what is known only later.
    pub(super) fn parts(self) -> bool {
        let parts = matches!(self, Source::Key | Source::Topic | Source::Partition);
        parts || matches!(self, Source::Field(_) | Source::Date(_) | Source::Hour(_))
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
            Source::Headers => "kafka.headers",
            Source::BatchId => "batch.id",
            Source::Date(_) => "date(…)",
            Source::Hour(_) => "hour(…)",
            Source::Reason => "the dead letter's reason",
            Source::Detail => "the dead letter's detail",
        }
    }

    /// Whether it can fill a column of this type.
    pub(super) fn fills(self, hive_type: &HiveType) -> bool {
        use HiveType as T;
        let is_text = matches!(hive_type, T::String | T::Varchar(_) | T::Char(_));
        match self {
            Source::Field(_) => true,
            Source::Value | Source::Key => is_text || *hive_type == T::Binary,
            Source::Timestamp => is_text || matches!(hive_type, T::Timestamp | T::BigInt),
            Source::Topic | Source::Reason | Source::Detail => is_text,
            Source::Partition => matches!(hive_type, T::Int | T::BigInt),
            Source::Offset | Source::BatchId => *hive_type == T::BigInt,
            Source::Date(_) => is_text || *hive_type == T::Date,
            Source::Hour(_) => is_text || matches!(hive_type, T::TinyInt | T::SmallInt | T::Int | T::BigInt),
            Source::Headers => {
                is_text || matches!(hive_type, T::Map(value) if matches!(**value, T::String | T::Binary))
            }
        }
    }

    /// The types that it can fill, in words.
    pub(super) fn types(self) -> &'static str {
        match self {
            Source::Field(_) => "any",
            Source::Value | Source::Key => "string, varchar, char, binary",
            Source::Timestamp => "string, varchar, char, timestamp, bigint",
            Source::Topic | Source::Reason | Source::Detail => "string, varchar, char",
            Source::Partition => "int, bigint",
            Source::Offset | Source::BatchId => "bigint",
            Source::Date(_) => "date, string, varchar, char",
            Source::Hour(_) => "tinyint, smallint, int, bigint, string, varchar, char",
            Source::Headers => "map<string,string>, map<string,binary>, string, varchar, char",
        }
    }
}
