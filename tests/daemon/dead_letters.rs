//! Dead letters in memory: landed, listed, sent through the tables again, and too many of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::common::line::{MIGRATIONS, column, committer, costs, partition, settings, start, sword, tables};
use crate::common::yielding::Yielding;
use landfall::app::{App, Mode};
use landfall::batch::{Plan, Trigger};
use landfall::catalog::CatalogTable;
use landfall::checkpoint::Layout;
use landfall::commit::Decision;
use landfall::config::{Settings, load_embedded};
use landfall::encode::inspect::PlaceColumns;
use landfall::fault::Fault;
use landfall::model::Offset;
use landfall::observe::Status;
use landfall::pipeline::letters::{Letters, Listing, Replay, ReplayReport, Selection, Since, Target};
use landfall::pipeline::{EncodeContext, PipelineError};
use landfall::source::{EmbeddedKafka, KafkaConfig, MemoryTopic, Producer};
use landfall::storage::{MemoryStorage, Storage};
use landfall::verify::{Audited, Options, Report, verify};
use tokio::sync::watch;

type Shared = Arc<dyn Storage>;

fn plan(settings: &Settings) -> (Arc<Plan>, Vec<String>) {
    let tables = tables();
    (Arc::new(Plan::new(&tables, settings).unwrap()), tables.into_iter().map(|t| t.location).collect())
}

/// `landfall dead-letters replay`, in a process of its own.
async fn replay(storage: &Shared, settings: &Settings, selection: &Selection, dry_run: bool) -> ReplayReport {
    let (plan, locations) = plan(settings);
    let letters = Letters::new(&plan, &locations, storage.clone()).unwrap();
    let (progress, _) = watch::channel(Default::default());
    let encode = Arc::new(EncodeContext::new("test".to_owned(), plan.clone(), locations));
    let trigger = Trigger::new(&settings.trigger);
    let replay = Replay { letters: &letters, plan, encode, trigger, progress: &progress };
    let mut committer = committer(storage).await;
    let target = match dry_run {
        true => Target::Nowhere(Box::new(committer.state().clone())),
        false => Target::Tables(&mut committer),
    };
    let report = replay.run(target, selection).await.unwrap();
    let seen = *progress.borrow();
    assert_eq!(seen.done, seen.total);
    report
}

async fn list(storage: &Shared, settings: &Settings, selection: &Selection) -> Listing {
    let (plan, locations) = plan(settings);
    let letters = Letters::new(&plan, &locations, storage.clone()).unwrap();
    let (progress, _) = watch::channel(Default::default());
    letters.list(committer(storage).await.state(), selection, 2, &progress).await.unwrap()
}

async fn audit(storage: &Shared) -> Report {
    let place = |name: &str| {
        let column = |what: &str| format!("kafka_{what}");
        let columns =
            PlaceColumns { topic: Some(column("topic")), partition: column("partition"), offset: column("offset") };
        (name == "dead_letters").then_some(columns)
    };
    let audited = tables().into_iter().map(|t| Audited {
        columns: place(&t.name),
        dead_letters: t.name == "dead_letters",
        wanted: CatalogTable {
            database: "default".to_owned(),
            name: t.name.clone(),
            columns: Vec::new(),
            comments: BTreeMap::new(),
            partition_keys: Vec::new(),
            location: String::new(),
            external: true,
            parquet: true,
            properties: BTreeMap::new(),
        },
        name: t.name,
        dir: t.location,
    });
    let (job, layout, tables) = ("test".to_owned(), Layout::new("/checkpoint"), audited.collect());
    let target = landfall::verify::Target { job, storage: storage.clone(), layout, tables, catalog: None };
    let (progress, _) = watch::channel(Default::default());
    verify(&target, Options { deep: true, again_after: Duration::from_millis(1) }, &progress).await.unwrap()
}

/// Lands these messages of partition 0, from where the log stands.
async fn land(topic: &MemoryTopic, storage: &Shared, settings: &Settings, messages: &[String]) {
    for (message, ms) in messages.iter().zip(0..) {
        topic.append(&partition(0), 1_627_669_098_000 + ms, Some(message.as_bytes()));
    }
    let end = committer(storage).await.end(&partition(0)).map_or(0, |o| o.0) + messages.len() as i64;
    let run = start(topic, storage, settings, Some([(partition(0), end)].into())).await;
    run.task.await.unwrap().unwrap();
}

