//! Rows parted by the values of partition columns; columns made of a moment.

use super::*;
use crate::batch::limits::MAX_FILES;
use crate::decode::Reason;

const NULL: &str = "__HIVE_DEFAULT_PARTITION__";

fn day() -> ColumnSource {
    ColumnSource::Date(Moment::Kafka)
}

fn of_field(name: &str) -> Moment {
    Moment::Field(vec![name.to_owned()])
}

/// Table `t` of these columns, partitioned by these.
fn declared(columns: &str, keys: &str) -> Vec<Table> {
    tables(&[("t", &format!("{columns}) partitioned by ({keys}"))])
}

fn settings_of(sources: &[(&str, ColumnSource)]) -> Settings {
    let columns = sources.iter().map(|(name, source)| ((*name).to_owned(), source.clone())).collect();
    let mut s = settings(vec![("t", TableSettings { columns, ..Default::default() })]);
    s.messages.on_malformed = OnMalformed::Drop;
    s
}

fn parted(keys: &str, sources: &[(&str, ColumnSource)]) -> BatchBuffer {
    buffer(&declared("id int", keys), &settings_of(sources))
}

fn fill(buffer: &mut BatchBuffer, messages: &[&str]) -> SealedBatch {
    let from = buffer.messages() as i64;
    for (offset, text) in (from..).zip(messages) {
        push(buffer, offset, Some(text.as_bytes())).unwrap();
    }
    buffer.seal()
}

/// Each partition with the `id`s of its rows.
fn parts(sealed: &SealedBatch) -> Vec<(String, Vec<Value>)> {
    let ids = |t: &crate::batch::SealedTable| {
        let batch = t.record_batch(77);
        assert_eq!((batch.num_rows(), batch.num_columns()), (t.rows, 1));
        (0..t.rows).map(|row| as_json(&batch, row)["id"].clone()).collect()
    };
    sealed.tables.iter().map(|t| (t.partition.clone().unwrap(), ids(t))).collect()
}

fn errors(sealed: &SealedBatch) -> Vec<(&str, u64)> {
    sealed.field_errors.iter().map(|e| (e.column.as_str(), e.count)).collect()
}

#[test]
fn a_batch_has_an_entry_for_each_partition_and_begins_anew() {
    let mut b = parted("dt string, kind string", &[("dt", day())]);
    let messages = [
        r#"{"id":1,"kind":"a"}"#,
        r#"{"id":2,"kind":"a"}"#,
        r#"{"id":3,"kind":"a/b=c:%"}"#,
        r#"{"id":4,"kind":"größe x"}"#,
        r#"{"id":5,"kind":"a"}"#,
        r#"{"id":6,"kind":null}"#,
        r#"{"id":7}"#,
        r#"{"id":8,"kind":{"x": 1}}"#,
    ];
    let sealed = fill(&mut b, &messages);
    let want = [
        (NULL.to_owned(), vec![json!(6), json!(7)]),
        ("a".to_owned(), vec![json!(1), json!(2), json!(5)]),
        ("a%2Fb%3Dc%3A%25".to_owned(), vec![json!(3)]),
        ("größe x".to_owned(), vec![json!(4)]),
        ("%7B\"x\"%3A1}".replace('"', "%22"), vec![json!(8)]),
    ];
    let mut want = want.map(|(kind, ids)| (format!("dt=2021-07-30/kind={kind}"), ids)).to_vec();
    want.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(parts(&sealed), want);
    assert_eq!((errors(&sealed), sealed.accounting.events), (vec![], 8));
    assert_eq!(b.size().files, 0);
    for (offset, text) in (8..).zip(messages) {
        push(&mut b, offset, Some(text.as_bytes())).unwrap();
    }
    assert_eq!(b.size().files, 5);
    assert_eq!(parts(&b.seal()), want, "the second batch is as the first");
}

