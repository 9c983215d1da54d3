//! Real servers on this machine, without containers: Kafka (KRaft, one node), HDFS with its NameNode and DataNodes as
//! separate processes, a Hive metastore on Derby, and Presto. For landfall's tests, and for a person to play with. Spark
//! can be started beside them, as a second reader of the tables.
//!
//! The servers are the projects' own published jars, fetched by Maven at pinned versions (see [`fetch`]). A stack lives
//! in a folder: configuration, data, logs, and for each part a small JSON file with how to start it and its process id.
//! So any process that knows the folder can kill, pause and restart parts; tests find it through `$LANDFALL_STACK`:
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! if let Some(stack) = landfall_stack::Stack::attach() {
//!     stack.create_topic("events", 3)?;
//!     stack.kill("datanode1")?;
//!     stack.restart("datanode1")?;
//!     let rows = stack.presto().query("hive", "select 1")?.rows;
//! }
//! # Ok(())
//! # }
//! ```

mod config;
mod dir;
pub mod fence;
pub mod fetch;
mod java;
mod launch;
mod part;
mod ports;
mod presto;
mod process;
mod ready;
pub mod secure;
mod settings;
pub mod signals;
mod spark;
mod stack;
mod state;

pub use part::Service;
pub use presto::{Presto, Rows};
pub use settings::{DEAD_AFTER, Hive, Options};
pub use spark::Spark;
pub use stack::{PartStatus, Stack};
