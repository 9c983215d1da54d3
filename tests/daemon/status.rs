//! `landfall status` on a Kafka inside the process and a local folder: before a first start, behind, at the end, and with
//! services that do not answer.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::common::line::MIGRATIONS;
use landfall::app::{App, Mode, StatusReport};
use landfall::config::load_embedded;
use landfall::fault::Fault;
use landfall::observe::Status;
use landfall::source::{EmbeddedKafka, KafkaConfig, Producer};
use serde_json::Value;
use tokio::sync::watch;

fn environment(kafka: &EmbeddedKafka, folder: &Path, others: &[(&str, &str)]) -> BTreeMap<String, String> {
    let mut all = BTreeMap::from([
        ("LANDFALL__KAFKA__BOOTSTRAP_SERVERS".to_owned(), kafka.bootstrap_servers()),
        ("LANDFALL__KAFKA__CONNECT_TIMEOUT".to_owned(), "5s".to_owned()),
        ("LANDFALL__STORAGE__URL".to_owned(), format!("file://{}", folder.display())),
        ("LANDFALL__METASTORE__URI".to_owned(), String::new()),
        // Each batch closes an epoch: the last one is in the epoch before.
        ("LANDFALL__LOG__SLOTS_PER_EPOCH".to_owned(), "1".to_owned()),
    ]);
    all.extend(others.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
    all
}

fn app(environment: BTreeMap<String, String>) -> App {
    let settings = load_embedded(environment.into_iter()).unwrap();
    App::new(settings, &MIGRATIONS.map(|(n, t)| (n.to_owned(), t.to_owned()))).ok().unwrap()
}

async fn send(kafka: &EmbeddedKafka, messages: u64) {
    let servers = kafka.bootstrap_servers();
    let send = move || {
        let settings = load_embedded([("LANDFALL__KAFKA__BOOTSTRAP_SERVERS".to_owned(), servers)].into_iter()).unwrap();
        let producer = Producer::new(&KafkaConfig::from(&settings.kafka), "events").unwrap();
        (0..messages).for_each(|_| producer.send(br#"{"event_type": "purchase_sword"}"#).unwrap());
        producer.flush(Duration::from_secs(20)).unwrap();
    };
    tokio::task::spawn_blocking(send).await.unwrap();
}

async fn land(app: &App) {
    let (_stop, stopped) = watch::channel(false);
    app.run(Mode::AvailableNow, stopped, watch::channel(Status::default()).0).await.unwrap();
}

fn assert_says(report: &StatusReport, says: &[&str]) {
    let text = report.to_string();
    println!("{text}");
    for words in says {
        assert!(text.contains(words), "`{words}` is not in:\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_tells_offsets_lag_last_batch_and_tables() {
    let folder = tempfile::tempdir().unwrap();
    let kafka = EmbeddedKafka::start(&[("events", 2)]).unwrap();
    send(&kafka, 1007).await;
    let ours = app(environment(&kafka, folder.path(), &[]));

    let before = ours.status().await;
    assert_says(&before, &["the job has never started", "all  ", "1,007"]);
    assert_eq!((before.fault(), before.begun, before.lag, before.last_batch.clone()), (None, false, Some(1007), None));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "it makes nothing");

    land(&ours).await;
    let landed = ours.status().await;
    let says =
        ["last batch ", " s ago, by ", "1,007 messages became 2,014 rows in 2 files", "none configured", "never"];
    assert_says(&landed, &says);
    assert_eq!((landed.fault(), landed.lag, landed.notes.len()), (None, Some(0), 0), "{:?}", landed.notes);
    let ends: i64 = landed.partitions.iter().map(|p| p.committed.unwrap_or(0)).sum();
    assert_eq!((ends, landed.partitions.len()), (1007, 2));
    let rows: Vec<_> = landed.tables.iter().map(|t| (t.table.as_str(), t.total.unwrap().rows)).collect();
    let wanted = [("default.sword_purchases", 1007), ("default.purchases", 1007), ("default.guilds", 0)];
    assert_eq!(rows[..3], wanted);

    send(&kafka, 3).await;
    let behind = ours.status().await;
    assert_eq!((behind.lag, behind.notes.len()), (Some(3), 0), "it is not late yet: {:?}", behind.notes);
    let hasty = app(environment(&kafka, folder.path(), &[("LANDFALL__TRIGGER__INTERVAL", "10ms")]));
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_says(&hasty.status().await, &["3 offsets wait, and no batch has landed for"]);
    land(&ours).await;
    let again = ours.status().await;
    assert_eq!((again.lag, again.last_batch.unwrap().num_input_rows), (Some(0), 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_answer_is_said_and_the_rest_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let kafka = EmbeddedKafka::start(&[("events", 1)]).unwrap();
    send(&kafka, 5).await;
    let ours = environment(&kafka, folder.path(), &[]);
    land(&app(ours.clone())).await;

    let no_metastore =
        [("LANDFALL__METASTORE__URI", "thrift://127.0.0.1:1"), ("LANDFALL__METASTORE__CALL_TIMEOUT", "1s")];
    let report = app(environment(&kafka, folder.path(), &no_metastore)).status().await;
    assert_says(&report, &["not answered\n  - metastore: ", "events[0]", "thrift://127.0.0.1:1"]);
    assert_eq!((report.fault(), report.lag), (Some(Fault::Retry), Some(0)));

    // Another job's checkpoint: a person must act, so it is no case for trying again.
    let other = app(environment(&kafka, folder.path(), &[("LANDFALL__JOB", "other")])).status().await;
    assert_says(&other, &["not answered\n  - storage: ", "belongs to job `landfall`"]);
    assert_eq!((other.fault(), other.log_read, other.partitions[0].end), (Some(Fault::Config), false, Some(5)));

    drop(kafka);
    let away = [("LANDFALL__KAFKA__CONNECT_TIMEOUT", "1s")];
    let gone = environment(&EmbeddedKafka::start(&[]).unwrap(), folder.path(), &away);
    let report = app(gone.clone()).status().await;
    assert_says(&report, &["not answered\n  - kafka: ", "last batch 0"]);
    assert_eq!((report.partitions[0].committed, report.partitions[0].end, report.lag), (Some(5), None, None));

    // As a process.
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
        std::env::vars().filter(|(name, _)| name.starts_with("LANDFALL")).for_each(|(n, _)| _ = command.env_remove(n));
        let done = command.arg("status").args(args).envs(&gone).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (done.status.code(), text(&done.stdout), text(&done.stderr))
    };
    let (code, out, err) = run(&[]);
    assert!(code == Some(69) && out.contains("- kafka: ") && err.is_empty(), "{code:?}\n{out}\n{err}");
    let (code, out, err) = run(&["--json"]);
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &json["partitions"][0]["committed"], &json["lag"]), (Some(69), &5.into(), &Value::Null));
    assert_eq!((&json["tables"][1]["total"]["rows"], &json["troubles"][0]["service"]), (&5.into(), &"kafka".into()));
    assert!(err.starts_with("landfall: status: "), "{err}");
}
