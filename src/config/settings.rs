//! The settings that the rest of landfall works with.

use std::collections::BTreeMap;
use std::fmt;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;
use std::time::Duration;

use regex::Regex;

pub use super::listen::Http;
use super::secret::Properties;

/// One job: topics in, tables out, one checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// `job`: its name, in file footers, owner files and the consumer group's name. Default `landfall`.
    pub job: String,
    /// `migrations`: folder of `NNNN_name.sql` files. Default `migrations`.
    pub migrations: PathBuf,
    /// `timestamp_zone`: IANA name of the zone in which a Kafka timestamp becomes text, and of texts that become
    /// timestamps and name no zone. Default `UTC`.
    pub timestamp_zone: String,
    /// `[kafka]`
    pub kafka: Kafka,
    /// `[trigger]`
    pub trigger: Trigger,
    /// `[memory]`
    pub memory: Memory,
    /// `[storage]`
    pub storage: Storage,
    /// `[log]`.
    pub log: Log,
    /// `[http]`
    pub http: Http,
    /// `[metastore]`; `None` when `metastore.uri` is empty: then tables are registered by somebody else.
    pub metastore: Option<Metastore>,
    /// `[messages]`
    pub messages: Messages,
    /// `logging.level`: as in `RUST_LOG`, which goes before it. Default `info`.
    pub log_level: String,
    /// `reload.watch`: whether files that change are read again. Default false.
    pub watch_files: bool,
    /// `shutdown.timeout`: how long a stop may take to land what was read. Default 25 s.
    pub stop_within: Duration,
    /// `[tables.NAME]` by lower-case name; without `tables."*"`, whose columns are in [`Settings::any_table`].
    pub tables: BTreeMap<String, TableSettings>,
    /// `[tables."*"].columns`: sources of the columns of these names in every table, unless the table says otherwise.
    pub any_table: BTreeMap<String, ColumnSource>,
}

/// `[kafka]`. Printed with `{:?}` it hides the values of secret properties.
#[derive(Clone, PartialEq)]
pub struct Kafka {
    /// `bootstrap_servers`: `host:port`, comma-separated. Default `localhost:9092`.
    pub bootstrap_servers: String,
    /// `topics`, at least one. Default `["events"]`.
    pub topics: Vec<String>,
    /// `group_id`. Default `landfall-<job>`.
    pub group_id: String,
    /// `starting_offsets`: only for the first start ever. Default `earliest`.
    pub starting_offsets: StartingOffsets,
    /// `on_gap = "record"`: messages that retention took are skipped, with a record in the log. Default: they stop their
    /// partition.
    pub record_gaps: bool,
    /// `connect_timeout`: how long a start waits for the brokers. Default 30 s.
    pub connect_timeout: Duration,
    /// `properties`: any librdkafka property but those that landfall owns.
    pub properties: BTreeMap<String, String>,
}

impl fmt::Debug for Kafka {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Kafka { bootstrap_servers, topics, group_id, starting_offsets, record_gaps, connect_timeout, properties } =
            self;
        f.debug_struct("Kafka")
            .field("bootstrap_servers", bootstrap_servers)
            .field("topics", topics)
            .field("group_id", group_id)
            .field("starting_offsets", starting_offsets)
            .field("record_gaps", record_gaps)
            .field("connect_timeout", connect_timeout)
            .field("properties", &Properties(properties))
            .finish()
    }
}

/// Where the first start ever begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartingOffsets {
    /// With the oldest message still there.
    Earliest,
    /// With the next message to come.
    Latest,
}

/// `[trigger]`: when a micro-batch is closed; whichever comes first.
#[derive(Debug, Clone, PartialEq)]
pub struct Trigger {
    /// `interval`. Default 10 s.
    pub interval: Duration,
    /// `max_bytes`: message bytes of one batch. Default 64 MiB.
    pub max_bytes: NonZeroU64,
    /// `max_rows`: messages of one batch. Default 500 000.
    pub max_rows: NonZeroU64,
}

/// `[memory]`: what may be held on the way from Kafka to the storage.
#[derive(Debug, Clone, PartialEq)]
pub struct Memory {
    /// `max`: bytes. Default 64 MiB.
    pub max: NonZeroU64,
}

