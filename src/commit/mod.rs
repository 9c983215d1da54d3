//! Exactly once: the commit machine, and who carries out what it says.

mod batch;
#[cfg(feature = "failpoints")]
mod defect;
mod driver;
mod epochs;
mod host;
mod log;
mod machine;
mod open;
mod recent;
mod retry;
mod stage;
#[cfg(test)]
mod tests;

pub use batch::{Batch, Claim, Content, ContentError, DataFile, Decision};
#[cfg(feature = "failpoints")]
pub use defect::Defect;
pub use driver::{Committed, Committer, Durations};
pub use epochs::Tidied;
pub use host::{Host, RealHost};
pub use log::{Log, LogError};
pub use machine::{Action, Input, Machine, Outcome, SlotView};
pub use open::{Job, Opened};
