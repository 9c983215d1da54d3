use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::health::{life, readiness};
use super::*;
use crate::model::{Accounting, TopicPartition};
use crate::observe::{
    LetterSample, Outage, PartitionState, PartitionStatus, Phase, Progress, Registration, Service, SinkProgress,
    Status, TableStatus,
};

fn at(second: i64) -> Time {
    Time::of_ms(second * 1000).unwrap()
}

/// A job at second 1,000 that has been running since second 0 and is well.
fn healthy() -> Status {
    let mut s = Status { phase: Phase::Running, reading: true, moved: Some(at(999)), ..Status::default() };
    s.process.job = "events".into();
    s.process.started = Some(at(0));
    s.process.trigger_interval_seconds = 10.0;
    let mut partition = PartitionStatus::new(&TopicPartition::new("clicks", 3));
    partition.state = PartitionState::Reading;
    (partition.landed_offset, partition.end_offset) = (Some(1_234_567), Some(1_234_570));
    (partition.lag_messages, partition.lag_seconds) = (Some(3), Some(1.5));
    s.partitions.push(partition);
    let mut table = TableStatus::new("purchases");
    table.registration = Registration::Registered;
    s.tables.push(table);
    let progress = Progress {
        timestamp: "1970-01-01T00:16:30Z".into(),
        batch_id: 41,
        num_input_rows: 4012,
        duration_ms: BTreeMap::from([("triggerExecution", 85), ("commit", 12), ("polish", 1)]),
        sink: SinkProgress {
            num_output_rows: 6018,
            tables: [("purchases".to_owned(), 6018)].into(),
            ..Default::default()
        },
        accounting: Accounting { read: 4012, events: 4000, dead_letters: 12, ..Default::default() },
        ..Progress::default()
    };
    s.landed(progress, at(997));
    s
}

fn kinds(s: &Status) -> (Vec<&'static str>, Vec<&'static str>) {
    let r = readiness(s, at(1000));
    (r.reasons.iter().map(|r| r.reason).collect(), r.notes.iter().map(|r| r.reason).collect())
}

fn with(change: impl FnOnce(&mut Status)) -> Status {
    let mut s = healthy();
    change(&mut s);
    s
}

fn outage(service: Service, since: i64) -> Outage {
    Outage { service, what: "commit a batch".into(), since: at(since), failures: 7, error: "refused".into() }
}

fn shown(status: &Status) -> String {
    page(&View { status: status.clone(), ..View::default() }, at(1000))
}

fn assert_has(page: &str, words: &[&str]) {
    words.iter().for_each(|w| assert!(page.contains(w), "`{w}` is not in:\n{page}"));
}

#[test]
fn a_job_that_is_well_is_ready_and_its_page_says_so() {
    assert_eq!(kinds(&healthy()), (vec![], vec![]));
    let page = shown(&healthy());
    let words = [
        "<title>OK · events · landfall</title>",
        "Everything is landing.",
        "clicks[3]",
        "1,234,567",
        "1.5 s",
        ">3 s ago<",
        "4,012 messages in 85 ms",
        "0.30 % of the messages",
        "registered",
        ">polish<",
        "1970-01-01 00:16:40 UTC",
        "4,012 messages landed = 4,000 in tables + 12 dead letters + 0 that no table wants",
        "None since the start.",
    ];
    assert_has(&page, &words);
    let done = with(|s| s.partitions[0].lag_messages = Some(0));
    assert_has(&shown(&done), &["Everything has landed."]);
}

#[test]
fn a_page_of_a_process_that_has_just_begun_is_whole() {
    let page = shown(&Status::default());
    assert_has(&page, &["Starting.", "None is this process", "none yet", "landfall", "</html>"]);
}

#[test]
fn each_reason_is_told_and_makes_the_job_unready() {
    let cases: [(&str, Status); 12] = [
        ("starting", with(|s| s.phase = Phase::Starting)),
        ("stopping", with(|s| s.phase = Phase::Stopping)),
        ("kafka", with(|s| s.outages = vec![outage(Service::Kafka, 990)])),
        ("storage", with(|s| s.outages = vec![outage(Service::Storage, 990)])),
        ("paused", with(|s| (s.paused, s.landing_since) = (Some("too many dead letters".into()), Some(at(930))))),
        ("stalled", with(|s| s.landing_since = Some(at(930)))),
        ("stalled", with(|s| (s.last_landed, s.partitions[0].lag_seconds) = (Some(at(900)), Some(90.0)))),
        ("stalled", with(|s| (s.last_landed, s.partitions[0].lag_seconds) = (None, Some(90.0)))),
        (
            "stopped",
            with(|s| {
                let command = Some("landfall accept-gap clicks 3".into());
                s.partitions[0].state = PartitionState::Stopped { since: at(1), reason: "gone".into(), command };
            }),
        ),
        (
            "registration",
            with(|s| s.tables[0].registration = Registration::Unregistered { since: at(900), reason: "no".into() }),
        ),
        (
            "registration",
            with(|s| s.tables[0].registration = Registration::Differs { since: at(999), reason: "a".into() }),
        ),
        ("registration", with(|s| s.tables[0].unregistered_partitions_since = Some(at(900)))),
    ];
    for (kind, status) in cases {
        assert_eq!(kinds(&status).0, [kind], "{:?}", readiness(&status, at(1000)));
        let readiness = readiness(&status, at(1000));
        let page = shown(&status);
        let passing = matches!(kind, "starting" | "stopping");
        assert_has(&page, &[if passing { "<title>Attention" } else { "<title>Trouble" }]);
        let json: serde_json::Value = serde_json::from_str(&readiness.to_json()).unwrap();
        assert_eq!((&json["ready"], &json["reasons"][0]["reason"]), (&false.into(), &kind.into()));
    }
    assert_has(
        &shown(&with(|s| s.outages = vec![outage(Service::Storage, 820)])),
        &["The storage does not answer", "3 min", "refused"],
    );
}

