//! What the committing task does: one thing at a time, with the committer in its hands.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tracing::{debug, info, warn};

use crate::batch::{FieldErrors, Letters, UnknownField};
use crate::commit::{Batch, Committed, Committer, Decision, LogError};
use crate::model::{Offset, TopicPartition};

/// Work for the committing task.
pub(super) enum Work {
    /// Land a batch.
    Commit(Box<Sealed>),
    /// Read what other daemons have committed, for positions.
    CatchUp,
    /// Skip what retention took.
    AcceptGap { partition: TopicPartition, to: Offset, missing: i64 },
    /// Look for what operators decided, and tidy up.
    Upkeep(Upkeep),
}

/// What came of it.
pub(super) enum Done {
    Committed { result: Result<Committed, LogError>, sealed: Box<Sealed> },
    CaughtUp(Result<(), LogError>),
    Kept(Result<(), LogError>),
}

/// A sealed batch's figures, kept for its report.
#[derive(Debug)]
pub(super) struct Sealed {
    pub batch: Arc<Batch>,
    pub letters: Letters,
    pub field_errors: Vec<FieldErrors>,
    pub unknown_fields: Vec<UnknownField>,
    pub bytes: u64,
    pub spent: Spent,
    pub since: Instant,
}

/// Working time of threads.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Spent {
    pub poll: Duration,
    pub decode: Duration,
}

/// What is looked after beside landing batches.
#[derive(Debug, Clone, Copy)]
pub struct Upkeep {
    /// How often.
    pub every: Duration,
    /// Staging of processes that were dead for longer is deleted.
    pub staging_age: Duration,
    /// Epochs of the log that were closed for longer are deleted.
    pub epoch_age: Duration,
}

impl Upkeep {
    /// As often as it takes, at most once a second.
    pub fn new(staging_age: Duration, epoch_age: Duration) -> Upkeep {
        let every = (staging_age.min(epoch_age) / 4).clamp(Duration::from_secs(1), Duration::from_secs(3600));
        Upkeep { every, staging_age, epoch_age }
    }
}

/// Waits for the committing task, for ever if there is none.
pub(super) async fn wait_for(task: &mut Option<JoinHandle<(Committer, Done)>>) -> (Committer, Done) {
    match task {
        // A panic in the task is a bug; it must end the process as one here would.
        Some(handle) => handle.await.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic())),
        None => std::future::pending().await,
    }
}

pub(super) fn start(mut committer: Committer, work: Work) -> JoinHandle<(Committer, Done)> {
    tokio::spawn(async move {
        let done = match work {
            Work::Commit(sealed) => {
                let result = committer.commit(&sealed.batch).await;
                Done::Committed { result, sealed }
            }
            Work::CatchUp => Done::CaughtUp(committer.catch_up().await),
            Work::AcceptGap { partition, to, missing } => {
                let reason = format!("{missing} offsets are gone by retention");
                let why = Decision { reason, operator: "kafka.on_gap = record".to_owned() };
                let slot = committer.accept_gap(partition.clone(), to, why).await;
                if let Ok(Some(slot)) = &slot {
                    warn!(%partition, slot = slot.0, missing, to = to.0, "gap recorded: reading goes on behind it");
                }
                Done::CaughtUp(slot.map(|_| ()))
            }
            Work::Upkeep(upkeep) => Done::Kept(keep(&mut committer, upkeep).await),
        };
        (committer, done)
    })
}

async fn keep(committer: &mut Committer, upkeep: Upkeep) -> Result<(), LogError> {
    committer.catch_up().await?;
    match committer.tidy(upkeep.staging_age, upkeep.epoch_age).await {
        Ok(tidied) if tidied.staging + tidied.epochs > 0 => {
            info!(staging = tidied.staging, epochs = tidied.epochs, "deleted what nobody needs any more");
        }
        Ok(_) => {}
        // The next time will do.
        Err(e) => debug!(error = %e, "not tidied up"),
    }
    Ok(())
}
