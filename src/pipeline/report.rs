//! Tells the log, the status and the metrics what happens.

use std::time::{Duration, Instant};

use tokio::sync::watch;
use tracing::info;

use super::record;
use super::standing::Standing;
use super::work::{Sealed, Spent};
use crate::batch::SealedBatch;
use crate::checkpoint::Manifest;
use crate::commit::Durations;
use crate::decode::Reason;
use crate::model::{Chunk, Offset, Slot, TopicPartition};
use crate::observe::metrics::table;
use crate::observe::{DeadLetters, LetterSample, MemoryStatus, Metrics, PartitionState, Phase, Progress, Status, Time};
use crate::source::{Assignment, SourceError, Start, View};

/// How often the status and the metrics are looked after while nothing happens.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Tells the log, the watchers and Prometheus what happens.
#[derive(Debug)]
pub struct Reporter {
    job: String,
    sink: String,
    status: watch::Sender<Status>,
    metrics: Metrics,
    standing: Standing,
    /// When the batch before was sealed.
    last: Instant,
    looked: Instant,
    /// What was done for what was read and is not sealed.
    spent: Spent,
    /// Since when the batch that commits was read.
    committing: Option<Time>,
}

/// What the pipeline sees of itself, every second.
pub(super) struct Sight {
    pub view: View,
    pub held: u64,
    pub max: u64,
    pub full: bool,
    /// Why reading is paused, but for a source that is not read: the cause and the reason.
    pub paused: Option<String>,
    pub stopping: bool,
    /// How long the open batch has been open, if something is in it.
    pub open: Option<Duration>,
}

impl Reporter {
    /// For the job of this name, whose files go to `sink`, a URI.
    pub fn new(job: &str, sink: &str, status: watch::Sender<Status>, metrics: Metrics) -> Reporter {
        for reason in Reason::ALL {
            metrics.count(&table::DEAD_LETTERS, &[reason.as_str()], 0);
        }
        let (job, sink, last) = (job.to_owned(), sink.to_owned(), Instant::now());
        Reporter {
            job,
            sink,
            status,
            metrics,
            standing: Standing::default(),
            last,
            looked: last,
            spent: Spent::default(),
            committing: None,
        }
    }

    pub(super) fn assigned(&mut self, partitions: &[TopicPartition]) {
        self.metrics.count(&table::REBALANCES, &[], 1);
        self.standing.assigned(partitions);
        self.status.send_modify(|s| s.stopped.clear());
    }

    pub(super) fn revoked(&mut self) {
        self.standing.assigned(&[]);
    }

    pub(super) fn ordered(&mut self, assignment: &Assignment) {
        let landed = |start: &Start| match start {
            Start::At { offset, .. } => Some(*offset),
            Start::Oldest => None,
        };
        self.standing.ordered(assignment.starts.iter().map(|(tp, start)| (tp, landed(start))));
    }

    pub(super) fn reading(&mut self, positions: &[(TopicPartition, Offset)]) {
        let at: Vec<_> = positions.iter().map(|(tp, o)| format!("{tp}@{o}")).collect();
        info!(positions = ?at, "reading");
        self.standing.reading(positions);
        self.status.send_modify(|s| s.reading = true);
    }

    pub(super) fn read(&mut self, chunk: &Chunk) {
        self.spent.poll += chunk.poll;
        self.standing.read(chunk, Time::now());
    }

    pub(super) fn end_reached(&mut self, partition: i32) {
        self.standing.drained(partition);
    }

    /// A unit was decoded in this time.
    pub(super) fn decoded(&mut self, piece: &SealedBatch, took: Duration) {
        self.spent.decode += took;
        for p in &piece.partitions {
            self.metrics.count(&table::READ, &[&p.partition.topic], p.records);
            self.metrics.count(&table::READ_BYTES, &[&p.partition.topic], p.bytes);
        }
    }

    /// Of a bounded run: `read` messages more are read, `left` offsets are still to be read.
    pub(super) fn read_on(&self, read: u64, left: Option<u64>) {
        self.status.send_modify(|s| {
            s.read += read;
            s.left = left;
        });
    }

    /// The batch that was open for so long is sealed; what was spent on it.
    pub(super) fn sealed(&mut self, open: Duration) -> Spent {
        self.committing = Some(before(open));
        std::mem::take(&mut self.spent)
    }

    /// What was read and not landed is dropped.
    pub(super) fn forgot(&mut self) {
        self.spent = Spent::default();
    }

    pub(super) fn superseded(&mut self) {
        self.committing = None;
        self.metrics.count(&table::SUPERSEDED, &[], 1);
    }

    pub(super) fn stopped(&mut self, error: &SourceError) {
        if let Some((tp, _)) = error.stopped() {
            self.standing.stopped(tp, Time::now(), error.to_string(), error.command());
        }
        self.status.send_modify(|s| s.stopped.push(error.to_string()));
    }

    /// What Kafka refuses, if it does.
    pub(super) fn denied(&self, why: Option<SourceError>) {
        let why = why.map(|e| e.to_string());
        self.status.send_if_modified(|s| std::mem::replace(&mut s.denied, why.clone()) != why);
    }

    pub(super) fn revived(&self, partitions: &[TopicPartition]) {
        let of = |text: &str| partitions.iter().any(|tp| text.starts_with(&format!("{tp}:")));
        self.status.send_modify(|s| s.stopped.retain(|text| !of(text)));
    }

    /// When [`Reporter::look`] is due.
    pub(super) fn due(&self) -> Instant {
        self.looked + LOOK_EVERY
    }

