//! Before the log is opened: whose it is, its directories, and whether the storage can commit.

use uuid::Uuid;

use super::{App, AppError, log_layout};
use crate::commit::{Job, Log};
use crate::storage::{StorageError, self_test};

impl App {
    /// Refuses another job's checkpoint or tables, makes the directories, and tries the storage in a scratch directory.
    pub(super) async fn prepare(&self, log: &Log, job: &Job, incarnation: Uuid) -> Result<(), AppError> {
        let dirs: Vec<_> = job.tables.iter().map(|(_, dir)| dir.clone()).collect();
        log.check(job).await.map_err(|e| self.reached(e))?;
        let own = log_layout(&self.settings).incarnation(incarnation);
        loop {
            log.make_directories(incarnation, job).await.map_err(|e| self.reached(e))?;
            let Err(failed) = self_test(self.storage.as_ref(), &own, &dirs).await else { return Ok(()) };
            match self.storage.list(&own).await {
                Ok(_) => {
                    self.clear_staging(incarnation).await;
                    return Err(failed.into());
                }
                // Another daemon's collector may be set to take what is this young; then the test says nothing.
                Err(StorageError::NotFound { .. }) => {}
                Err(away) => return Err(self.reached(away.into())),
            }
        }
    }
}
