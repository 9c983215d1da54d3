//! The audit: whether the log, the files of the tables and the metastore agree, and every row is accounted for.
//!
//! It only reads, and may run beside daemons: what has changed while it looked is looked at again.

pub mod audit;
pub mod chain;
pub mod content;
mod deep;
pub mod facts;
pub mod finding;
mod gather;
mod mend;
mod metastore;
mod reader;
pub mod report;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::catalog::{Catalog, CatalogTable};
use crate::checkpoint::{FormatError, Layout};
use crate::encode::inspect::PlaceColumns;
use crate::fault::Fault;
use crate::storage::{Storage, StorageError};
pub use finding::{Finding, Kind};
use gather::{Gatherer, Pass};
use reader::Reader;
pub use report::{Report, TableReport};

/// An epoch that is deleted while it is read makes an audit begin anew, so often.
const BEGINNINGS: u32 = 3;

/// Whose log and tables are audited.
#[derive(Debug, Clone)]
pub struct Target {
    /// The configuration's `job`.
    pub job: String,
    /// Where it all lies.
    pub storage: Arc<dyn Storage>,
    /// The checkpoint.
    pub layout: Layout,
    /// The tables of the configuration.
    pub tables: Vec<Audited>,
    /// The metastore, if there is one.
    pub catalog: Option<Arc<dyn Catalog>>,
}

/// A table of the configuration.
#[derive(Debug, Clone)]
pub struct Audited {
    /// Its name.
    pub name: String,
    /// Its directory.
    pub dir: String,
    /// Its columns that say where a row comes from, if it has them.
    pub columns: Option<PlaceColumns>,
    /// Whether it is the dead-letter table.
    pub dead_letters: bool,
    /// What the metastore must hold.
    pub wanted: CatalogTable,
}

/// How closely it is looked.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Read and decode every data file.
    pub deep: bool,
    /// After how long what was found is looked at again.
    pub again_after: Duration,
}

/// How far an audit is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// What is looked at.
    pub phase: &'static str,
    /// How many of these were.
    pub done: u64,
    /// How many there are, as far as is known.
    pub total: u64,
}

/// An audit cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The storage does not answer.
    #[error("verify: {0}")]
    Storage(#[from] StorageError),
    /// The job's file cannot be read.
    #[error("verify: {0}")]
    Format(#[from] FormatError),
    /// There is nothing to audit.
    #[error("{0} holds no log of a job: check storage.checkpoint, or start the job first (landfall run)")]
    NoLog(String),
    /// The checkpoint is another job's.
    #[error("the checkpoint {uri} belongs to job `{found}`, and this configuration says job = \"{expected}\"")]
    OtherJob {
        /// The checkpoint.
        uri: String,
        /// Whose it is.
        found: String,
        /// The configuration's.
        expected: String,
    },
    /// Epochs were deleted faster than they could be read.
    #[error(
        "epochs of the log were deleted while it was read, {BEGINNINGS} times: verify again, or raise log.retention"
    )]
    Moving,
}

impl VerifyError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            VerifyError::Storage(e) => match e.fault() {
                Fault::Retry => Fault::Retry,
                _ => Fault::Config,
            },
            VerifyError::Format(e) => e.fault(),
            VerifyError::NoLog(_) | VerifyError::OtherJob { .. } => Fault::Config,
            VerifyError::Moving => Fault::Retry,
        }
    }
}

/// Audits a job. `progress` follows it.
pub async fn verify(
    target: &Target,
    options: Options,
    progress: &watch::Sender<Progress>,
) -> Result<Report, VerifyError> {
    let reader = Reader { storage: target.storage.clone(), layout: target.layout.clone() };
    let gatherer = Gatherer { target, reader: &reader, progress };
    let mut pass = whole_pass(&gatherer).await?;
    if !pass.findings.is_empty() {
        // What a daemon was about to do is done by then; a fault stays.
        tokio::time::sleep(options.again_after).await;
        let before = std::mem::replace(&mut pass, whole_pass(&gatherer).await?).findings;
        pass.findings.retain(|f| before.iter().any(|b| b.is_same(f)));
    }
    let rows = if options.deep { Some(deep::read_all(&gatherer, &mut pass).await?) } else { None };
    Ok(Report::new(target, pass, rows))
}

async fn whole_pass(gatherer: &Gatherer<'_>) -> Result<Pass, VerifyError> {
    for _ in 0..BEGINNINGS {
        if let Some(pass) = gatherer.pass().await? {
            return Ok(pass);
        }
    }
    Err(VerifyError::Moving)
}