#[test]
fn a_value_that_is_none_of_its_type_is_null_and_counted() {
    let of = |hive_type: &str, values: &[&str]| {
        let mut b = parted(&format!("p {hive_type}"), &[]);
        let messages: Vec<_> = values.iter().map(|v| format!("{{\"id\":1,{v}}}")).collect();
        let sealed = fill(&mut b, &messages.iter().map(String::as_str).collect::<Vec<_>>());
        let wrong = errors(&sealed).iter().map(|(_, n)| *n).sum::<u64>();
        let names = sealed.tables.iter().map(|t| (t.partition.as_deref().unwrap()[2..].to_owned(), t.rows));
        (names.collect::<Vec<_>>(), wrong)
    };
    let part = |name: &str, rows| (name.to_owned(), rows);
    let values = [r#""p":7"#, r#""p":-0"#, r#""p":"7""#, r#""p":7.5"#, r#""p":128"#, r#""p":7,"p":"x""#, r#""p":null"#];
    assert_eq!(of("tinyint", &values), (vec![part("0", 1), part("7", 2), part(NULL, 4)], 4));
    let values = [r#""p":"2026-11-22T10:00:00Z""#, r#""p":"2026-1-2""#, r#""p":"1500-01-01""#, r#""p":20261122"#];
    assert_eq!(of("date", &values), (vec![part("2026-01-02", 1), part("2026-11-22", 1), part(NULL, 2)], 2));
    let values = [r#""p":"""#, r#""p":"a\u0000b""#, r#""p":"__HIVE_DEFAULT_PARTITION__""#, r#""p":" ""#, r#""p":true"#];
    assert_eq!(of("string", &values), (vec![part(" ", 1), part(NULL, 3), part("true", 1)], 3));
    let long = format!("\"p\":\"{}\"", "é".repeat(200));
    assert_eq!(of("string", &[&long]), (vec![part(NULL, 1)], 1));
    assert_eq!(of("varchar(2)", &[&long, r#""p":"ab""#]), (vec![part("ab", 1), part("éé", 1)], 0));
}

#[test]
fn columns_are_made_of_a_moment_in_the_zone() {
    let columns = "d date, s string, v varchar(4), h tinyint, i int, l bigint, t string";
    let sources = [
        ("d", ColumnSource::Date(of_field("at"))),
        ("s", ColumnSource::Date(of_field("at"))),
        ("v", ColumnSource::Date(Moment::Kafka)),
        ("h", ColumnSource::Hour(of_field("at"))),
        ("i", ColumnSource::Hour(Moment::Field(vec!["x".into(), "at".into()]))),
        ("l", ColumnSource::Hour(Moment::Kafka)),
        ("t", ColumnSource::Hour(of_field("at"))),
        ("day", ColumnSource::Date(of_field("at"))),
        ("hour", ColumnSource::Hour(of_field("at"))),
    ];
    let mut s = settings_of(&sources);
    s.timestamp_zone = "Europe/Paris".into();
    let mut b = buffer(&declared(columns, "day date, hour string"), &s);
    let messages = [
        r#"{"at":"2026-11-22T23:30:00Z","x":{"at":"2026-11-22 05:00"}}"#,
        r#"{"at":"2026-11-23 07:59:59.9","x":{"at":"soon"}}"#,
        r#"{"at":null,"x":null}"#,
        r#"{"at":"soon","x":3}"#,
    ];
    let sealed = fill(&mut b, &messages);
    let found: Vec<_> = sealed.tables.iter().map(|t| t.partition.clone().unwrap()).collect();
    let want = ["day=2026-11-23/hour=00", "day=2026-11-23/hour=07", &format!("day={NULL}/hour={NULL}")];
    assert_eq!(found, want);
    let rows: Vec<_> = sealed.tables.iter().map(|t| as_json(&t.record_batch(0), 0)).collect();
    let row = |d, s, h, i, t| json!({"d": d, "s": s, "v": "2021", "h": h, "i": i, "l": 20, "t": t});
    let (day, text) = (json!(20_780), json!("2026-11-23"));
    assert_eq!(rows[0], row(day.clone(), text.clone(), json!(0), json!(5), json!("00")));
    assert_eq!(rows[1], row(day, text, json!(7), json!(null), json!("07")));
    assert_eq!(rows[2], row(json!(null), json!(null), json!(null), json!(null), json!(null)));
    let wrong = [("d", 1), ("s", 1), ("h", 1), ("i", 2), ("t", 1), ("day", 1), ("hour", 1)];
    assert_eq!(errors(&sealed), wrong);
}

#[test]
fn key_topic_and_kafka_partition_part_rows_too() {
    let sources = [
        ("k", ColumnSource::KafkaKey),
        ("t", ColumnSource::KafkaTopic),
        ("p", ColumnSource::KafkaPartition),
        ("h", ColumnSource::Hour(Moment::Kafka)),
    ];
    let mut b = parted("k string, t varchar(3), p int, h int", &sources);
    let sealed = fill(&mut b, &[r#"{"id":1}"#]);
    assert_eq!(parts(&sealed), [("k=k/t=eve/p=0/h=18".to_owned(), vec![json!(1)])]);
}

#[test]
fn a_strict_table_takes_no_row_whose_partition_would_be_a_guess() {
    let both = [("t", "id int) partitioned by (n int, at string"), ("dead_letters", DEAD_LETTERS)];
    let mut s = settings_of(&[("at", ColumnSource::Date(of_field("at")))]);
    s.messages.on_type_error = OnTypeError::DeadLetter;
    let mut b = buffer(&tables(&both), &s);
    let messages = [r#"{"id":1,"n":1,"at":0}"#, r#"{"id":2,"n":"x"}"#, r#"{"id":3,"at":"x"}"#, r#"{"id":4,"n":null}"#];
    let sealed = fill(&mut b, &messages);
    let reasons: Vec<_> = rows(&sealed, "dead_letters").iter().map(|r| r["detail"].clone()).collect();
    let details = ["table t, column n int: found \"x\"", "table t, column at string: found \"x\""];
    assert_eq!(reasons, details);
    assert_eq!(rows(&sealed, "dead_letters")[0]["reason"], Reason::TypeError.as_str());
    assert_eq!((sealed.accounting.events, sealed.accounting.dead_letters), (2, 2));
}

#[test]
fn a_batch_of_many_partitions_is_due() {
    let s = settings_of(&[]);
    let trigger = crate::batch::Trigger::new(&s.trigger);
    let mut b = buffer(&declared("id int", "n int"), &s);
    let due = |b: &BatchBuffer| trigger.is_large(b.size());
    for n in 0..MAX_FILES as i64 {
        assert!(!due(&b));
        push(&mut b, n, Some(format!("{{\"n\":{n}}}").as_bytes())).unwrap();
    }
    assert!(due(&b));
    assert_eq!((b.seal().tables.len(), due(&b)), (MAX_FILES, false));
}

#[test]
fn sources_that_part_nothing_are_refused() {
    for (hive_type, source, want) in [
        ("string", ColumnSource::KafkaValue, "kafka.value would make a partition of nearly every row"),
        ("bigint", ColumnSource::KafkaOffset, "kafka.offset would make"),
        ("string", ColumnSource::KafkaTimestamp, "take a JSON field, date(…), hour(…)"),
        ("bigint", ColumnSource::BatchId, "batch.id would make"),
        ("int", day(), "date(…) cannot fill a column of type int"),
        ("date", ColumnSource::Hour(Moment::Kafka), "hour(…) cannot fill a column of type date"),
        ("date", ColumnSource::KafkaTopic, "kafka.topic cannot fill a column of type date"),
    ] {
        let wrong = Plan::new(&declared("id int", &format!("p {hive_type}")), &settings_of(&[("p", source)]));
        let wrong = wrong.unwrap_err();
        assert!(wrong.len() == 1 && wrong[0].contains(want), "{wrong:?}");
    }
    let dead = format!("{DEAD_LETTERS}) partitioned by (dt string");
    let mut s = settings(vec![("t", TableSettings::default())]);
    s.any_table.insert("dt".into(), day());
    let wrong = Plan::new(&tables(&[("t", "a int"), ("dead_letters", &dead)]), &s).unwrap_err();
    assert!(wrong.len() == 1 && wrong[0].contains("it cannot be PARTITIONED BY"), "{wrong:?}");
}
