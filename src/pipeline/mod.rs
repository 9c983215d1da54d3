//! The flow of a job, top to bottom: source → decode → route → batch → encode → commit.
//!
//! While one batch commits, the next one fills. Ownership of partitions comes from the source, positions from the log.

mod brake;
mod content;
mod deadline;
mod error;
mod halts;
mod intake;
mod lane;
pub mod letters;
mod look;
mod memory;
mod next_plan;
mod parts;
mod positions;
mod record;
mod report;
mod standing;
mod work;
mod workers;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::{debug, info, warn};

use brake::{Brake, advice};
pub use content::EncodeContext;
use content::OpenBatch;
use deadline::Deadline;
pub use error::PipelineError;
use halts::Halt;
use intake::{Decoded, Intake};
pub use lane::file_options;
pub use memory::Memory;
pub use next_plan::{NextPlan, NextPlans, Planner};
pub use parts::Parts;
use positions::{LogPosition, Positions, names};
pub use report::Reporter;
pub use work::Upkeep;
use work::{Done, Sealed, Work, wait_for};
pub use workers::Workers;

use crate::batch::Trigger;
use crate::commit::{Committed, Committer};
use crate::failpoint;
use crate::model::{Chunk, TopicPartition};
use crate::source::{Event, Hold, Source, SourceError};

/// How often the log is read for an operator's word while partitions are stopped.
const HALTED_EVERY: Duration = Duration::from_secs(5);

/// One job's flow.
pub struct Pipeline {
    source: Box<dyn Source>,
    intake: Intake,
    open: OpenBatch,
    brake: Brake,
    trigger: Trigger,
    workers: Workers,
    memory: Memory,
    reporter: Reporter,
    positions: Positions,
    /// Where the log is; `None` while the committing task has it.
    committer: Option<Committer>,
    task: Option<JoinHandle<(Committer, Done)>>,
    upkeep: Upkeep,
    upkeep_due: Instant,
    record_gaps: bool,
    /// What is to be told once what was read before is landed.
    halts: Vec<Halt>,
    /// What is under way is decoded and sealed before more is taken.
    closing: bool,
    /// The group waits until what was read is landed.
    flushing: Option<Hold>,
    begun: Instant,
    opened_at: Duration,
    /// An error that ends the pipeline once what was read before it is landed.
    failure: Option<PipelineError>,
    stopping: bool,
    /// Whether the status says that reading is paused, and that the pipeline is to end.
    told: (bool, bool),
    deadline: Deadline,
    plans: NextPlans,
}

impl Pipeline {
    /// A pipeline that has not begun.
    pub fn new(parts: Parts) -> Pipeline {
        let (workers, memory) = (parts.workers, parts.memory);
        let until = parts.until.clone().map(Arc::new);
        Pipeline {
            source: parts.source,
            brake: Brake::new(&parts.plan),
            intake: Intake::new(parts.plan, workers.clone(), memory.clone(), until),
            open: OpenBatch::new(parts.encode, memory.clone()),
            trigger: parts.trigger,
            workers,
            memory,
            reporter: parts.reporter,
            positions: Positions::new(parts.until),
            committer: Some(parts.committer),
            task: None,
            upkeep: parts.upkeep,
            upkeep_due: Instant::now() + parts.upkeep.every,
            record_gaps: parts.record_gaps,
            halts: Vec::new(),
            closing: false,
            flushing: None,
            begun: Instant::now(),
            opened_at: Duration::ZERO,
            failure: None,
            stopping: false,
            told: (false, false),
            deadline: Deadline::default(),
            plans: NextPlans::default(),
        }
    }

