//! Ranges, accounts and rows of a batch.

use super::*;
use crate::batch::{FieldErrors, PushError};
use crate::fault::Fault;
use crate::model::Tail;
use crate::model::{Accounting, OffsetRange};

const SWORD: &str = r#"{"event_type": "purchase_sword", "Host": "h", "type": "sabre", "cost": 6}"#;

#[test]
fn a_sword_lands_in_two_tables_and_the_batch_number_comes_last() {
    let mut b = buffer(&seeds(), &seed_settings());
    push(&mut b, 0, Some(SWORD.as_bytes())).unwrap();
    push(&mut b, 4, Some(b"{}x")).unwrap();
    assert_eq!((b.messages(), b.bytes(), b.is_empty()), (2, SWORD.len() as u64 + 5, false));
    let sealed = b.seal();
    let names: Vec<_> = sealed.tables.iter().map(|t| (t.table, t.name.as_str(), t.rows)).collect();
    assert_eq!(names, [(0, "sword_purchases", 1), (1, "purchases", 1), (3, "dead_letters", 1)]);
    let row = json!({"raw_event": SWORD, "timestamp": "2021-07-30 18:18:18.12", "accept": null, "host": "h",
        "user-agent": null, "event_type": "purchase_sword", "type": "sabre", "cost": 6});
    assert_eq!((rows(&sealed, "purchases"), rows(&sealed, "sword_purchases")), (vec![row.clone()], vec![row]));
    let dead = json!({"reason": "malformed_json", "detail": "trailing characters at line 1 column 3", "raw_event": "{}x",
        "raw_bytes": b"{}x", "kafka_topic": "events", "kafka_partition": 0, "kafka_offset": 4,
        "kafka_timestamp": 1627669098120000i64, "batch_id": 77});
    assert_eq!(rows(&sealed, "dead_letters"), [dead]);
    let again = sealed.tables[2].record_batch(78);
    assert_eq!(as_json(&again, 0)["batch_id"], 78);
    assert!(b.seal().tables.is_empty() && b.seal().partitions.is_empty());
}

#[test]
fn ranges_chain_over_holes_and_batches() {
    let mut b = buffer(&seeds(), &seed_settings());
    let (p0, p1) = (TopicPartition::new("events", 0), TopicPartition::new("events", 1));
    b.start(p1.clone(), Offset(100), 0).unwrap();
    let mut put = |partition: &TopicPartition, offset| {
        let headers = Headers::default();
        let record = Record { partition, offset, timestamp_ms: None, key: None, value: Some(b"{}"), headers };
        b.push(&record)?;
        b.remember(&record);
        Ok::<(), PushError>(())
    };
    put(&p1, 100).unwrap();
    put(&p0, 3).unwrap();
    put(&p1, 107).unwrap();
    let before = put(&p1, 107).unwrap_err();
    assert_eq!(before.to_string(), "events[1]: the next range starts at offset 107, the last one ended at 108");
    assert_eq!(before.fault(), Fault::Bug);
    assert!(matches!(put(&p1, 99), Err(PushError::BrokenChain(_))));
    let missing = put(&TopicPartition::new("other", 0), 0).unwrap_err();
    assert!(matches!(missing, PushError::NotStarted { .. }) && missing.fault() == Fault::Bug);
    let sealed = b.seal();
    let of = |start, end| OffsetRange { start: Offset(start), end: Offset(end) };
    let got: Vec<_> = sealed.partitions.iter().map(|p| (p.partition.partition, p.range, p.records)).collect();
    assert_eq!(got, [(0, of(0, 4), 1), (1, of(100, 108), 2)]);
    let tail = Tail { offset: 107, ts_ms: None, crc32c: crc32c::crc32c(b"{}") };
    assert_eq!(sealed.partitions[1].tail, Some(tail));

    assert!(b.is_empty());
    let headers = Headers::default();
    b.push(&Record { partition: &p1, offset: 108, timestamp_ms: None, key: None, value: None, headers }).unwrap();
    // A partition that something was read of goes on where it is; another may be moved.
    assert!(b.start(p1.clone(), Offset(5), 0).is_err() && b.start(p1.clone(), Offset(109), 0).is_ok());
    b.start(p0.clone(), Offset(50), 0).unwrap();
    let sealed = b.seal();
    assert_eq!((sealed.partitions.len(), sealed.partitions[0].range), (1, of(108, 109)));
    assert_eq!(sealed.accounting, Accounting { read: 1, tombstones: 1, ..Accounting::default() });

    push(&mut b, 50, Some(SWORD.as_bytes())).unwrap();
    b.seal();
    b.forget_partitions();
    assert!(matches!(push(&mut b, 51, None), Err(PushError::NotStarted { .. })));
    b.start(p0, Offset(0), 0).unwrap();
    push(&mut b, 0, Some(SWORD.as_bytes())).unwrap();
    assert_eq!(rows(&b.seal(), "purchases").len(), 1);
}

