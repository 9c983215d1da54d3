//! Which JSON value becomes what, for every type.

use super::*;
use crate::batch::FieldErrors;

/// The column of this type for each of these values, and how many of them were counted as of another type.
fn column_in(zone: &str, hive_type: &str, values: &[&str]) -> (Vec<Value>, u64) {
    let declared = tables(&[("t", &format!("c {hive_type}"))]);
    let mut s = settings(vec![("t", TableSettings::default())]);
    s.timestamp_zone = zone.into();
    s.messages.on_malformed = OnMalformed::Drop;
    let mut b = buffer(&declared, &s);
    for (offset, value) in (0..).zip(values) {
        // Several values with `;;` between stand for a field that comes so often.
        let fields: Vec<String> = value.split(";;").map(|v| format!("\"c\":{v}")).collect();
        push(&mut b, offset, Some(format!("{{{}}}", fields.join(",")).as_bytes())).unwrap();
    }
    let sealed = b.seal();
    assert_eq!((sealed.accounting.events, sealed.accounting.dropped), (values.len() as u64, 0), "{hive_type}");
    let errors = sealed.field_errors.iter().map(|e: &FieldErrors| e.count).sum();
    (rows(&sealed, "t").iter().map(|r| r["c"].clone()).collect(), errors)
}

fn column(hive_type: &str, values: &[&str]) -> (Vec<Value>, u64) {
    column_in("UTC", hive_type, values)
}

fn values(want: Value) -> Vec<Value> {
    want.as_array().unwrap().clone()
}

#[test]
fn scalars_of_every_type() {
    for (hive_type, given, want, errors) in [
        (
            "decimal(5,2)",
            &["1.245", "-7", "\"1,00.5\"", "1e2", "null", "1000", "true", "\"x\""][..],
            json!(["1.25", "-7.00", "100.50", "100.00", null, null, null, null]),
            3,
        ),
        ("decimal", &["2.5", "9999999999", "99999999999"], json!(["3", "9999999999", null]), 1),
        ("decimal(38,38)", &["0.1", "1"], json!(["0.10000000000000000000000000000000000000", null]), 1),
        (
            "varchar(3)",
            &["\"ééxy\"", "\"ab\"", "12345", "{\"a\" : 1}", "null"],
            json!(["ééx", "ab", "123", "{\"a", null]),
            0,
        ),
        (
            "char(4)",
            &["\"ab  \"", "\"ab cd\"", "\"abcdef\"", "\"\"", "null"],
            json!(["ab", "ab c", "abcd", "", null]),
            0,
        ),
        ("binary", &["\"Zm9v\"", "\"\"", "\"?\"", "5", "null"], json!([b"foo", [], null, null, null]), 2),
        (
            "date",
            &["\"1970-01-02\"", "\"1582-10-15\"", "\"1582-10-14\"", "\"9999-12-31\"", "\"10000-01-01\"", "7", "null"],
            json!([1, -141427, null, 2932896, null, null, null]),
            3,
        ),
        (
            "timestamp",
            &[
                "\"1970-01-01T00:00:01Z\"",
                "2",
                "\"1970-01-01 00:00:00.5\"",
                "\"1899-12-31T23:59:59Z\"",
                "-2208988800",
                "253402300800",
                "1.5",
                "\"\"",
                "null",
            ],
            json!([1_000_000, 2_000_000, 500_000, null, -2_208_988_800_000_000i64, null, null, null, null]),
            4,
        ),
        ("int", &["1;;\"x\"", "\"x\";;2", "3;;null", "\"x\";;true"], json!([1, 2, null, null]), 2),
    ] {
        assert_eq!(column(hive_type, given), (values(want), errors), "{hive_type}");
    }
    let new_york = column_in("America/New_York", "timestamp", &["\"1970-01-01\"", "\"1970-01-01T00:00:00Z\""]);
    assert_eq!(new_york, (values(json!([18_000_000_000i64, 0])), 0));
}

#[test]
fn an_array_is_whole_or_null() {
    for (hive_type, given, want, errors) in [
        (
            "array<int>",
            &["[1, null ,-0]", "[ ]", "null", "[1,\"x\",2]", "5", "{}", "\"[1]\""][..],
            json!([[1, null, 0], [], null, null, null, null, null]),
            4,
        ),
        ("array<string>", &["[\"a\\n\", 1.50, {\"b\" : [ ]}, null]"], json!([["a\n", "1.5", "{\"b\":[]}", null]]), 0),
        (
            "array<array<tinyint>>",
            &["[[1],[],null,[2,3]]", "[[1],[200]]", "[[1],2]"],
            json!([[[1], [], null, [2, 3]], null, null]),
            2,
        ),
        ("array<int>", &["[1];;[\"x\"]", "[\"x\"];;[2]", "[1];;null"], json!([[1], [2], null]), 1),
        ("array<decimal(3,1)>", &["[1.25, \"2\"]", "[100]"], json!([["1.3", "2.0"], null]), 1),
    ] {
        assert_eq!(column(hive_type, given), (values(want), errors), "{hive_type} {given:?}");
    }
}

