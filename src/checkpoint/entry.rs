//! What a slot of the log does: lands a batch, closes the epoch, records a gap, begins a topic anew.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::formats::{FORMAT_VERSION, FormatError, PARTITIONED_VERSION, parse, parse_up_to, to_bytes};
use super::manifest::Manifest;
use crate::model::{BatchId, Offset, Slot};

/// A slot's content, from its manifest file `m.<id>.json`. An unknown kind stops the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// `batch`: lands rows. `replay`: lands rows of dead letters.
    Batch(Box<Manifest>),
    /// `seal`: the last slot of its epoch; the log goes on in another directory.
    Seal(Box<SealEntry>),
    /// `gap`: offsets that are skipped because an operator, or `kafka.on_gap`, said so.
    Gap(Box<GapEntry>),
    /// `topic`: a topic that was deleted and made again begins anew.
    Topic(Box<TopicEntry>),
}

/// What every kind but `batch` begins with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Format version.
    pub v: u32,
    /// What the slot does.
    pub kind: String,
    /// The configuration's `job`.
    pub job: String,
    /// Job id.
    pub job_id: Uuid,
    /// Name of the attempt.
    pub batch: BatchId,
    /// Who wrote it: host, process and incarnation.
    pub instance: String,
    /// When, milliseconds since 1970 UTC.
    pub created_ms: i64,
}

/// Closes an epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealEntry {
    /// Kind `seal`.
    #[serde(flatten)]
    pub header: Header,
    /// Number of the next epoch.
    pub epoch: u64,
    /// Name of its directory in `log/`, in which its `snapshot.json` stands already.
    pub next: String,
    /// Its first slot: the one after this.
    pub base_slot: Slot,
    /// Fields of a later minor version, kept.
    #[serde(flatten)]
    pub more: serde_json::Map<String, serde_json::Value>,
}

/// Offsets that are gone from Kafka and were given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GapEntry {
    /// Kind `gap`.
    #[serde(flatten)]
    pub header: Header,
    /// Topic.
    pub topic: String,
    /// Partition.
    pub p: i32,
    /// The log's end before.
    pub from: Offset,
    /// The position at which reading goes on.
    pub to: Offset,
    /// Why, in the operator's words.
    pub reason: String,
    /// Who decided.
    pub operator: String,
    /// Fields of a later minor version, kept.
    #[serde(flatten)]
    pub more: serde_json::Map<String, serde_json::Value>,
}

/// A topic that begins anew under the same name. Offsets start over, so rows of before and after are told apart by
/// the incarnation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicEntry {
    /// Kind `topic`.
    #[serde(flatten)]
    pub header: Header,
    /// Topic.
    pub topic: String,
    /// How often it was declared new, with this time.
    pub incarnation: u32,
    /// Where each partition starts; others begin with their oldest message.
    pub starts: BTreeMap<i32, Offset>,
    /// Why, in the operator's words.
    pub reason: String,
    /// Who decided.
    pub operator: String,
    /// Fields of a later minor version, kept.
    #[serde(flatten)]
    pub more: serde_json::Map<String, serde_json::Value>,
}

#[derive(Deserialize)]
struct Head {
    v: u32,
    kind: String,
}

impl Header {
    /// A header of this version.
    pub fn new(kind: &str, job: &str, job_id: Uuid, batch: BatchId, instance: &str, created_ms: i64) -> Header {
        let (kind, job, instance) = (kind.to_owned(), job.to_owned(), instance.to_owned());
        Header { v: FORMAT_VERSION, kind, job, job_id, batch, instance, created_ms }
    }
}

impl SealEntry {
    /// Its kind.
    pub const KIND: &'static str = "seal";
}

impl GapEntry {
    /// Its kind.
    pub const KIND: &'static str = "gap";
}

impl TopicEntry {
    /// Its kind.
    pub const KIND: &'static str = "topic";
}

impl Entry {
    /// Parses a manifest file; `path` is for the error.
    pub fn parse(path: &str, bytes: &[u8]) -> Result<Entry, FormatError> {
        let head: Head = parse_up_to(PARTITIONED_VERSION, path, bytes)?;
        Ok(match head.kind.as_str() {
            Manifest::KIND | Manifest::REPLAY => Entry::Batch(Box::new(parse_up_to(PARTITIONED_VERSION, path, bytes)?)),
            SealEntry::KIND => Entry::Seal(Box::new(parse(path, bytes)?)),
            GapEntry::KIND => Entry::Gap(Box::new(parse(path, bytes)?)),
            TopicEntry::KIND => Entry::Topic(Box::new(parse(path, bytes)?)),
            kind => {
                let found = format!("{} of kind `{kind}`", head.v);
                return Err(FormatError::Version { path: path.to_owned(), found });
            }
        })
    }

    /// The file's bytes.
    pub fn to_bytes(&self) -> Bytes {
        match self {
            Entry::Batch(m) => to_bytes(m),
            Entry::Seal(e) => to_bytes(e),
            Entry::Gap(e) => to_bytes(e),
            Entry::Topic(e) => to_bytes(e),
        }
    }

    /// The name of the attempt.
    pub fn id(&self) -> BatchId {
        match self {
            Entry::Batch(m) => m.batch,
            Entry::Seal(e) => e.header.batch,
            Entry::Gap(e) => e.header.batch,
            Entry::Topic(e) => e.header.batch,
        }
    }

    /// The job's id.
    pub fn job_id(&self) -> Uuid {
        match self {
            Entry::Batch(m) => m.job_id,
            Entry::Seal(e) => e.header.job_id,
            Entry::Gap(e) => e.header.job_id,
            Entry::Topic(e) => e.header.job_id,
        }
    }

    /// The batch, if it is one.
    pub fn batch(&self) -> Option<&Manifest> {
        match self {
            Entry::Batch(m) => Some(m),
            _ => None,
        }
    }
}
