//! A message's fingerprint, by which a partition is known again.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::record::Record;

/// Fingerprint of the last message read of a partition: a topic that was deleted and made anew has another one there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tail {
    /// Its offset.
    pub offset: i64,
    /// Its Kafka timestamp, milliseconds since 1970 UTC, if it has one.
    pub ts_ms: Option<i64>,
    /// CRC-32C of its value, 0 for a tombstone; in hex where it is written.
    #[serde(serialize_with = "to_hex", deserialize_with = "from_hex")]
    pub crc32c: u32,
}

impl Tail {
    /// The fingerprint of a message.
    pub fn of(record: &Record<'_>) -> Tail {
        let crc32c = crc32c::crc32c(record.value.unwrap_or_default());
        Tail { offset: record.offset, ts_ms: record.timestamp_ms, crc32c }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn to_hex<S: Serializer>(crc: &u32, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&format_args!("{crc:08x}"))
}

fn from_hex<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    let text = String::deserialize(from)?;
    u32::from_str_radix(&text, 16).map_err(D::Error::custom)
}
