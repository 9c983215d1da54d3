//! What is counted, and how the job stands, while messages come, while the storage fails, and afterwards.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::common::exposition::Exposition;
use crate::common::gated::Gated;
use crate::common::line::{MIGRATIONS, guild, partition, settings, start, sword};
use landfall::app::{App, MeasuredStorage, Mode};
use landfall::config::load_embedded;
use landfall::observe::{Metrics, PartitionState, Phase, Registration, Service, Status, Time};
use landfall::source::{EmbeddedKafka, KafkaConfig, MemoryTopic, Producer};
use landfall::storage::{MemoryStorage, Storage};
use tokio::sync::watch;

const LIMIT: Duration = Duration::from_secs(60);

/// Waits until the status is as wanted.
async fn until(status: &mut watch::Receiver<Status>, what: &str, holds: impl FnMut(&Status) -> bool) -> Status {
    let waited = tokio::time::timeout(LIMIT, status.wait_for(holds)).await.map(|found| found.unwrap().clone());
    waited.unwrap_or_else(|_| panic!("{what}: {:#?}", status.borrow()))
}

fn scrape(metrics: &Metrics, status: &Status) -> Exposition {
    Exposition::parse(&metrics.render(status))
}

#[tokio::test]
async fn every_message_is_counted_by_what_became_of_it() {
    let (topic, storage) = (MemoryTopic::default(), Arc::new(MemoryStorage::default()) as Arc<dyn Storage>);
    let (p0, p1) = (partition(0), partition(1));
    let made = Time::now().ms() - 60_000;
    (0..40).for_each(|n| topic.append(&p0, made, Some(sword(n).as_bytes())));
    (0..10).for_each(|n| topic.append(&p1, made, Some(guild(n).as_bytes())));
    topic.append(&p0, made, Some(br#"{"event_type": "default"}"#));
    topic.append(&p0, made, Some(b"{broken"));
    topic.append(&p0, made, Some(b"\xff\xfe"));
    topic.append(&p0, made, Some(br#"{"event_type": "purchase_sword", "cost": "much", "colour": "red"}"#));
    topic.append(&p0, made, None);
    let counted = settings(&[("LANDFALL__MESSAGES__COUNT_UNKNOWN_FIELDS", "true")]);
    let mut daemon = start(&topic, &storage, &counted, None).await;
    daemon.landed(55).await;
    let status = until(&mut daemon.status, "nothing is behind", |s| {
        s.partitions.len() == 2 && s.partitions.iter().all(|p| p.lag_messages == Some(0))
    })
    .await;
    let seen = scrape(&daemon.metrics, &status);
    let value = |name: &str, labels: &[(&str, &str)]| seen.value(name, labels);
    let outcomes = [("event", 51.0), ("dead_letter", 2.0), ("dropped", 0.0), ("unrouted", 1.0), ("tombstone", 1.0)];
    for (outcome, messages) in outcomes {
        assert_eq!(value("landfall_messages_landed_total", &[("outcome", outcome)]), Some(messages), "{outcome}");
    }
    for (table, rows) in [("sword_purchases", 41.0), ("purchases", 41.0), ("guilds", 10.0), ("dead_letters", 2.0)] {
        assert_eq!(value("landfall_table_rows_total", &[("table", table)]), Some(rows), "{table}");
        assert!(value("landfall_table_bytes_total", &[("table", table)]) > Some(100.0), "{table}");
        assert!(value("landfall_table_files_total", &[("table", table)]) >= Some(1.0), "{table}");
        assert_eq!(status.tables.iter().find(|t| t.name == table).unwrap().rows as f64, rows);
    }
    for reason in ["malformed_json", "invalid_utf8"] {
        assert_eq!(value("landfall_dead_letters_total", &[("reason", reason)]), Some(1.0), "{reason}");
    }
    let errors = [("table", "purchases"), ("column", "cost")];
    assert_eq!(value("landfall_field_errors_total", &errors), Some(1.0));
    assert!(value("landfall_unknown_fields_total", &[("table", "purchases")]) >= Some(1.0));
    assert_eq!(value("landfall_messages_read_total", &[("topic", "events")]), Some(55.0));
    assert_eq!(seen.sum("landfall_batches_total"), status.batches as f64);
    assert_eq!(seen.sum("landfall_trigger_execution_seconds_count"), status.batches as f64);
    for phase in ["decode", "encode", "stage", "commit", "publish"] {
        let labels = [("phase", phase)];
        assert!(value("landfall_phase_seconds_sum", &labels) > Some(0.0), "{phase} takes time");
        assert_eq!(value("landfall_phase_seconds_count", &labels), Some(status.batches as f64));
    }
    assert_eq!(seen.sum("landfall_rebalances_total"), 1.0);
    assert_eq!(seen.sum("landfall_lag_messages") + seen.sum("landfall_lag_seconds"), 0.0);
    // The samples say what and where, and no more than the beginning.
    let letters = &status.dead_letters;
    let broken = letters.samples.iter().find(|s| s.reason == "malformed_json").unwrap();
    assert_eq!((broken.offset, broken.message.as_str(), broken.partition), (41, "{broken", 0));
    assert_eq!(broken.timestamp.map(Time::ms), Some(made));
    assert_eq!(letters.by_reason, BTreeMap::from([("invalid_utf8", 1), ("malformed_json", 1)]));
    // Spark's names.
    let progress = serde_json::to_value(&**status.last.as_ref().unwrap()).unwrap();
    let source = &progress["sources"][0];
    assert_eq!(source["latestOffset"], source["endOffset"], "{progress}");
    assert_eq!(source["metrics"]["maxOffsetsBehindLatest"], "0");
    for key in ["id", "runId", "name", "timestamp", "batchId", "batchDuration", "inputRowsPerSecond", "durationMs"] {
        assert!(!progress[key].is_null(), "{key} is missing: {progress}");
    }
    assert_eq!(status.progress.len() as u64, status.batches);
    daemon.stop().await.unwrap();
}

#[tokio::test]
async fn what_is_not_landed_is_lag_and_grows_older_while_the_storage_is_away() {
    let (topic, (gate, open)) = (MemoryTopic::default(), watch::channel(true));
    let inner = Arc::new(MemoryStorage::default());
    let storage: Arc<dyn Storage> = Arc::new(Gated { inner, open });
    topic.create(&partition(0));
    let mut daemon = start(&topic, &storage, &settings(&[]), None).await;
    topic.append(&partition(0), Time::now().ms(), Some(sword(0).as_bytes()));
    daemon.landed(1).await;
    gate.send_replace(false);
    (1..30).for_each(|n| topic.append(&partition(0), Time::now().ms() - 5000, Some(sword(n).as_bytes())));
    let behind = until(&mut daemon.status, "lag", |s| {
        s.partitions.iter().any(|p| p.lag_messages == Some(29) && p.lag_seconds > Some(5.0))
            && s.landing_since.is_some()
    })
    .await;
    let seen = scrape(&daemon.metrics, &behind);
    assert_eq!(seen.value("landfall_lag_messages", &[("partition", "0")]), Some(29.0));
    assert!(seen.sum("landfall_lag_seconds") > 5.0 && seen.sum("landfall_not_landed_seconds") > 0.0);
    assert!(seen.sum("landfall_memory_held_bytes") > 0.0);
    assert!(seen.sum("landfall_memory_max_bytes") > seen.sum("landfall_memory_held_bytes"));
    gate.send_replace(true);
    daemon.landed(30).await;
    let after = until(&mut daemon.status, "no lag", |s| s.landing_since.is_none() && s.memory.held_bytes == 0).await;
    let seen = scrape(&daemon.metrics, &after);
    assert_eq!(seen.sum("landfall_lag_messages") + seen.sum("landfall_not_landed_seconds"), 0.0);
    daemon.stop().await.unwrap();
}

#[tokio::test]
async fn a_stopped_partition_is_told_with_the_command_that_resolves_it() {
    let (topic, storage) = (MemoryTopic::default(), Arc::new(MemoryStorage::default()) as Arc<dyn Storage>);
    for p in [0, 1] {
        (0..10).for_each(|n| topic.append(&partition(p), 0, Some(sword(n).as_bytes())));
    }
    let mut daemon = start(&topic, &storage, &settings(&[]), None).await;
    daemon.landed(20).await;
    daemon.stop().await.unwrap();
    (10..30).for_each(|n| topic.append(&partition(1), 0, Some(sword(n).as_bytes())));
    topic.expire(&partition(1), 15);
    let mut daemon = start(&topic, &storage, &settings(&[]), None).await;
    let stopped = |s: &Status| s.partitions.iter().any(|p| matches!(p.state, PartitionState::Stopped { .. }));
    let status = until(&mut daemon.status, "stopped", stopped).await;
    let p = &status.partitions[1];
    let PartitionState::Stopped { reason, command, .. } = &p.state else { panic!("{p:?}") };
    assert!(reason.contains("5 offsets are gone by retention"), "{reason}");
    assert_eq!(command.as_deref(), Some("landfall accept-gap events 1 --reason '…'"));
    assert_eq!((p.landed_offset, p.end_offset, p.lag_messages), (Some(10), Some(30), Some(20)));
    let seen = scrape(&daemon.metrics, &status);
    assert_eq!(seen.value("landfall_partition_stopped", &[("partition", "1")]), Some(1.0));
    assert_eq!(seen.value("landfall_partition_stopped", &[("partition", "0")]), Some(0.0));
    assert_eq!(seen.value("landfall_partitions", &[("state", "stopped")]), Some(1.0));
    let json = serde_json::to_value(&status).unwrap();
    assert_eq!(json["partitions"][1]["state"], "stopped");
    assert_eq!(json["partitions"][1]["lagMessages"], 20);
    daemon.stop().await.unwrap();
}

#[tokio::test]
async fn calls_of_the_storage_are_timed_and_their_errors_counted() {
    let metrics = Metrics::new();
    let storage = MeasuredStorage::new(Arc::new(MemoryStorage::default()), &metrics);
    storage.create("/a", "x".into()).await.unwrap();
    storage.create("/a", "y".into()).await.unwrap_err();
    storage.read("/b").await.unwrap_err();
    let seen = scrape(&metrics, &Status::default());
    assert_eq!(seen.value("landfall_storage_call_seconds_count", &[("call", "create")]), Some(2.0));
    let error = |call, error| seen.value("landfall_storage_errors_total", &[("call", call), ("error", error)]);
    assert_eq!((error("create", "already_exists"), error("read", "not_found")), (Some(1.0), Some(1.0)));
    assert_eq!(error("rename", "timed_out"), Some(0.0));
}

/// A job on an in-process Kafka and local files, whose metastore is away.
fn app(cluster: &EmbeddedKafka, folder: &Path) -> App {
    let overrides = [
        ("LANDFALL__KAFKA__BOOTSTRAP_SERVERS", cluster.bootstrap_servers()),
        ("LANDFALL__STORAGE__URL", format!("file://{}", folder.display())),
        ("LANDFALL__METASTORE__URI", "thrift://127.0.0.1:1".to_owned()),
        ("LANDFALL__TRIGGER__INTERVAL", "200ms".to_owned()),
        ("LANDFALL__MESSAGES__COUNT_UNKNOWN_FIELDS", "true".to_owned()),
    ];
    let settings = load_embedded(overrides.map(|(k, v)| (k.to_owned(), v)).into_iter()).unwrap();
    App::new(settings, &MIGRATIONS.map(|(n, t)| (n.to_owned(), t.to_owned()))).unwrap()
}

async fn send(cluster: &EmbeddedKafka, messages: Vec<Vec<u8>>) {
    let config = KafkaConfig {
        bootstrap_servers: cluster.bootstrap_servers(),
        group_id: "producer".to_owned(),
        properties: BTreeMap::new(),
        connect_timeout: Duration::from_secs(10),
        queue_bytes: KafkaConfig::QUEUE_BYTES,
    };
    let sent = tokio::task::spawn_blocking(move || {
        let producer = Producer::new(&config, "events").unwrap();
        messages.iter().for_each(|m| producer.send(m).unwrap());
        producer.flush(Duration::from_secs(30)).unwrap();
    });
    sent.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_daemon_exposes_every_promised_metric_and_no_other() {
    let (cluster, folder) = (EmbeddedKafka::start(&[("events", 2)]).unwrap(), tempfile::tempdir().unwrap());
    let mut messages: Vec<Vec<u8>> = (0..500).map(|n| sword(n).into_bytes()).collect();
    messages.push(b"{broken".to_vec());
    messages.push(br#"{"event_type": "purchase_sword", "cost": "much", "colour": "red"}"#.to_vec());
    let all = messages.len() as u64;
    let app = app(&cluster, folder.path());
    let (stop, stopped) = watch::channel(false);
    let (sender, mut status) = watch::channel(Status::default());
    let metrics = app.metrics().clone();
    let work = async {
        assert_eq!(status.borrow().phase, Phase::Starting);
        send(&cluster, messages).await;
        until(&mut status, "all is landed", |s| s.messages == all).await;
        let landed = until(&mut status, "the metastore is missed, and nothing is behind", |s| {
            let ended = s.partitions.iter().all(|p| p.end_known.is_some() && p.lag_messages == Some(0));
            s.outages.iter().any(|o| o.service == Service::Metastore) && ended && s.partitions.len() == 2
        })
        .await;
        let first = scrape(&metrics, &landed);
        assert_eq!(first.differences(), Vec::<String>::new());
        assert_eq!(first.sum("landfall_unregistered_tables"), 4.0);
        assert!(first.value("landfall_table_unregistered_seconds", &[("table", "guilds")]) > Some(0.0));
        assert!(matches!(landed.tables[0].registration, Registration::Unregistered { .. }));
        assert!(first.value("landfall_retries_total", &[("service", "metastore")]) >= Some(1.0));
        assert!(first.value("landfall_outage_seconds", &[("service", "metastore")]) > Some(0.0));
        assert!(first.sum("process_resident_memory_bytes") > 1e6 && first.sum("process_open_fds") > 3.0);
        assert!(first.sum("process_threads") > 3.0 && first.sum("process_cpu_seconds_total") > 0.0);
        let started = first.sum("process_start_time_seconds") * 1000.0;
        let age = Time::now().ms() - started as i64;
        assert!((0..3_600_000).contains(&age), "started {age} ms ago");
        assert!(first.value("landfall_phase_seconds_sum", &[("phase", "poll")]) > Some(0.0));

        // The storage goes away, as far as new files are concerned.
        let place = folder.path().join("tmp/checkpoints_for_events");
        std::fs::rename(&place, folder.path().join("away")).unwrap();
        send(&cluster, (500..600).map(|n| sword(n).into_bytes()).collect()).await;
        let away = until(&mut status, "the storage is missed", |s| {
            let lag: u64 = s.partitions.iter().filter_map(|p| p.lag_messages).sum();
            s.outages.iter().any(|o| o.service == Service::Storage && o.failures > 2) && lag == 100
        })
        .await;
        let outage = away.outages.iter().find(|o| o.service == Service::Storage).unwrap();
        assert!(!outage.what.is_empty() && outage.error.contains("not found"), "{outage:?}");
        let second = scrape(&metrics, &away);
        assert!(second.value("landfall_retries_total", &[("service", "storage")]) > Some(2.0));
        assert!(second.value("landfall_outage_seconds", &[("service", "storage")]) > Some(0.0));
        assert_eq!(second.sum("landfall_lag_messages"), 100.0);
        assert!(second.sum("landfall_not_landed_seconds") > 0.0);
        std::fs::rename(folder.path().join("away"), &place).unwrap();
        let back = until(&mut status, "all is landed after all", |s| {
            s.messages == all + 100 && !s.outages.iter().any(|o| o.service == Service::Storage)
        })
        .await;
        let third = scrape(&metrics, &back);
        assert_eq!(third.differences(), Vec::<String>::new());
        for name in ["landfall_batches_total", "landfall_messages_read_total", "landfall_storage_call_seconds_count"] {
            assert!(third.sum(name) > first.sum(name), "{name} moves");
        }
        stop.send_replace(true);
    };
    let (ran, ()) = tokio::join!(app.run(Mode::Daemon, stopped, sender), work);
    ran.unwrap();
    let last = status.borrow().clone();
    assert_eq!((last.phase, last.process.job.as_str()), (Phase::Stopping, "landfall"));
}

#[test]
fn the_check_itself_sees_what_it_must() {
    let text = Metrics::new().render(&Status::default());
    let without: String =
        text.lines().filter(|l| !l.starts_with("landfall_batches_total")).map(|l| format!("{l}\n")).collect();
    let missing = "landfall_batches_total is promised and not exposed".to_owned();
    assert!(Exposition::parse(&without).differences().contains(&missing));
    assert!(!Exposition::parse(&text).differences().contains(&missing));
    let more = text.replace("# EOF", "landfall_new_total{a=\"1\"} 1\n# EOF");
    assert!(
        Exposition::parse(&more).differences().contains(&"landfall_new_total is exposed and not promised".to_owned())
    );
}
