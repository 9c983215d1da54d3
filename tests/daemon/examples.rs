//! The examples as they stand in the repository: by the binary, on the in-process Kafka and local files. What Presto says of
//! them is asked in `tests/end_to_end/examples.rs`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::SystemTime;

use landfall::encode::read_back;
use landfall::game::Load;
use landfall::schema::{HiveType, Table, migrations};
use landfall::source::EmbeddedKafka;
use serde_json::Value;
use tempfile::TempDir;

/// One example with a Kafka and a folder for its tables.
struct Example {
    name: &'static str,
    kafka: EmbeddedKafka,
    folder: TempDir,
}

impl Example {
    fn new(name: &'static str, topic: &str) -> Example {
        // The in-process Kafka keeps 5 MiB a partition.
        let kafka = EmbeddedKafka::start(&[(topic, 6)]).unwrap();
        Example { name, kafka, folder: tempfile::tempdir().unwrap() }
    }

    /// Runs the binary with the example's configuration; only the servers are others.
    fn landfall(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
        let ours = std::env::vars_os().map(|(name, _)| name).filter(|n| n.to_string_lossy().starts_with("LANDFALL"));
        ours.for_each(|name| _ = command.env_remove(name));
        command.env("LANDFALL__KAFKA__BOOTSTRAP_SERVERS", self.kafka.bootstrap_servers());
        command.env("LANDFALL__STORAGE__URL", format!("file://{}", self.folder.path().display()));
        command.env("LANDFALL__METASTORE__URI", "");
        // In a group that was left the in-process Kafka lets nobody in for 9 s; a real one does at once.
        command.env("LANDFALL__KAFKA__GROUP_ID", uuid::Uuid::new_v4().to_string());
        command.current_dir(env!("CARGO_MANIFEST_DIR")).args(args);
        command.arg("--config").arg(format!("examples/{}/landfall.toml", self.name)).output().unwrap()
    }

    fn succeed(&self, args: &[&str]) -> String {
        let done = self.landfall(args);
        let says = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        assert_eq!(done.status.code(), Some(0), "{args:?}: {says}");
        says
    }

    fn table_dir(&self, table: &str) -> PathBuf {
        self.folder.path().join(format!("tmp/{}/{table}", self.name.replace('-', "_")))
    }

    /// The rows of a table, as a plain directory reader sees them.
    fn rows(&self, table: &str) -> Vec<Vec<Option<String>>> {
        let mut rows = Vec::new();
        for path in files(&self.table_dir(table)) {
            if !path.file_name().unwrap().to_string_lossy().starts_with(['_', '.']) {
                rows.extend(read_back::rows(std::fs::read(path).unwrap().into(), usize::MAX).unwrap().rows);
            }
        }
        rows
    }