/// With limits that not every message keeps to.
fn strict() -> Settings {
    settings(&[
        ("LANDFALL__MESSAGES__UNROUTED", "dead_letter"),
        ("LANDFALL__MESSAGES__MAX_DEPTH", "2"),
        ("LANDFALL__MESSAGES__MAX_MESSAGE_BYTES", "1kB"),
    ])
}

fn padded(n: i64, bytes: usize) -> String {
    sword(n).replace("sabre", &"x".repeat(bytes))
}

fn deep(n: i64) -> String {
    sword(n).replace("\"sabre\"", "\"sabre\", \"x\": [[[1]]]")
}

#[tokio::test]
async fn what_is_good_by_now_lands_once_and_the_rest_stays() {
    let (topic, storage) = (MemoryTopic::default(), Arc::new(MemoryStorage::default()) as Shared);
    let other = r#"{"event_type": "other"}"#.to_owned();
    let messages = [sword(0), deep(1), padded(2, 2000), padded(3, 70_000), "{bro\u{1b}ken".to_owned(), other, sword(6)];
    land(&topic, &storage, &strict(), &messages).await;
    assert_eq!(column(&storage, "purchases", "cost").await, [Some("0".into()), Some("6".into())]);
    assert_eq!(column(&storage, "dead_letters", "kafka_offset").await.len(), 5);
    let all = Selection::default();
    let before = list(&storage, &strict(), &all).await;
    assert_eq!((before.dead_letters, before.replayed), (5, 0));
    let large = &before.reasons[0];
    assert_eq!(
        (large.reason.as_str(), large.count, large.first_timestamp_ms),
        ("too_large", 2, Some(1_627_669_098_002))
    );
    assert_eq!(large.samples.iter().map(|s| s.offset).collect::<Vec<_>>(), [2, 3]);
    assert!(before.to_string().contains("{bro\\u{1b}ken"), "{before}");

    // Nothing has changed yet.
    let report = replay(&storage, &strict(), &all, false).await;
    assert_eq!((report.replayed, report.bad["too_deep"], report.not_whole), (0, 1, 1), "{report}");
    assert_eq!(committer(&storage).await.state().next().0, 1, "no batch for nothing");

    let lenient = settings(&[]);
    for dry_run in [true, false] {
        let report = replay(&storage, &lenient, &all, dry_run).await;
        let rows = BTreeMap::from([("purchases".to_owned(), 2), ("sword_purchases".to_owned(), 2)]);
        assert_eq!((report.replayed, &report.rows, report.already), (2, &rows, 0), "{report}");
        assert_eq!((report.bad["malformed_json"], report.bad.len()), (1, 1));
        assert_eq!((report.unrouted, report.not_whole, report.without_place), (1, 1, 0));
        let landed = column(&storage, "purchases", "cost").await.len();
        assert_eq!(landed, if dry_run { 2 } else { 4 });
    }
    let again = replay(&storage, &lenient, &all, false).await;
    assert_eq!(
        again.to_string(),
        "replayed 0; still bad 1 (malformed_json 1); unrouted 1; not whole 1; replayed before 2"
    );
    let (costs, raw) = (column(&storage, "purchases", "cost").await, column(&storage, "purchases", "raw_event").await);
    assert_eq!(costs, ["0", "1", "2", "6"].map(|n| Some(n.to_owned())));
    assert!(raw.contains(&Some(padded(2, 2000))) && raw.contains(&Some(deep(1))), "the messages as they came");
    let times = column(&storage, "purchases", "timestamp").await;
    assert_eq!(times[1].as_deref(), Some("2021-07-30 18:18:18.001"), "with their own time");
    let after = list(&storage, &lenient, &all).await;
    assert_eq!((after.dead_letters, after.replayed), (5, 2), "the dead letters stay");
    let report = audit(&storage).await;
    assert!(report.findings.is_empty(), "{report}");
    assert_eq!(report.replayed, 2);
    // The daemon reads on where it was.
    land(&topic, &storage, &lenient, &[sword(7)]).await;
    assert_eq!(column(&storage, "purchases", "cost").await.len(), 5);
}

