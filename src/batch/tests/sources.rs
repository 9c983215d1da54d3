//! Columns from paths and headers, and routes by paths.

use super::*;
use crate::batch::Source;

/// The table of one table's settings, `t`, over these columns.
fn of(columns: &str, sources: &[(&str, ColumnSource)], when: Option<When>) -> BatchBuffer {
    let columns_of = sources.iter().map(|(name, source)| ((*name).to_owned(), source.clone())).collect();
    let own = TableSettings { when, columns: columns_of, ..Default::default() };
    let mut s = settings(vec![("t", own)]);
    s.messages.on_malformed = OnMalformed::Drop;
    buffer(&tables(&[("t", columns)]), &s)
}

fn path(names: &str) -> Vec<String> {
    names.split('.').map(str::to_owned).collect()
}

#[test]
fn a_flattened_table() {
    let at = |names: &str| ColumnSource::Path(path(names));
    let sources = [
        ("correct", at("sequences.counts.correct")),
        ("total", at("sequences.counts.total")),
        ("first", at("sequences.questions")),
        ("exam", ColumnSource::Field("exam_name".into())),
    ];
    let mut b = of(
        "correct int, total decimal(4,1), first array<struct<id:int>>, exam string, sequences string",
        &sources,
        None,
    );
    for (offset, text) in (0..).zip([
        r#"{"exam_name":"Git","sequences":{"questions":[{"id":1},{"id":2}],"counts":{"total":4,"correct":3}}}"#,
        r#"{"exam_name":"Git"}"#,
        r#"{"sequences":{"counts":null}}"#,
        r#"{"sequences":"none"}"#,
        r#"{"sequences":{"counts":{"correct":"3","total":12345},"questions":{}}}"#,
    ]) {
        push(&mut b, offset, Some(text.as_bytes())).unwrap();
    }
    let sealed = b.seal();
    let want = [
        json!({"correct": 3, "total": "4.0", "first": [{"id": 1}, {"id": 2}], "exam": "Git",
            "sequences": r#"{"questions":[{"id":1},{"id":2}],"counts":{"total":4,"correct":3}}"#}),
        json!({"correct": null, "total": null, "first": null, "exam": "Git", "sequences": null}),
        json!({"correct": null, "total": null, "first": null, "exam": null, "sequences": r#"{"counts":null}"#}),
        json!({"correct": null, "total": null, "first": null, "exam": null, "sequences": "none"}),
        json!({"correct": null, "total": null, "first": null, "exam": null,
            "sequences": r#"{"counts":{"correct":"3","total":12345},"questions":{}}"#}),
    ];
    assert_eq!(rows(&sealed, "t"), want);
    // Something that is no object in the way of a path counts as a value of another type.
    let counted: Vec<_> = sealed.field_errors.iter().map(|e| (e.column.as_str(), e.count)).collect();
    assert_eq!(counted, [("correct", 2), ("total", 2), ("first", 2)]);
}

#[test]
fn routes_look_at_paths_and_match_patterns() {
    let pattern = FieldTest::Matches(Pattern::new("^purchase_(sword|shield)$").unwrap());
    let field = |names: &str, test: FieldTest| When::Field { field: path(names), test };
    let when = When::All(vec![field("event.type", pattern), field("event.user", FieldTest::Exists(true))]);
    let mut b = of("kind string, user string", &[("kind", ColumnSource::Path(path("event.type")))], Some(when));
    for (offset, text) in (0..).zip([
        r#"{"event":{"type":"purchase_sword","user":"u"},"user":"v"}"#,
        r#"{"event":{"type":"purchase_swords","user":"u"}}"#,
        r#"{"event":{"type":"purchase_shield"}}"#,
        r#"{"event":{"user":{"a":1},"type":"purchase_shield"}}"#,
        r#"{"event":"purchase_sword"}"#,
        r#"{"type":"purchase_sword","user":"u"}"#,
    ]) {
        push(&mut b, offset, Some(text.as_bytes())).unwrap();
    }
    let sealed = b.seal();
    assert_eq!((sealed.accounting.events, sealed.accounting.unrouted), (2, 4));
    let want = [json!({"kind": "purchase_sword", "user": "v"}), json!({"kind": "purchase_shield", "user": null})];
    assert_eq!(rows(&sealed, "t"), want);
}

#[test]
fn headers_as_maps_and_as_text() {
    let all = |name| (name, ColumnSource::KafkaHeaders);
    let columns = "texts map<string,string>, bytes map<string,binary>, json string, short varchar(8)";
    let mut b = of(columns, &[all("texts"), all("bytes"), all("json"), all("short")], None);
    let mut encoded = Vec::new();
    for (key, value) in [("trace", Some(&b"1"[..])), ("n", None), ("trace", Some(b"\xff")), ("", Some(b""))] {
        Headers::push(&mut encoded, key, value);
    }
    let partition = &TopicPartition::new("events", 0);
    for (offset, headers) in (0..).zip([Headers::new(&encoded), Headers::default()]) {
        b.push(&Record { partition, offset, timestamp_ms: None, key: None, value: Some(b"{}"), headers }).unwrap();
    }
    assert_eq!(b.bytes(), 4 + encoded.len() as u64);
    let sealed = b.seal();
    let text = "{\"\":\"\",\"n\":null,\"trace\":\"\u{fffd}\"}";
    let got = rows(&sealed, "t");
    assert_eq!(got[0]["texts"], json!({"trace": "\u{fffd}", "n": null, "": ""}));
    assert_eq!(got[0]["bytes"], json!({"trace": [255], "n": null, "": []}));
    let json_text: Value = serde_json::from_str(got[0]["json"].as_str().unwrap()).unwrap();
    assert_eq!(json_text, serde_json::from_str::<Value>(text).unwrap());
    assert_eq!(got[0]["short"].as_str().unwrap().chars().count(), 8);
    assert_eq!(got[1], json!({"texts": null, "bytes": null, "json": null, "short": null}));
}

#[test]
fn headers_are_read_only_if_a_column_wants_them() {
    let plan = |sources: &[(&str, ColumnSource)]| {
        let columns = sources.iter().map(|(n, s)| ((*n).to_owned(), s.clone())).collect();
        let mut s = settings(vec![("t", TableSettings { columns, ..Default::default() })]);
        s.messages.on_malformed = OnMalformed::Drop;
        Plan::new(&tables(&[("t", "a map<string,string>, b int")]), &s)
    };
    let with = plan(&[("a", ColumnSource::KafkaHeaders)]).unwrap();
    assert!(with.wants_headers() && !plan(&[]).unwrap().wants_headers());
    assert_eq!(with.tables[0].sources, [Source::Headers, Source::Field(0)]);
    let wrong = plan(&[("b", ColumnSource::KafkaHeaders)]).unwrap_err();
    assert!(wrong[0].contains("kafka.headers cannot fill a column of type int"), "{wrong:?}");
}
