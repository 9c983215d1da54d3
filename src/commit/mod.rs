//! Exactly once: the commit machine, and who carries out what it says.

mod batch;
mod driver;
mod log;
mod machine;
mod open;
mod retry;

pub use batch::{Batch, Claim, Content, ContentError, DataFile};
pub use driver::{Committed, Committer, Durations};
pub use log::{Log, LogError};
pub use machine::{Action, Input, Machine, Outcome, SlotView};
pub use open::{Job, Opened};
