//! Why a job did not start, or ended.

use super::success::SuccessError;
use crate::commit::LogError;
use crate::fault::Fault;
use crate::pipeline::PipelineError;
use crate::pipeline::letters::LettersError;
use crate::source::SourceError;
use crate::storage::{SelfTestError, StorageError};
use crate::verify::VerifyError;

/// Why a job did not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// Configuration, migrations and routes; one line each.
    #[error("the configuration cannot be used:\n{}", .0.iter().map(|e| format!("  - {e}")).collect::<Vec<_>>().join("\n"))]
    Config(Vec<String>),
    /// Kafka.
    #[error("{0}")]
    Source(#[from] SourceError),
    /// Storage.
    #[error(
        "storage.url = \"{url}\": {source}{}",
        if source.fault() == Fault::Retry { ". Check that the URL is right and that a NameNode answers there" } else { "" }
    )]
    Storage {
        /// The URL.
        url: String,
        /// What failed.
        source: StorageError,
    },
    /// Storage that cannot commit.
    #[error("{0}")]
    SelfTest(#[from] SelfTestError),
    /// The checkpoint or the tables' owners.
    #[error("{0}")]
    Log(#[from] LogError),
    /// The process's threads.
    #[error("{0}")]
    Start(String),
    /// While running.
    #[error("{0}")]
    Pipeline(#[from] PipelineError),
    /// The audit.
    #[error("{0}")]
    Verify(#[from] VerifyError),
    /// Dead letters.
    #[error("{0}")]
    Letters(#[from] LettersError),
    /// What an operator named is not there.
    #[error("{0}")]
    Unknown(String),
    /// The files that say so, after all was landed.
    #[error("{0}")]
    Success(#[from] SuccessError),
    /// What an operator asked for does not fit the log or Kafka.
    #[error("{0}")]
    Refused(String),
}

impl AppError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            AppError::Config(_) | AppError::Unknown(_) => Fault::Config,
            AppError::Source(e) => e.fault(),
            AppError::Storage { source, .. } => match source.fault() {
                Fault::Retry => Fault::Retry,
                _ => Fault::Config,
            },
            AppError::SelfTest(e) => e.fault(),
            AppError::Log(e) => e.fault(),
            AppError::Start(_) => Fault::Retry,
            AppError::Pipeline(e) => e.fault(),
            AppError::Verify(e) => e.fault(),
            AppError::Success(e) => e.fault(),
            AppError::Letters(e) => e.fault(),
            AppError::Refused(_) => Fault::BadData,
        }
    }
}
