//! The cases recorded with Spark, through the seeds' tables.

use super::*;

const CASES: &str = include_str!("../../../tests/data/cases.jsonl");
const DOC: &str = include_str!("../../../docs/spark-parity.md");

/// Cases that Spark lands otherwise: the reason of the dead letter that landfall makes of them; why, as in
/// docs/spark-parity.md; the cases.
const DEAD_LETTERS: [(&str, &str, &[&str]); 6] = [
    (
        "malformed_json",
        "not JSON: the Python filter throws, and the query dies; `from_json` makes nulls of it",
        &[
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
        ],
    ),
    (
        "malformed_json",
        "an extension of JSON that Python and Jackson share, and no other reader",
        &["cost Infinity", "type NaN"],
    ),
    (
        "malformed_json",
        "the Python filter throws; `from_json` reads the first document and does not look at the rest",
        &["trailing garbage x", "trailing ,", "two documents, newline", "comment //"],
    ),
    ("malformed_json", "the Python filter throws; `from_json` takes single quotes", &["single quotes throughout"]),
    (
        "not_an_object",
        "the Python filter throws; `from_json` makes nulls of it",
        &["number literal", "true literal", "[event]", "[1]", "[null]"],
    ),
    (
        "invalid_utf8",
        "lands as U+FFFD in Spark; other readers need UTF-8, and here no byte is lost",
        &[
            "invalid UTF-8 in type",
            "invalid UTF-8: overlong",
            "invalid UTF-8: cut multibyte in type",
            "invalid UTF-8 in event_type",
            "gzip-like bytes",
        ],
    ),
];

/// The one case that lands otherwise.
const DIGITS: (&str, &str) = (
    "cost 1001 digits",
    "Jackson refuses numbers of more than 1,000 digits, and with them the row; here that field alone is null",
);

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
    let (mut equal, mut wrong) = ([0, 0], Vec::new());
    for line in CASES.lines() {
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

        if let Some((reason, ..)) = DEAD_LETTERS.iter().find(|(_, _, cases)| cases.contains(&name)) {
            let rows = rows(&sealed, "dead_letters");
            let fine = sealed.tables.len() == 1 && rows.len() == 1 && rows[0]["reason"] == *reason;
            assert!(fine && rows[0]["raw_bytes"] == json!(value), "{name}: {rows:?}");
            continue;
        }
        let raw = String::from_utf8(value.unwrap()).unwrap();
        let differs = |filter: &str| -> Option<String> {
            let tables = spark[filter].as_str()?;
            let all = [
                ('s', "sword_purchases", "purchase_row"),
                ('p', "purchases", "purchase_row"),
                ('g', "guilds", "guild_row"),
            ];
            all.into_iter().find_map(|(letter, table, row)| {
                let got = rows(&sealed, table);
                let mut want = want_row(&spark[row], &raw, &spark["timestamp_utc"]);
                if name == DIGITS.0 {
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
                (got != want).then(|| format!("{name}, {table}:\n  got  {got:?}\n  want {want:?}"))
            })
        };
        // The seeds' filters are Python. Where they throw, or find what no SQL finds, the same job's SQL filters count.
        let by_python = spark["tables_by_python_filter"].is_string().then(|| differs("tables_by_python_filter"));
        match by_python {
            Some(None) if name == DIGITS.0 => {}
            Some(None) => equal[0] += 1,
            _ => match differs("tables_by_sql_filter") {
                None => equal[1] += 1,
                Some(difference) => wrong.push(difference),
            },
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(equal, [50, 5]);
}

#[test]
fn the_documentation_names_every_case_that_differs() {
    let dead = DEAD_LETTERS.iter().flat_map(|(reason, why, cases)| {
        cases.iter().map(move |case| format!("| `{case}` | dead letter, `{reason}` | {why} |"))
    });
    let want: Vec<_> = dead.chain([format!("| `{}` | lands | {} |", DIGITS.0, DIGITS.1)]).collect();
    let known: Vec<Value> = CASES.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let table = DOC.split("| case | here | why |\n|---|---|---|\n").nth(1).expect("the table of differences");
    let found: Vec<_> = table.lines().take_while(|l| l.starts_with('|')).collect();
    assert_eq!(found, want, "docs/spark-parity.md must say:\n{}", want.join("\n"));
    for line in &want {
        let name = line.split('`').nth(1).unwrap();
        assert!(known.iter().any(|c| c["case"] == name), "no case is named {name}");
    }
    let figures =
        format!("{} recorded cases; {} are equal, {} differ", known.len(), known.len() - want.len(), want.len());
    assert!(DOC.contains(&figures), "docs/spark-parity.md must say: {figures}");
}
