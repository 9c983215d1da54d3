//! Carries out what the machine says, on a real storage, until it is done.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::{debug, info, warn};
use uuid::Uuid;

use super::batch::{Batch, Decision, Proposal};
use super::epochs::Tidied;
use super::log::{Log, LogError};
use super::machine::{Action, Input, Machine, Outcome, SlotView};
use super::retry::Retry;
use crate::checkpoint::{Entry, JobFile, LogState, Manifest};
use crate::failpoint;
use crate::model::{Offset, Slot, Tail, TopicPartition};
use crate::storage::{StorageError, failing};

/// How long the phases of a commit took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Durations {
    /// Encoding the files.
    pub encode: Duration,
    /// Writing and checking them in staging.
    pub stage: Duration,
    /// Winning the slot: renames and read-backs.
    pub commit: Duration,
    /// Moving the files into their tables.
    pub publish: Duration,
}

/// What became of a batch.
#[derive(Debug)]
pub enum Committed {
    /// It is landed: every row is visible, once.
    Landed {
        /// Its number.
        slot: Slot,
        /// Its manifest.
        manifest: Box<Manifest>,
        /// Time spent.
        durations: Durations,
        /// Slots that other daemons won meanwhile.
        lost_slots: u64,
    },
    /// Another daemon landed messages of this batch. Nothing of it is visible; read on from [`Committer::end`].
    Superseded,
}

/// Lands batches, one after the other.
#[derive(Debug)]
pub struct Committer {
    pub(super) log: Log,
    pub(super) job: JobFile,
    pub(super) incarnation: Uuid,
    pub(super) instance: String,
    state: LogState,
    slots_per_epoch: u64,
}

/// One way to a slot: what is staged, and what it has cost.
pub(super) struct Attempt<'h> {
    pub(super) dir: String,
    pub(super) durations: Durations,
    renames: Retry<'h>,
    /// For the defects that believe the rename's reply.
    #[cfg(feature = "failpoints")]
    trust: super::defect::Trust,
}

impl Committer {
    /// On top of an opened log. `instance` names this process in manifests; an epoch is closed after `slots_per_epoch`.
    pub fn new(
        log: Log,
        job: JobFile,
        state: LogState,
        incarnation: Uuid,
        instance: String,
        slots_per_epoch: u64,
    ) -> Committer {
        Committer { log, job, incarnation, instance, state, slots_per_epoch }
    }

    /// Where a partition stands in the log; `None`: never read.
    pub fn end(&self, partition: &TopicPartition) -> Option<Offset> {
        self.state.end(partition)
    }

    /// Fingerprint of the last message read of a partition.
    pub fn tail(&self, partition: &TopicPartition) -> Option<Tail> {
        self.state.tail(partition).copied()
    }

    /// The log's state.
    pub fn state(&self) -> &LogState {
        &self.state
    }

    /// The log's state, for tests that spoil it.
    #[cfg(feature = "failpoints")]
    pub fn state_mut(&mut self) -> &mut LogState {
        &mut self.state
    }

    /// Reads what other daemons have committed meanwhile.
    pub async fn catch_up(&mut self) -> Result<(), LogError> {
        let mut retry = self.log.retry("read the log");
        loop {
            match self.log.catch_up(&mut self.state).await {
                Ok(_) => return Ok(()),
                Err(LogError::Storage(e)) => retry.failed(&e).await,
                Err(e) => return Err(e),
            }
        }
    }

    /// Lands a batch, however long the storage is away.
    pub async fn commit(&mut self, batch: &Arc<Batch>) -> Result<Committed, LogError> {
        if self.state.next().0 - self.state.base().0 >= self.slots_per_epoch {
            self.seal().await?;
        }
        let proposal = Proposal::Batch(batch.clone());
        let (outcome, durations) = self.propose(&proposal).await?;
        Ok(match outcome {
            Some((slot, Entry::Batch(manifest), lost_slots)) => {
                Committed::Landed { slot, manifest, durations, lost_slots }
            }
            _ => Committed::Superseded,
        })
    }

