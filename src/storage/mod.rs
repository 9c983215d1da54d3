//! Where files live: one small port, its adapters, and the self-test that refuses a storage that cannot commit.

pub mod port;

pub use port::{Entry, Parents, Storage, StorageError};
