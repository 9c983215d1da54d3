//! The 91 cases recorded with Spark, through the seeds' tables.

use super::*;

/// Cases that Spark lands otherwise, and why landfall does not follow (docs/tables.md). All of them become the
/// dead letter of this reason, where Spark dies, lands a row of nulls, or lands what it did not understand.
const DEAD_LETTERS: [(&str, &[&str]); 3] = [
    (
        "malformed_json",
        &[
            // The Python filter throws and the query dies, or `from_json` makes a row of nulls.
            "cost +6",
            "cost .5",
            "cost --6",
            "cost nul",
            "type bad \\u12",
            "type raw tab in string",
            "spaces only",
            "plain text",
            "truncated in value",
            "truncated after event_type",
            "trailing comma",
            "missing comma, last field",
            "garbage after last field",
            "unclosed nested unknown field",
            "bad number in unknown field",
            "leading garbage",
            "BOM before",
            "semicolon for comma",
            // Python's and Jackson's own extension of JSON.
            "cost Infinity",
            "type NaN",
            // The Python filter throws; `from_json` does not notice or accepts it.
            "trailing garbage x",
            "trailing ,",
            "two documents, newline",
            "comment //",
            "single quotes throughout",
        ],
    ),
    // The Python filter throws a TypeError.
    ("not_an_object", &["number literal", "true literal", "[event]", "[1]", "[null]"]),
    // A string column must be UTF-8 for other readers.
    (
        "invalid_utf8",
        &[
            "invalid UTF-8 in type",
            "invalid UTF-8: overlong",
            "invalid UTF-8: cut multibyte in type",
            "invalid UTF-8 in event_type",
            "gzip-like bytes",
        ],
    ),
];

/// Cases that land, but elsewhere or otherwise than in Spark.
const JUSTIFIED: [(&str, &str, &str); 5] = [
    // Case, tables as landfall has it, why.
    ("EVENT_TYPE key only", "-", "event_type missing: Python throws; matches nothing"),
    ("{}", "-", "event_type missing: Python throws; matches nothing"),
    ("event_type 5", "-", "Python throws; compared as the text 5, as in SQL"),
    ("event_type [\"purchase_sword\"]", "p", "compared as text, as in SQL; Python looks for an equal element"),
    ("event_type {\"guild\": {\"purchase\": 1}}", "pg", "compared as text, as in SQL; Python looks for a key"),
];

/// Jackson refuses numbers of more than 1,000 digits and with them the row; landfall only has no such bigint, and keeps
/// the other fields by the rule of one bad field.
const DIGITS: &str = "cost 1001 digits";

fn value(case: &Value) -> Option<Vec<u8>> {
    match (&case["value"], &case["value_b64"]) {
        (Value::String(text), _) => Some(text.clone().into_bytes()),
        (_, Value::String(b64)) => Some(base64(b64)),
        _ => None,
    }
}

fn base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.bytes().filter_map(|b| DIGITS.iter().position(|&d| d == b));
    let (mut out, mut acc, mut bits) = (Vec::new(), 0u32, 0);
    for d in digits {
        (acc, bits) = ((acc << 6 | d as u32) & 0xffff, bits + 6);
        if bits >= 8 {
            bits -= 8;
            out.push((acc >> bits) as u8);
        }
    }
    out
}

/// Spark's row with the columns that are not from `from_json`, names in lower case.
fn want_row(row: &Value, raw: &str, timestamp: &Value) -> Value {
    let fields = row.as_object().unwrap().iter();
    let mut want: Value = fields.map(|(k, v)| (k.to_lowercase(), v.clone())).collect();
    want["raw_event"] = json!(raw);
    want["timestamp"] = timestamp.clone();
    want
}

#[test]
fn each_case_equals_spark_or_differs_for_a_stated_reason() {
    let text = include_str!("../../../tests/data/cases.jsonl");
    let (mut equal, mut justified, mut wrong) = (0, 0, Vec::new());
    for line in text.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let name = case["case"].as_str().unwrap();
        let spark = &case["spark"];
        let value = value(&case);
        let mut b = buffer(&seeds(), &seed_settings());
        let partition = &TopicPartition::new("events", 0);
        let timestamp_ms = case["timestamp_ms"].as_i64();
        let (value_of, headers) = (value.as_deref(), Headers::default());
        b.push(&Record { partition, offset: 0, timestamp_ms, key: None, value: value_of, headers }).unwrap();
        let sealed = b.seal();
        assert!(sealed.accounting.balances());

        if let Some((reason, _)) = DEAD_LETTERS.iter().find(|(_, cases)| cases.contains(&name)) {
            let rows = rows(&sealed, "dead_letters");
            let fine = sealed.tables.len() == 1 && rows.len() == 1 && rows[0]["reason"] == *reason;
            assert!(fine && rows[0]["raw_bytes"] == json!(value), "{name}: {rows:?}");
            justified += 1;
            continue;
        }
        let other = JUSTIFIED.iter().find(|j| j.0 == name);
        let tables = other.map_or(&spark["tables_by_python_filter"], |_| &Value::Null);
        let tables = other.map(|j| j.1).or(tables.as_str()).unwrap_or_else(|| panic!("{name} kills Spark"));
        let raw = String::from_utf8(value.unwrap()).unwrap();
        for (letter, table, row) in
            [('s', "sword_purchases", "purchase_row"), ('p', "purchases", "purchase_row"), ('g', "guilds", "guild_row")]
        {
            let got = rows(&sealed, table);
            let mut want = want_row(&spark[row], &raw, &spark["timestamp_utc"]);
            if name == DIGITS {
                let kept = [
                    ("accept", "*/*"),
                    ("host", "u.c"),
                    ("user-agent", "ab"),
                    ("event_type", "purchase_sword"),
                    ("type", "sabre"),
                ];
                kept.iter().for_each(|(k, v)| want[*k] = json!(v));
            }
            let want = if tables.contains(letter) { vec![want] } else { vec![] };
            if got != want {
                wrong.push(format!("{name}, {table}:\n  got  {got:?}\n  want {want:?}"));
            }
        }
        if other.is_some() || name == DIGITS { justified += 1 } else { equal += 1 }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!((equal, justified), (50, 41));
}
