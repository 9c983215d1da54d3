//! The status page in a real browser, on a desktop and on a phone. Without a browser these tests are skipped, and say so.
//!
//! `LANDFALL_SHOTS=folder` keeps pictures of what was looked at; with `LANDFALL_SHOT_URL=http://…` also of a daemon that runs.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::chromium::{DESKTOP, Look, PHONE, Page, program};
use landfall::model::{Accounting, TopicPartition};
use landfall::observe::{
    LetterSample, Metrics, Outage, PartitionState, PartitionStatus, Phase, Progress, Registration, Service,
    SinkProgress, Status, TableStatus, Time,
};
use landfall::web::{Server, Site};
use tokio::runtime::Runtime;
use tokio::sync::watch;

const LOOKS: [(&str, Look); 4] =
    [("desktop", DESKTOP), ("desktop-dark", dark(DESKTOP)), ("phone", PHONE), ("phone-dark", dark(PHONE))];

const fn dark(look: Look) -> Look {
    Look { dark: true, ..look }
}

fn ago(seconds: i64) -> Time {
    Time::of_ms(Time::now().ms() - seconds * 1000).unwrap()
}

fn batch(n: u64) -> Progress {
    let read = 4000 + n * 37 % 900;
    Progress {
        name: "events".into(),
        timestamp: ago(60 - n as i64).to_string(),
        batch_id: 1_234_500 + n,
        num_input_rows: read,
        input_rows_per_second: 400.0,
        duration_ms: [
            ("triggerExecution", 90 + n),
            ("decode", 31),
            ("encode", 20),
            ("stage", 30),
            ("commit", 8),
            ("publish", 12),
        ]
        .into(),
        sink: SinkProgress {
            num_output_rows: read * 3 / 2,
            num_output_bytes: 300_000 + n * 7000,
            tables: [("purchases".to_owned(), read), ("a_table_with_a_rather_long_name".to_owned(), read / 2)].into(),
            ..SinkProgress::default()
        },
        accounting: Accounting { read, events: read - 40, dead_letters: 40, ..Accounting::default() },
        ..Progress::default()
    }
}

/// A job that is well.
fn well() -> Status {
    let mut s = Status { phase: Phase::Running, reading: true, moved: Some(Time::now()), ..Status::default() };
    s.process.job = "events".into();
    s.process.instance = "landfall-0.landfall.example/1/0b6e".into();
    s.process.version = "0.1.0";
    s.process.started = Some(ago(100_000));
    s.process.trigger_interval_seconds = 10.0;
    s.process.storage = "hdfs://namenode.example:8020/".into();
    s.process.topics = vec!["events".into()];
    s.memory.held_bytes = 20 << 20;
    s.memory.max_bytes = 42 << 20;
    for p in 0..6 {
        let mut partition = PartitionStatus::new(&TopicPartition::new("a.topic.with-a-long-name_of-the-game", p));
        partition.state = PartitionState::Reading;
        partition.landed_offset = Some(123_456_789_012);
        partition.read_offset = Some(123_456_789_412);
        partition.end_offset = Some(123_456_789_512);
        (partition.lag_messages, partition.lag_seconds) = (Some(500), Some(3.2));
        s.partitions.push(partition);
    }
    for name in ["purchases", "a_table_with_a_rather_long_name", "dead_letters"] {
        let mut table = TableStatus::new(name);
        table.full_name = format!("production.{name}");
        (table.rows, table.files, table.bytes) = (1_234_567_890, 12_345, 1 << 38);
        table.registration = Registration::Registered;
        s.tables.push(table);
    }
    (0..60).for_each(|n| s.landed(batch(n), ago(1)));
    s
}

const HOSTILE: &str = r#"{"a": "</pre><script>alert('run')</script><img src=http://elsewhere.example/x onerror=alert(1)>", "b": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"#;

/// A job of which hardly anything works.
fn broken() -> Status {
    let mut s = well();
    for reason in ["malformed_json", "type_error"] {
        s.dead_letters.count(reason, 1_234);
        s.dead_letters.keep(LetterSample {
            time: ago(5),
            timestamp: None,
            topic: "events".into(),
            partition: 0,
            offset: 123_456_789_000,
            reason,
            detail: "expected `,` or `}` at byte 1,234 of the message".into(),
            message: HOSTILE.into(),
        });
    }
    s.field_errors.insert("purchases.a_column_with_quite_a_long_name".into(), 77);
    let error = "create /tmp/checkpoints_for_events/staging/6e0f4c5f-7d6f-4a0e-8a5c-0b8f7f0b7a53/file: Connection refused (os error 111)";
    let outage =
        |service, what: &str| Outage { service, what: what.into(), since: ago(200), failures: 17, error: error.into() };
    s.outages = vec![outage(Service::Storage, "commit a batch"), outage(Service::Metastore, "register a table")];
    s.landing_since = Some(ago(200));
    let reason =
        "offsets 123456789012 to 123456999999 are gone from Kafka, which begins at 123457000000 now".to_owned();
    let command = Some("landfall accept-gap a.topic.with-a-long-name_of-the-game 2 --reason '…'".to_owned());
    s.partitions[2].state = PartitionState::Stopped { since: ago(50), reason, command };
    s.tables[1].registration = Registration::Unregistered { since: ago(300), reason: error.into() };
    s
}

