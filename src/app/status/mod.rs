//! Where a job stands, as anybody can see it from outside: the log on the storage, Kafka's end offsets, the metastore.
//! Only reads, whether daemons run or not; what does not answer is left out, and said.

mod report;
mod text;

use std::collections::BTreeMap;

use super::{App, blocking};
use crate::catalog::{self, PartitionError, Plan, Wanted};
use crate::checkpoint::{LogState, Manifest};
use crate::config::settings::StartingOffsets;
use crate::fault::Fault;
use crate::model::{Offset, Slot, TopicPartition};
use crate::observe::{Service, Time};
use crate::source::{SourceError, watermarks};
pub use report::StatusReport;
use report::{BatchLine, PartitionLine, Registration, TableLine, Trouble};

/// So many slots back the last batch, and the last one of each table, are looked for.
const LOOK_BACK: u64 = 64;
/// Without a batch for so many trigger intervals, messages that wait deserve a word.
const LATE_INTERVALS: u32 = 6;

type Marks = BTreeMap<TopicPartition, (i64, i64)>;

/// What the log says.
#[derive(Debug, Default)]
struct FromLog {
    state: Option<LogState>,
    batches: Vec<(Slot, Manifest)>,
}

impl App {
    /// Looks where the job stands.
    pub async fn status(&self) -> StatusReport {
        let (log, marks, tables) = tokio::join!(self.read_log(), self.read_marks(), self.read_metastore());
        let mut troubles = Vec::new();
        let log_read = log.is_ok();
        let log = log.unwrap_or_else(|e| {
            troubles.push(e);
            FromLog::default()
        });
        let marks = marks.map_err(|e| troubles.push(Trouble::new(Service::Kafka, e.fault(), &e))).ok();
        let (registrations, trouble) = tables;
        // The storage is asked twice, and says the same.
        troubles.extend(trouble.filter(|t| log_read || t.service != Service::Storage));
        let mut report = StatusReport {
            job: self.settings.job.clone(),
            checkpoint: self.storage.uri(&self.settings.storage.checkpoint),
            at: Time::now(),
            log_read,
            begun: log.state.is_some(),
            next_batch: log.state.as_ref().map(|s| s.next().0),
            last_batch: log.batches.first().map(|(slot, manifest)| BatchLine::new(*slot, manifest)),
            partitions: self.partition_lines(&log, marks.as_ref()),
            lag: None,
            tables: self.table_lines(&log, &registrations),
            notes: Vec::new(),
            troubles,
        };
        report.add_up(self.settings.trigger.interval * LATE_INTERVALS);
        report
    }

    async fn read_log(&self) -> Result<FromLog, Trouble> {
        let (log, job) = (self.log(), self.job());
        let read = async {
            let Some(state) = log.peek(&job).await? else { return Ok(FromLog::default()) };
            let batches = log.recent(&state, LOOK_BACK).await?;
            Ok(FromLog { state: Some(state), batches })
        };
        read.await.map_err(|e| {
            let e = self.reached(e);
            Trouble::new(Service::Storage, e.fault(), &e)
        })
    }

    async fn read_marks(&self) -> Result<Marks, SourceError> {
        let (kafka, topics) = (self.kafka(), self.settings.kafka.topics.clone());
        blocking(move || watermarks(&kafka, &topics)).await
    }

    /// By table, in the order of the migrations; what failed, if anything did.
    async fn read_metastore(&self) -> (Vec<Registration>, Option<Trouble>) {
        let wanted = self.wanted();
        let unknown = |none: Registration| vec![none; wanted.len()];
        let Some(catalog) = &self.catalog else { return (unknown(Registration::NotOurs), None) };
        let mut plans = match catalog::look(catalog.as_ref(), &wanted).await {
            Ok(plans) => plans.into_iter().map(Registration::of).collect::<Vec<_>>(),
            Err(e) => return (unknown(Registration::Unknown), Some(Trouble::new(Service::Metastore, e.fault(), &e))),
        };
        for (registration, wanted) in plans.iter_mut().zip(&wanted) {
            match self.partitions_missing(wanted, registration).await {
                Ok(missing) if missing.is_empty() => {}
                Ok(missing) => *registration = Registration::PartitionsMissing(missing),
                Err(e) => {
                    *registration = Registration::Unknown;
                    let (service, fault) = match &e {
                        PartitionError::Catalog(e) => (Service::Metastore, e.fault()),
                        PartitionError::Storage(e) => (Service::Storage, e.fault()),
                        PartitionError::Lost(_) => (Service::Metastore, Fault::Retry),
                    };
                    return (plans, Some(Trouble::new(service, fault, &e)));
                }
            }
        }
        (plans, None)
    }

