//! What is seen from outside: logs, and the progress of each batch.

mod logging;
mod progress;
mod reload;

pub use logging::{LogFormat, init_logging, set_log_filter};
pub use progress::{Progress, SinkProgress, SourceProgress, Status};
pub use reload::ConfigStatus;