#[test]
fn a_struct_keeps_what_fits() {
    let t = "struct<Id:int,Name:string,tags:array<string>,in:struct<b:boolean,d:date>>";
    for (given, want, errors) in [
        (
            r#"{"Id":1,"Name":"n","tags":["a"],"in":{"b":true,"d":"1970-01-02"}}"#,
            json!({"id": 1, "name": "n", "tags": ["a"], "in": {"b": true, "d": 1}}),
            0,
        ),
        (
            r#" { "in" : { "d" : null } , "x":[{"Id":7}], "\u0049d" : 2 } "#,
            json!({"id": 2, "name": null, "tags": null, "in": {"b": null, "d": null}}),
            0,
        ),
        ("{}", json!({"id": null, "name": null, "tags": null, "in": null}), 0),
        ("null", json!(null), 0),
        // The field's name is exact.
        (r#"{"id":1,"NAME":"n"}"#, json!({"id": null, "name": null, "tags": null, "in": null}), 0),
        // Only what is of another type is null, at every depth; it is counted once.
        (
            r#"{"Id":"x","Name":"n","tags":5,"in":{"b":1,"d":"1970-01-02"}}"#,
            json!({"id": null, "name": "n", "tags": null, "in": {"b": null, "d": 1}}),
            1,
        ),
        (r#"{"Id":1,"in":7}"#, json!({"id": 1, "name": null, "tags": null, "in": null}), 1),
        ("[1]", json!(null), 1),
        ("\"x\"", json!(null), 1),
        // The last value that fits, as at the top level.
        (r#"{"Id":1,"Id":2,"Id":"x"}"#, json!({"id": 2, "name": null, "tags": null, "in": null}), 1),
        (r#"{"Id":1,"Id":null}"#, json!({"id": null, "name": null, "tags": null, "in": null}), 0),
        (r#"{"Id":1};;{"Id":"x"}"#, json!({"id": null, "name": null, "tags": null, "in": null}), 1),
        (r#"{"Id":1};;5"#, json!({"id": 1, "name": null, "tags": null, "in": null}), 1),
    ] {
        assert_eq!(column(t, &[given]), (vec![want], errors), "{given}");
    }
    let t = "array<struct<a:int>>";
    for (given, want, errors) in [
        (r#"[{"a":1},null,{"a":"x"},{}]"#, json!([{"a": 1}, null, {"a": null}, {"a": null}]), 1),
        (r#"[{"a":1},5]"#, json!(null), 1),
    ] {
        assert_eq!(column(t, &[given]), (vec![want], errors), "{given}");
    }
}

#[test]
fn a_map_is_whole_or_null_and_has_each_key_once() {
    for (hive_type, given, want, errors) in [
        ("map<string,int>", r#"{"a":1,"\u00e9\n":null,"":3}"#, json!({"a": 1, "é\n": null, "": 3}), 0),
        ("map<string,int>", "{ }", json!({}), 0),
        ("map<string,int>", "null", json!(null), 0),
        ("map<string,int>", r#"{"a":1,"b":2,"\u0061":3}"#, json!({"a": 3, "b": 2}), 0),
        ("map<string,int>", r#"{"a":"x","a":1}"#, json!({"a": 1}), 0),
        ("map<string,int>", r#"{"a":1,"b":"x"}"#, json!(null), 1),
        ("map<string,int>", "[1]", json!(null), 1),
        (
            "map<string,map<string,string>>",
            r#"{"a":{"b":[1, 2]},"c":null}"#,
            json!({"a": {"b": "[1,2]"}, "c": null}),
            0,
        ),
        ("map<string,struct<x:int>>", r#"{"a":{"x":1},"b":{"x":"1"}}"#, json!({"a": {"x": 1}, "b": {"x": null}}), 1),
        ("map<string,array<int>>", r#"{"a":[1],"b":["1"]}"#, json!(null), 1),
    ] {
        assert_eq!(column(hive_type, &[given]), (vec![want], errors), "{hive_type} {given}");
    }
    // More keys than are searched one by one, each twice.
    let twice: Vec<String> = (0..200).map(|i| format!("\"k{}\":{i}", i % 100)).collect();
    let want: Value = (0..100).map(|i| (format!("k{i}"), json!(i + 100))).collect::<serde_json::Map<_, _>>().into();
    assert_eq!(column("map<string,int>", &[&format!("{{{}}}", twice.join(","))]), (vec![want], 0));
}

#[test]
fn types_as_deep_as_they_may_be() {
    let deep = |open: &str, inner: &str, close: &str, n: usize| format!("{}{inner}{}", open.repeat(n), close.repeat(n));
    let hive_type = deep("struct<a:array<", "int", ">>", 15);
    let json_text = deep("{\"a\":[", "7", "]}", 15);
    let (got, errors) = column(&hive_type, &[&json_text, &deep("{\"a\":[", "\"x\"", "]}", 15)]);
    assert_eq!((got[0].to_string().matches("7").count(), errors), (1, 1));
    assert!(got[1].to_string().contains("null"), "{}", got[1]);
    // A message that is deeper than the type: text where the type ends.
    let (got, errors) = column("array<array<string>>", &[&deep("[", "1", "]", 500)]);
    assert_eq!((got[0][0][0].as_str().unwrap().len(), errors), (997, 0));
}