    /// Closes the epoch, unless another daemon is quicker.
    pub async fn seal(&mut self) -> Result<(), LogError> {
        let (outcome, _) = self.propose(&Proposal::Seal).await?;
        let sealed_here = outcome.is_some();
        info!(
            epoch = self.state.epoch(),
            base_slot = self.state.base().0,
            sealed_here,
            "the log goes on in a new epoch"
        );
        Ok(())
    }

    /// Skips what is gone from Kafka: reading of the partition goes on at `to`. `None`: the log has moved on.
    pub async fn accept_gap(
        &mut self,
        partition: TopicPartition,
        to: Offset,
        why: Decision,
    ) -> Result<Option<Slot>, LogError> {
        // Somebody else has recorded it, and read on behind it: going back to `to` would land all that again.
        if self.state.end(&partition).is_some_and(|end| end >= to) {
            return Ok(None);
        }
        let (outcome, _) = self.propose(&Proposal::Gap { partition, to, why }).await?;
        Ok(outcome.map(|(slot, ..)| slot))
    }

    /// Begins a topic anew, each partition at its start. `None`: the log has moved on.
    pub async fn accept_topic(
        &mut self,
        topic: String,
        starts: BTreeMap<i32, Offset>,
        why: Decision,
    ) -> Result<Option<Slot>, LogError> {
        let (outcome, _) = self.propose(&Proposal::Topic { topic, starts, why }).await?;
        Ok(outcome.map(|(slot, ..)| slot))
    }

    /// Deletes what nobody needs any more: staging of dead processes, epochs closed long ago.
    pub async fn tidy(&self, staging_age: Duration, epoch_age: Duration) -> Result<Tidied, LogError> {
        let staging = self.log.collect_staging(self.incarnation, staging_age.as_millis() as i64).await?;
        let epochs = self.log.drop_epochs(epoch_age.as_millis() as i64).await?;
        Ok(Tidied { staging, epochs })
    }

    async fn propose(&mut self, proposal: &Proposal) -> Result<(Option<(Slot, Entry, u64)>, Durations), LogError> {
        // Of its own, so that the retries' waits do not borrow the committer.
        let log = self.log.clone();
        let mut machine = Machine::new(self.state.clone());
        let mut attempt = Attempt {
            dir: String::new(),
            durations: Durations::default(),
            renames: log.retry("commit a batch"),
            #[cfg(feature = "failpoints")]
            trust: super::defect::Trust::default(),
        };
        let mut action = machine.on(Input::Start);
        let finished = loop {
            let input = match action {
                Action::Stage { slot } => {
                    let claim = self.stage(proposal, machine.state(), slot, &mut attempt).await?;
                    #[cfg(feature = "failpoints")]
                    attempt.trust.staged(&claim.entry);
                    Input::Staged(claim)
                }
                Action::Rename { slot } => self.rename(proposal, machine.state(), slot, &mut attempt).await,
                Action::ReadSlot { slot } => self.read_slot(machine.state(), slot, &mut attempt).await?,
                Action::LookAround => self.look_around(machine.state(), &attempt).await?,
                Action::Publish { slot, manifest } => {
                    let begun = Instant::now();
                    self.log.help(machine.state().dir(), slot, &manifest).await?;
                    attempt.durations.publish += begun.elapsed();
                    Input::Published
                }
                Action::Register { seal } => {
                    self.until_done("register an epoch", || self.log.register(&seal)).await?;
                    Input::Registered
                }
                Action::Reopen => {
                    let job = machine.state().job();
                    let state = self.until_done("read the log", || self.log.reopen(job)).await?;
                    Input::Reopened(Box::new(state))
                }
                Action::Finish(outcome) => break outcome,
            };
            action = machine.on(input);
        };
        self.state = machine.into_state();
        failpoint::reached("advance");
        match finished {
            Outcome::Committed { slot, entry, lost_slots } => Ok((Some((slot, entry, lost_slots)), attempt.durations)),
            Outcome::Superseded => {
                self.discard(&attempt.dir).await;
                Ok((None, attempt.durations))
            }
            Outcome::Broken(e) => Err(e.into()),
        }
    }

