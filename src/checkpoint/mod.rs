//! What stands on the storage: paths, formats, and the state that the log adds up to. No I/O here.

mod formats;
mod layout;
mod manifest;
mod state;

pub use formats::{EpochFile, FORMAT_VERSION, FormatError, JobFile, OwnerFile, Snapshot, SnapshotEnd};
pub use layout::Layout;
pub use manifest::{FileEntry, Manifest, PartitionEntry, Tail};
pub use state::{ChainError, LogState};
