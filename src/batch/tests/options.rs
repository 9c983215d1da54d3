//! What becomes of type errors, tombstones and unknown fields, as the settings ask.

use super::*;
use crate::batch::UnknownField;
use crate::model::Accounting;

/// Two tables over the same messages; the second takes those with a `deep` field.
fn two(strict: &[&str], change: impl Fn(&mut Settings)) -> BatchBuffer {
    let mut s = settings(vec![("loose", TableSettings::default()), ("deep", on("deep", FieldTest::Exists(true)))]);
    for name in strict {
        s.tables.get_mut(*name).unwrap().on_type_error = Some(OnTypeError::DeadLetter);
    }
    change(&mut s);
    let columns = "cost bigint, note string";
    let nested = "deep struct<a:int,b:array<struct<c:date>>>, number int";
    buffer(&tables(&[("loose", columns), ("deep", nested), ("dead_letters", DEAD_LETTERS)]), &s)
}

#[test]
fn a_type_error_becomes_one_dead_letter_in_place_of_all_rows() {
    let mut b = two(&["deep"], |s| {
        s.tables
            .get_mut("deep")
            .unwrap()
            .columns
            .insert("number".into(), ColumnSource::Path(vec!["x".into(), "n".into()]));
    });
    let messages = [
        // For the loose table alone: null, counted.
        r#"{"cost":"six"}"#,
        r#"{"cost":1,"deep":{"a":1,"b":[{"c":"2021-01-01"}]}}"#,
        r#"{"cost":2,"deep":{"a":1,"b":[{"c":"2021-01-32"}]}}"#,
        r#"{"cost":3,"deep":{"a":"1"}}"#,
        r#"{"cost":4,"deep":7}"#,
        r#"{"cost":5,"deep":{},"x":[]}"#,
        r#"{"cost":"six","deep":{"a":1}}"#,
        r#"{"cost":7,"deep":{"a":"x","a":1}}"#,
    ];
    for (offset, text) in (0..).zip(messages) {
        push(&mut b, offset, Some(text.as_bytes())).unwrap();
    }
    let sealed = b.seal();
    let want = Accounting { read: 8, events: 4, dead_letters: 4, ..Accounting::default() };
    assert!(want.balances());
    assert_eq!(sealed.accounting, want);
    let costs: Vec<_> = rows(&sealed, "loose").iter().map(|r| r["cost"].as_i64()).collect();
    assert_eq!(costs, [None, Some(1), None, Some(7)]);
    assert_eq!(rows(&sealed, "deep").len(), 3);
    // The row of a dead letter is not counted as a null field as well.
    assert_eq!(sealed.field_errors.iter().map(|e| (e.column.as_str(), e.count)).collect::<Vec<_>>(), [("cost", 2)]);
    let dead = rows(&sealed, "dead_letters");
    let details: Vec<_> = dead.iter().map(|r| r["detail"].as_str().unwrap()).collect();
    let column = "table deep, column deep struct<a:int,b:array<struct<c:date>>>: found ";
    assert_eq!(
        details,
        [
            &*format!("{column}{}", r#"{"a":1,"b":[{"c":"2021-01-32"}]}"#),
            &*format!("{column}{}", r#"{"a":"1"}"#),
            &*format!("{column}7"),
            "table deep, column number int: something that is no object stands in the way of its path",
        ]
    );
    assert!(dead.iter().all(|r| r["reason"] == "type_error"));
    assert_eq!((&dead[0]["raw_event"], &dead[0]["kafka_offset"]), (&json!(messages[2]), &json!(2)));
}

#[test]
fn the_setting_for_all_tables_can_be_taken_back_by_one() {
    let text = r#"{"cost":"é","note":5}"#;
    for (own, dead) in [(None, 1), (Some(OnTypeError::Null), 0), (Some(OnTypeError::DeadLetter), 1)] {
        let mut b = two(&[], |s| {
            s.messages.on_type_error = OnTypeError::DeadLetter;
            s.tables.get_mut("loose").unwrap().on_type_error = own;
        });
        push(&mut b, 0, Some(text.as_bytes())).unwrap();
        let long = format!("{{\"cost\":\"{}\"}}", "é".repeat(500));
        push(&mut b, 1, Some(long.as_bytes())).unwrap();
        let sealed = b.seal();
        let rows = rows(&sealed, "dead_letters");
        assert_eq!((sealed.accounting.dead_letters, rows.len()), (2 * dead, 2 * dead as usize), "{own:?}");
        if dead > 0 {
            assert_eq!(rows[0]["detail"], "table loose, column cost bigint: found \"é\"");
            // A long value is cut between two characters.
            assert_eq!(rows[1]["detail"].as_str().unwrap().chars().filter(|c| *c == 'é').count(), 99);
        }
    }
}

#[test]
fn a_tombstone_is_a_dead_letter_only_if_asked() {
    for (setting, want) in [
        (Tombstones::Count, Accounting { read: 1, tombstones: 1, ..Accounting::default() }),
        (Tombstones::DeadLetter, Accounting { read: 1, dead_letters: 1, ..Accounting::default() }),
    ] {
        let mut b = two(&[], |s| s.messages.tombstones = setting);
        push(&mut b, 0, None).unwrap();
        let sealed = b.seal();
        assert!(want.balances());
        assert_eq!(sealed.accounting, want);
        for row in rows(&sealed, "dead_letters") {
            assert_eq!((&row["reason"], &row["detail"]), (&json!("tombstone"), &json!("the message has a null value")));
            assert_eq!((&row["raw_event"], &row["raw_bytes"]), (&Value::Null, &Value::Null));
        }
    }
}

#[test]
fn each_setting_that_makes_dead_letters_needs_their_table() {
    let ordinary = tables(&[("t", "a int")]);
    let errors = |change: &dyn Fn(&mut Settings)| {
        let mut s = settings(vec![("t", TableSettings::default())]);
        s.messages.on_malformed = OnMalformed::Drop;
        change(&mut s);
        Plan::new(&ordinary, &s).map(|_| ()).map_err(|e| e.join("\n"))
    };
    assert_eq!(errors(&|_| ()), Ok(()));
    let strict = |s: &mut Settings| s.tables.get_mut("t").unwrap().on_type_error = Some(OnTypeError::DeadLetter);
    assert!(errors(&strict).unwrap_err().contains("and tables.t.on_type_error = \"dead_letter\" needs it"));
    let strict = |s: &mut Settings| s.messages.on_type_error = OnTypeError::DeadLetter;
    assert!(errors(&strict).unwrap_err().contains("and messages.on_type_error = \"dead_letter\" needs it"));
    let tombstones = |s: &mut Settings| s.messages.tombstones = Tombstones::DeadLetter;
    assert!(errors(&tombstones).unwrap_err().contains("and messages.tombstones = \"dead_letter\" needs it"));
}

#[test]
fn unknown_fields_are_counted_by_table_up_to_a_bound() {
    let text = r#" {"cost":1,"deep":{"x":1},"other":1,"\u0065scaped":2,"other":3}"#;
    let mut b = two(&[], |_| ());
    push(&mut b, 0, Some(text.as_bytes())).unwrap();
    assert_eq!(b.seal().unknown_fields, []);

    let mut b = two(&[], |s| s.messages.count_unknown_fields = true);
    push(&mut b, 0, Some(text.as_bytes())).unwrap();
    push(&mut b, 1, Some(b"{\"note\":1,\"other\":{}}")).unwrap();
    let counted = |table: &str, field: &str, count| UnknownField { table: table.into(), field: field.into(), count };
    // Routes know `deep` for every table.
    let want = [
        counted("loose", "escaped", 1),
        counted("loose", "other", 3),
        counted("deep", "cost", 1),
        counted("deep", "escaped", 1),
        counted("deep", "other", 2),
    ];
    assert_eq!(b.seal().unknown_fields, want);
    assert_eq!(b.seal().unknown_fields, []);

    let long = "x".repeat(101);
    let many: Vec<String> = (0..150).map(|i| format!("\"f{i}\":0")).chain([format!("\"{long}\":0")]).collect();
    push(&mut b, 2, Some(format!("{{{}}}", many.join(",")).as_bytes())).unwrap();
    let got = b.seal().unknown_fields;
    assert_eq!((got.len(), got.last()), (101, Some(&counted("loose", "…", 51))));
}