    /// Runs until `stop` says so (then lands what is buffered), until all that was to be read is landed, or until an
    /// error that no retry helps.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) -> Result<(), PipelineError> {
        loop {
            self.start_work()?;
            self.change_plan();
            if self.finished() {
                break;
            }
            self.look();
            let wants_data = !self.stopping
                && !self.closing
                && !self.brake.is_on()
                && !self.positions.moving()
                && self.intake.has_room();
            // What is decoded waits while the open batch cannot take it.
            let takes_rows = !self.full();
            let (tick, nap) = (self.next_tick(), self.brake.nap(self.begun.elapsed()));
            let unit_due = self.intake.due();
            tokio::select! {
                biased;
                asked = stop.wait_for(|s| *s), if !self.stopping => {
                    // A sender that is gone can no longer ask: the process is ending.
                    drop(asked);
                    info!("stopping: landing what is buffered");
                    self.stopping = true;
                    self.deadline.begin();
                }
                () = self.deadline.passed() => break,
                done = wait_for(&mut self.task) => self.finish_work(done)?,
                decoded = self.intake.decoded(), if takes_rows => self.add(decoded)?,
                event = self.source.next(wants_data) => self.take(event)?,
                () = self.plans.come() => {}
                () = self.memory.freed(), if !wants_data || !takes_rows => {}
                () = tokio::time::sleep(unit_due.unwrap_or_default()), if unit_due.is_some() => self.intake.decode(),
                () = tokio::time::sleep(Duration::from_secs(1)), if self.positions.bounded() => {}
                () = tokio::time::sleep(nap), if self.brake.is_on() => {}
                () = tokio::time::sleep(tick), if self.committer.is_some() && !self.is_empty() && !self.closing => {}
                () = tokio::time::sleep_until(self.upkeep_due.into()), if self.committer.is_some() => {}
                () = tokio::time::sleep_until(self.reporter.due().into()) => {}
            }
        }
        self.look();
        self.end().await
    }

    fn finished(&self) -> bool {
        self.stopping && self.task.is_none() && self.is_empty()
    }

    /// Whether nothing was read that is not landed.
    fn is_empty(&self) -> bool {
        self.open.is_empty() && self.intake.is_empty()
    }

    /// A batch that is due by its size, or all the memory, and it cannot be sealed because the one before still commits.
    fn full(&self) -> bool {
        self.task.is_some() && (self.trigger.is_large(self.open.size()) || self.memory.is_full())
    }

    /// Whether the open batch is to be landed as it is, whatever else is under way.
    fn is_large(&self) -> bool {
        !self.open.is_empty() && (self.trigger.is_large(self.open.size()) || self.memory.is_half_full())
    }

    fn next_tick(&self) -> Duration {
        self.trigger.tick_after(self.opened_at).saturating_sub(self.begun.elapsed())
    }

    /// Gives the committer its next work: positions for a new assignment first, else a batch that is due.
    fn start_work(&mut self) -> Result<(), PipelineError> {
        if self.task.is_some() {
            return Ok(());
        }
        let all_read = self.positions.all_read(Instant::now());
        let flush = self.stopping || all_read || self.flushing.is_some();
        let tick = !self.is_empty() && self.begun.elapsed() >= self.trigger.tick_after(self.opened_at);
        let settled = self.settle_halts();
        let closing = flush || self.closing || tick || self.plans.is_due() || !self.halts.is_empty();
        self.closing = closing && !self.is_empty();
        if self.closing {
            self.intake.decode();
        }
        let whole = self.closing && self.intake.is_empty();
        let work = if let Some(work) = settled {
            work
        } else if flush && whole {
            Work::Commit(self.seal()?)
        } else if flush && self.closing {
            return Ok(());
        } else if self.positions.moving() && !self.stopping {
            Work::CatchUp
        } else if Instant::now() >= self.upkeep_due && !self.stopping {
            // Before a batch that is due: where commits take longer than the trigger, one always is.
            Work::Upkeep(self.upkeep)
        } else if whole || self.is_large() {
            failpoint::reached("trigger");
            Work::Commit(self.seal()?)
        } else if self.closing {
            return Ok(());
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

    fn seal(&mut self) -> Result<Box<Sealed>, PipelineError> {
        let since = Instant::now();
        self.seal_halts();
        let (read, batch) = self.open.seal(Some(&self.workers));
        self.deadline.committing = read.accounting.read;
        let records: u64 = read.partitions.iter().map(|p| p.records).sum();
        if !read.accounting.balances() || read.accounting.read != records {
            return Err(PipelineError::Unaccounted(read.accounting));
        }
        let now = self.begun.elapsed();
        let spent = self.reporter.sealed(now.saturating_sub(std::mem::replace(&mut self.opened_at, now)));
        self.closing = false;
        let (field_errors, unknown_fields) = (read.field_errors, read.unknown_fields);
        let (batch, letters, bytes) = (Arc::new(batch), read.letters, read.bytes);
        Ok(Box::new(Sealed { batch, letters, field_errors, unknown_fields, bytes, spent, since }))
    }

    fn finish_work(&mut self, (committer, done): (Committer, Done)) -> Result<(), PipelineError> {
        self.task = None;
        self.deadline.committing = 0;
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
                    self.reporter.superseded();
                    self.forget();
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
        // What is about to be stopped is looked at again when it is.
        let again = if self.halts.is_empty() { self.positions.revive(says) } else { Vec::new() };
        if !again.is_empty() {
            info!(partitions = ?names(&again), "the log says how to go on with partitions that were stopped");
            self.forget();
            self.reporter.revived(&again);
            self.positions.reposition();
        }
        if let Some(assignment) = self.positions.assignment(says) {
            failpoint::reached("rebalance.assign");
            self.reporter.ordered(&assignment);
            self.source.assign(assignment);
        }
    }

    fn take(&mut self, event: Option<Event>) -> Result<(), PipelineError> {
        match event {
            Some(Event::Assigned { generation, partitions }) => {
                info!(partitions = ?names(&partitions), "the consumer group gave us partitions");
                self.forget();
                self.flushing = None;
                self.reporter.assigned(&partitions);
                self.positions.assigned(generation, partitions);
            }
            Some(Event::Revoked { lost, hold }) => {
                failpoint::reached("rebalance.revoke");
                self.positions.revoked();
                self.reporter.revoked();
                // Who has the partition next finds it out.
                self.halts.clear();
                if lost {
                    // Who has the partitions now reads it again.
                    self.forget();
                } else {
                    debug!(
                        messages = self.open.size().messages,
                        "the group takes our partitions: landing what is read"
                    );
                    self.flushing = Some(hold);
                }
            }
            Some(Event::Positioned { session, positions }) if self.positions.is_current(session) => {
                for (tp, offset) in &positions {
                    self.intake.start(tp.clone(), *offset, self.positions.incarnation(tp));
                }
                self.positions.positioned(&positions);
                self.reporter.reading(&positions);
                self.tell_what_is_left(0);
            }
            Some(Event::Messages { session, chunk }) if self.positions.is_current(session) => self.read(chunk),
            Some(Event::EndReached { session, partition }) if self.positions.is_current(session) => {
                self.positions.end_reached(partition, Instant::now());
                self.reporter.end_reached(partition);
                self.tell_what_is_left(0);
            }
            Some(Event::Stopped { session, error }) if self.positions.is_current(session) => self.halt(error),
            Some(Event::Denied(why)) => self.reporter.denied(why),
            Some(Event::Failed(error)) => return Err(error.into()),
            None => return Err(SourceError::Fatal("the consumer thread has ended".to_owned()).into()),
            // Of an assignment that is no longer ours.
            Some(_) => {}
        }
        Ok(())
    }

    fn read(&mut self, chunk: Chunk) {
        if self.is_empty() {
            self.opened_at = self.begun.elapsed();
        }
        for (partition, end) in chunk.ends() {
            self.positions.read(partition, end);
        }
        self.reporter.read(&chunk);
        self.intake.push(chunk);
    }

    /// Adds what was decoded to the open batch.
    fn add(&mut self, decoded: Decoded) -> Result<(), PipelineError> {
        let Decoded { piece, buried, error, took, .. } = decoded;
        let read = piece.accounting.read;
        self.reporter.decoded(&piece, took);
        self.open.add(piece, Some(&self.workers))?;
        self.tell_what_is_left(read);
        if let Some(e) = error {
            // What lies before this message is landed; the message itself is read again by the next start.
            self.intake.drop_undecoded();
            self.failure = Some(e.into());
            self.stopping = true;
        }
        let now = self.begun.elapsed();
        buried.iter().for_each(|(messages, buried)| self.brake.after(*messages, buried, now));
        // A run that is to end does not wait for anybody.
        if let Some(e) = self.brake.release_if(self.positions.bounded()) {
            let what = format!("{e}. {}", advice(&e));
            self.failure.get_or_insert(PipelineError::Ceiling(what));
            self.stopping = true;
        }
        Ok(())
    }

    /// Drops what was read and is not landed: it is read again, by us or by others.
    fn forget(&mut self) {
        self.intake.clear();
        self.open.clear();
        self.drop_halts();
        self.reporter.forgot();
        self.closing = false;
    }
}