#[test]
fn what_becomes_of_each_kind_of_message() {
    let messages: [Option<&[u8]>; 6] = [
        Some(SWORD.as_bytes()),
        Some(b"{\"event_type\":\"default\"}"),
        Some(b"nope"),
        Some(b"[1]"),
        Some(b"{\"a\":\"\xff\"}"),
        None,
    ];
    use {OnMalformed as M, Unrouted as U};
    for (malformed, unrouted, dead, dropped, counted) in [
        (M::DeadLetter, U::Drop, vec!["malformed_json", "not_an_object", "invalid_utf8"], 0, 1),
        (M::DeadLetter, U::DeadLetter, vec!["unrouted", "malformed_json", "not_an_object", "invalid_utf8"], 0, 0),
        (M::Drop, U::Drop, vec![], 3, 1),
        (M::Drop, U::DeadLetter, vec!["unrouted"], 3, 0),
    ] {
        let mut s = seed_settings();
        (s.messages.on_malformed, s.messages.unrouted) = (malformed, unrouted);
        let mut b = buffer(&seeds(), &s);
        for (offset, value) in (0..).zip(messages) {
            push(&mut b, offset, value).unwrap();
        }
        let sealed = b.seal();
        let want = Accounting {
            read: 6,
            events: 1,
            dead_letters: dead.len() as u64,
            dropped,
            unrouted: counted,
            tombstones: 1,
        };
        assert!(want.balances());
        assert_eq!(sealed.accounting, want);
        let rows = rows(&sealed, "dead_letters");
        assert_eq!(rows.iter().map(|r| r["reason"].as_str().unwrap()).collect::<Vec<_>>(), dead);
        for row in rows {
            let utf8 = row["reason"] != "invalid_utf8";
            assert_eq!(row["raw_event"].is_string(), utf8, "{row}");
            assert!(row["raw_bytes"].is_array());
        }
    }
}

#[test]
fn on_malformed_fail_stops_before_the_message() {
    let mut s = seed_settings();
    s.messages.on_malformed = OnMalformed::Fail;
    let mut b = buffer(&seeds(), &s);
    push(&mut b, 0, Some(SWORD.as_bytes())).unwrap();
    let e = push(&mut b, 1, Some(b"{")).unwrap_err();
    assert!(e.to_string().starts_with("events[0] offset 1: malformed_json: EOF while parsing"), "{e}");
    assert_eq!(e.fault(), Fault::BadData);
    assert_eq!((b.messages(), b.bytes()), (1, SWORD.len() as u64 + 1));
    push(&mut b, 1, Some(SWORD.as_bytes())).unwrap();
    let sealed = b.seal();
    assert_eq!((sealed.accounting.read, rows(&sealed, "purchases").len()), (2, 2));
}

#[test]
fn too_large_a_message_keeps_its_beginning_only() {
    let mut s = seed_settings();
    s.messages.max_message_bytes = NonZeroU64::new(100_000).unwrap();
    let mut b = buffer(&seeds(), &s);
    let padded = |len: usize| format!("{}{}", "{\"event_type\":\"purchase\"}", " ".repeat(len - 25));
    let (fits, over) = (padded(100_000), padded(100_001));
    push(&mut b, 0, Some(fits.as_bytes())).unwrap();
    push(&mut b, 1, Some(over.as_bytes())).unwrap();
    assert_eq!(b.bytes(), 100_000 + 65_536 + 2);
    let sealed = b.seal();
    assert_eq!(rows(&sealed, "purchases").len(), 1);
    let dead = &rows(&sealed, "dead_letters")[0];
    assert_eq!((&dead["reason"], &dead["raw_event"]), (&json!("too_large"), &Value::Null));
    assert_eq!(dead["detail"], "the message has 100001 bytes, allowed are 100000");
    assert_eq!(dead["raw_bytes"].as_array().unwrap().len(), 65_536);
}

