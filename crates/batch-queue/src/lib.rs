//! Messages of an rdkafka consumer by the batch.
//!
//! `BaseConsumer::poll` makes an event of every message, and costs about twice what librdkafka's own
//! `rd_kafka_consume_batch_queue` does. rust-rdkafka does not offer that call, because it must not be used on the
//! consumer's queue: rebalances and errors come there, and would be thrown away. So the messages of assigned
//! partitions get a queue of their own here, and the consumer's queue is polled between two batches.
//!
//! It is a crate of its own because this takes unsafe code, which is forbidden everywhere else.

#![deny(unsafe_op_in_unsafe_fn)]

mod message;
mod queue;

pub use message::{Message, TopicId};
pub use queue::{BatchQueue, Polled};
