//! Dead letters through today's tables: read, decoded, routed and committed as any message; each at most once, since the
//! log knows which were landed and refuses a batch that lands one again.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;
use tracing::info;

use super::super::PipelineError;
use super::super::content::{EncodeContext, OpenBatch};
use super::super::memory::Memory;
use super::{Letters, LettersError, Message, Place, Progress, Selection, tell};
use crate::batch::limits::MAX_FILES;
use crate::batch::{Again, BatchBuffer, Plan, SealedBatch, Size, Trigger};
use crate::checkpoint::{LogState, Replayed};
use crate::commit::{Committed, Committer};
use crate::model::{Headers, Record};

/// Most dead letters of one batch: its manifest names each of them.
const MOST_LETTERS: usize = 10_000;

/// Where they go.
pub enum Target<'a> {
    /// Nowhere: only what would be done is found out, on this state of the log.
    Nowhere(Box<LogState>),
    /// Into the tables.
    Tables(&'a mut Committer),
}

/// A replay.
pub struct Replay<'a> {
    /// The dead letters.
    pub letters: &'a Letters,
    /// Today's tables, routes and settings.
    pub plan: Arc<Plan>,
    /// How rows are encoded.
    pub encode: Arc<EncodeContext>,
    /// How large a batch may get.
    pub trigger: Trigger,
    /// Follows it.
    pub progress: &'a watch::Sender<Progress>,
}

/// What became of the dead letters that were meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReplayReport {
    /// Nothing was done.
    pub dry_run: bool,
    /// Landed now.
    pub replayed: u64,
    /// In so many batches.
    pub batches: u64,
    /// Rows of these, by table.
    pub rows: BTreeMap<String, u64>,
    /// Landed by a replay before, or by another one meanwhile.
    pub already: u64,
    /// Still no good, by today's reason.
    pub bad: BTreeMap<String, u64>,
    /// Good, and no table wants them.
    pub unrouted: u64,
    /// The table has only the beginning of them.
    pub not_whole: u64,
    /// The table does not say where they were read.
    pub without_place: u64,
}

/// A dead letter that may be landed.
#[derive(Debug, Clone)]
struct Candidate {
    message: Message,
    place: Place,
}

/// What a batch would land, and what becomes of the others.
struct Built {
    sealed: SealedBatch,
    report: ReplayReport,
}

