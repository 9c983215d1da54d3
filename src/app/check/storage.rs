//! The storage: whose the checkpoint and the tables' directories are, and whether it can commit.

use uuid::Uuid;

use super::super::{App, log_layout};
use super::report::{Line, Mark, Part};
use crate::checkpoint::{Layout, LogState};
use crate::commit::{Job, Log, LogError};
use crate::fault::Fault;
use crate::storage::{Parents, StorageError, self_test};

/// What is known of the job's log.
pub(super) enum LogView {
    /// It has begun.
    There(Box<LogState>),
    /// It has not.
    None,
    /// It could not be read.
    Unknown,
}

impl App {
    pub(super) async fn look_at_storage(&self) -> (Vec<Line>, LogView) {
        let (log, job) = (self.log(), self.job());
        let url = &self.settings.storage.url;
        // Whose the checkpoint is, tables aside; the first call, which says whether anybody answers.
        if let Err(e) = log.check(&Job { tables: Vec::new(), ..job.clone() }).await {
            let e = self.reached(e);
            return (vec![Line::failed(Part::Storage, url, e.fault(), &e)], LogView::Unknown);
        }
        let (line, view) = self.look_at_log(&log, &job).await;
        let mut lines = vec![line];
        lines.push(match self.try_storage().await {
            Ok(true) => Line::new(Part::Storage, Mark::Ok, url, "can commit: the self-test passed"),
            Ok(false) => Line::new(Part::Storage, Mark::New, url, "a start makes this folder, and tries it then"),
            Err((fault, e)) => Line::failed(Part::Storage, url, fault, &e),
        });
        for (table, dir) in &job.tables {
            lines.push(self.look_at_table(&log, &job, table, dir).await);
        }
        (lines, view)
    }

    async fn look_at_log(&self, log: &Log, job: &Job) -> (Line, LogView) {
        let what = format!("checkpoint {}", self.settings.storage.checkpoint);
        match log.peek(job).await {
            Ok(Some(state)) => {
                let says = format!("the log of this job, next batch {}", state.next().0);
                (Line::new(Part::Storage, Mark::Ok, what, says), LogView::There(Box::new(state)))
            }
            Ok(None) => {
                (Line::new(Part::Storage, Mark::New, what, "no log yet: the first start begins it"), LogView::None)
            }
            Err(e) => (Line::failed(Part::Storage, what, log_fault(&e), &e), LogView::Unknown),
        }
    }

    async fn look_at_table(&self, log: &Log, job: &Job, table: &str, dir: &str) -> Line {
        let what = format!("table {table}");
        let one = Job { tables: vec![(table.to_owned(), dir.to_owned())], ..job.clone() };
        if let Err(e) = log.check(&one).await {
            return Line::failed(Part::Storage, what, log_fault(&e), &e);
        }
        match self.storage.list(dir).await {
            Ok(entries) => {
                let owner = Layout::owner_file(dir);
                let owned = entries.iter().any(|e| owner.ends_with(&format!("/{}", e.name)));
                let files = entries.iter().filter(|e| !e.is_dir && !e.name.starts_with(['_', '.'])).count();
                let (mark, says) = match (owned, files) {
                    (true, _) => (Mark::Ok, format!("{dir} is this job's")),
                    (false, 0) => (Mark::New, format!("{dir} is nobody's yet: a start claims it")),
                    (false, n) => (
                        Mark::Note,
                        format!("{dir} is no job's yet and holds {n} files: a start claims it, and their rows stay"),
                    ),
                };
                Line::new(Part::Storage, mark, what, says)
            }
            Err(StorageError::NotFound { .. }) => {
                Line::new(Part::Storage, Mark::New, what, format!("{dir} is made by a start"))
            }
            Err(e) => Line::failed(Part::Storage, what, storage_fault(&e), &e),
        }
    }

    /// The self-test of a start, in a directory of its own that is deleted again. What a kill leaves there, a later start
    /// collects; before the first start it is left beside where the checkpoint will be.
    /// `false`: not even its root is there.
    async fn try_storage(&self) -> Result<bool, (Fault, String)> {
        let failed = |e: StorageError| (storage_fault(&e), format!("the self-test could not be made: {e}"));
        let (layout, id) = (log_layout(&self.settings), Uuid::new_v4());
        let own = match self.storage.list(&layout.staging()).await {
            Ok(_) => layout.incarnation(id),
            Err(StorageError::NotFound { .. }) => match self.existing(layout.root()).await.map_err(failed)? {
                Some(dir) => format!("{dir}/_landfall-check-{id}"),
                None => return Ok(false),
            },
            Err(e) => return Err(failed(e)),
        };
        self.storage.mkdir(&own, Parents::Require).await.map_err(failed)?;
        let tried = self_test(self.storage.as_ref(), &own, &[]).await;
        let deleted = self.storage.delete(&own).await;
        tried.map_err(|e| (e.fault(), e.to_string()))?;
        deleted.map(|_| true).map_err(failed)
    }

    /// The nearest directory above `path`, or itself, that exists; without a slash at its end.
    async fn existing(&self, path: &str) -> Result<Option<String>, StorageError> {
        let mut path = path.to_owned();
        loop {
            match self.storage.list(if path.is_empty() { "/" } else { &path }).await {
                Ok(_) => return Ok(Some(path)),
                Err(StorageError::NotFound { .. }) if path.is_empty() => return Ok(None),
                Err(StorageError::NotFound { .. }) => path.truncate(path.rfind('/').unwrap_or(0)),
                Err(e) => return Err(e),
            }
        }
    }
}

/// As [`super::super::AppError::Storage`] has it.
fn storage_fault(e: &StorageError) -> Fault {
    if e.fault() == Fault::Retry { Fault::Retry } else { Fault::Config }
}

fn log_fault(e: &LogError) -> Fault {
    match e {
        LogError::Storage(e) => storage_fault(e),
        other => other.fault(),
    }
}
