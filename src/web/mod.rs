//! What the daemon shows over HTTP: the status page, the metrics, the probes, the last batches. It only reads.

mod connection;
mod health;
mod history;
mod page;
mod server;
mod site;

pub use health::{Life, Readiness, Reason, life, readiness};
pub use history::{History, PastOutage, Sample};
pub use page::page;
pub use server::{BindError, Server};
pub use site::{Site, View};
