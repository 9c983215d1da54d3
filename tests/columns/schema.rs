//! Random tables, messages for them, and what became of these.

use std::sync::Arc;

use landfall::batch::{BatchBuffer, Plan, SealedBatch};
use landfall::config;
use landfall::model::{Headers, Offset, Record, TopicPartition};
use landfall::schema::{HiveType, migrations};
use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::Value;

use crate::cells::cell;
use crate::typed;

const DEAD_LETTERS: &str = "reason string, detail string, raw_bytes binary";

/// Columns `C0`, `C1`, …: each a field of its name, or at the end of a path.
#[derive(Debug)]
pub struct Schema {
    pub columns: Vec<(HiveType, Vec<String>)>,
}

impl Schema {
    pub fn random(rng: &mut StdRng) -> Schema {
        let path = |rng: &mut StdRng, i: usize| {
            let name = format!("C{i}");
            let below: &[&str] = [&[][..], &[], &["p"], &["p", "q"], &["r s"]][rng.random_range(0..5)];
            below.iter().map(|n| (*n).to_owned()).chain([name]).collect()
        };
        let column = |i| (typed::hive_type(rng, 3, true), path(rng, i));
        Schema { columns: (0..5).map(column).collect() }
    }

    /// A buffer for the table `t` of this schema, and its dead letters: strict if asked.
    pub fn buffer(&self, on_type_error: &str) -> BatchBuffer {
        let columns = self.columns.iter().enumerate().map(|(i, (t, _))| format!("C{i} {}", typed::ddl(t)));
        let table = |name: &str, columns: String| {
            let text = format!("create external table {name} ({columns}) stored as parquet location '/tmp/{name}'");
            (format!("{:04}_{name}.sql", name.len()), text)
        };
        let columns = columns.collect::<Vec<_>>().join(", ");
        let tables = migrations::load(&[table("t", columns), table("dead_letters", DEAD_LETTERS.to_owned())]).unwrap();
        let sources = self.columns.iter().enumerate().map(|(i, (_, path))| {
            let path: Vec<_> = path.iter().map(|name| format!("[\"{name}\"]")).collect();
            format!("C{i} = '${}'\n", path.concat())
        });
        let text = format!(
            "messages.on_type_error = '{on_type_error}'\nmessages.count_unknown_fields = true\n[tables.t.columns]\n{}",
            sources.collect::<String>()
        );
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("c.toml");
        std::fs::write(&file, text).unwrap();
        let settings = config::load(&[file], std::iter::empty()).unwrap();
        let mut buffer = BatchBuffer::new(Arc::new(Plan::new(&tables, &settings).unwrap()));
        buffer.start(TopicPartition::new("events", 0), Offset(0), 0).unwrap();
        buffer
    }

    /// A message with these raw values in the columns' places; `None` leaves one out.
    pub fn message(&self, rng: &mut StdRng, values: &[Option<String>]) -> String {
        let mut fields: Vec<(String, String)> = Vec::new();
        let (mut p, mut q, mut rs) = (Vec::new(), Vec::new(), Vec::new());
        for ((_, path), raw) in self.columns.iter().zip(values) {
            let Some(raw) = raw else { continue };
            let place = match path.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                ["p", "q", _] => &mut q,
                ["p", _] => &mut p,
                ["r s", _] => &mut rs,
                _ => &mut fields,
            };
            place.push((path[path.len() - 1].clone(), raw.clone()));
            if rng.random_bool(0.05) {
                place.push(("other".to_owned(), typed::anything(rng, 3)));
            }
        }
        p.push(("q".to_owned(), typed::object(rng, &q)));
        fields.push(("p".to_owned(), typed::object(rng, &p)));
        fields.push(("r s".to_owned(), typed::object(rng, &rs)));
        if rng.random_bool(0.3) {
            fields.rotate_left(1);
        }
        typed::object(rng, &fields)
    }
}

/// Pushes the message at `offset`.
pub fn push(buffer: &mut BatchBuffer, offset: i64, value: &[u8]) {
    let partition = &TopicPartition::new("events", 0);
    let headers = Headers::default();
    let record = Record { partition, offset, timestamp_ms: Some(0), key: None, value: Some(value), headers };
    buffer.push(&record).unwrap();
}

/// The rows of a table, each a list of its columns' values.
pub fn rows(batch: &SealedBatch, table: &str) -> Vec<Vec<Value>> {
    batch.tables.iter().find(|t| t.name == table).map_or(Vec::new(), |t| {
        let batch = t.record_batch(1);
        assert_eq!(batch.num_rows(), t.rows);
        (0..t.rows).map(|row| batch.columns().iter().map(|c| cell(c, row)).collect()).collect()
    })
}
