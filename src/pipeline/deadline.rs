//! A stop that takes too long is ended: what was not landed is read again by the next start.

use std::time::Duration;

use tokio::time::Instant;

use super::{Pipeline, PipelineError};

/// How long the source may take to leave the group when there is no more time.
const FAREWELL: Duration = Duration::from_secs(2);

/// When a stop must have ended.
#[derive(Debug, Default)]
pub(super) struct Deadline {
    limit: Option<Duration>,
    at: Option<Instant>,
    /// Messages of the batch that is being landed.
    pub(super) committing: u64,
}

impl Deadline {
    /// A stop has begun.
    pub(super) fn begin(&mut self) {
        self.at = self.limit.map(|limit| Instant::now() + limit);
    }

    /// Waits until there is no more time; for ever, if nothing stops or there is no limit. Cancel-safe.
    pub(super) async fn passed(&self) {
        match self.at {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
    }
}

impl Pipeline {
    /// This pipeline, ending with [`PipelineError::Unlanded`] so long after it was told to stop, should the storage keep
    /// it from landing what it has read.
    pub fn stop_within(mut self, limit: Duration) -> Pipeline {
        self.deadline.limit = Some(limit);
        self
    }

    /// Leaves the group, with all landed unless time was up.
    pub(super) async fn end(mut self) -> Result<(), PipelineError> {
        if !self.finished() {
            return Err(self.give_up().await);
        }
        self.source.stop().await;
        self.failure.map_or(Ok(()), Err)
    }

    /// Ends without landing what is left; nothing of it is visible, or all of it.
    async fn give_up(mut self) -> PipelineError {
        let messages = self.deadline.committing + self.open.size().messages + self.intake.messages();
        if let Some(task) = self.task.take() {
            // As a kill would: the log tells the next start what became of the batch.
            task.abort();
        }
        self.flushing = None;
        _ = tokio::time::timeout(FAREWELL, self.source.stop()).await;
        PipelineError::Unlanded { messages, limit: self.deadline.limit.unwrap_or_default() }
    }
}
