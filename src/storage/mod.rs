//! Where files live: one small port, its adapters, and the self-test that refuses a storage that cannot commit.

pub mod failing;
mod hdfs;
mod local;
mod location;
mod memory;
mod port;
mod self_test;
mod timed;

pub use hdfs::HdfsStorage;
pub use local::LocalStorage;
pub use location::resolve_location;
pub use memory::MemoryStorage;
pub use port::{Entry, Parents, Storage, StorageError};
pub use self_test::{SelfTestError, self_test};
pub use timed::TimedStorage;
