//! `landfall check` on a Kafka inside the process and a local folder: what it says before and after a first start, and
//! that it leaves nothing behind.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::common::line::MIGRATIONS;
use landfall::app::{App, CheckReport, Mark, Mode};
use landfall::config::load_embedded;
use landfall::fault::Fault;
use landfall::observe::Status;
use landfall::source::{EmbeddedKafka, KafkaConfig, Producer};
use tokio::sync::watch;

fn app(kafka: &EmbeddedKafka, folder: &Path, others: &[(&str, &str)]) -> App {
    let (servers, url) = (kafka.bootstrap_servers(), format!("file://{}", folder.display()));
    let mut all = BTreeMap::from([
        ("LANDFALL__KAFKA__BOOTSTRAP_SERVERS", servers.as_str()),
        ("LANDFALL__STORAGE__URL", &url),
        ("LANDFALL__METASTORE__URI", ""),
    ]);
    all.extend(others.iter().copied());
    let settings = load_embedded(all.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned()))).unwrap();
    App::new(settings, &MIGRATIONS.map(|(n, t)| (n.to_owned(), t.to_owned()))).ok().unwrap()
}

/// Every file and directory below a folder.
fn all_below(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        found.push(path.display().to_string());
        if path.is_dir() {
            all_below(&path, found);
        }
    }
    found.sort();
}

fn below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    all_below(folder, &mut found);
    found
}

fn assert_says(report: &CheckReport, says: &[&str]) {
    let text = report.to_string();
    println!("{text}");
    for words in says {
        assert!(text.contains(words), "`{words}` is not in:\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_says_what_a_start_would_meet_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let kafka = EmbeddedKafka::start(&[("events", 2)]).unwrap();
    let servers = kafka.bootstrap_servers();
    let send = move || {
        let settings = load_embedded([("LANDFALL__KAFKA__BOOTSTRAP_SERVERS".to_owned(), servers)].into_iter()).unwrap();
        let producer = Producer::new(&KafkaConfig::from(&settings.kafka), "events").unwrap();
        (0..7).for_each(|n| {
            producer.send(format!(r#"{{"event_type": "purchase_sword", "n": {n}}}"#).as_bytes()).unwrap()
        });
        producer.flush(Duration::from_secs(20)).unwrap();
    };
    tokio::task::spawn_blocking(send).await.unwrap();

    let first = app(&kafka, folder.path(), &[("LANDFALL__KAFKA__TOPICS", "events,orders")]).check(false).await;
    let says = [
        "topic events: 2 partitions, 7 offsets to be read from the oldest on",
        "topic orders: does not exist",
        "no log yet",
        "the self-test passed",
        "table purchases: /tmp/purchases is made by a start",
        "metastore.uri is empty",
    ];
    assert_says(&first, &says);
    assert_eq!((first.fault(), below(folder.path())), (None, vec![]));
    let marks: Vec<_> = first.lines.iter().map(|l| l.mark).collect();
    assert_eq!(marks.iter().filter(|m| **m == Mark::New).count(), 5, "{marks:?}");

    let ours = app(&kafka, folder.path(), &[]);
    let (_stop, stopped) = watch::channel(false);
    ours.run(Mode::AvailableNow, stopped, watch::channel(Status::default()).0).await.unwrap();
    let before = below(folder.path());
    let second = ours.check(false).await;
    let says = [
        "topic events: 2 partitions, 0 offsets to be read from where the log ends",
        "the log of this job, next batch 1",
        "table purchases: /tmp/purchases is this job's",
    ];
    assert_says(&second, &says);
    assert_eq!((second.fault(), below(folder.path())), (None, before.clone()));

    let other =
        app(&kafka, folder.path(), &[("LANDFALL__JOB", "intruder"), ("LANDFALL__STORAGE__CHECKPOINT", "/other")]);
    let third = other.check(false).await;
    assert_says(&third, &["Two jobs must not feed one table", "to be mended first"]);
    assert_eq!((third.fault(), below(folder.path())), (Some(Fault::Config), before.clone()));
    let offline = other.check(true).await;
    assert_eq!((offline.fault(), offline.lines.len()), (None, 4));

    drop(kafka);
    let away = app(&EmbeddedKafka::start(&[]).unwrap(), folder.path(), &[("LANDFALL__KAFKA__CONNECT_TIMEOUT", "1s")]);
    let fourth = away.check(false).await;
    assert_says(&fourth, &["AWAY    brokers", "is this job's"]);
    assert_eq!((fourth.fault(), below(folder.path())), (Some(Fault::Retry), before));
}

#[test]
fn what_is_wrong_in_configuration_and_migrations_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::create_dir(path("sql")).unwrap();
    let migration =
        "create external table t (a integr) stored as parquet location '/t';\nalter table u add columns (b int)";
    std::fs::write(path("sql/0001_t.sql"), migration).unwrap();
    let check = |config: String| {
        std::fs::write(path("landfall.toml"), config).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
        std::env::vars().filter(|(name, _)| name.starts_with("LANDFALL")).for_each(|(n, _)| _ = command.env_remove(n));
        let done = command.args(["check", "--offline", "--config"]).arg(path("landfall.toml")).output().unwrap();
        let text = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
        (done.status.code(), text)
    };
    let sql = path("sql").display().to_string();
    let (code, text) = check(format!("migrations = \"{sql}\"\nnope = 1\n[trigger]\ninterval = \"soon\"\n[tables.t]\n"));
    assert_eq!(code, Some(78), "{text}");
    for words in [
        "nope: unknown key",
        "trigger.interval = \"soon\"",
        "0001_t.sql:1:28: column `a`",
        "0001_t.sql:2:13: no migration",
    ] {
        assert!(text.contains(words), "`{words}` is not in:\n{text}");
    }
    let good = "create external table t (a int) stored as parquet location '/t';\nalter table t add columns (b int)";
    std::fs::write(path("sql/0001_t.sql"), good).unwrap();
    let dead = include_str!("../../migrations/0004_dead_letters.sql");
    std::fs::write(path("sql/0002_dead.sql"), dead).unwrap();
    let (code, text) = check(format!("migrations = \"{sql}\"\n[tables.t]\n"));
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("table t: 2 columns, of 0001_t.sql; takes every message"), "{text}");
    let (code, text) = check(format!("migrations = \"{sql}\"\n[tables.t]\n[tables.u]\n"));
    assert!(code == Some(78) && text.contains("tables.u"), "{text}");
}