/// A server with this status.
fn serve(runtime: &Runtime, status: Status) -> (SocketAddr, watch::Sender<Status>, tokio::task::JoinHandle<()>) {
    let (sender, watched) = watch::channel(status);
    let _runtime = runtime.enter();
    let server = runtime.block_on(Server::bind("127.0.0.1:0".parse().unwrap())).unwrap();
    let address = server.address();
    let task = tokio::spawn(server.serve(Site::new(watched, Metrics::new())));
    (address, sender, task)
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// Keeps a picture, if that was asked for.
fn keep(page: &mut Page, name: &str) {
    if let Some(folder) = std::env::var_os("LANDFALL_SHOTS").map(PathBuf::from) {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), page.picture(true)).unwrap();
        std::fs::write(folder.join(format!("{name}-first.png")), page.picture(false)).unwrap();
    }
}

/// Elements that reach beyond the right edge, but for what scrolls by itself.
const BEYOND: &str = "[...document.querySelectorAll('body *')].filter(e => !e.closest('.scroll table') && \
    e.getBoundingClientRect().right > innerWidth + 0.5).map(e => e.outerHTML.slice(0, 120))";

#[test]
fn the_page_fits_every_screen_complains_of_nothing_and_asks_nobody_else() {
    let Some(program) = program() else { return };
    let runtime = runtime();
    let mut page = Page::open(&program);
    let jobs = [
        ("well", well(), vec!["Everything is landing.", "3.2 s", "registered", "None since the start."]),
        (
            "broken",
            broken(),
            vec!["Nothing is landing.", "The storage does not answer as it should", "accept-gap", "alert('run')"],
        ),
        ("starting", Status::default(), vec!["Starting.", "None is this process"]),
    ];
    for (job, status, words) in jobs {
        let (address, _status, _server) = serve(&runtime, status);
        for (look_name, look) in LOOKS {
            page.go(&format!("http://{address}/"), look);
            page.value("document.querySelectorAll('details').forEach(d => d.open = true)");
            keep(&mut page, &format!("{job}-{look_name}"));
            let width = page.value("[document.documentElement.scrollWidth, innerWidth]");
            assert_eq!(
                (&width[0], &width[1]),
                (&look.width.into(), &look.width.into()),
                "{job} {look_name}: it overflows"
            );
            assert_eq!(page.value(BEYOND).as_array().unwrap().len(), 0, "{job} {look_name}: {}", page.value(BEYOND));
            // What a table holds is seen without moving it.
            const MOVED: &str =
                "[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth).length";
            assert_eq!(page.value(MOVED), 0, "{job} {look_name}");
            let text = page.value("document.body.innerText");
            for word in &words {
                assert!(text.as_str().unwrap().contains(word), "{job} {look_name}: `{word}` is not in {text}");
            }
            // The style was loaded, and is the one for this look.
            let ground = page.value("getComputedStyle(document.body).backgroundColor");
            assert_eq!(ground, if look.dark { "rgb(18, 23, 27)" } else { "rgb(246, 247, 248)" });
            assert_eq!(page.complaints(), [""; 0], "{job} {look_name}");
            let elsewhere: Vec<_> =
                page.requests().into_iter().filter(|url| !url.starts_with(&format!("http://{address}/"))).collect();
            assert_eq!(elsewhere, [""; 0], "{job} {look_name}");
            assert!(page.requests().len() >= 3, "page, style and script: {:?}", page.requests());
        }
    }
}

#[test]
fn the_page_keeps_itself_fresh_in_place_and_says_when_the_daemon_is_gone() {
    let Some(program) = program() else { return };
    let runtime = runtime();
    let (address, status, server) = serve(&runtime, broken());
    let mut page = Page::open(&program);
    page.go(&format!("http://{address}/"), PHONE);
    page.value("document.getElementById('reason-type_error').open = true; window.marked = true; scrollTo(0, 900)");
    let scrolled = page.value("scrollY");
    assert!(scrolled.as_f64().unwrap() > 300.0, "there is something to scroll: {scrolled}");
    status.send_modify(|s| s.landed(Progress { num_input_rows: 5_000_000, ..batch(61) }, Time::now()));
    page.wait_for("document.body.innerText.includes('5,000,000')");
    assert_eq!(page.value("window.marked && document.getElementById('reason-type_error').open"), true, "in place");
    let drift = page.value("scrollY").as_f64().unwrap() - scrolled.as_f64().unwrap();
    assert!(drift.abs() < 60.0, "it stays where it was scrolled to, but for a line that came or went: {drift}");
    assert_eq!(page.value("document.getElementById('lost').hidden"), true);
    assert_eq!(page.complaints(), [""; 0]);
    server.abort();
    page.wait_for("!document.getElementById('lost').hidden");
    let top = page.value("document.getElementById('lost').getBoundingClientRect().top");
    assert_eq!(top, 0, "it is seen wherever the page is scrolled to");
    let text = page.value("document.getElementById('lost').innerText");
    assert!(text.as_str().unwrap().contains(" UTC"), "{text}");
    keep(&mut page, "lost-phone");
}

#[test]
fn a_daemon_that_runs_is_looked_at_if_asked_for() {
    let Some(url) = std::env::var_os("LANDFALL_SHOT_URL").and_then(|url| url.into_string().ok()) else {
        eprintln!("skipped: LANDFALL_SHOT_URL names no daemon to look at");
        return;
    };
    let Some(program) = program() else { return };
    let name = std::env::var("LANDFALL_SHOT_NAME").unwrap_or_else(|_| "daemon".to_owned());
    let mut page = Page::open(&program);
    for (look_name, look) in LOOKS {
        page.go(&url, look);
        page.value("document.querySelectorAll('details').forEach(d => d.open = true)");
        keep(&mut page, &format!("{name}-{look_name}"));
        assert_eq!(page.value(BEYOND).as_array().unwrap().len(), 0, "{look_name}: {}", page.value(BEYOND));
        assert_eq!(page.complaints(), [""; 0], "{look_name}");
    }
}
