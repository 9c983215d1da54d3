//! Where reading each partition stands, and which messages belong to it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rdkafka::message::{BorrowedMessage, Headers as _, Message};

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
}

impl Position {
    /// Where the client is to begin.
    pub(super) fn first(&self) -> i64 {
        self.check.map_or(self.next.0, |tail| tail.offset)
    }

    pub(super) fn start(&self) -> Start {
        if self.fresh { Start::Oldest } else { Start::At { offset: self.next, tail: self.check } }
    }
}

/// Appends a message, unless its partition is not (no longer) ours, or it lies before our position. Returns the
/// partition if the message is not the one that was landed with this offset. `headers` is where headers are noted, if
/// they are wanted.
pub(super) fn push(
    positions: &mut [Position],
    last: &mut usize,
    chunk: &mut Chunk,
    headers: Option<&mut Vec<u8>>,
    m: &BorrowedMessage<'_>,
) -> Option<(usize, i64)> {
    let is = |p: &Position| p.partition.partition == m.partition() && &*p.partition.topic == m.topic();
    if !positions.get(*last).is_some_and(is) {
        *last = positions.iter().position(is)?;
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

/// The message's headers, noted in `bytes`. The client panics at a key that is not UTF-8, which Kafka's own clients
/// cannot send: such a message counts as one without headers.
fn headers_of<'b>(m: &BorrowedMessage<'_>, bytes: &'b mut Vec<u8>) -> Headers<'b> {
    bytes.clear();
    let read = catch_unwind(AssertUnwindSafe(|| {
        for header in m.headers().into_iter().flat_map(|headers| headers.iter()) {
            Headers::push(bytes, header.key, header.value);
        }
    }));
    if read.is_err() {
        bytes.clear();
    }
    Headers::new(bytes)
}
