//! What stands on the storage: paths, formats, and the state that the log adds up to. No I/O here.

mod entry;
mod formats;
mod layout;
mod manifest;
mod replay;
mod state;

pub use entry::{Entry, GapEntry, Header, SealEntry, TopicEntry};
pub use formats::{
    EpochFile, FORMAT_VERSION, FormatError, JobFile, OwnerFile, PARTITIONED_VERSION, Snapshot, SnapshotEnd, TableTotal,
};
pub use layout::Layout;
pub use manifest::{FileEntry, Manifest, PartitionEntry};
pub use replay::{ReplayEntry, Replayed, topic_in_rows, topic_of_row};
pub use state::{ChainError, LogState, Outdated};
