//! A plain client of the Hive metastore: the few calls that landfall needs, with structs and errors of our own.
//!
//! It is a crate of its own for two reasons. The generated client of `hive_metastore` is generic, so it is compiled
//! in whichever crate calls it: 20 s in a debug build and more than two minutes in release after every edit there.
//! And no generated type, and no trap of that client, shall reach the rest: exceptions on the `Ok` side, no time
//! limits, one address, the wrong transport by default, a catalog field with a wrong id. No public item is generic.

mod client;
mod error;
mod partition;
mod table;

pub use client::{Client, Options};
pub use error::Error;
pub use partition::Partition;
pub use table::{Column, Database, HeldTable, Table};
