//! Where messages come from: one small port, Kafka behind it, and a memory twin.

mod access;
mod acknowledged;
mod client;
mod consumer;
mod embedded;
mod ends;
mod kafka;
mod memory;
mod polling;
mod port;
mod position;
mod refusal;
mod sample;
mod trouble;

pub use access::{Look, look, reach};
pub use acknowledged::{AcknowledgedProducer, Sent};
pub use client::{KafkaConfig, Producer, end_offsets, partitions_of, watermarks};
pub use embedded::EmbeddedKafka;
pub use kafka::KafkaSource;
pub use memory::{MemorySource, MemoryTopic};
pub use port::{Assignment, End, Event, Hold, Source, SourceError, Start, View};
pub use sample::newest_messages;
