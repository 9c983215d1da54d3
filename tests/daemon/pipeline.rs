//! The whole flow in memory: messages in, Parquet files out, with the seeds' own tables and configuration.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::common::gated::Gated;
use crate::common::line::{Running, column, committer, costs, guild, partition, settings, start, sword};
use landfall::commit::Decision;
use landfall::model::Offset;
use landfall::source::MemoryTopic;
use landfall::storage::{MemoryStorage, Storage};
use tokio::sync::watch;

#[tokio::test]
async fn every_message_becomes_rows_a_dead_letter_or_a_counted_drop() {
    let (topic, storage) = (MemoryTopic::default(), Arc::new(MemoryStorage::default()) as Arc<dyn Storage>);
    let p = partition(0);
    for n in 0..40 {
        topic.append(&p, 1_627_669_098_000 + n, Some(sword(n).as_bytes()));
        topic.append(&partition(1), 0, Some(guild(n).as_bytes()));
    }
    topic.append(&p, 0, Some(br#"{"event_type": "default"}"#));
    topic.append(&p, 0, Some(b"{broken"));
    topic.append(&p, 0, Some(b"\xff\xfe"));
    topic.append(&p, 0, None);
    let settings = settings(&[]);
    let mut daemon = start(&topic, &storage, &settings, None).await;
    daemon.landed(84).await;
    let counts = daemon.status.borrow().accounting;
    assert!(counts.balances());
    let got = (counts.events, counts.dead_letters, counts.unrouted, counts.tombstones);
    assert_eq!(got, (80, 2, 1, 1));
    daemon.stop().await.unwrap();
    assert_eq!(column(&storage, "sword_purchases", "cost").await, costs(0..40));
    assert_eq!(column(&storage, "purchases", "cost").await, costs(0..40));
    assert_eq!(column(&storage, "guilds", "guild_member_cnt").await, costs(0..40));
    assert_eq!(column(&storage, "dead_letters", "kafka_offset").await, [Some("41".into()), Some("42".into())]);
    assert_eq!(column(&storage, "purchases", "timestamp").await[0].as_deref(), Some("2021-07-30 18:18:18"));
}

#[tokio::test]
async fn goes_on_from_the_log_after_a_stop_and_after_a_kill() {
    let (topic, storage) = (MemoryTopic::default(), Arc::new(MemoryStorage::default()) as Arc<dyn Storage>);
    let settings = settings(&[]);
    topic.create(&partition(0));
    for round in 0..6 {
        let mut daemon = start(&topic, &storage, &settings, None).await;
        for n in round * 20..round * 20 + 20 {
            topic.append(&partition(0), 0, Some(sword(n).as_bytes()));
        }
        daemon.landed(10).await;
        match round % 2 {
            0 => daemon.task.abort(),
            _ => daemon.stop().await.unwrap(),
        }
    }
    let daemon = start(&topic, &storage, &settings, Some([(partition(0), 120)].into())).await;
    daemon.task.await.unwrap().unwrap();
    assert_eq!(column(&storage, "sword_purchases", "cost").await, costs(0..120));
}

#[tokio::test]
async fn a_stop_lands_what_is_buffered() {
    let (topic, storage) = (MemoryTopic::default(), Arc::new(MemoryStorage::default()) as Arc<dyn Storage>);
    for n in 0..30 {
        topic.append(&partition(0), 0, Some(sword(n).as_bytes()));
    }
    let settings = settings(&[("LANDFALL__TRIGGER__INTERVAL", "1h")]);
    let daemon = start(&topic, &storage, &settings, None).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(daemon.status.borrow().messages, 0);
    daemon.stop().await.unwrap();
    assert_eq!(column(&storage, "sword_purchases", "cost").await, costs(0..30));
}

#[tokio::test]
async fn a_rebalance_waits_until_what_is_buffered_is_landed() {
    let (topic, storage) = (MemoryTopic::default(), Arc::new(MemoryStorage::default()) as Arc<dyn Storage>);
    let settings = settings(&[("LANDFALL__TRIGGER__INTERVAL", "1h")]);
    topic.create(&partition(0));
    let mut daemon = start(&topic, &storage, &settings, None).await;
    for round in 1..=3 {
        for n in (round - 1) * 10..round * 10 {
            topic.append(&partition(0), 0, Some(sword(n).as_bytes()));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        topic.rebalance();
        daemon.landed(10 * round as u64).await;
    }
    assert_eq!(daemon.status.borrow().batches, 3, "nothing is read twice, no batch is empty");
    daemon.stop().await.unwrap();
    assert_eq!(column(&storage, "sword_purchases", "cost").await, costs(0..30));
}

#[tokio::test]
async fn a_topic_that_was_made_anew_stops_until_somebody_says_that_it_begins_anew() {
    let (topic, storage) = (MemoryTopic::default(), Arc::new(MemoryStorage::default()) as Arc<dyn Storage>);
    let settings = settings(&[]);
    for n in 0..10 {
        topic.append(&partition(0), 7, Some(sword(n).as_bytes()));
    }
    let mut daemon = start(&topic, &storage, &settings, None).await;
    daemon.landed(10).await;
    daemon.stop().await.unwrap();
    // Longer than before: only the fingerprint of the message at offset 9 tells.
    topic.remake();
    for n in 100..130 {
        topic.append(&partition(0), 7, Some(sword(n).as_bytes()));
    }
    let mut daemon = start(&topic, &storage, &settings, None).await;
    let stopped = daemon.status.wait_for(|s| !s.stopped.is_empty()).await.unwrap().stopped.clone();
    assert!(stopped[0].contains("the message at offset 9 is not the one that was landed"), "{stopped:?}");
    let mut operator = committer(&storage).await;
    let why = Decision { reason: "the topic was made anew".to_owned(), operator: "test".to_owned() };
    operator.accept_topic("events".to_owned(), [(0, Offset(0))].into(), why).await.unwrap().expect("a slot");
    // The daemon finds the operator's word in the log by itself.
    daemon.landed(30).await;
    assert!(daemon.status.borrow().stopped.is_empty());
    daemon.stop().await.unwrap();
    let mut expected = [costs(0..10), costs(100..130)].concat();
    expected.sort();
    assert_eq!(column(&storage, "sword_purchases", "cost").await, expected);
}

#[tokio::test]
async fn a_gap_can_be_recorded_instead_of_stopping_its_partition() {
    let (topic, storage) = (MemoryTopic::default(), Arc::new(MemoryStorage::default()) as Arc<dyn Storage>);
    let settings = settings(&[("LANDFALL__KAFKA__ON_GAP", "record")]);
    for n in 0..10 {
        topic.append(&partition(0), 0, Some(sword(n).as_bytes()));
    }
    let mut daemon = start(&topic, &storage, &settings, None).await;
    daemon.landed(10).await;
    daemon.stop().await.unwrap();
    for n in 10..20 {
        topic.append(&partition(0), 0, Some(sword(n).as_bytes()));
    }
    topic.expire(&partition(0), 15);
    let mut daemon = start(&topic, &storage, &settings, None).await;
    daemon.landed(5).await;
    daemon.stop().await.unwrap();
    let mut expected = [costs(0..10), costs(15..20)].concat();
    expected.sort();
    assert_eq!(column(&storage, "sword_purchases", "cost").await, expected);
}

#[tokio::test]
async fn a_bounded_run_ends_where_it_was_told_to() {
    let (topic, storage) = (MemoryTopic::default(), Arc::new(MemoryStorage::default()) as Arc<dyn Storage>);
    for n in 0..50 {
        topic.append(&partition(0), 0, Some(sword(n).as_bytes()));
    }
    topic.create(&partition(1));
    let until: BTreeMap<_, _> = [(partition(0), 33), (partition(1), 0)].into();
    let settings = settings(&[("LANDFALL__TRIGGER__MAX_ROWS", "10")]);
    for _ in 0..2 {
        let run = start(&topic, &storage, &settings, Some(until.clone())).await;
        tokio::time::timeout(Duration::from_secs(20), run.task).await.expect("ends").unwrap().unwrap();
        assert_eq!(column(&storage, "sword_purchases", "cost").await, costs(0..33));
    }
}

#[tokio::test]
async fn a_malformed_message_can_be_made_to_stop_the_daemon_before_it() {
    let (topic, storage) = (MemoryTopic::default(), Arc::new(MemoryStorage::default()) as Arc<dyn Storage>);
    for n in 0..5 {
        topic.append(&partition(0), 0, Some(sword(n).as_bytes()));
    }
    topic.append(&partition(0), 0, Some(b"{broken"));
    topic.append(&partition(0), 0, Some(sword(5).as_bytes()));
    let strict = settings(&[("LANDFALL__MESSAGES__ON_MALFORMED", "fail")]);
    let daemon = start(&topic, &storage, &strict, None).await;
    let e = daemon.task.await.unwrap().unwrap_err();
    assert!(e.to_string().contains("events[0] offset 5: malformed_json"), "{e}");
    assert_eq!(e.fault(), landfall::fault::Fault::BadData);
    assert_eq!(column(&storage, "sword_purchases", "cost").await, costs(0..5), "what lies before it is landed");
    // With another setting the next start goes on at that message.
    let daemon = start(&topic, &storage, &settings(&[]), Some([(partition(0), 7)].into())).await;
    daemon.task.await.unwrap().unwrap();
    assert_eq!(column(&storage, "sword_purchases", "cost").await, costs(0..6));
    assert_eq!(column(&storage, "dead_letters", "kafka_offset").await, [Some("5".into())]);
}

#[tokio::test]
async fn messages_that_retention_took_stop_their_partition_and_no_other() {
    let (topic, storage) = (MemoryTopic::default(), Arc::new(MemoryStorage::default()) as Arc<dyn Storage>);
    let settings = settings(&[]);
    for n in 0..10 {
        topic.append(&partition(0), 0, Some(sword(n).as_bytes()));
    }
    topic.create(&partition(1));
    let mut daemon = start(&topic, &storage, &settings, None).await;
    daemon.landed(10).await;
    daemon.stop().await.unwrap();
    for n in 10..20 {
        topic.append(&partition(0), 0, Some(sword(n).as_bytes()));
        topic.append(&partition(1), 0, Some(sword(100 + n).as_bytes()));
    }
    topic.expire(&partition(0), 15);
    let mut daemon = start(&topic, &storage, &settings, None).await;
    daemon.landed(10).await;
    let stopped = daemon.status.borrow().stopped.clone();
    assert!(stopped.len() == 1 && stopped[0].contains("5 offsets are gone by retention"), "{stopped:?}");
    daemon.stop().await.unwrap();
    let mut expected = [costs(0..10), costs(110..120)].concat();
    expected.sort();
    assert_eq!(column(&storage, "sword_purchases", "cost").await, expected);
}

/// Retention overtakes a daemon that has read 30 messages and landed 10: 20 are in its memory, 15 are gone unread.
async fn overtaken(on_gap: &str) -> (Running, MemoryTopic, Arc<dyn Storage>) {
    let (topic, storage) = (MemoryTopic::default(), Arc::new(MemoryStorage::default()) as Arc<dyn Storage>);
    let (open, gate) = watch::channel(true);
    let gated = Arc::new(Gated { inner: storage.clone(), open: gate }) as Arc<dyn Storage>;
    let append = |p: i32, costs: std::ops::Range<i64>| {
        costs.for_each(|n| topic.append(&partition(p), 0, Some(sword(n).as_bytes())));
    };
    append(0, 0..10);
    topic.create(&partition(1));
    let mut daemon = start(&topic, &gated, &settings(&[("LANDFALL__KAFKA__ON_GAP", on_gap)]), None).await;
    daemon.landed(10).await;
    // One batch stays at committing, so that what is read after it stays open.
    open.send_replace(false);
    append(1, 100..105);
    tokio::time::sleep(Duration::from_millis(200)).await;
    append(0, 10..30);
    tokio::time::sleep(Duration::from_millis(200)).await;
    // In one go: nothing of it is read.
    append(0, 30..50);
    topic.expire(&partition(0), 45);
    append(1, 105..110);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(daemon.status.borrow().stopped, Vec::<String>::new(), "it is not known yet where the log goes on");
    open.send_replace(true);
    (daemon, topic, storage)
}

#[tokio::test]
async fn what_was_read_before_a_gap_lands_before_the_gap_is_told() {
    let (mut daemon, topic, storage) = overtaken("stop").await;
    let stopped = daemon.status.wait_for(|s| !s.stopped.is_empty()).await.unwrap().clone();
    assert!(stopped.stopped[0].contains("goes on at offset 30, but"), "{stopped:?}");
    assert!(stopped.stopped[0].contains("15 offsets are gone"), "{stopped:?}");
    assert!(stopped.messages >= 35, "what was read is landed: {stopped:?}");
    // What has landed since the daemon started is no word of an operator.
    topic.append(&partition(1), 0, Some(sword(110).as_bytes()));
    let again = daemon.status.wait_for(|s| s.stopped != stopped.stopped);
    let again = tokio::time::timeout(Duration::from_secs(6), again).await.map(|s| s.unwrap().clone());
    assert!(again.is_err(), "told once, and not taken up again: {again:?}");
    let mut operator = committer(&storage).await;
    let why = Decision { reason: "a test".to_owned(), operator: "test".to_owned() };
    operator.accept_gap(partition(0), Offset(45), why).await.unwrap().expect("a slot");
    daemon.landed(46).await;
    daemon.stop().await.unwrap();
    let mut expected = [costs(0..30), costs(45..50), costs(100..111)].concat();
    expected.sort();
    assert_eq!(column(&storage, "sword_purchases", "cost").await, expected);
}

#[tokio::test]
async fn what_was_read_before_a_gap_lands_before_the_gap_is_recorded() {
    let (mut daemon, _, storage) = overtaken("record").await;
    daemon.landed(45).await;
    assert!(daemon.status.borrow().stopped.is_empty());
    daemon.stop().await.unwrap();
    let mut expected = [costs(0..30), costs(45..50), costs(100..110)].concat();
    expected.sort();
    assert_eq!(column(&storage, "sword_purchases", "cost").await, expected);
}

#[tokio::test]
async fn a_partition_of_which_nothing_has_landed_begins_with_its_oldest_message_by_itself() {
    let (topic, storage) = (MemoryTopic::default(), Arc::new(MemoryStorage::default()) as Arc<dyn Storage>);
    topic.create(&partition(0));
    let mut daemon = start(&topic, &storage, &settings(&[]), None).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    (0..10).for_each(|n| topic.append(&partition(0), 0, Some(sword(n).as_bytes())));
    topic.expire(&partition(0), 4);
    let stopped = daemon.status.wait_for(|s| !s.stopped.is_empty()).await.unwrap().stopped.clone();
    assert!(stopped[0].contains("4 offsets are gone by retention"), "{stopped:?}");
    daemon.landed(6).await;
    assert!(daemon.status.borrow().stopped.is_empty());
    daemon.stop().await.unwrap();
    assert_eq!(column(&storage, "sword_purchases", "cost").await, costs(4..10));
}

#[tokio::test]
async fn two_daemons_that_both_read_everything_land_every_message_once() {
    let (topic, storage) = (MemoryTopic::default(), Arc::new(MemoryStorage::default()) as Arc<dyn Storage>);
    let settings = settings(&[("LANDFALL__TRIGGER__INTERVAL", "10ms")]);
    topic.create(&partition(0));
    // Each owns all partitions, as after a rebalance that one of them has not noticed.
    let (a, b) = (start(&topic, &storage, &settings, None).await, start(&topic, &storage, &settings, None).await);
    for n in 0..300 {
        topic.append(&partition(0), 0, Some(sword(n).as_bytes()));
        if n % 10 == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    while a.status.borrow().messages + b.status.borrow().messages < 300 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    a.stop().await.unwrap();
    b.stop().await.unwrap();
    assert_eq!(column(&storage, "sword_purchases", "cost").await, costs(0..300));
    assert_eq!(column(&storage, "purchases", "cost").await, costs(0..300));
}

/// Letters that do not compress.
fn noise(seed: i64, bytes: usize) -> String {
    let mut state = seed as u64 | 1 << 40;
    let letter = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'0' + (state >> 58) as u8)
    };
    (0..bytes).map(letter).collect::<String>().replace('\\', "_")
}

#[tokio::test]
async fn a_backlog_of_any_size_is_held_within_the_memory_that_is_allowed() {
    let (topic, memory) = (MemoryTopic::default(), Arc::new(MemoryStorage::default()) as Arc<dyn Storage>);
    let (gate, open) = watch::channel(true);
    let storage: Arc<dyn Storage> = Arc::new(Gated { inner: memory.clone(), open });
    // 48 MB of messages, each a row of two tables.
    let messages = 2400;
    for n in 0..messages {
        let value = format!(r#"{{"event_type":"purchase_sword","cost":{n},"Host":"{}"}}"#, noise(n, 20_000));
        topic.append(&partition(n as i32 % 4), 0, Some(value.as_bytes()));
    }
    let settings = settings(&[
        ("LANDFALL__MEMORY__MAX", "48MiB"),
        ("LANDFALL__MESSAGES__MAX_MESSAGE_BYTES", "1MiB"),
        ("LANDFALL__TRIGGER__INTERVAL", "1h"),
    ]);
    let allowed = settings.memory.between();
    let until = (0..4).map(|p| (partition(p), messages / 4)).collect();
    let mut daemon = start(&topic, &storage, &settings, Some(until)).await;
    gate.send_replace(false);
    // Nothing lands, and so after a while nothing more is taken.
    let (mut held, mut since) = (0, 0);
    while held < allowed || since < 50 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        since = if held == daemon.memory.held() { since + 1 } else { 0 };
        held = daemon.memory.held();
    }
    // What was under way when it was full: eight units of 256 KiB, and as rows of two tables twice as many.
    assert!((allowed..allowed + (16 << 20)).contains(&held), "{held} of {allowed}");
    assert_eq!(daemon.status.borrow().messages, 0);
    gate.send_replace(true);
    for landed in (400..=2000).step_by(400) {
        daemon.landed(landed).await;
        assert!(daemon.memory.held() < allowed + (16 << 20));
    }
    let stopped = daemon.memory.clone();
    tokio::time::timeout(Duration::from_secs(60), daemon.task).await.unwrap().unwrap().unwrap();
    let landed = column(&memory, "purchases", "cost").await;
    let (wanted, count) = (costs(0..messages), landed.len());
    assert!(
        landed == wanted,
        "{count} rows landed, {} other than the messages",
        landed.iter().filter(|c| !wanted.contains(c)).count()
    );
    assert_eq!(stopped.held(), 0);
}