    /// Brings the status up to date.
    pub(super) fn look(&mut self, sight: Sight) {
        let now = Time::now();
        let full = format!("{} of {} bytes are held: what is read waits to be landed", sight.held, sight.max);
        let paused = match &sight.paused {
            Some(why) => Some((table::CAUSES[1], why.as_str())),
            None => sight.view.paused.then_some((table::CAUSES[0], full.as_str())),
        };
        let partitions = self.standing.look(&sight.view, paused, now);
        let since = self.looked;
        self.looked = Instant::now();
        let committing = self.committing;
        let metrics = &self.metrics;
        self.status.send_modify(|s| {
            let before = cause(s);
            s.moved = Some(now);
            s.partitions = partitions;
            s.paused = sight.paused.clone();
            if sight.stopping {
                s.phase = Phase::Stopping;
            }
            s.landing_since = committing.or_else(|| sight.open.map(self::before));
            let full_since = s.memory.full_since.or(Some(now)).filter(|_| sight.full);
            s.memory = MemoryStatus { held_bytes: sight.held, max_bytes: sight.max, full_since };
            if let Some(cause) = cause(s) {
                if before != Some(cause) {
                    metrics.count(&table::PAUSES, &[cause], 1);
                } else {
                    metrics.seconds(&table::PAUSED, &[cause], since.elapsed());
                }
            }
        });
    }

    pub(super) fn landed(
        &mut self,
        slot: Slot,
        manifest: &Manifest,
        durations: Durations,
        lost_slots: u64,
        sealed: &Sealed,
    ) {
        self.committing = None;
        for p in &manifest.partitions {
            self.standing.landed(&p.partition(), p.end);
        }
        let took = record::took(sealed, durations);
        let since_last = sealed.since - std::mem::replace(&mut self.last, sealed.since);
        let run = record::Run { job: &self.job, sink: &self.sink, since_last };
        let progress = record::progress(&run, slot, manifest, sealed, &took, |tp| self.standing.end(tp));
        self.count(manifest, lost_slots, sealed, &took);
        let json = serde_json::to_string(&progress).unwrap_or_default();
        let rows: Vec<_> = progress.sink.tables.iter().map(|(t, n)| format!("{t} {n}")).collect();
        info!(
            progress = json,
            lost_slots,
            "batch {} landed: {} messages in {} ms; rows: {}",
            slot.0,
            manifest.counts.read,
            took.whole.as_millis(),
            if rows.is_empty() { "none".to_owned() } else { rows.join(", ") }
        );
        self.status.send_modify(|s| update(s, progress, manifest, sealed));
    }

    fn count(&self, manifest: &Manifest, lost_slots: u64, sealed: &Sealed, took: &record::Took) {
        let m = &self.metrics;
        m.count(&table::BATCHES, &[], 1);
        let c = &manifest.counts;
        for (outcome, n) in table::OUTCOMES.iter().zip([c.events, c.dead_letters, c.dropped, c.unrouted, c.tombstones])
        {
            m.count(&table::LANDED, &[outcome], n);
        }
        for file in &manifest.files {
            m.count(&table::TABLE_ROWS, &[&file.table], file.rows);
            m.count(&table::TABLE_BYTES, &[&file.table], file.bytes);
            m.count(&table::TABLE_FILES, &[&file.table], 1);
        }
        sealed.letters.counts().for_each(|(reason, n)| m.count(&table::DEAD_LETTERS, &[reason.as_str()], n));
        sealed.field_errors.iter().for_each(|e| m.count(&table::FIELD_ERRORS, &[&e.table, &e.column], e.count));
        sealed.unknown_fields.iter().for_each(|u| m.count(&table::UNKNOWN_FIELDS, &[&u.table], u.count));
        m.count(&table::LOST_SLOTS, &[], lost_slots);
        m.count(&table::REBASED, &[], u64::from(lost_slots > 0));
        m.seconds(&table::TRIGGER, &[], took.whole);
        took.phases().iter().for_each(|(phase, time)| m.seconds(&table::PHASES, &[phase], *time));
    }
}

/// The cause of a pause that the status tells.
fn cause(s: &Status) -> Option<&'static str> {
    s.partitions.iter().find_map(|p| match p.state {
        PartitionState::Paused { cause, .. } => Some(cause),
        _ => None,
    })
}

/// When it was, so long ago.
fn before(ago: Duration) -> Time {
    let now = Time::now();
    let ms = i64::try_from(ago.as_millis()).unwrap_or(i64::MAX);
    Time::of_ms(now.ms().saturating_sub(ms)).unwrap_or(now)
}

fn update(s: &mut Status, progress: Progress, manifest: &Manifest, sealed: &Sealed) {
    let time = Time::now();
    for file in &manifest.files {
        let table = s.table(&file.table);
        table.rows += file.rows;
        table.bytes += file.bytes;
        table.files += 1;
    }
    keep_letters(&mut s.dead_letters, sealed, time);
    s.landed(progress, time);
}

fn keep_letters(letters: &mut DeadLetters, sealed: &Sealed, time: Time) {
    sealed.letters.counts().for_each(|(reason, n)| letters.count(reason.as_str(), n));
    for l in &sealed.letters.samples {
        letters.keep(LetterSample {
            time,
            timestamp: l.timestamp_ms.and_then(Time::of_ms),
            topic: l.partition.topic.to_string(),
            partition: l.partition.partition,
            offset: l.offset,
            reason: l.reject.reason.as_str(),
            detail: l.reject.detail.clone(),
            message: l.beginning.clone(),
        });
    }
}
