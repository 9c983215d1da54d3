//! What is seen from outside: logs, and the progress of each batch.

pub mod human;
mod logging;
mod progress;

pub use logging::{LogFormat, init_logging};
pub use progress::{Progress, SinkProgress, SourceProgress, Status};