/// Messages that wait between the source and the rest: its channel, full of the largest chunks.
const CHANNEL: u64 = 8 << 20;

impl Memory {
    /// Bytes that the Kafka client may have fetched ahead.
    pub fn queue(&self) -> u64 {
        (self.max.get() / 5).clamp(8 << 20, 64 << 20)
    }

    /// Bytes for all that comes after the source.
    pub fn between(&self) -> u64 {
        self.max.get().saturating_sub(self.queue() + CHANNEL)
    }
}

/// `[storage]`. Printed with `{:?}` it hides the values of secret properties.
#[derive(Clone, PartialEq)]
pub struct Storage {
    /// `url`: `hdfs://host:port`, `hdfs://nameservice` or `file:///folder`; every path is below it. Default `hdfs://localhost:8020`.
    pub url: String,
    /// `checkpoint`: the job's directory, an absolute path. Default `/tmp/checkpoints_for_events`.
    pub checkpoint: String,
    /// `call_timeout`: limit of one namenode call. Default 30 s.
    pub call_timeout: Duration,
    /// `write_timeout`: limit of writing one file. Default 120 s.
    pub write_timeout: Duration,
    /// `user`: name given to HDFS. Default: `HADOOP_USER_NAME`, else the user of the process.
    pub user: Option<String>,
    /// `properties`: Hadoop client properties (`dfs.client.…`), over those of `HADOOP_CONF_DIR`.
    pub properties: BTreeMap<String, String>,
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Storage { url, checkpoint, call_timeout, write_timeout, user, properties } = self;
        f.debug_struct("Storage")
            .field("url", url)
            .field("checkpoint", checkpoint)
            .field("call_timeout", call_timeout)
            .field("write_timeout", write_timeout)
            .field("user", user)
            .field("properties", &Properties(properties))
            .finish()
    }
}

/// `[log]`: how long what the log holds is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// `slots_per_epoch`. Default 5000.
    pub slots_per_epoch: NonZeroU64,
    /// `retention`. Default a week.
    pub retention: Duration,
    /// `staging_retention`. Default a day.
    pub staging_retention: Duration,
}

/// `[metastore]`
#[derive(Debug, Clone, PartialEq)]
pub struct Metastore {
    /// `uri`: `thrift://host:port`, several with commas between. Default `thrift://localhost:9083`.
    pub uri: String,
    /// `database` of tables whose DDL names none. Default `default`.
    pub database: String,
    /// `call_timeout`. Default 40 s: a database error inside Hive 3.1 takes 20 s to be answered.
    pub call_timeout: Duration,
    /// `framed`: the server speaks the framed transport. Default false.
    pub framed: bool,
}

/// `[messages]`
#[derive(Debug, Clone, PartialEq)]
pub struct Messages {
    /// `on_malformed`. Default `dead_letter`.
    pub on_malformed: OnMalformed,
    /// `unrouted`: what happens to a good message that no route wants; it is counted either way. Default `drop`.
    pub unrouted: Unrouted,
    /// `on_type_error`, where a table says nothing else. Default `null`.
    pub on_type_error: OnTypeError,
    /// `tombstones`. Default `count`.
    pub tombstones: Tombstones,
    /// `count_unknown_fields`: top-level fields that no column of a table takes are counted. Default false.
    pub count_unknown_fields: bool,
    /// `max_message_bytes`: a longer message is a dead letter with its first bytes and its length. Default 16 MiB.
    pub max_message_bytes: NonZeroU64,
    /// `max_depth`: a message nested deeper is a dead letter. Default 1000.
    pub max_depth: NonZeroU64,
    /// `dead_letter_table`. Default `dead_letters`.
    pub dead_letter_table: String,
    /// `max_dead_letters`: share of the messages, in millionths, above which reading pauses. Default none.
    pub max_dead_letters: Option<NonZeroU32>,
    /// `max_dead_letters_per_minute`: above it reading pauses. Default none.
    pub max_dead_letters_per_minute: Option<NonZeroU64>,
}

impl Messages {
    /// Whether the number of dead letters has a limit.
    pub fn has_ceiling(&self) -> bool {
        self.max_dead_letters.is_some() || self.max_dead_letters_per_minute.is_some()
    }
}

