//! The flow of a job, top to bottom: source → decode → route → batch → encode → commit.
//!
//! While one batch commits, the next one fills. Ownership of partitions comes from the source, positions from the log.

mod brake;
mod content;
pub mod letters;
mod positions;
mod report;
mod work;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::{debug, error, info, warn};

use brake::{Brake, advice};
pub use content::EncodeContext;
use content::to_commit;
use positions::{LogPosition, Positions};
pub use report::Reporter;
pub use work::Upkeep;
use work::{Done, Sealed, Work};

use crate::batch::{BatchBuffer, Plan, PushError, SealedBatch, Trigger};
use crate::commit::{Committed, Committer, LogError};
use crate::failpoint;
use crate::fault::Fault;
use crate::model::{Accounting, BrokenChain, Chunk, Offset, TopicPartition};
use crate::source::{Event, Hold, Source, SourceError};

/// How often the log is read for an operator's word while partitions are stopped.
const HALTED_EVERY: Duration = Duration::from_secs(5);

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
            PipelineError::Chain(_) | PipelineError::Unaccounted(_) => Fault::Bug,
            PipelineError::Log(e) => e.fault(),
            PipelineError::Source(e) => e.fault(),
        }
    }
}

/// What a pipeline is made of.
pub struct Parts {
    /// Where messages come from.
    pub source: Box<dyn Source>,
    /// Tables, columns, routes.
    pub plan: Arc<Plan>,
    /// When a batch is closed.
    pub trigger: Trigger,
    /// How rows are encoded.
    pub encode: Arc<EncodeContext>,
    /// Lands batches.
    pub committer: Committer,
    /// Tells the world.
    pub reporter: Reporter,
    /// What is looked after beside.
    pub upkeep: Upkeep,
    /// Whether messages that retention took are skipped, with a record in the log, instead of stopping their partition.
    pub record_gaps: bool,
    /// `run --available-now`: read up to these offsets, then end.
    pub until: Option<BTreeMap<TopicPartition, i64>>,
}

/// One job's flow.
pub struct Pipeline {
    source: Box<dyn Source>,
    buffer: BatchBuffer,
    brake: Brake,
    trigger: Trigger,
    encode: Arc<EncodeContext>,
    reporter: Reporter,
    positions: Positions,
    /// Where the log is; `None` while the committing task has it.
    committer: Option<Committer>,
    task: Option<JoinHandle<(Committer, Done)>>,
    upkeep: Upkeep,
    upkeep_due: Instant,
    record_gaps: bool,
    /// Gaps that are to be recorded.
    gaps: Vec<(TopicPartition, Offset, i64)>,
    /// The group waits for the buffer to be landed.
    flushing: Option<Hold>,
    begun: Instant,
    opened_at: Duration,
    /// An error that ends the pipeline once what was read before it is landed.
    failure: Option<PipelineError>,
    stopping: bool,
}

impl Pipeline {
    /// A pipeline that has not begun.
    pub fn new(parts: Parts) -> Pipeline {
        Pipeline {
            source: parts.source,
            brake: Brake::new(&parts.plan),
            buffer: BatchBuffer::new(parts.plan),
            trigger: parts.trigger,
            encode: parts.encode,
            reporter: parts.reporter,
            positions: Positions::new(parts.until),
            committer: Some(parts.committer),
            task: None,
            upkeep: parts.upkeep,
            upkeep_due: Instant::now() + parts.upkeep.every,
            record_gaps: parts.record_gaps,
            gaps: Vec::new(),
            flushing: None,
            begun: Instant::now(),
            opened_at: Duration::ZERO,
            failure: None,
            stopping: false,
        }
    }