    /// Repeats a call until the storage answers.
    async fn until_done<T, F: Future<Output = Result<T, LogError>>>(
        &self,
        what: &'static str,
        call: impl Fn() -> F,
    ) -> Result<T, LogError> {
        let mut retry = self.log.retry(what);
        loop {
            match call().await {
                Ok(answer) => {
                    retry.worked();
                    return Ok(answer);
                }
                Err(LogError::Storage(e)) => retry.failed(&e).await,
                Err(e) => return Err(e),
            }
        }
    }

    async fn rename(&self, proposal: &Proposal, state: &LogState, slot: Slot, attempt: &mut Attempt<'_>) -> Input {
        let begun = Instant::now();
        let to = self.log.layout.slot(state.dir(), slot);
        failpoint::reached("commit.before");
        let place = if matches!(proposal, Proposal::Seal) { "seal.cas" } else { "commit.rpc" };
        let renamed = failing::at(place, &to, self.log.storage.rename(&attempt.dir, &to)).await;
        failpoint::reached("commit.after");
        #[cfg(feature = "failpoints")]
        attempt.trust.renamed(&renamed, |defect| self.log.has(defect));
        match renamed {
            Ok(()) => attempt.renames.worked(),
            Err(e) => {
                debug!(error = %e, slot = slot.0, "the commit rename gave an error; the slot tells what happened");
                if e.is_ambiguous() {
                    self.log.host.ambiguous("rename");
                }
                if !matches!(e, StorageError::AlreadyExists { .. }) {
                    attempt.renames.failed(&e).await;
                }
            }
        }
        attempt.durations.commit += begun.elapsed();
        Input::Renamed
    }

    async fn read_slot(&self, state: &LogState, slot: Slot, attempt: &mut Attempt<'_>) -> Result<Input, LogError> {
        #[cfg(feature = "failpoints")]
        if let Some(believed) = attempt.trust.take() {
            return Ok(Input::Slot(believed));
        }
        let begun = Instant::now();
        let read = || async {
            failing::at("commit.readback", state.dir(), async { Ok(()) }).await?;
            self.log.read_slot(state.dir(), slot).await
        };
        let view = self.until_done("read the log", read).await?;
        // A directory of staging is named by its batch.
        if let SlotView::Entry(entry) = &view
            && !attempt.dir.ends_with(&entry.id().to_string())
        {
            failpoint::reached("rebase.before");
        }
        attempt.durations.commit += begun.elapsed();
        Ok(Input::Slot(view))
    }

    async fn look_around(&self, state: &LogState, attempt: &Attempt<'_>) -> Result<Input, LogError> {
        let look = || async {
            let newer_epoch = self.log.newest_epoch().await? > state.epoch();
            let staging = match self.log.storage.list(&attempt.dir).await {
                Ok(_) => true,
                Err(StorageError::NotFound { .. }) => false,
                Err(e) => return Err(e.into()),
            };
            Ok(Input::Around { staging, newer_epoch })
        };
        let around = self.until_done("look for a staged batch", look).await?;
        if matches!(around, Input::Around { staging: false, .. }) {
            warn!(
                staging = attempt.dir,
                "somebody deleted a staged batch, and it is staged again: nothing but landfall must delete there"
            );
        }
        Ok(around)
    }

    /// Deletes an attempt that cannot commit any more. Best effort: what stays is collected later.
    pub(super) async fn discard(&self, dir: &str) {
        if dir.is_empty() {
            return;
        }
        if let Err(e) = self.log.storage.delete(dir).await {
            debug!(error = %e, "an abandoned staging directory stays for the collector");
        }
    }
}