#[tokio::test]
async fn a_part_can_be_chosen() {
    let (topic, storage) = (MemoryTopic::default(), Arc::new(MemoryStorage::default()) as Shared);
    let settings = settings(&[]);
    for round in 0..2 {
        let messages: Vec<_> = (0..7).map(|n| deep(round * 7 + n)).collect();
        land(&topic, &storage, &strict(), &messages).await;
    }
    let all = Selection::default;
    let text = |t: &str| Some(t.to_owned());
    for (selection, replayed) in [
        (Selection { reason: text("unrouted"), ..all() }, 0),
        (Selection { topic: text("others"), ..all() }, 0),
        (Selection { partition: Some(1), ..all() }, 0),
        (Selection { since: Some(Since::Millis(i64::MAX)), ..all() }, 0),
        (Selection { since: Some(Since::Batch(1)), offsets: Some((0, 8)), ..all() }, 2),
        (Selection { offsets: Some((5, 9)), topic: text("events"), partition: Some(0), ..all() }, 3),
        (Selection { reason: text("too_deep"), ..all() }, 9),
    ] {
        assert_eq!(replay(&storage, &settings, &selection, true).await.replayed, replayed, "{selection:?}");
        assert_eq!(replay(&storage, &settings, &selection, false).await.replayed, replayed, "{selection:?}");
    }
    assert_eq!(column(&storage, "purchases", "cost").await, costs(0..14));
    let kept = committer(&storage).await.state().replayed().entries();
    assert_eq!((kept.len(), kept[0].offsets.len()), (1, 1), "in the end it is one range: {kept:?}");
}

#[tokio::test]
async fn dead_letters_of_before_and_after_a_topic_was_made_anew_are_told_apart() {
    let (topic, storage) = (MemoryTopic::default(), Arc::new(MemoryStorage::default()) as Shared);
    land(&topic, &storage, &strict(), &[deep(0), deep(1)]).await;
    topic.remake();
    let why = Decision { reason: "made anew".to_owned(), operator: "test".to_owned() };
    let starts = [(0, Offset(0))].into();
    committer(&storage).await.accept_topic("events".to_owned(), starts, why).await.unwrap().expect("a slot");
    land(&topic, &storage, &strict(), &[deep(100), deep(101), deep(102)]).await;
    let one = Selection { topic: Some("events#1".to_owned()), offsets: Some((0, 0)), ..Selection::default() };
    assert_eq!(replay(&storage, &settings(&[]), &one, false).await.replayed, 1);
    assert_eq!(column(&storage, "purchases", "cost").await, [Some("100".into())]);
    let rest = replay(&storage, &settings(&[]), &Selection::default(), false).await;
    assert_eq!((rest.replayed, rest.already, rest.batches), (4, 1, 1), "{rest}");
    let costs = ["0", "1", "100", "101", "102"].map(|n| Some(n.to_owned()));
    assert_eq!(column(&storage, "purchases", "cost").await, costs);
    let report = audit(&storage).await;
    assert!(report.findings.is_empty() && report.replayed == 5, "{report}");
}

#[tokio::test]
async fn two_replays_at_the_same_time_beside_a_daemon_land_each_once() {
    let memory: Shared = Arc::new(MemoryStorage::default());
    let (topic, storage) = (MemoryTopic::default(), Arc::new(Yielding(memory.clone())) as Shared);
    let messages: Vec<_> = (0..60).map(deep).collect();
    land(&topic, &storage, &strict(), &messages).await;
    // Many small batches, and epochs of five slots.
    let settings = settings(&[("LANDFALL__TRIGGER__MAX_ROWS", "7"), ("LANDFALL__TRIGGER__INTERVAL", "5ms")]);
    let daemon = start(&topic, &storage, &settings, None).await;
    let feed = async {
        for n in 60..160 {
            topic.append(&partition(0), 0, Some(sword(n).as_bytes()));
            tokio::task::yield_now().await;
        }
    };
    let all = Selection::default();
    let replays = [(); 2].map(|()| replay(&storage, &settings, &all, false));
    let (reports, ()) = tokio::join!(futures_util::future::join_all(replays), feed);
    assert_eq!(reports.iter().map(|r| r.replayed).sum::<u64>(), 60, "{reports:?}");
    assert!(reports.iter().all(|r| r.replayed + r.already == 60), "{reports:?}");
    let mut daemon = daemon;
    daemon.landed(100).await;
    daemon.stop().await.unwrap();
    assert_eq!(column(&memory, "purchases", "cost").await, costs(0..160));
    let report = audit(&memory).await;
    assert!(report.findings.is_empty() && report.replayed == 60, "{report}");
    // What a second landing of a dead letter would look like.
    let entry = committer(&memory).await.state().replayed().entries();
    assert_eq!(entry[0].messages(), 60);
}

