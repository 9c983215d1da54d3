//! What is seen from outside: logs, the progress of each batch, and how the job stands.

pub mod human;
mod letters;
mod logging;
pub mod metrics;
mod outages;
mod partitions;
mod progress;
mod reload;
mod reminder;
mod status;
mod tables;
mod time;

pub use letters::{DeadLetters, LetterSample};
pub use logging::{LogFormat, init_logging, set_log_filter};
pub use metrics::Metrics;
pub use outages::{Outage, Service};
pub use partitions::{PartitionState, PartitionStatus};
pub use progress::{Progress, SinkProgress, SourceProgress};
pub use reload::ConfigStatus;
pub use reminder::Reminder;
pub use status::{BATCHES_KEPT, MemoryStatus, Phase, Process, Status};
pub use tables::{Registration, TableStatus};
pub use time::Time;
