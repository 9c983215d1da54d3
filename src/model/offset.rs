//! Kafka offsets as positions that must chain: a range joins only where the last one ended.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// One partition of one Kafka topic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// Topic name.
    pub topic: Arc<str>,
    /// Partition number, from 0.
    pub partition: i32,
}

impl TopicPartition {
    /// Partition `partition` of `topic`.
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> TopicPartition {
        TopicPartition { topic: topic.into(), partition }
    }

    /// The same as `==`, quicker where both share the topic's name.
    pub fn is(&self, other: &TopicPartition) -> bool {
        self.partition == other.partition && (Arc::ptr_eq(&self.topic, &other.topic) || self.topic == other.topic)
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.topic, self.partition)
    }
}

/// A position in a partition: the offset of the next message to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Offset(pub i64);

impl Offset {
    /// The position right after the message at `offset`. The only `+ 1` of the code base.
    pub fn after(offset: i64) -> Offset {
        Offset(offset + 1)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The messages of a partition from `start` up to, not including, `end`. Kafka may hold fewer messages than
/// `end - start`: transaction markers and compaction leave holes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffsetRange {
    /// First position.
    pub start: Offset,
    /// Position after the last message.
    pub end: Offset,
}

/// Two ranges that do not touch were to be joined.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{partition}: the next range starts at offset {found}, the last one ended at {expected}")]
pub struct BrokenChain {
    /// The partition whose chain is broken.
    pub partition: TopicPartition,
    /// Where the next range had to start.
    pub expected: Offset,
    /// Where it does start.
    pub found: Offset,
}

impl OffsetRange {
    /// An empty range at `start`.
    pub fn at(start: Offset) -> OffsetRange {
        OffsetRange { start, end: start }
    }

    /// Whether nothing was read.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Moves the end forward over the message at `offset`, which must not lie before the end.
    pub fn extend_over(&mut self, partition: &TopicPartition, offset: i64) -> Result<(), BrokenChain> {
        if offset < self.end.0 {
            return Err(BrokenChain { partition: partition.clone(), expected: self.end, found: Offset(offset) });
        }
        self.end = Offset::after(offset);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_grows_over_holes_but_never_backwards() {
        let p = TopicPartition::new("events", 3);
        let mut r = OffsetRange::at(Offset(10));
        assert!(r.is_empty());
        r.extend_over(&p, 10).unwrap();
        r.extend_over(&p, 14).unwrap();
        assert_eq!(r, OffsetRange { start: Offset(10), end: Offset(15) });
        let e = r.extend_over(&p, 14).unwrap_err();
        assert_eq!(e.to_string(), "events[3]: the next range starts at offset 14, the last one ended at 15");
    }
}