fn ceiling(share: &str) -> Settings {
    settings(&[("LANDFALL__MESSAGES__MAX_DEAD_LETTERS", share)])
}

#[tokio::test]
async fn too_many_dead_letters_pause_a_daemon_until_somebody_restarts_it() {
    let (topic, storage) = (MemoryTopic::default(), Arc::new(MemoryStorage::default()) as Shared);
    for n in 0..100 {
        topic.append(&partition(0), 0, Some(sword(n).as_bytes()));
    }
    let mut daemon = start(&topic, &storage, &ceiling("5%"), None).await;
    daemon.landed(100).await;
    for _ in 0..200 {
        topic.append(&partition(0), 0, Some(b"{broken"));
    }
    let paused = daemon.status.wait_for(|s| s.paused.is_some());
    let paused = tokio::time::timeout(Duration::from_secs(20), paused).await.unwrap().unwrap().paused.clone().unwrap();
    assert!(paused.contains("malformed_json in events[0]") && paused.contains("max_dead_letters = \"5%\""), "{paused}");
    // What was read until then lands, chunks of seven; nothing more comes, however long one waits.
    daemon.landed(120).await;
    topic.rebalance();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let landed = daemon.status.borrow().accounting;
    assert!((20..28).contains(&landed.dead_letters), "{landed:?}");
    assert!(daemon.status.borrow().paused.is_some());
    daemon.stop().await.unwrap();
    // With a limit that allows for it, all the rest lands, each message once.
    let mut daemon = start(&topic, &storage, &ceiling("100%"), None).await;
    daemon.landed(200 - landed.dead_letters).await;
    daemon.stop().await.unwrap();
    assert_eq!(column(&storage, "dead_letters", "kafka_offset").await.len(), 200);
    assert_eq!(column(&storage, "purchases", "cost").await, costs(0..100));
}

#[tokio::test]
async fn too_many_dead_letters_end_a_bounded_run_with_what_was_read_landed() {
    let (topic, storage) = (MemoryTopic::default(), Arc::new(MemoryStorage::default()) as Shared);
    for n in 0..10 {
        topic.append(&partition(0), 0, Some(sword(n).as_bytes()));
    }
    for _ in 0..100 {
        topic.append(&partition(0), 0, Some(b"{broken"));
    }
    for (name, value) in [("MAX_DEAD_LETTERS", "10%"), ("MAX_DEAD_LETTERS_PER_MINUTE", "20")] {
        let settings = settings(&[(&format!("LANDFALL__MESSAGES__{name}"), value)]);
        let run = start(&topic, &storage, &settings, Some([(partition(0), 110)].into())).await;
        let e = tokio::time::timeout(Duration::from_secs(20), run.task).await.expect("it ends").unwrap().unwrap_err();
        assert!(matches!(e, PipelineError::Ceiling(_)) && e.fault() == Fault::BadData, "{e}");
        assert!(e.to_string().contains("Repair the producer") && e.to_string().contains(&name.to_lowercase()), "{e}");
    }
    let buried = column(&storage, "dead_letters", "kafka_offset").await.len();
    assert!((40..60).contains(&buried), "{buried} by two runs");
    assert_eq!(column(&storage, "purchases", "cost").await, costs(0..10));
}

