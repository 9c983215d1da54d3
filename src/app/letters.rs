//! Dead letters: what there is, and sending them through today's tables.

use std::sync::Arc;

use tokio::sync::watch;

use super::{App, AppError};
use crate::batch::Trigger;
use crate::checkpoint::LogState;
use crate::pipeline::EncodeContext;
use crate::pipeline::letters::{Letters, Listing, Progress, Replay, ReplayReport, Selection, Target};

impl App {
    /// Lists the dead letters that are meant, with at most so many samples of each reason. Only reads.
    pub async fn list_dead_letters(
        &self,
        selection: &Selection,
        samples: usize,
        progress: watch::Sender<Progress>,
    ) -> Result<Listing, AppError> {
        let letters = self.letters()?;
        let state = self.peek().await?;
        Ok(letters.list(&state, selection, samples, &progress).await?)
    }

    /// Sends the dead letters that are meant through today's tables, each once. Safe beside daemons and other replays.
    /// A dry run only reads.
    pub async fn replay_dead_letters(
        &self,
        selection: &Selection,
        dry_run: bool,
        progress: watch::Sender<Progress>,
    ) -> Result<ReplayReport, AppError> {
        let letters = self.letters()?;
        let encode = EncodeContext::new(self.settings.job.clone(), self.plan.clone(), self.locations.clone());
        let replay = Replay {
            letters: &letters,
            plan: self.plan.clone(),
            encode: Arc::new(encode),
            trigger: Trigger::new(&self.settings.trigger),
            progress: &progress,
        };
        if dry_run {
            let state = Box::new(self.peek().await?);
            return Ok(replay.run(Target::Nowhere(state), selection).await?);
        }
        // As a start of the daemon: rows must not go into a table that the metastore holds otherwise.
        self.compare_with_metastore().await?;
        let mut log = self.operator_log().await?;
        let done = replay.run(Target::Tables(log.committer()), selection).await;
        log.close().await;
        Ok(done?)
    }

    fn letters(&self) -> Result<Letters, AppError> {
        Ok(Letters::new(&self.plan, &self.locations, self.storage.clone())?)
    }

    /// What the log says, without doing anything about it.
    async fn peek(&self) -> Result<LogState, AppError> {
        let (log, job) = (self.log(), self.job());
        log.check(&job).await.map_err(|e| self.reached(e))?;
        log.peek(&job).await.map_err(|e| self.reached(e))?.ok_or_else(|| self.no_log())
    }
}
