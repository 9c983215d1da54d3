//! Messages as they come from a source: many in one allocation, so that none is copied twice.

use std::time::Duration;

use super::headers::Headers;
use super::offset::{Offset, TopicPartition};

/// One Kafka message, borrowed from its chunk.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// Where it was read.
    pub partition: &'a TopicPartition,
    /// Its offset.
    pub offset: i64,
    /// Kafka timestamp, milliseconds since 1970 UTC, if the message has one.
    pub timestamp_ms: Option<i64>,
    /// Key, if any.
    pub key: Option<&'a [u8]>,
    /// Value; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Headers, if a column wants any.
    pub headers: Headers<'a>,
}

#[derive(Debug, Clone, Copy)]
struct Meta {
    partition: u32,
    offset: i64,
    timestamp_ms: Option<i64>,
    key: Option<u32>,
    value: Option<u32>,
    headers: u32,
    start: usize,
}

/// Messages in the order in which they were read, their bytes side by side.
#[derive(Debug, Default)]
pub struct Chunk {
    /// How long the source has worked to hand it over, waiting apart.
    pub poll: Duration,
    partitions: Vec<TopicPartition>,
    /// Kafka timestamp of the first message of each.
    firsts: Vec<Option<i64>>,
    records: Vec<Meta>,
    bytes: Vec<u8>,
}

impl Chunk {
    /// An empty one with room for so many messages and bytes.
    pub fn with_capacity(messages: usize, bytes: usize) -> Chunk {
        let (records, bytes) = (Vec::with_capacity(messages), Vec::with_capacity(bytes));
        Chunk { records, bytes, ..Chunk::default() }
    }

    /// Appends a message. Lengths over 4 GiB cannot occur: Kafka's protocol has 32-bit lengths.
    pub fn push(&mut self, r: Record<'_>) {
        let last = self.records.last().map(|m| m.partition);
        let partition = match last.filter(|&i| self.partitions[i as usize].is(r.partition)) {
            Some(partition) => partition,
            None => self.index(&r),
        };
        let start = self.bytes.len();
        self.bytes.extend_from_slice(r.key.unwrap_or_default());
        self.bytes.extend_from_slice(r.value.unwrap_or_default());
        self.bytes.extend_from_slice(r.headers.bytes());
        self.records.push(Meta {
            partition,
            offset: r.offset,
            timestamp_ms: r.timestamp_ms,
            key: r.key.map(|k| k.len() as u32),
            value: r.value.map(|v| v.len() as u32),
            headers: r.headers.bytes().len() as u32,
            start,
        });
    }

    #[cold]
    fn index(&mut self, r: &Record<'_>) -> u32 {
        let known = self.partitions.iter().position(|p| p.is(r.partition));
        known.unwrap_or_else(|| {
            self.partitions.push(r.partition.clone());
            self.firsts.push(r.timestamp_ms);
            self.partitions.len() - 1
        }) as u32
    }

    /// Number of messages.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Bytes of all keys, values and headers.
    pub fn byte_size(&self) -> usize {
        self.bytes.len()
    }

    /// The position after the last message of each partition.
    pub fn ends(&self) -> Vec<(&TopicPartition, Offset)> {
        let mut ends: Vec<Option<i64>> = vec![None; self.partitions.len()];
        let mut missing = ends.len();
        for m in self.records.iter().rev() {
            let end = &mut ends[m.partition as usize];
            if end.is_none() {
                *end = Some(m.offset);
                missing -= 1;
                if missing == 0 {
                    break;
                }
            }
        }
        self.partitions.iter().zip(ends).filter_map(|(p, last)| Some((p, Offset::after(last?)))).collect()
    }

    /// The Kafka timestamp of the first message of each partition, in the order of [`Chunk::ends`].
    pub fn first_timestamps(&self) -> &[Option<i64>] {
        &self.firsts
    }

    /// The messages in order.
    pub fn records(&self) -> impl Iterator<Item = Record<'_>> {
        self.records.iter().map(|m| {
            let value_start = m.start + m.key.unwrap_or(0) as usize;
            let headers_start = value_start + m.value.unwrap_or(0) as usize;
            Record {
                partition: &self.partitions[m.partition as usize],
                offset: m.offset,
                timestamp_ms: m.timestamp_ms,
                key: m.key.map(|_| &self.bytes[m.start..value_start]),
                value: m.value.map(|_| &self.bytes[value_start..headers_start]),
                headers: Headers::new(&self.bytes[headers_start..headers_start + m.headers as usize]),
            }
        })
    }
}

/// Whether these are the same partition. A source hands out the same name again and again, so the names themselves are
/// hardly ever compared.
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_back_what_was_pushed() {
        let (p0, p1) = (TopicPartition::new("a", 0), TopicPartition::new("a", 1));
        let mut c = Chunk::with_capacity(2, 1);
        let none = Headers::default();
        let mut encoded = Vec::new();
        Headers::push(&mut encoded, "h", Some(b"x"));
        let headers = Headers::new(&encoded);
        let (key, value) = (Some(&b"k"[..]), Some(&b"value"[..]));
        c.push(Record { partition: &p0, offset: 5, timestamp_ms: Some(9), key, value, headers });
        c.push(Record { partition: &p1, offset: 0, timestamp_ms: None, key: None, value: None, headers });
        let p0_again = TopicPartition::new("a", 0);
        c.push(Record {
            partition: &p0_again,
            offset: 6,
            timestamp_ms: None,
            key: None,
            value: Some(b""),
            headers: none,
        });
        assert_eq!(c.partitions.len(), 2, "a partition is known by its name, too");
        let got: Vec<_> = c.records().collect();
        assert_eq!(
            (got[0].partition, got[0].offset, got[0].key, got[0].value),
            (&p0, 5, Some(&b"k"[..]), Some(&b"value"[..]))
        );
        assert_eq!((got[1].partition, got[1].key, got[1].value), (&p1, None, None));
        assert_eq!((got[2].partition, got[2].value), (&p0, Some(&b""[..])));
        assert_eq!(got.iter().map(|r| r.headers).collect::<Vec<_>>(), [headers, headers, none]);
        assert_eq!((c.len(), c.byte_size()), (3, 6 + 2 * encoded.len()));
        assert_eq!(c.ends(), [(&p0, Offset(7)), (&p1, Offset(1))]);
        assert_eq!(c.first_timestamps(), [Some(9), None]);
    }
}