/// The app on a Kafka within this process.
fn app(cluster: &EmbeddedKafka, folder: &std::path::Path, overrides: &[(&str, &str)]) -> App {
    let folder = format!("file://{}", folder.display());
    let servers = cluster.bootstrap_servers();
    let base = [
        ("LANDFALL__KAFKA__BOOTSTRAP_SERVERS", servers.as_str()),
        ("LANDFALL__STORAGE__URL", &folder),
        ("LANDFALL__METASTORE__URI", ""),
        ("LANDFALL__TRIGGER__INTERVAL", "200ms"),
    ];
    let all = base.iter().chain(overrides).map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    let settings = load_embedded(all.collect::<BTreeMap<_, _>>().into_iter()).unwrap();
    App::new(settings, &MIGRATIONS.map(|(n, t)| (n.to_owned(), t.to_owned()))).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_kafka_the_ceiling_pauses_and_a_replay_lands_what_a_new_route_wants() {
    let (cluster, folder) = (EmbeddedKafka::start(&[("events", 1)]).unwrap(), tempfile::tempdir().unwrap());
    let config = KafkaConfig {
        bootstrap_servers: cluster.bootstrap_servers(),
        group_id: "producer".to_owned(),
        properties: BTreeMap::new(),
        connect_timeout: Duration::from_secs(10),
        queue_bytes: KafkaConfig::QUEUE_BYTES,
    };
    let send = move |messages: Vec<String>| {
        let config = config.clone();
        tokio::task::spawn_blocking(move || {
            let producer = Producer::new(&config, "events").unwrap();
            messages.iter().for_each(|m| producer.send(m.as_bytes()).unwrap());
            producer.flush(Duration::from_secs(30)).unwrap();
        })
    };
    send((0..50).map(sword).collect()).await.unwrap();
    let unrouted = ("LANDFALL__MESSAGES__UNROUTED", "dead_letter");
    let first = app(&cluster, folder.path(), &[unrouted, ("LANDFALL__MESSAGES__MAX_DEAD_LETTERS", "20%")]);
    let (stop, stopped) = watch::channel(false);
    let (status, mut watched) = watch::channel(Status::default());
    let limit = Duration::from_secs(60);
    let work = async {
        let landed = watched.wait_for(|s| s.messages >= 50);
        tokio::time::timeout(limit, landed).await.unwrap().unwrap();
        send((0..30).map(|n| format!(r#"{{"event_type": "other", "cost": {n}}}"#)).collect()).await.unwrap();
        tokio::time::timeout(limit, watched.wait_for(|s| s.paused.is_some())).await.unwrap().unwrap();
        send((50..60).map(sword).collect()).await.unwrap();
        // Longer than the kafka thread waits with a full channel before it pauses the partitions.
        tokio::time::sleep(Duration::from_secs(3)).await;
        let seen = watched.borrow().clone();
        assert!(seen.paused.is_some() && seen.accounting.events == 50, "{seen:?}");
        stop.send_replace(true);
    };
    let (ran, ()) = tokio::join!(first.run(Mode::Daemon, stopped, status), work);
    ran.unwrap();
    // Without a ceiling, and with a table that wants them.
    let when = ("LANDFALL__TABLES__PURCHASES__WHEN", "{ field = 'event_type', in = ['other', 'purchase_sword'] }");
    // In a group that was left the in-process Kafka lets nobody in for 9 s; a real one does at once.
    let second = app(&cluster, folder.path(), &[unrouted, when, ("LANDFALL__KAFKA__GROUP_ID", "second")]);
    let (_stop, stopped) = watch::channel(false);
    let (status, _) = watch::channel(Status::default());
    second.run(Mode::AvailableNow, stopped, status).await.unwrap();
    let (progress, _) = watch::channel(Default::default());
    let all = Selection::default();
    let listing = second.list_dead_letters(&all, 1, progress.clone()).await.unwrap();
    assert_eq!(listing.reasons.len(), 1);
    let waiting = listing.reasons[0].count;
    assert!((20..=30).contains(&waiting), "{listing}");
    for (dry_run, replayed) in [(true, waiting), (false, waiting), (false, 0)] {
        let report = second.replay_dead_letters(&all, dry_run, progress.clone()).await.unwrap();
        assert_eq!(report.replayed, replayed, "{report}");
    }
    let report = second.verify(true, watch::channel(Default::default()).0).await.unwrap();
    assert!(report.findings.is_empty() && report.replayed == waiting, "{report}");
    let rows = report.tables.iter().find(|t| t.name == "purchases").unwrap().rows_read;
    assert_eq!(rows, Some(90), "each message once, by the daemon or by the replay");
    let left = std::fs::read_dir(folder.path().join("tmp/checkpoints_for_events/staging")).unwrap().count();
    assert_eq!(left, 0, "the command clears its staging");
}
