//! Dead letters, as their table holds them: listed, and sent through today's tables once more.
//!
//! Their rows stay as they are, for ever. Which of them were landed after all stands in the log.

mod list;
mod replay;
mod select;

use std::sync::Arc;

use bytes::Bytes;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use tokio::sync::watch;

pub use list::{Group, Listing, Sample};
pub use replay::{Replay, ReplayReport, Target};
pub use select::{Selection, Since};

use super::PipelineError;
use crate::batch::{Plan, Source, limits};
use crate::checkpoint::{LogState, topic_of_row};
use crate::decode::Reason;
use crate::encode::ReadBackError;
use crate::encode::letters::{self, Letter, LetterColumns, Time};
use crate::fault::Fault;
use crate::model::{Slot, TopicPartition};
use crate::storage::{Storage, StorageError};

/// How far a command is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Files of the dead-letter table that are done.
    pub done: u64,
    /// How many there are.
    pub total: u64,
    /// Dead letters landed so far.
    pub replayed: u64,
}

/// Dead letters cannot be read, or landed.
#[derive(Debug, thiserror::Error)]
pub enum LettersError {
    /// The storage does not answer.
    #[error("dead letters: {0}")]
    Storage(#[from] StorageError),
    /// A file of the table cannot be read.
    #[error("{path}: {source}; landfall verify --deep says more")]
    File {
        /// Its path.
        path: String,
        /// What is wrong.
        source: ReadBackError,
    },
    /// They cannot be landed.
    #[error("{0}")]
    Pipeline(#[from] PipelineError),
    /// The table does not say enough.
    #[error("{0}")]
    Config(String),
}

impl LettersError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            LettersError::Storage(e) => match e.fault() {
                Fault::Retry => Fault::Retry,
                _ => Fault::Config,
            },
            LettersError::File { source, .. } => source.fault(),
            LettersError::Pipeline(e) => e.fault(),
            LettersError::Config(_) => Fault::Config,
        }
    }
}

/// The dead-letter table on the storage.
#[derive(Debug, Clone)]
pub struct Letters {
    storage: Arc<dyn Storage>,
    dir: String,
    columns: LetterColumns,
    zone: TimeZone,
}

/// A message of it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Message {
    reason: String,
    detail: String,
    bytes: Option<Bytes>,
    key: Option<Bytes>,
    place: Option<Place>,
    timestamp_ms: Option<i64>,
}

/// Where it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    partition: TopicPartition,
    incarnation: u32,
    offset: i64,
}

impl Place {
    fn is_replayed(&self, state: &LogState) -> bool {
        let TopicPartition { topic, partition } = &self.partition;
        state.replayed().contains(topic, self.incarnation, *partition, self.offset)
    }
}

/// A file of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
struct LetterFile {
    slot: Slot,
    path: String,
}

impl Letters {
    /// The dead-letter table of a plan whose tables have these directories.
    pub fn new(plan: &Plan, locations: &[String], storage: Arc<dyn Storage>) -> Result<Letters, LettersError> {
        let at = plan.dead_letters.ok_or_else(|| {
            let table = &plan.messages.dead_letter_table;
            LettersError::Config(format!(
                "there is no table {table}: messages.dead_letter_table names the dead letters'"
            ))
        })?;
        let table = &plan.tables[at];
        let names = || table.table.columns.iter().map(|c| &c.physical_name).zip(&table.sources);
        let of = |source: Source| names().find(|(_, s)| **s == source).map(|(name, _)| name.clone());
        let columns = LetterColumns {
            reason: of(Source::Reason),
            detail: of(Source::Detail),
            bytes: names().find(|(name, _)| *name == "raw_bytes").map(|(name, _)| name.clone()),
            key: of(Source::Key),
            topic: of(Source::Topic),
            partition: of(Source::Partition),
            offset: of(Source::Offset),
            timestamp: of(Source::Timestamp),
        };
        Ok(Letters { storage, dir: locations[at].clone(), columns, zone: plan.zone.clone() })
    }

