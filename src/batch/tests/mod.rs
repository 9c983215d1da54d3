//! Tests of the core as a whole: DDL and settings in, rows and accounts out.

mod buffer;
#[path = "../../../tests/common/cells.rs"]
mod cells;
mod json;
mod options;
mod parity;
mod partitions;
mod plan;
mod random;
mod sources;
mod types;

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use serde_json::{Value, json};

use super::{BatchBuffer, Plan, SealedBatch};
use crate::config::Settings;
use crate::config::settings::*;
use crate::model::{Headers, Offset, Record, TopicPartition};
use crate::schema::{Table, migrations};
use cells::cell;

const PURCHASES: &str = "raw_event string, timestamp string, Accept string, Host string, `User-Agent` string,
    event_type string, type string, cost long";
const GUILDS: &str = "raw_event string, timestamp string, Accept string, Host string, `User-Agent` string,
    event_type string, guild_member_cnt bigint, guild_name string, tot_guild_member_cnt bigint";
const DEAD_LETTERS: &str = "reason string, detail string, raw_event string, raw_bytes binary, kafka_topic string,
    kafka_partition int, kafka_offset bigint, kafka_timestamp timestamp, batch_id bigint";

/// One table a migration, from its name and columns.
fn tables(declared: &[(&str, &str)]) -> Vec<Table> {
    let file = |(i, (name, columns)): (usize, &(&str, &str))| {
        let text = format!("create external table {name} ({columns}) stored as parquet location '/tmp/{name}';");
        (format!("{:04}_{name}.sql", i + 1), text)
    };
    migrations::load(&declared.iter().enumerate().map(file).collect::<Vec<_>>()).unwrap()
}

fn seeds() -> Vec<Table> {
    tables(&[
        ("sword_purchases", PURCHASES),
        ("purchases", PURCHASES),
        ("guilds", GUILDS),
        ("dead_letters", DEAD_LETTERS),
    ])
}

fn on(field: &str, test: FieldTest) -> TableSettings {
    let when = Some(When::Field { field: vec![field.into()], test });
    TableSettings { when, ..Default::default() }
}

fn settings(tables: Vec<(&str, TableSettings)>) -> Settings {
    let some = |n| NonZeroU64::new(n).unwrap();
    Settings {
        job: "landfall".into(),
        migrations: PathBuf::new(),
        log_level: String::new(),
        watch_files: false,
        stop_within: Duration::ZERO,
        timestamp_zone: "UTC".into(),
        kafka: Kafka {
            bootstrap_servers: String::new(),
            topics: vec!["events".into()],
            group_id: String::new(),
            starting_offsets: StartingOffsets::Earliest,
            record_gaps: false,
            connect_timeout: Duration::ZERO,
            properties: BTreeMap::new(),
        },
        memory: Memory { max: NonZeroU64::new(96 << 20).unwrap() },
        trigger: Trigger { interval: Duration::from_secs(10), max_bytes: some(1 << 26), max_rows: some(500_000) },
        storage: Storage {
            url: String::new(),
            checkpoint: String::new(),
            call_timeout: Duration::ZERO,
            write_timeout: Duration::ZERO,
            user: None,
            properties: BTreeMap::new(),
        },
        log: Log { slots_per_epoch: some(1), retention: Duration::ZERO, staging_retention: Duration::ZERO },
        metastore: None,
        http: Http { listen: None },
        messages: Messages {
            on_malformed: OnMalformed::DeadLetter,
            unrouted: Unrouted::Drop,
            on_type_error: OnTypeError::Null,
            tombstones: Tombstones::Count,
            count_unknown_fields: false,
            max_message_bytes: some(16 << 20),
            max_depth: some(1000),
            dead_letter_table: "dead_letters".into(),
            max_dead_letters: None,
            max_dead_letters_per_minute: None,
        },
        tables: tables.into_iter().map(|(n, t)| (n.to_owned(), t)).collect(),
        any_table: BTreeMap::from([
            ("raw_event".to_owned(), ColumnSource::KafkaValue),
            ("timestamp".to_owned(), ColumnSource::KafkaTimestamp),
        ]),
    }
}

fn seed_settings() -> Settings {
    settings(vec![
        ("sword_purchases", on("event_type", FieldTest::Equals("purchase_sword".into()))),
        ("purchases", on("event_type", FieldTest::Contains("purchase".into()))),
        ("guilds", on("event_type", FieldTest::Contains("guild".into()))),
    ])
}

/// A buffer whose partition `events[0]` starts at 0.
fn buffer(tables: &[Table], settings: &Settings) -> BatchBuffer {
    let mut buffer = BatchBuffer::new(Arc::new(Plan::new(tables, settings).unwrap()));
    buffer.start(TopicPartition::new("events", 0), Offset(0), 0).unwrap();
    buffer
}

fn push(buffer: &mut BatchBuffer, offset: i64, value: Option<&[u8]>) -> Result<(), super::PushError> {
    let partition = &TopicPartition::new("events", 0);
    let headers = Headers::default();
    let record = Record { partition, offset, timestamp_ms: Some(1627669098120), key: Some(b"k"), value, headers };
    buffer.push(&record)?;
    buffer.remember(&record);
    Ok(())
}

/// The rows of a table as JSON, `[]` if it has none.
fn rows(batch: &SealedBatch, table: &str) -> Vec<Value> {
    let sealed = batch.tables.iter().find(|t| t.name == table);
    sealed.map_or(Vec::new(), |t| {
        let batch = t.record_batch(77);
        assert_eq!(batch.num_rows(), t.rows);
        (0..t.rows).map(|row| as_json(&batch, row)).collect()
    })
}

fn as_json(batch: &RecordBatch, row: usize) -> Value {
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns());
    Value::Object(columns.map(|(f, c)| (f.name().clone(), cell(c, row))).collect())
}
