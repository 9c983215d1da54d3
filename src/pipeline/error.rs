//! Why a pipeline ends early.

use std::time::Duration;

use crate::batch::PushError;
use crate::commit::LogError;
use crate::fault::Fault;
use crate::model::{Accounting, BrokenChain};
use crate::source::SourceError;

/// Why a pipeline ended before it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// A message is not taken.
    #[error("{0}")]
    Message(#[from] PushError),
    /// A message was not accounted for: a bug. Nothing of the batch is landed.
    #[error("the batch does not add up, and is not landed: {0:?}")]
    Unaccounted(Accounting),
    /// More dead letters than the configuration allows, in a bounded run.
    #[error("{0}")]
    Ceiling(String),
    /// A stop took too long.
    #[error(
        "the stop took longer than shutdown.timeout, which is {} s: {messages} messages that were read are not landed, \
         and the next start reads them again. The storage is slow or away; what was said of it stands above",
        limit.as_secs_f64()
    )]
    Unlanded {
        /// Messages read and not landed, as far as is known.
        messages: u64,
        /// How long the stop might take.
        limit: Duration,
    },
    /// Offsets do not chain: a bug.
    #[error("{0}")]
    Chain(#[from] BrokenChain),
    /// The log cannot be written.
    #[error("{0}")]
    Log(#[from] LogError),
    /// The source cannot go on.
    #[error("{0}")]
    Source(#[from] SourceError),
}

impl PipelineError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            PipelineError::Message(e) => e.fault(),
            PipelineError::Ceiling(_) => Fault::BadData,
            // The next start goes on from the log, as after another daemon went ahead.
            PipelineError::Unlanded { .. } => Fault::Fenced,
            PipelineError::Chain(_) | PipelineError::Unaccounted(_) => Fault::Bug,
            PipelineError::Log(e) => e.fault(),
            PipelineError::Source(e) => e.fault(),
        }
    }
}