impl Replay<'_> {
    /// Lands the dead letters that are meant. Ended at any moment, it goes on where it was when it is called again.
    pub async fn run(&self, mut target: Target<'_>, selection: &Selection) -> Result<ReplayReport, LettersError> {
        self.letters.check_places()?;
        let mut report = ReplayReport { dry_run: matches!(target, Target::Nowhere(_)), ..ReplayReport::default() };
        if let Target::Tables(committer) = &mut target {
            committer.catch_up().await.map_err(PipelineError::from)?;
        }
        let files = self.letters.files(selection).await?;
        tell(self.progress, |p| p.total = files.len() as u64);
        let (mut waiting, mut bytes) = (Vec::new(), 0);
        // Each may be of a partition of its own.
        let partitioned = self.plan.tables.iter().any(|t| !t.partition_sources.is_empty());
        let most = if partitioned { MOST_LETTERS.min(MAX_FILES) } else { MOST_LETTERS };
        for file in &files {
            for message in self.letters.fold(file, selection, Vec::new(), Vec::push).await? {
                let Some(place) = message.place.clone() else {
                    report.without_place += 1;
                    continue;
                };
                if place.is_replayed(target.state()) {
                    report.already += 1;
                } else if message.is_whole() {
                    bytes += message.bytes.as_ref().map_or(0, |b| b.len() as u64);
                    waiting.push(Candidate { message, place });
                } else {
                    report.not_whole += 1;
                }
                let size = Size { bytes, messages: waiting.len() as u64, files: 0 };
                if self.trigger.is_large(size) || waiting.len() >= most {
                    self.land(&mut target, std::mem::take(&mut waiting), &mut report).await?;
                    bytes = 0;
                }
            }
            tell(self.progress, |p| (p.done, p.replayed) = (p.done + 1, report.replayed));
        }
        self.land(&mut target, waiting, &mut report).await?;
        tell(self.progress, |p| p.replayed = report.replayed);
        Ok(report)
    }

    /// Lands some of them in one batch, without those that somebody else lands meanwhile.
    async fn land(
        &self,
        target: &mut Target<'_>,
        waiting: Vec<Candidate>,
        report: &mut ReplayReport,
    ) -> Result<(), LettersError> {
        loop {
            let Built { sealed, report: built } = self.build(&waiting, target.state())?;
            let counts = sealed.accounting;
            if !counts.balances() || counts.read != sealed.replayed.messages() || counts.read != built.replayed {
                return Err(PipelineError::Unaccounted(counts).into());
            }
            if let (Target::Tables(committer), true) = (&mut *target, built.replayed > 0) {
                // One batch at a time, as large as the trigger allows.
                let mut open = OpenBatch::new(self.encode.clone(), Memory::new(u64::MAX));
                open.add(sealed, None).map_err(PipelineError::from)?;
                let batch = Arc::new(open.seal(None).1);
                match committer.commit(&batch).await.map_err(PipelineError::from)? {
                    Committed::Landed { slot, .. } => info!(batch = slot.0, dead_letters = built.replayed, "replayed"),
                    // The log has been read on: what is left is tried again.
                    Committed::Superseded => continue,
                }
            }
            report.add(built);
            return Ok(());
        }
    }

    fn build(&self, waiting: &[Candidate], state: &LogState) -> Result<Built, PipelineError> {
        let mut buffer = BatchBuffer::new(self.plan.clone());
        let (mut report, mut seen) = (ReplayReport::default(), Replayed::default());
        for Candidate { message, place } in waiting {
            let Place { partition, incarnation, offset } = place;
            // Of a row that stands in the table twice, by somebody's copy of a file, one is landed.
            let fresh = seen.insert(&partition.topic, *incarnation, partition.partition, *offset);
            if !fresh || place.is_replayed(state) {
                report.already += 1;
                continue;
            }
            let (key, value) = (message.key.as_deref(), message.bytes.as_deref());
            let (offset, timestamp_ms, headers) = (*offset, message.timestamp_ms, Headers::default());
            let record = Record { partition, offset, timestamp_ms, key, value, headers };
            match buffer.replay(&record, *incarnation)? {
                Again::Landed => report.replayed += 1,
                Again::Bad(reject) => *report.bad.entry(reject.reason.to_string()).or_default() += 1,
                Again::Unrouted => report.unrouted += 1,
            }
        }
        let sealed = buffer.seal();
        report.batches = u64::from(report.replayed > 0);
        sealed.tables.iter().for_each(|t| *report.rows.entry(t.name.clone()).or_default() += t.rows as u64);
        Ok(Built { sealed, report })
    }
}

impl Target<'_> {
    fn state(&self) -> &LogState {
        match self {
            Target::Nowhere(state) => state,
            Target::Tables(committer) => committer.state(),
        }
    }
}

impl ReplayReport {
    fn add(&mut self, other: ReplayReport) {
        self.replayed += other.replayed;
        self.batches += other.batches;
        self.already += other.already;
        self.unrouted += other.unrouted;
        self.not_whole += other.not_whole;
        self.without_place += other.without_place;
        other.rows.into_iter().for_each(|(table, n)| *self.rows.entry(table).or_default() += n);
        other.bad.into_iter().for_each(|(reason, n)| *self.bad.entry(reason).or_default() += n);
    }
}

impl fmt::Display for ReplayReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |of: &BTreeMap<String, u64>| match of.len() {
            0 => String::new(),
            _ => format!(" ({})", of.iter().map(|(name, n)| format!("{name} {n}")).collect::<Vec<_>>().join(", ")),
        };
        let done = if self.dry_run { "would replay" } else { "replayed" };
        write!(f, "{done} {}{}", self.replayed, list(&self.rows))?;
        write!(f, "; still bad {}{}", self.bad.values().sum::<u64>(), list(&self.bad))?;
        write!(f, "; unrouted {}; not whole {}; replayed before {}", self.unrouted, self.not_whole, self.already)?;
        match self.without_place {
            0 => Ok(()),
            n => write!(f, "; without their place in Kafka {n}"),
        }
    }
}
