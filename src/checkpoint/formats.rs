//! The small JSON files of a checkpoint. Each has a version `v`; an unknown one stops the daemon instead of letting
//! it guess. `tests/golden/` holds one of each as first written, kept and read for ever.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::replay::ReplayEntry;
use crate::fault::Fault;
use crate::model::{Offset, Slot, Tail};

/// The version that this landfall writes and reads.
pub const FORMAT_VERSION: u32 = 1;
/// Version of the manifests that name partitions: one that does not know these would put the files elsewhere.
pub const PARTITIONED_VERSION: u32 = 2;

/// A file of the checkpoint cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// Not the JSON that it should be.
    #[error("{path}: {reason}. The file is damaged or not landfall's; restore it from a copy")]
    Unreadable {
        /// Path.
        path: String,
        /// What the parser said.
        reason: String,
    },
    /// From another version.
    #[error(
        "{path}: format {found} is not known to this landfall (it knows {FORMAT_VERSION}, and {PARTITIONED_VERSION} of manifests); run a newer one"
    )]
    Version {
        /// Path.
        path: String,
        /// Its version, or its version and kind.
        found: String,
    },
}

impl FormatError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        Fault::BadData
    }
}

#[derive(Deserialize)]
struct Version {
    v: u32,
}

/// Parses a versioned file.
pub(super) fn parse<T: DeserializeOwned>(path: &str, bytes: &[u8]) -> Result<T, FormatError> {
    parse_up_to(FORMAT_VERSION, path, bytes)
}

/// The same of a file that may be of a version from the first to this.
pub(super) fn parse_up_to<T: DeserializeOwned>(newest: u32, path: &str, bytes: &[u8]) -> Result<T, FormatError> {
    let unreadable = |e: serde_json::Error| FormatError::Unreadable { path: path.to_owned(), reason: e.to_string() };
    let version: Version = serde_json::from_slice(bytes).map_err(unreadable)?;
    if !(FORMAT_VERSION..=newest).contains(&version.v) {
        return Err(FormatError::Version { path: path.to_owned(), found: version.v.to_string() });
    }
    serde_json::from_slice(bytes).map_err(unreadable)
}

/// The bytes of a versioned file.
pub(super) fn to_bytes<T: Serialize>(value: &T) -> Bytes {
    // Only maps with non-string keys and failing `Serialize` impls can fail; these types have neither.
    Bytes::from(serde_json::to_vec(value).expect("checkpoint formats always serialize"))
}

macro_rules! json_file {
    ($type:ty) => {
        impl $type {
            /// Parses the file's bytes; `path` is for the error.
            pub fn parse(path: &str, bytes: &[u8]) -> Result<Self, FormatError> {
                parse(path, bytes)
            }

            /// The file's bytes.
            pub fn to_bytes(&self) -> Bytes {
                to_bytes(self)
            }
        }
    };
}

/// `job.json`: who the job is. Put once, by the first start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobFile {
    /// Format version.
    pub v: u32,
    /// The configuration's `job`.
    pub job: String,
    /// Tells this job from every other, also from one of the same name.
    pub id: Uuid,
    /// When, milliseconds since 1970 UTC.
    pub created_ms: i64,
    /// Topics at that time.
    pub topics: Vec<String>,
    /// Tables at that time.
    pub tables: Vec<String>,
    /// Number of logs; always 1 so far.
    pub shards: u32,
}
json_file!(JobFile);

/// An entry in `log/epochs/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochFile {
    /// Format version.
    pub v: u32,
    /// Name of the epoch's directory in `log/`.
    pub dir: String,
    /// Its first slot.
    pub base_slot: Slot,
}
json_file!(EpochFile);

/// `snapshot.json`: the state at an epoch's first slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Format version.
    pub v: u32,
    /// Job id.
    pub job: Uuid,
    /// Epoch number.
    pub epoch: u64,
    /// First slot of the epoch.
    pub base_slot: Slot,
    /// Directory name of the epoch before; none for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prev: Option<String>,
    /// Committed ends, by topic and partition.
    pub offsets: BTreeMap<String, BTreeMap<i32, SnapshotEnd>>,
    /// How often each topic was declared new; those that never were are absent.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub incarnations: BTreeMap<String, u32>,
    /// What each table got in all epochs before.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tables: BTreeMap<String, TableTotal>,
    /// The dead letters that were landed after all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replayed: Vec<ReplayEntry>,
}
json_file!(Snapshot);

/// A partition's committed end in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotEnd {
    /// The next offset to read.
    pub end: Offset,
    /// Fingerprint of the last message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tail: Option<Tail>,
}

/// What a table got.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableTotal {
    /// Data files.
    pub files: u64,
    /// Rows.
    pub rows: u64,
    /// Bytes of the files.
    pub bytes: u64,
}

/// `_owner.json` in a table's directory: which job feeds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerFile {
    /// Format version.
    pub v: u32,
    /// The configuration's `job`, for people.
    pub job: String,
    /// Job id.
    pub id: Uuid,
    /// URI of its checkpoint, for people.
    pub checkpoint: String,
}
json_file!(OwnerFile);