    /// Runs until `stop` says so (then lands what is buffered), until all that was to be read is landed, or until an
    /// error that no retry helps.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) -> Result<(), PipelineError> {
        loop {
            self.start_work()?;
            if self.finished() {
                break;
            }
            self.reporter.paused(self.brake.look(self.begun.elapsed()));
            let wants_data = !self.stopping && !self.brake.is_on() && !self.positions.moving() && !self.full();
            let (tick, nap) = (self.next_tick(), self.brake.nap(self.begun.elapsed()));
            tokio::select! {
                biased;
                asked = stop.wait_for(|s| *s), if !self.stopping => {
                    // A sender that is gone can no longer ask: the process is ending.
                    drop(asked);
                    info!("stopping: landing what is buffered");
                    self.stopping = true;
                }
                done = wait_for(&mut self.task) => self.finish_work(done)?,
                event = self.source.next(wants_data) => self.take(event)?,
                () = tokio::time::sleep(Duration::from_secs(1)), if self.positions.bounded() => {}
                () = tokio::time::sleep(nap), if self.brake.is_on() => {}
                () = tokio::time::sleep(tick), if self.committer.is_some() && !self.buffer.is_empty() => {}
                () = tokio::time::sleep_until(self.upkeep_due.into()), if self.committer.is_some() => {}
            }
        }
        self.source.stop().await;
        self.failure.map_or(Ok(()), Err)
    }

    fn finished(&self) -> bool {
        self.stopping && self.task.is_none() && self.buffer.is_empty()
    }

    fn full(&self) -> bool {
        // A batch that is due by its size, and cannot be sealed yet because the one before still commits.
        self.task.is_some() && self.trigger.due(Duration::ZERO, Duration::ZERO, self.buffer.size()).is_some()
    }

    fn next_tick(&self) -> Duration {
        self.trigger.tick_after(self.opened_at).saturating_sub(self.begun.elapsed())
    }

    /// Gives the committer its next work: positions for a new assignment first, else a batch that is due.
    fn start_work(&mut self) -> Result<(), PipelineError> {
        if self.task.is_some() {
            return Ok(());
        }
        let due = self.trigger.due(self.begun.elapsed(), self.opened_at, self.buffer.size()).is_some();
        let all_read = self.positions.all_read(Instant::now());
        let flush = (self.stopping || all_read || self.flushing.is_some()) && !self.buffer.is_empty();
        let work = if flush {
            Work::Commit(self.seal()?)
        } else if let Some((partition, to, missing)) = self.gaps.pop() {
            Work::AcceptGap { partition, to, missing }
        } else if self.positions.moving() && !self.stopping {
            Work::CatchUp
        } else if Instant::now() >= self.upkeep_due && !self.stopping {
            // Before a batch that is due: where commits take longer than the trigger, one always is.
            Work::Upkeep(self.upkeep)
        } else if due {
            failpoint::reached("trigger");
            Work::Commit(self.seal()?)
        } else {
            self.stopping |= all_read;
            // Nothing is left to be landed: the group need not wait.
            self.flushing = None;
            return Ok(());
        };
        let Some(committer) = self.committer.take() else { return Ok(()) };
        self.task = Some(work::start(committer, work));
        Ok(())
    }

    fn seal(&mut self) -> Result<Sealed, PipelineError> {
        let since = Instant::now();
        let mut batch: SealedBatch = self.buffer.seal();
        let read: u64 = batch.partitions.iter().map(|p| p.records).sum();
        if !batch.accounting.balances() || batch.accounting.read != read {
            return Err(PipelineError::Unaccounted(batch.accounting));
        }
        let (field_errors, bytes) = (batch.field_errors.clone(), batch.bytes);
        let unknown_fields = std::mem::take(&mut batch.unknown_fields);
        Ok(Sealed { batch: Arc::new(to_commit(batch, &self.encode)), field_errors, unknown_fields, bytes, since })
    }

    fn finish_work(&mut self, (committer, done): (Committer, Done)) -> Result<(), PipelineError> {
        self.task = None;
        match done {
            Done::CaughtUp(result) => {
                result?;
                self.go_on(&committer);
            }
            Done::Kept(result) => {
                result?;
                let soon = if self.positions.any_halted() { HALTED_EVERY } else { self.upkeep.every };
                self.upkeep_due = Instant::now() + soon.min(self.upkeep.every);
                self.go_on(&committer);
            }
            Done::Committed { result, sealed } => match result? {
                Committed::Landed { slot, manifest, durations, lost_slots } => {
                    let ends = manifest.partitions.iter().map(|p| (p.partition(), p.end)).collect();
                    failpoint::reached("kafka.commit");
                    self.source.commit_offsets(ends);
                    self.reporter.landed(slot, &manifest, durations, lost_slots, &sealed);
                }
                Committed::Superseded => {
                    warn!("another daemon landed messages of this batch: dropping it and reading on behind them");
                    self.buffer.clear();
                    self.positions.reposition();
                }
            },
        }
        self.committer = Some(committer);
        Ok(())
    }

    /// Orders what the log now says is to be read.
    fn go_on(&mut self, committer: &Committer) {
        let says = |tp: &TopicPartition| LogPosition {
            end: committer.end(tp),
            tail: committer.tail(tp),
            incarnation: committer.state().incarnation(&tp.topic),
        };
        let again = self.positions.revive(says);
        if !again.is_empty() {
            info!(partitions = ?names(&again), "the log says how to go on with partitions that were stopped");
            self.buffer.clear();
            self.reporter.revived(&again);
            self.positions.reposition();
        }
        if let Some(assignment) = self.positions.assignment(says) {
            failpoint::reached("rebalance.assign");
            self.source.assign(assignment);
        }
    }

    fn take(&mut self, event: Option<Event>) -> Result<(), PipelineError> {
        match event {
            Some(Event::Assigned { generation, partitions }) => {
                info!(partitions = ?names(&partitions), "the consumer group gave us partitions");
                self.buffer.clear();
                self.flushing = None;
                self.positions.assigned(generation, partitions);
            }
            Some(Event::Revoked { lost, hold }) => {
                failpoint::reached("rebalance.revoke");
                self.positions.revoked();
                self.gaps.clear();
                if lost {
                    // Who has the partitions now reads it again.
                    self.buffer.clear();
                } else {
                    debug!(messages = self.buffer.messages(), "the group takes our partitions: landing what is read");
                    self.flushing = Some(hold);
                }
            }
            Some(Event::Positioned { session, positions }) if self.positions.is_current(session) => {
                for (tp, offset) in &positions {
                    self.buffer.start(tp.clone(), *offset, self.positions.incarnation(tp))?;
                }
                self.positions.positioned(&positions);
                self.reporter.reading(&positions);
                self.tell_what_is_left(0);
            }
            Some(Event::Messages { session, chunk }) if self.positions.is_current(session) => self.read(&chunk),
            Some(Event::EndReached { session, partition }) if self.positions.is_current(session) => {
                self.positions.end_reached(partition, Instant::now());
                self.tell_what_is_left(0);
            }
            // Of an assignment that is no longer ours.
            Some(Event::Positioned { .. } | Event::Messages { .. } | Event::EndReached { .. }) => {}
            Some(Event::Stopped { error }) => self.halt(error),
            Some(Event::Failed(error)) => return Err(error.into()),
            None => return Err(SourceError::Fatal("the consumer thread has ended".to_owned()).into()),
        }
        Ok(())
    }

    fn halt(&mut self, error: SourceError) {
        if let Some(partition) = error.partition() {
            self.positions.stopped(partition);
        }
        if let SourceError::Gap { partition, low, missing, .. } = &error
            && self.record_gaps
        {
            self.gaps.push((partition.clone(), Offset(*low), *missing));
            return;
        }
        error!(%error, "a partition is stopped");
        self.reporter.stopped(&error);
        self.upkeep_due = self.upkeep_due.min(Instant::now() + HALTED_EVERY);
        if self.positions.bounded() {
            self.failure.get_or_insert(error.into());
        }
    }

    fn read(&mut self, chunk: &Chunk) {
        if self.buffer.is_empty() {
            self.opened_at = self.begun.elapsed();
        }
        let mut read = 0;
        for record in chunk.records() {
            if !self.positions.within_bound(&record) {
                continue;
            }
            if let Err(e) = self.buffer.push(&record) {
                // What lies before this message is landed; the message itself is read again by the next start.
                self.failure = Some(e.into());
                self.stopping = true;
                return;
            }
            self.positions.read(&record);
            read += 1;
        }
        self.tell_what_is_left(read);
        // Of a chunk all is taken, so that nothing of it waits beside the source.
        let now = self.begun.elapsed();
        self.brake.after(chunk.len(), &mut self.buffer, now);
        // A run that is to end does not wait for anybody.
        if let Some(e) = self.brake.release_if(self.positions.bounded()) {
            let what = format!("{e}. {}", advice(&e));
            self.failure.get_or_insert(PipelineError::Ceiling(what));
            self.stopping = true;
        }
    }

    fn tell_what_is_left(&self, read: u64) {
        if self.positions.bounded() {
            self.reporter.read_on(read, self.positions.offsets_left());
        }
    }
}

fn names(partitions: &[TopicPartition]) -> Vec<String> {
    partitions.iter().map(ToString::to_string).collect()
}

/// Waits for the committing task, for ever if there is none.
async fn wait_for(task: &mut Option<JoinHandle<(Committer, Done)>>) -> (Committer, Done) {
    match task {
        // A panic in the task is a bug; it must end the process as one here would.
        Some(handle) => handle.await.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic())),
        None => std::future::pending().await,
    }
}
