//! The audit of a job.

use std::time::Duration;

use tokio::sync::watch;

use super::{App, AppError, log_layout};
use crate::batch::{PlannedTable, Source};
use crate::encode::inspect::PlaceColumns;
use crate::verify::{Audited, Options, Progress, Report, Target, VerifyError, verify};

/// After this long, what was found is looked at again: a daemon may have been about to do it.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

impl App {
    /// Audits the job. Only reads; safe beside running daemons.
    pub async fn verify(&self, deep: bool, progress: watch::Sender<Progress>) -> Result<Report, AppError> {
        let wanted = self.wanted().into_iter().zip(&self.plan.tables).enumerate();
        let tables = wanted.map(|(at, (wanted, planned))| {
            let dead_letters = self.plan.dead_letters == Some(at);
            let (name, columns) = (planned.table.name.clone(), place_columns(planned));
            Audited { name, dir: wanted.directory, columns, dead_letters, wanted: wanted.table }
        });
        let target = Target {
            job: self.settings.job.clone(),
            storage: self.storage.clone(),
            layout: log_layout(&self.settings),
            tables: tables.collect(),
            catalog: self.catalog.clone(),
        };
        verify(&target, Options { deep, again_after: AGAIN_AFTER }, &progress).await.map_err(|e| match e {
            VerifyError::Storage(source) => AppError::Storage { url: self.settings.storage.url.clone(), source },
            other => other.into(),
        })
    }
}

/// The columns of a table that say where a row comes from.
fn place_columns(planned: &PlannedTable) -> Option<PlaceColumns> {
    let column = |source: Source| {
        let at = planned.sources.iter().position(|s| *s == source)?;
        Some(planned.table.columns[at].physical_name.clone())
    };
    Some(PlaceColumns {
        topic: column(Source::Topic),
        partition: column(Source::Partition)?,
        offset: column(Source::Offset)?,
    })
}