#[test]
fn every_type_from_every_source() {
    let declared = tables(&[(
        "t",
        "b boolean, i1 tinyint, i2 smallint, i4 int, i8 bigint, f4 float, f8 double, s string, raw binary, at timestamp, \
         ms bigint, k string, kb binary, p bigint, _kafka_partition int, _kafka_offset bigint, _kafka_topic string, id bigint",
    )]);
    let mut own = TableSettings::default();
    for (name, source) in [
        ("raw", ColumnSource::KafkaValue),
        ("at", ColumnSource::KafkaTimestamp),
        ("ms", ColumnSource::KafkaTimestamp),
        ("k", ColumnSource::KafkaKey),
        ("kb", ColumnSource::KafkaKey),
        ("p", ColumnSource::KafkaPartition),
        ("id", ColumnSource::BatchId),
        ("s", ColumnSource::Field("text".into())),
    ] {
        own.columns.insert(name.into(), source);
    }
    let mut s = settings(vec![("t", own)]);
    s.messages.on_malformed = OnMalformed::Drop;
    let mut b = buffer(&declared, &s);
    let good = r#"{"b":true,"i1":-128,"i2":-0,"i4":7,"i8":8,"f4":0.5,"f8":1e2,"text":[1, 2]}"#;
    let bad = r#"{"b":1,"i1":128,"i2":1.0,"i4":"7","i8":{},"f4":"x","f8":true,"text":null}"#;
    push(&mut b, 0, Some(good.as_bytes())).unwrap();
    push(&mut b, 1, Some(bad.as_bytes())).unwrap();
    let sealed = b.seal();
    let got = rows(&sealed, "t");
    let kafka = |offset: i64, raw: &str, row: Value| {
        let mut row = row;
        for (name, value) in [
            ("raw", json!(raw.as_bytes())),
            ("at", json!(1627669098120000i64)),
            ("ms", json!(1627669098120i64)),
            ("k", json!("k")),
            ("kb", json!(b"k")),
            ("p", json!(0)),
            ("_kafka_partition", json!(0)),
            ("_kafka_offset", json!(offset)),
            ("_kafka_topic", json!("events")),
            ("id", json!(77)),
        ] {
            row[name] = value;
        }
        row
    };
    let first = json!({"b": true, "i1": -128, "i2": 0, "i4": 7, "i8": 8, "f4": 0.5, "f8": 100.0, "s": "[1,2]"});
    let second = json!({"b": null, "i1": null, "i2": null, "i4": null, "i8": null, "f4": null, "f8": null, "s": null});
    assert_eq!(got, [kafka(0, good, first), kafka(1, bad, second)]);
    let counted: Vec<_> = sealed.field_errors.iter().map(|e| (e.column.as_str(), e.count)).collect();
    assert_eq!(counted, [("b", 1), ("i1", 1), ("i2", 1), ("i4", 1), ("i8", 1), ("f4", 1), ("f8", 1)]);
    assert!(b.seal().field_errors.is_empty());
}

#[test]
fn the_last_value_that_converts_stays() {
    let mut b = buffer(&seeds(), &seed_settings());
    for (offset, (costs, _, _)) in (0..).zip(DUPLICATES) {
        let fields: String = costs.split(';').map(|c| format!(",\"cost\":{c}")).collect();
        push(&mut b, offset, Some(format!("{{\"event_type\":\"purchase\"{fields}}}").as_bytes())).unwrap();
    }
    let sealed = b.seal();
    let costs: Vec<_> = rows(&sealed, "purchases").iter().map(|r| r["cost"].as_i64()).collect();
    assert_eq!(costs, DUPLICATES.map(|d| d.1));
    let count = DUPLICATES.iter().filter(|d| d.2).count() as u64;
    assert_eq!(sealed.field_errors, [FieldErrors { table: "purchases".into(), column: "cost".into(), count }]);
}

/// Values, what stays, and whether it is counted.
const DUPLICATES: [(&str, Option<i64>, bool); 6] = [
    ("1;2", Some(2), false),
    ("1;null", None, false),
    ("1;\"x\"", Some(1), true),
    ("\"x\";1", Some(1), false),
    ("1;2;[];{}", Some(2), true),
    ("\"x\";true", None, true),
];

#[test]
fn pieces_that_chain_are_one_batch() {
    let mut b = buffer(&seeds(), &seed_settings());
    push(&mut b, 1, Some(br#"{"event_type":"purchase_sword","cost":"x"}"#)).unwrap();
    push(&mut b, 2, Some(b"{broken")).unwrap();
    let mut whole = b.seal();
    push(&mut b, 5, Some(br#"{"event_type":"purchase_sword","cost":"x"}"#)).unwrap();
    let second = b.seal();
    push(&mut b, 6, None).unwrap();
    let third = b.seal();
    let before = whole.clone();
    let broken = whole.extend(third.clone()).unwrap_err();
    assert_eq!((broken.expected, broken.found), (Offset(3), Offset(6)));
    assert_eq!((&whole.partitions, whole.accounting), (&before.partitions, before.accounting));
    whole.extend(second).unwrap();
    whole.extend(third).unwrap();
    let p = &whole.partitions[0];
    assert_eq!(
        (whole.partitions.len(), p.range.start, p.range.end, p.records),
        (1, before.partitions[0].range.start, Offset(7), 4)
    );
    assert_eq!(p.tail.map(|t| t.offset), Some(6));
    let a = whole.accounting;
    assert_eq!((a.read, a.events, a.dead_letters, a.tombstones), (4, 2, 1, 1));
    assert_eq!(whole.field_errors.iter().map(|e| e.count).sum::<u64>(), 4);
    assert_eq!(whole.field_errors.len(), before.field_errors.len());
}