#[test]
fn what_passes_by_itself_is_a_note_and_the_job_stays_ready() {
    let cases: [(&str, Status); 7] = [
        ("metastore", with(|s| s.outages = vec![outage(Service::Metastore, 1)])),
        ("storage", with(|s| s.outages = vec![outage(Service::Storage, 998)])),
        ("memory", with(|s| s.memory.full_since = Some(at(900)))),
        ("standby", with(|s| s.partitions.clear())),
        ("behind", with(|s| s.partitions[0].lag_seconds = Some(500.0))),
        ("registration", with(|s| s.tables[0].registration = Registration::Newer { reason: "0009".into() })),
        // Idle for long, and something has just come.
        ("", with(|s| (s.last_landed, s.partitions[0].lag_seconds) = (Some(at(1)), Some(2.0)))),
    ];
    for (kind, status) in cases {
        let notes = if kind.is_empty() { vec![] } else { vec![kind] };
        assert_eq!(kinds(&status), (vec![], notes), "{:?}", readiness(&status, at(1000)));
    }
    assert_has(&shown(&with(|s| s.partitions[0].lag_seconds = Some(500.0))), &["but late", "8 min 20 s"]);
    assert_has(&shown(&with(|s| s.partitions.clear())), &["<title>Attention", "any more"]);
    let young =
        with(|s| s.tables[0].registration = Registration::Unregistered { since: at(999), reason: "not yet".into() });
    assert_eq!(kinds(&young), (vec![], vec![]));
}

#[test]
fn a_pipeline_that_does_not_move_is_dead_and_one_that_has_not_begun_is_not() {
    let moved = |second: Option<i64>| life(&Status { moved: second.map(at), ..Status::default() }, at(1000));
    assert!(moved(None).alive && moved(Some(999)).alive && moved(Some(1001)).alive);
    let dead = moved(Some(900));
    assert!(!dead.alive && dead.says.contains("1 min 40 s"), "{}", dead.says);
}

#[test]
fn what_messages_and_errors_hold_is_text_and_never_markup() {
    const EVIL: &str = "</code></pre><script>alert(1)</script><img src=x onerror=alert(2)>\"'&";
    let status = with(|s| {
        s.dead_letters.count("malformed_json", 1);
        s.dead_letters.keep(LetterSample {
            time: at(1),
            timestamp: None,
            topic: EVIL.into(),
            partition: 0,
            offset: 5,
            reason: "malformed_json",
            detail: EVIL.into(),
            message: EVIL.into(),
        });
        s.field_errors.insert(EVIL.into(), 3);
        s.unknown_fields.insert(EVIL.into(), 3);
        s.outages = vec![Outage { error: EVIL.into(), ..outage(Service::Kafka, 1) }];
        s.paused = Some(EVIL.into());
        s.process.job = EVIL.into();
        s.process.instance = EVIL.into();
        s.process.storage = EVIL.into();
        s.process.topics = vec![EVIL.into()];
        s.tables[0].full_name = EVIL.into();
        s.tables[0].location = EVIL.into();
        s.tables[0].registration = Registration::Differs { since: at(1), reason: EVIL.into() };
        s.partitions[0].topic = EVIL.into();
        s.partitions[0].state =
            PartitionState::Stopped { since: at(1), reason: EVIL.into(), command: Some(EVIL.into()) };
        let mut last = (**s.last.as_ref().unwrap()).clone();
        last.timestamp = EVIL.into();
        s.progress = [Arc::new(last)].into();
    });
    let page = shown(&status);
    assert!(page.matches("&lt;script&gt;alert(1)").count() >= 12, "it is shown:\n{page}");
    assert_eq!(page.matches("<script").count(), 1, "but for the page's own:\n{page}");
    assert!(!page.contains("<img") && !page.contains("onerror=\"") && !page.contains("=\"</code>"), "{page}");
}

#[test]
fn a_page_of_very_many_partitions_and_batches_stays_small() {
    let status = with(|s| {
        s.partitions = (0..5000)
            .map(|p| PartitionStatus {
                lag_messages: Some(p as u64),
                ..PartitionStatus::new(&TopicPartition::new("t", p))
            })
            .collect();
        let last = s.last.clone().unwrap();
        s.progress = std::iter::repeat_n(last, 100).collect();
    });
    let page = shown(&status);
    assert!(page.len() < 100_000, "{}", page.len());
    assert_has(&page, &["t[4999]", "4,936 more, less far behind."]);
    assert!(!page.contains("t[17]"));
}