    /// The table must say where each message was read: what was landed already is known by that.
    fn check_places(&self) -> Result<(), LettersError> {
        let LetterColumns { topic, partition, offset, .. } = &self.columns;
        let columns = [(topic, "kafka_topic"), (partition, "kafka_partition"), (offset, "kafka_offset")];
        let missing: Vec<_> = columns.into_iter().filter(|(c, _)| c.is_none()).map(|(_, name)| name).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let columns = missing.join(", ");
        Err(LettersError::Config(format!(
            "the dead-letter table has no column {columns}: without it nothing tells which dead letters were landed \
             already, so none can be replayed"
        )))
    }

    /// Its files, in the order of their batches. What is not of the log is not looked at.
    async fn files(&self, selection: &Selection) -> Result<Vec<LetterFile>, LettersError> {
        let entries = match self.storage.list(&self.dir).await {
            Err(StorageError::NotFound { .. }) => Vec::new(),
            entries => entries?,
        };
        let file = |e: &crate::storage::Entry| {
            let (slot, _, _) = crate::checkpoint::Layout::parse_table_file_name(&e.name)?;
            let path = format!("{}/{}", self.dir, e.name);
            selection.takes_file(slot, e.modified_ms).then_some(LetterFile { slot, path })
        };
        Ok(entries.iter().filter(|e| !e.is_dir).filter_map(file).collect())
    }

    /// Folds the messages of a file that are wanted into `so_far`.
    async fn fold<T: Send + 'static>(
        &self,
        file: &LetterFile,
        selection: &Selection,
        mut so_far: T,
        mut each: impl FnMut(&mut T, Message) + Send + 'static,
    ) -> Result<T, LettersError> {
        let bytes = self.storage.read(&file.path).await?;
        let (columns, zone, selection) = (self.columns.clone(), self.zone.clone(), selection.clone());
        let read = tokio::task::spawn_blocking(move || {
            let read = letters::read(bytes, &columns, |letter| {
                if selection.takes(&letter) {
                    each(&mut so_far, Message::of(&letter, &zone));
                }
            });
            read.map(|()| so_far)
        });
        // Not cancelled; a panic in it is a bug that must not be swallowed.
        let read = read.await.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()));
        read.map_err(|source| LettersError::File { path: self.storage.uri(&file.path), source })
    }
}

fn tell(progress: &watch::Sender<Progress>, change: impl FnOnce(&mut Progress)) {
    progress.send_modify(change);
}

impl Message {
    fn of(letter: &Letter<'_>, zone: &TimeZone) -> Message {
        let place = || {
            let (topic, incarnation) = topic_of_row(letter.topic?);
            let partition = TopicPartition::new(topic, i32::try_from(letter.partition?).ok()?);
            Some(Place { partition, incarnation, offset: letter.offset? })
        };
        Message {
            reason: letter.reason.unwrap_or_default().to_owned(),
            detail: letter.detail.unwrap_or_default().to_owned(),
            bytes: letter.bytes.map(Bytes::copy_from_slice),
            key: letter.key.map(Bytes::copy_from_slice),
            place: place(),
            timestamp_ms: letter.timestamp.and_then(|time| millis(time, zone)),
        }
    }

    /// Whether the table has all of it. Of a message that was too large it may have the beginning only.
    fn is_whole(&self) -> bool {
        let cut = |bytes: &Bytes| self.reason == Reason::TooLarge.as_str() && bytes.len() >= limits::KEPT_OF_TOO_LARGE;
        self.bytes.as_ref().is_some_and(|bytes| !cut(bytes))
    }
}

fn millis(time: Time<'_>, zone: &TimeZone) -> Option<i64> {
    match time {
        Time::Millis(ms) => Some(ms),
        // Within the hour that a zone has twice, the first one.
        Time::Text(text) => {
            let civil: DateTime = text.parse().ok()?;
            Some(zone.to_ambiguous_zoned(civil).compatible().ok()?.timestamp().as_millisecond())
        }
    }
}
