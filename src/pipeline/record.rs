//! The progress record of a batch.

use std::collections::BTreeMap;
use std::time::Duration;

use super::work::Sealed;
use crate::checkpoint::Manifest;
use crate::commit::Durations;
use crate::model::{Slot, TopicPartition};
use crate::observe::{Progress, SinkProgress, SourceProgress};

/// What the records of a run have in common.
pub(super) struct Run<'r> {
    pub job: &'r str,
    /// Where the files go.
    pub sink: &'r str,
    /// Between this batch's sealing and that of the one before.
    pub since_last: Duration,
}

/// How long a batch took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Took {
    /// From its sealing until it was landed.
    pub whole: Duration,
    poll: Duration,
    decode: Duration,
    encode: Duration,
    commit: Durations,
}

impl Took {
    /// By phase. The first three are working time of threads, and most of it was spent before the sealing.
    pub(super) fn phases(&self) -> [(&'static str, Duration); 6] {
        let c = &self.commit;
        [
            ("poll", self.poll),
            ("decode", self.decode),
            ("encode", self.encode),
            ("stage", c.stage),
            ("commit", c.commit),
            ("publish", c.publish),
        ]
    }
}

pub(super) fn took(sealed: &Sealed, commit: Durations) -> Took {
    let (poll, decode) = (sealed.spent.poll, sealed.spent.decode);
    Took { whole: sealed.since.elapsed(), poll, decode, encode: sealed.batch.content.worked(), commit }
}

/// `end` is where a partition ends, as far as anybody knows.
pub(super) fn progress(
    run: &Run<'_>,
    slot: Slot,
    manifest: &Manifest,
    sealed: &Sealed,
    took: &Took,
    end: impl Fn(&TopicPartition) -> Option<i64>,
) -> Progress {
    let per_second = |seconds: f64| {
        let rate = manifest.counts.read as f64 / seconds.max(0.001);
        (rate * 10.0).round() / 10.0
    };
    let ms = |d: Duration| d.as_millis() as u64;
    let input = per_second(run.since_last.as_secs_f64());
    let processed = per_second(took.whole.as_secs_f64());
    let mut duration_ms: BTreeMap<_, _> = took.phases().iter().map(|(phase, time)| (*phase, ms(*time))).collect();
    duration_ms.insert("triggerExecution", ms(took.whole));
    let sink = SinkProgress {
        description: format!("Parquet[{}]", run.sink),
        num_output_rows: manifest.files.iter().map(|f| f.rows).sum(),
        num_output_bytes: manifest.files.iter().map(|f| f.bytes).sum(),
        tables: rows(manifest),
    };
    let mut source = source(manifest, sealed.bytes, end);
    (source.input_rows_per_second, source.processed_rows_per_second) = (input, processed);
    Progress {
        id: manifest.job_id.to_string(),
        run_id: manifest.instance.rsplit('/').next().unwrap_or_default().to_owned(),
        name: run.job.to_owned(),
        timestamp: jiff::Timestamp::from_millisecond(manifest.created_ms)
            .map_or_else(|_| String::new(), |t| t.to_string()),
        batch_id: slot.0,
        batch_duration: ms(took.whole),
        num_input_rows: manifest.counts.read,
        input_rows_per_second: input,
        processed_rows_per_second: processed,
        duration_ms,
        sources: vec![source],
        sink,
        accounting: manifest.counts,
        field_errors: sealed.field_errors.iter().map(|e| (format!("{}.{}", e.table, e.column), e.count)).collect(),
        unknown_fields: sealed.unknown_fields.iter().map(|u| (format!("{}.{}", u.table, u.field), u.count)).collect(),
    }
}

/// By table, over all its partitions.
fn rows(manifest: &Manifest) -> BTreeMap<String, u64> {
    let mut rows = BTreeMap::new();
    manifest.files.iter().for_each(|f| *rows.entry(f.table.clone()).or_default() += f.rows);
    rows
}

fn source(manifest: &Manifest, bytes: u64, end: impl Fn(&TopicPartition) -> Option<i64>) -> SourceProgress {
    let mut source =
        SourceProgress { num_input_rows: manifest.counts.read, num_input_bytes: bytes, ..Default::default() };
    let mut behind: Vec<i64> = Vec::new();
    for p in &manifest.partitions {
        let latest = end(&p.partition()).unwrap_or(p.end.0).max(p.end.0);
        behind.push(latest - p.end.0);
        let enter = |offsets: &mut BTreeMap<String, BTreeMap<i32, i64>>, offset| {
            offsets.entry(p.topic.clone()).or_default().insert(p.p, offset);
        };
        enter(&mut source.start_offset, p.start.0);
        enter(&mut source.end_offset, p.end.0);
        enter(&mut source.latest_offset, latest);
    }
    let topics: Vec<_> = source.end_offset.keys().cloned().collect();
    source.description = format!("Kafka[{}]", topics.join(","));
    if let (Some(min), Some(max)) = (behind.iter().min(), behind.iter().max()) {
        let avg = behind.iter().sum::<i64>() as f64 / behind.len() as f64;
        source.metrics = [
            ("avgOffsetsBehindLatest", format!("{avg:.1}")),
            ("maxOffsetsBehindLatest", max.to_string()),
            ("minOffsetsBehindLatest", min.to_string()),
        ]
        .into();
    }
    source
}