    async fn partitions_missing(
        &self,
        wanted: &Wanted,
        registration: &Registration,
    ) -> Result<Vec<String>, PartitionError> {
        match (&self.catalog, registration) {
            (Some(catalog), Registration::Registered) => {
                catalog::unregistered(catalog.as_ref(), self.storage.as_ref(), wanted).await
            }
            _ => Ok(Vec::new()),
        }
    }

    fn partition_lines(&self, log: &FromLog, marks: Option<&Marks>) -> Vec<PartitionLine> {
        let committed = |tp: &TopicPartition| log.state.as_ref().and_then(|s| s.end(tp));
        let mut all: Vec<TopicPartition> = marks.into_iter().flat_map(|m| m.keys().cloned()).collect();
        let known = log.state.iter().flat_map(|s| s.ends().map(|(tp, _)| tp.clone()));
        all.extend(known.filter(|tp| marks.is_none_or(|m| !m.contains_key(tp))));
        all.sort();
        // Before the first start the position is what the configuration says.
        let latest = log.state.is_none() && self.settings.kafka.starting_offsets == StartingOffsets::Latest;
        let lines = all.into_iter().map(|tp| {
            let (committed, marks) = (committed(&tp), marks.and_then(|m| m.get(&tp)).copied());
            PartitionLine::new(tp, committed, marks, latest)
        });
        lines.collect()
    }

    fn table_lines(&self, log: &FromLog, registrations: &[Registration]) -> Vec<TableLine> {
        let wanted = self.wanted();
        let lines = wanted.iter().zip(registrations).map(|(wanted, registration)| {
            let name = &wanted.table.name;
            let total = log.state.as_ref().map(|s| s.totals().get(name).copied().unwrap_or_default());
            let last = log.batches.iter().find(|(_, m)| m.files.iter().any(|f| f.table == *name && f.rows > 0));
            let last_landed = last.and_then(|(_, m)| Time::of_ms(m.created_ms));
            TableLine { table: wanted.full_name(), total, last_landed, registration: registration.clone() }
        });
        lines.collect()
    }
}

impl Registration {
    fn of(plan: Plan) -> Registration {
        match plan {
            Plan::UpToDate => Registration::Registered,
            Plan::Create => Registration::Missing,
            Plan::Alter(change) if change.columns.is_empty() => Registration::Registered,
            Plan::Alter(change) => Registration::ColumnsMissing(change.columns.into_iter().map(|(c, _)| c).collect()),
            refused @ Plan::Newer(_) => Registration::Newer(refused.refusals()),
            refused @ Plan::Differs(_) => Registration::Differs(refused.refusals()),
        }
    }
}

impl PartitionLine {
    /// `marks`: offset of the oldest message and the one after the newest. `latest`: a partition that was never read
    /// begins at its end.
    fn new(tp: TopicPartition, committed: Option<Offset>, marks: Option<(i64, i64)>, latest: bool) -> PartitionLine {
        let mut line = PartitionLine {
            topic: tp.topic.to_string(),
            partition: tp.partition,
            committed: committed.map(|o| o.0),
            end: marks.map(|(_, high)| high),
            lag: None,
            note: None,
        };
        let Some((low, high)) = marks else { return line };
        let from = committed.map_or(if latest { high } else { low }, |o| o.0);
        line.lag = Some(u64::try_from(high - from.max(low)).unwrap_or(0));
        line.note = if from > high {
            Some(format!(
                "the log goes on at offset {from}, Kafka ends at {high}: the topic was made anew or cut, and the partition \
                 is stopped; see landfall accept-topic --help"
            ))
        } else if from < low {
            Some(format!(
                "offsets {from} to {} are gone from Kafka, and the partition is stopped unless kafka.on_gap = \"record\"; see \
                 landfall accept-gap --help",
                low - 1
            ))
        } else {
            None
        };
        line
    }
}

impl Trouble {
    fn new(service: Service, fault: Fault, e: &impl std::fmt::Display) -> Trouble {
        Trouble { service, fault, says: e.to_string() }
    }
}
