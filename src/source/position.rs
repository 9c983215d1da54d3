//! Where reading each partition stands, and which messages belong to it.

use landfall_batch_queue::{Message, TopicId};

use super::port::Start;
use crate::model::{Chunk, Headers, Offset, Record, Tail, TopicPartition};

/// Where reading a partition stands.
pub(super) struct Position {
    pub partition: TopicPartition,
    pub next: Offset,
    /// Begun with the oldest message, and none was read yet.
    pub fresh: bool,
    /// The last message that is landed, read once more to see whether it is still the same; then `None`.
    pub check: Option<Tail>,
    /// Once a message of it was seen.
    topic: Option<TopicId>,
}

impl Position {
    /// Reading `partition` begins at `next`, which is its oldest message if it is `fresh`.
    pub(super) fn new(partition: TopicPartition, next: Offset, fresh: bool, check: Option<Tail>) -> Position {
        Position { partition, next, fresh, check, topic: None }
    }

    /// Where the client is to begin.
    pub(super) fn first(&self) -> i64 {
        self.check.map_or(self.next.0, |tail| tail.offset)
    }

    pub(super) fn start(&self) -> Start {
        if self.fresh { Start::Oldest } else { Start::At { offset: self.next, tail: self.check } }
    }

    fn is_known_of(&self, m: &Message<'_>) -> bool {
        self.partition.partition == m.partition() && self.topic == Some(m.topic_id())
    }
}

/// Appends a message, unless its partition is not (no longer) ours, or it lies before our position. Returns the
/// partition if the message is not the one that was landed with this offset. `last` is the index of the partition of
/// the message before: the next one is mostly of the same. `headers` is where headers are noted, if they are wanted.
pub(super) fn push(
    positions: &mut [Position],
    last: &mut usize,
    chunk: &mut Chunk,
    headers: Option<&mut Vec<u8>>,
    m: &Message<'_>,
) -> Option<(usize, i64)> {
    if !positions.get(*last).is_some_and(|p| p.is_known_of(m)) {
        *last = find(positions, m)?;
    }
    let position = &mut positions[*last];
    let headers = headers.map_or_else(Headers::default, |bytes| headers_of(m, bytes));
    let record = Record {
        partition: &position.partition,
        offset: m.offset(),
        timestamp_ms: m.timestamp().to_millis(),
        key: m.key(),
        value: m.payload(),
        headers,
    };
    if let Some(tail) = position.check.take()
        && tail.offset == record.offset
        && tail != Tail::of(&record)
    {
        return Some((*last, tail.offset));
    }
    // After a re-assignment librdkafka may hand out what lies before the new start.
    if record.offset < position.next.0 {
        return None;
    }
    chunk.push(record);
    position.next = Offset::after(m.offset());
    position.fresh = false;
    None
}

/// The message's partition; by the topic's name only if it has not been seen yet.
fn find(positions: &mut [Position], m: &Message<'_>) -> Option<usize> {
    positions.iter().position(|p| p.is_known_of(m)).or_else(|| {
        let is = |p: &Position| p.partition.partition == m.partition() && &*p.partition.topic == m.topic();
        let found = positions.iter().position(is)?;
        positions[found].topic = Some(m.topic_id());
        Some(found)
    })
}

/// The message's headers, noted in `bytes`. With a key that is not UTF-8, which Kafka's own clients cannot send, a
/// message counts as one without headers.
fn headers_of<'b>(m: &Message<'_>, bytes: &'b mut Vec<u8>) -> Headers<'b> {
    bytes.clear();
    for (key, value) in m.headers() {
        match std::str::from_utf8(key) {
            Ok(key) => Headers::push(bytes, key, value),
            Err(_) => {
                bytes.clear();
                break;
            }
        }
    }
    Headers::new(bytes)
}
