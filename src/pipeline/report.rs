//! One log line a batch, and the status that live views watch.

use std::collections::BTreeMap;
use std::time::Instant;

use tokio::sync::watch;
use tracing::info;

use super::work::Sealed;
use crate::checkpoint::Manifest;
use crate::commit::Durations;
use crate::model::{Offset, Slot, TopicPartition};
use crate::observe::{Progress, SinkProgress, SourceProgress, Status};
use crate::source::SourceError;

/// Tells the log and the watchers what happens.
#[derive(Debug)]
pub struct Reporter {
    job: String,
    sink: String,
    status: watch::Sender<Status>,
    last: Instant,
}

impl Reporter {
    /// For the job of this name, whose files go to `sink`, a URI.
    pub fn new(job: &str, sink: &str, status: watch::Sender<Status>) -> Reporter {
        let (job, sink) = (job.to_owned(), sink.to_owned());
        Reporter { job, sink, status, last: Instant::now() }
    }

    pub(super) fn reading(&self, positions: &[(TopicPartition, Offset)]) {
        let at: Vec<_> = positions.iter().map(|(tp, o)| format!("{tp}@{o}")).collect();
        info!(positions = ?at, "reading");
        self.status.send_modify(|s| s.reading = true);
    }

    /// Of a bounded run: `read` messages more are read, `left` offsets are still to be read.
    pub(super) fn read_on(&self, read: u64, left: Option<u64>) {
        self.status.send_modify(|s| {
            s.read += read;
            s.left = left;
        });
    }

    pub(super) fn stopped(&self, error: &SourceError) {
        self.status.send_modify(|s| s.stopped.push(error.to_string()));
    }

    /// Why reading is paused, if it is.
    pub(super) fn paused(&self, why: Option<String>) {
        self.status.send_if_modified(|s| std::mem::replace(&mut s.paused, why.clone()) != why);
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

    pub(super) fn landed(
        &mut self,
        slot: Slot,
        manifest: &Manifest,
        durations: Durations,
        lost_slots: u64,
        sealed: &Sealed,
    ) {
        let total = sealed.since.elapsed();
        let per_second = |seconds: f64| {
            let rate = manifest.counts.read as f64 / seconds.max(0.001);
            (rate * 10.0).round() / 10.0
        };
        let ms = |d: std::time::Duration| d.as_millis() as u64;
        let sink = SinkProgress {
            description: format!("Parquet[{}]", self.sink),
            num_output_rows: manifest.files.iter().map(|f| f.rows).sum(),
            num_output_bytes: manifest.files.iter().map(|f| f.bytes).sum(),
            tables: rows(manifest),
        };
        let progress = Progress {
            name: self.job.clone(),
            timestamp: jiff::Timestamp::from_millisecond(manifest.created_ms)
                .map_or_else(|_| String::new(), |t| t.to_string()),
            batch_id: slot.0,
            num_input_rows: manifest.counts.read,
            input_rows_per_second: per_second((sealed.since - self.last).as_secs_f64()),
            processed_rows_per_second: per_second(total.as_secs_f64()),
            duration_ms: [
                ("triggerExecution", ms(total)),
                ("encode", ms(durations.encode)),
                ("stage", ms(durations.stage)),
                ("commit", ms(durations.commit)),
                ("publish", ms(durations.publish)),
            ]
            .into(),
            sources: vec![source(manifest, sealed.bytes)],
            sink,
            accounting: manifest.counts,
            field_errors: sealed.field_errors.iter().map(|e| (format!("{}.{}", e.table, e.column), e.count)).collect(),
            unknown_fields: sealed
                .unknown_fields
                .iter()
                .map(|u| (format!("{}.{}", u.table, u.field), u.count))
                .collect(),
        };
        self.last = sealed.since;
        let json = serde_json::to_string(&progress).unwrap_or_default();
        let rows: Vec<_> = progress.sink.tables.iter().map(|(t, n)| format!("{t} {n}")).collect();
        info!(
            progress = json,
            lost_slots,
            "batch {} landed: {} messages in {} ms; rows: {}",
            slot.0,
            manifest.counts.read,
            total.as_millis(),
            if rows.is_empty() { "none".to_owned() } else { rows.join(", ") }
        );
        self.status.send_modify(|s| update(s, progress));
    }
}

/// By table, over all its partitions.
fn rows(manifest: &Manifest) -> BTreeMap<String, u64> {
    let mut rows = BTreeMap::new();
    manifest.files.iter().for_each(|f| *rows.entry(f.table.clone()).or_default() += f.rows);
    rows
}

fn source(manifest: &Manifest, bytes: u64) -> SourceProgress {
    let mut source =
        SourceProgress { num_input_rows: manifest.counts.read, num_input_bytes: bytes, ..Default::default() };
    for p in &manifest.partitions {
        source.start_offset.entry(p.topic.clone()).or_default().insert(p.p, p.start.0);
        source.end_offset.entry(p.topic.clone()).or_default().insert(p.p, p.end.0);
    }
    let topics: Vec<_> = source.end_offset.keys().cloned().collect();
    source.description = format!("Kafka[{}]", topics.join(","));
    source
}

fn update(s: &mut Status, progress: Progress) {
    s.batches += 1;
    s.messages += progress.num_input_rows;
    for (table, rows) in &progress.sink.tables {
        *s.rows.entry(table.clone()).or_default() += rows;
    }
    s.accounting.add(&progress.accounting);
    s.last = Some(progress);
}
