//! What `status` found, for people and for scripts.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::checkpoint::{Manifest, TableTotal};
use crate::fault::Fault;
use crate::model::Slot;
use crate::observe::{Service, Time, human};

/// Where a job stands.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusReport {
    /// The job.
    pub job: String,
    /// URI of its checkpoint.
    pub checkpoint: String,
    /// When it was looked.
    pub at: Time,
    /// Whether the log could be read; if not, nothing of what follows comes from it.
    pub log_read: bool,
    /// Whether the job has ever started.
    pub begun: bool,
    /// The slot that the next batch goes for.
    pub next_batch: Option<u64>,
    /// The last batch, if it is not long ago.
    pub last_batch: Option<BatchLine>,
    /// Every partition of the topics, and those that the log knows.
    pub partitions: Vec<PartitionLine>,
    /// Offsets that are still to be landed, of all partitions; `None`: Kafka or the log did not say.
    pub lag: Option<u64>,
    /// In the order of the migrations.
    pub tables: Vec<TableLine>,
    /// What somebody may want to look at.
    pub notes: Vec<String>,
    /// What could not be asked.
    pub troubles: Vec<Trouble>,
}

/// A landed batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchLine {
    /// Number: its slot in the log.
    pub batch_id: u64,
    /// When it was sealed.
    pub timestamp: Option<Time>,
    /// Who landed it: host, process and incarnation.
    pub instance: String,
    /// Messages read.
    pub num_input_rows: u64,
    /// Rows by table.
    pub tables: BTreeMap<String, u64>,
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub num_output_bytes: u64,
}

impl BatchLine {
    pub(super) fn new(slot: Slot, manifest: &Manifest) -> BatchLine {
        let mut tables = BTreeMap::new();
        manifest.files.iter().for_each(|f| *tables.entry(f.table.clone()).or_default() += f.rows);
        BatchLine {
            batch_id: slot.0,
            timestamp: Time::of_ms(manifest.created_ms),
            instance: manifest.instance.clone(),
            num_input_rows: manifest.messages(),
            tables,
            files: manifest.files.len() as u64,
            num_output_bytes: manifest.files.iter().map(|f| f.bytes).sum(),
        }
    }
}

/// A partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PartitionLine {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// The offset after the last landed one; `None`: nothing has landed, or the log could not be read.
    pub committed: Option<i64>,
    /// The offset after the newest message; `None`: Kafka did not say, or the partition is gone.
    pub end: Option<i64>,
    /// Offsets that are still to be landed.
    pub lag: Option<u64>,
    /// What is wrong with it.
    pub note: Option<String>,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TableLine {
    /// `database.table`.
    pub table: String,
    /// What it got since the job began.
    pub total: Option<TableTotal>,
    /// When it last got rows, if it is not long ago.
    pub last_landed: Option<Time>,
    /// How it stands with the metastore.
    pub registration: Registration,
}

/// How a table stands with the metastore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "state", content = "what")]
pub enum Registration {
    /// As declared.
    Registered,
    /// It is not there: no query finds it.
    Missing,
    /// These columns are not there yet.
    ColumnsMissing(Vec<String>),
    /// These partitions are landed and not there: no query finds their rows.
    PartitionsMissing(Vec<String>),
    /// A newer configuration has changed it.
    Newer(Vec<String>),
    /// It is another one: a person must act.
    Differs(Vec<String>),
    /// No metastore is configured.
    NotOurs,
    /// The metastore did not answer.
    Unknown,
}

/// Something could not be asked.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Trouble {
    /// Who was asked.
    pub service: Service,
    /// Whose fault it is.
    #[serde(skip)]
    pub fault: Fault,
    /// What happened.
    pub says: String,
}

impl StatusReport {
    /// What the command ends with: a configuration fault goes before a service that is away. `None`: all was answered.
    pub fn fault(&self) -> Option<Fault> {
        let faults = || self.troubles.iter().map(|t| t.fault);
        faults().find(|f| *f != Fault::Retry).or_else(|| faults().next())
    }

    /// What follows from the rest. `late`: messages that wait for so long without a batch deserve a word.
    pub(super) fn add_up(&mut self, late: Duration) {
        let lags: Option<Vec<u64>> = self.partitions.iter().map(|p| p.lag).collect();
        self.lag = lags.filter(|l| self.log_read && !l.is_empty()).map(|l| l.iter().sum());
        if self.log_read && !self.begun {
            self.notes.push("the job has never started: there is no log in its checkpoint yet".to_owned());
        }
        self.notes.extend(self.late(late));
        for p in &self.partitions {
            let at = |note: &String| format!("{}[{}]: {note}", p.topic, p.partition);
            self.notes.extend(p.note.iter().map(at));
        }
        // Nobody expects the tables of a job that has never started.
        let new = self.log_read && !self.begun;
        for table in self.tables.iter().filter(|t| !(new && t.registration == Registration::Missing)) {
            self.notes.extend(table.registration.advice().map(|advice| format!("{}: {advice}", table.table)));
        }
    }

    fn late(&self, late: Duration) -> Option<String> {
        let (lag, last) = (self.lag.filter(|lag| *lag > 0)?, self.last_batch.as_ref()?.timestamp?);
        let quiet = last.age(self.at).as_secs();
        let waiting = human::of(lag, "offset");
        (quiet > late.as_secs()).then(|| {
            format!(
                "{waiting} wait, and no batch has landed for {}: is a daemon running? Its log and its status page say more",
                human::seconds(quiet)
            )
        })
    }
}

impl Registration {
    /// What is to be done, where anything is.
    fn advice(&self) -> Option<String> {
        Some(match self {
            Registration::Registered | Registration::NotOurs | Registration::Unknown => return None,
            Registration::Missing => {
                "not in the metastore, so no query finds it: a running daemon registers it within 5 minutes".to_owned()
            }
            Registration::ColumnsMissing(columns) => {
                format!("the metastore lacks {}: a running daemon adds them within 5 minutes", columns.join(", "))
            }
            Registration::PartitionsMissing(names) => format!(
                "{} landed and not in the metastore, from {} on: a running daemon registers them within 5 minutes",
                human::of(names.len() as u64, "partition"),
                names.first().map_or("", String::as_str)
            ),
            Registration::Newer(what) | Registration::Differs(what) => what.join("; "),
        })
    }
}