/// What happens to a malformed message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnMalformed {
    /// It becomes a row of the dead-letter table.
    DeadLetter,
    /// It is counted and dropped.
    Drop,
    /// The daemon stops before it, with an error.
    Fail,
}

/// What happens to a good message that no route wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unrouted {
    /// It is counted and dropped.
    Drop,
    /// It is counted as a dead letter and becomes a row of the dead-letter table.
    DeadLetter,
}

/// What happens to a message with a value of another type than its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnTypeError {
    /// It lands with null in place of the value, which is counted.
    Null,
    /// It lands in no table and becomes a row of the dead-letter table.
    DeadLetter,
}

/// What happens to a message with a null value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tombstones {
    /// It is counted and dropped.
    Count,
    /// It is counted as a dead letter and becomes a row of the dead-letter table.
    DeadLetter,
}

/// `[tables.NAME]`
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TableSettings {
    /// `when`: which messages the table takes; `None`: every message.
    pub when: Option<When>,
    /// `on_type_error`; `None`: as `[messages]` says.
    pub on_type_error: Option<OnTypeError>,
    /// `columns`: sources by column name as written in the DDL.
    pub columns: BTreeMap<String, ColumnSource>,
}

/// Where a column's values come from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ColumnSource {
    /// The JSON field of this name, at the top level of the message.
    Field(String),
    /// `$.a.b`: the JSON field at the end of this path, of two names at least.
    Path(Vec<String>),
    /// `kafka.value`: the message itself, as text or bytes.
    KafkaValue,
    /// `kafka.key`
    KafkaKey,
    /// `kafka.timestamp`: as text in `timestamp_zone`, as a timestamp, or as milliseconds, by the column's type.
    KafkaTimestamp,
    /// `kafka.topic`
    KafkaTopic,
    /// `kafka.partition`
    KafkaPartition,
    /// `kafka.offset`
    KafkaOffset,
    /// `kafka.headers`: as a map, or as the text of a JSON object.
    KafkaHeaders,
    /// `batch.id`: number of the batch that landed the row.
    BatchId,
    /// `date(…)`: the day of a timestamp, in `timestamp_zone`.
    Date(Moment),
    /// `hour(…)`: its hour, from 0 to 23.
    Hour(Moment),
}

/// A timestamp of which a column gets a part.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Moment {
    /// `kafka.timestamp`
    Kafka,
    /// The JSON field at the end of this path, of one name at least.
    Field(Vec<String>),
}

/// A condition on a message.
#[derive(Debug, Clone, PartialEq)]
pub enum When {
    /// `{ field = "f", equals = "x" }` and the like, on the field's text.
    Field {
        /// Name of the top-level JSON field, or the names of a path below it.
        field: Vec<String>,
        /// The test.
        test: FieldTest,
    },
    /// `{ all = [ … ] }`
    All(Vec<When>),
    /// `{ any = [ … ] }`
    Any(Vec<When>),
    /// `{ not = … }`
    Not(Box<When>),
}

/// A test on a field's text, as a string column would hold it. Absent and null match only `exists = false`.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldTest {
    /// `equals`
    Equals(String),
    /// `contains`
    Contains(String),
    /// `starts_with`
    StartsWith(String),
    /// `ends_with`
    EndsWith(String),
    /// `matches`
    Matches(Pattern),
    /// `in`
    In(Vec<String>),
    /// `exists = true` or `false`
    Exists(bool),
}

/// A regular expression that was found good.
#[derive(Debug, Clone)]
pub struct Pattern(Regex);

impl Pattern {
    /// Compiles it; an error says what is wrong, and where if that is known.
    pub fn new(text: &str) -> Result<Pattern, String> {
        Regex::new(text).map(Pattern).map_err(|e| {
            let said = e.to_string();
            // The library draws the pattern and, below it, marks the place; both lines begin with four blanks.
            let mark = said.lines().find(|line| line.trim_start().starts_with('^')).and_then(|line| line.find('^'));
            let what = said.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            match mark.and_then(|at| at.checked_sub(4)) {
                Some(at) if !text.contains('\n') => format!("{what}, at character {}", at + 1),
                _ => what,
            }
        })
    }

    /// Whether it matches somewhere in the text.
    pub fn matches(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}