    /// When the `_SUCCESS` file of a table, which is empty, was written; `None`: there is none.
    fn success(&self, table: &str) -> Option<SystemTime> {
        let file = std::fs::metadata(self.table_dir(table).join("_SUCCESS")).ok()?;
        assert_eq!(file.len(), 0);
        Some(file.modified().unwrap())
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn count(rows: &[Vec<Option<String>>], column: usize) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    rows.iter().for_each(|row| *counts.entry(row[column].clone().unwrap_or_default()).or_default() += 1);
    counts
}

/// What `landfall produce` sends, by way of a file.
fn produced(args: &[&str]) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("messages.jsonl");
    let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
    let done = command.arg("produce").args(args).arg("--to").arg(&file).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    std::fs::read_to_string(file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_batch_of_game_events_lands_all_there_is_and_a_second_run_only_what_is_new() {
    let example = Example::new("game-events-batch", "game_events_batch");
    let load = ["--load", "game-events-batch", "--events", "3000", "--seed", "5"];
    example.succeed(&[&["produce"], &load[..]].concat());
    let run = ["run", "--available-now", "--success-files"];

    // A batch without the files first: they are asked for.
    example.succeed(&run[..2]);
    assert!(["purchases", "join_guild", "dead_letters"].iter().all(|table| example.success(table).is_none()));
    example.succeed(&run);

    let mut expected: BTreeMap<String, usize> = BTreeMap::new();
    for event in produced(&load) {
        *expected.entry(event["event_type"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    let joined = expected.remove("join_guild").unwrap();
    let (purchases, guild) = (example.rows("purchases"), example.rows("join_guild"));
    // timestamp, Accept, Host, User-Agent, event_type
    assert_eq!(count(&purchases, 4), expected);
    assert_eq!(count(&guild, 4), [("join_guild".to_owned(), joined)].into());
    assert_eq!(purchases.len() + guild.len(), 3000);
    assert!(purchases.iter().flatten().all(Option::is_some), "every column is filled");
    assert!(purchases.iter().all(|row| row[1].as_deref() == Some("*/*") && row[2].as_ref().unwrap().ends_with(".com")));

    let before = example.success("purchases").unwrap();
    assert!(example.success("join_guild").is_some() && example.success("dead_letters").is_some());
    let seen = files(&example.table_dir("purchases"));
    example.succeed(&[&["produce"], &load[..2], &["--events", "100", "--malformed", "0.2"]].concat());
    example.succeed(&run);
    assert_eq!(example.success("purchases"), Some(before), "it stays as it is");
    assert!(seen.iter().all(|file| file.exists()), "nothing is deleted");
    let landed =
        example.rows("purchases").len() + example.rows("join_guild").len() + example.rows("dead_letters").len();
    assert_eq!(landed, 3100);
    assert!(!example.rows("dead_letters").is_empty());

    let audit = example.succeed(&["verify", "--deep"]);
    assert!(!audit.contains("_SUCCESS"), "{audit}");
}

#[test]
fn the_raw_assessments_hold_every_record_whole() {
    let example = Example::new("assessments-raw", "assessments");
    example.succeed(&["produce", "--load", "assessments"]);
    example.succeed(&["run", "--available-now"]);
    let rows = example.rows("assessments");
    assert_eq!(rows.len(), 3280);
    let mut found: Vec<Value> =
        rows.iter().map(|row| serde_json::from_str(row[0].as_ref().unwrap()).unwrap()).collect();
    let mut expected = produced(&["--load", "assessments"]);
    found.sort_by_cached_key(Value::to_string);
    expected.sort_by_cached_key(Value::to_string);
    assert!(found == expected);
    let git = found.iter().filter(|record| record["exam_name"] == "Learning Git").count();
    assert_eq!(git, 394);
    example.succeed(&["verify"]);
}

#[test]
fn a_load_goes_to_a_file_and_what_does_not_fit_is_refused() {
    assert_eq!(produced(&["--events", "17"]).len(), 17);
    let refused = |args: &[&str]| {
        let done = Command::new(env!("CARGO_BIN_EXE_landfall")).args(args).output().unwrap();
        (done.status.code(), String::from_utf8_lossy(&done.stderr).into_owned())
    };
    // Malformed messages may hold line ends.
    let (code, says) = refused(&["produce", "--to", "x", "--malformed", "0.1"]);
    assert!(code == Some(64) && says.contains("--malformed"), "{says}");
    let (code, says) = refused(&["produce", "--load", "assessments", "--request-ids", "--to", "x"]);
    assert!(code == Some(64) && says.contains("--request-ids"), "{says}");
    let (code, says) = refused(&["run", "--success-files"]);
    assert!(code == Some(64) && says.contains("--available-now"), "{says}");
    let (code, says) = refused(&["produce", "--to", "/no/such/folder/x"]);
    assert!(code == Some(78) && says.contains("/no/such/folder/x"), "{says}");
}

/// The tables that an example's migrations declare, by name.
fn tables(example: &str) -> BTreeMap<String, Table> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(example).join("migrations");
    let read = |path: PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, std::fs::read_to_string(path).unwrap())
    };
    let read: Vec<_> = files(&folder).into_iter().map(read).collect();
    migrations::load(&read).unwrap().into_iter().map(|table| (table.name.clone(), table)).collect()
}

/// Whether a value is of the type to the last of its fields: none is left out, and none becomes null.
fn fits(hive_type: &HiveType, value: &Value) -> bool {
    match (hive_type, value) {
        (_, Value::Null) => true,
        (HiveType::Struct(fields), Value::Object(values)) => values
            .iter()
            .all(|(name, value)| fields.iter().any(|field| field.name == *name && fits(&field.hive_type, value))),
        (HiveType::Array(element), Value::Array(values)) => values.iter().all(|value| fits(element, value)),
        (HiveType::String, Value::String(_)) | (HiveType::Boolean, Value::Bool(_)) => true,
        (HiveType::BigInt, value) => value.is_i64(),
        _ => false,
    }
}

#[test]
fn the_nested_tables_have_a_place_for_every_field_of_the_assessments() {
    let records: Vec<Value> =
        Load::assessments(2).take(500).map(|m| serde_json::from_slice(&m.value).unwrap()).collect();
    let nested = &tables("assessments-narrow")["assessments"];
    let column = |table: &Table, name: &str| {
        table.columns.iter().find(|c| c.name == name).unwrap_or_else(|| panic!("no column {name}")).hive_type.clone()
    };
    for record in &records {
        for (name, value) in record.as_object().unwrap() {
            assert!(fits(&column(nested, name), value), "{name}: {value}");
        }
    }
    assert!(!fits(&column(nested, "sequences"), &serde_json::json!({"counts": {"wrong": 1}})), "the check sees it");

    // The flattened table: where a column does not come from the field of its name, the configuration has its path.
    let flat = &tables("assessments-flat")["assessments"];
    let text = include_str!("../../examples/assessments-flat/landfall.toml");
    let paths = text.split("[tables.assessments.columns]\n").nth(1).unwrap().lines();
    let paths: BTreeMap<&str, String> = paths
        .filter_map(|line| line.split_once(" = \"$."))
        .map(|(name, path)| (name, format!("/{}", path.trim_end_matches('"').replace('.', "/"))))
        .collect();
    assert_eq!(paths.len(), 10, "{paths:?}");
    let mut seen = 0;
    for record in &records {
        for column in &flat.columns {
            let path = paths.get(column.name.as_str()).cloned().unwrap_or_else(|| format!("/{}", column.name));
            let Some(value) = record.pointer(&path) else { continue };
            assert!(fits(&column.hive_type, value), "{}: {value}", column.name);
            seen += 1;
        }
    }
    assert!(seen > 480 * flat.columns.len(), "{seen}: no path leads nowhere");
}
