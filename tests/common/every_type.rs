//! Rows of every Hive type, with its extremes, and nulls at every level of the nested ones.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use serde_json::{Value, json};

use super::arrays::array;

/// A column: its name as declared, its Hive type, and its values, in the form that `arrays` takes.
pub type Column = (&'static str, &'static str, Vec<Value>);

/// How many different rows there are; row 2 is null in every column.
pub const DIFFERENT: usize = 8;

/// The columns. Names of struct fields in the values are the physical ones.
pub fn columns() -> Vec<Column> {
    let mut columns: Vec<Column> = flat().into_iter().chain(nested()).map(|(n, t, v)| (n, t, list(v))).collect();
    for (name, _, values) in &mut columns {
        assert!(values.len() <= DIFFERENT && values[2].is_null(), "{name}");
        values.resize(DIFFERENT, Value::Null);
    }
    columns
}

/// The migration that declares them.
pub fn ddl(table: &str, location: &str) -> String {
    let columns: Vec<_> = columns().iter().map(|(name, hive_type, _)| format!("`{name}` {hive_type}")).collect();
    let columns = columns.join(",\n  ");
    format!("create external table {table} (\n  id bigint,\n  {columns}\n) stored as parquet location '{location}'")
}

/// So many rows, the different ones over and over; `id` counts them. The schema is that of the table.
pub fn batch(schema: &SchemaRef, rows: usize) -> RecordBatch {
    let mut arrays = vec![array(schema.field(0).data_type(), &(0..rows).map(Value::from).collect::<Vec<_>>())];
    for ((_, _, values), field) in columns().iter().zip(&schema.fields()[1..]) {
        arrays.push(array(field.data_type(), values.iter().cycle().take(rows)));
    }
    RecordBatch::try_new(Arc::clone(schema), arrays).unwrap()
}

fn list(values: Value) -> Vec<Value> {
    values.as_array().unwrap().clone()
}

fn flat() -> Vec<(&'static str, &'static str, Value)> {
    let long = "långt ".repeat(2000);
    let nines = |n: usize| "9".repeat(n);
    let (d18, d38) = (format!("{}.9999", nines(14)), format!("{}.{}", nines(28), nines(10)));
    let (whole, fraction) = (nines(38), format!("0.{}", nines(38)));
    let no_fraction = format!("0.{}1", "0".repeat(37));
    vec![
        ("bo", "boolean", json!([true, false, null, false])),
        ("ti", "tinyint", json!([-128, 127, null, 0, -1])),
        ("si", "smallint", json!([-32768, 32767, null, 0, -1])),
        ("i", "int", json!([i32::MIN, i32::MAX, null, 0, -1])),
        ("bi", "bigint", json!([i64::MIN, i64::MAX, null, 0, -1])),
        ("fl", "float", json!([-f32::MAX, f32::MAX, null, "NaN", "Infinity", "-Infinity", 1e-45, -0.0])),
        ("do", "double", json!([-f64::MAX, f64::MAX, null, "NaN", "Infinity", "-Infinity", 5e-324, -0.0])),
        ("d1", "decimal(1,0)", json!(["-9", "9", null, "0"])),
        ("d5", "decimal(5,2)", json!(["-999.99", "999.99", null, "0.00", "-0.01", "1.25"])),
        ("d9", "decimal(9,9)", json!(["-0.999999999", "0.999999999", null, "0.000000000", "-0.000000001"])),
        ("d18", "decimal(18,4)", json!([format!("-{d18}"), d18, null, "0.0000", "-0.0001", "12.3400"])),
        ("d38", "decimal(38,10)", json!([format!("-{d38}"), d38, null, "0.0000000000", "-0.0000000001"])),
        ("d38w", "decimal(38,0)", json!([format!("-{whole}"), whole, null, "0", "-1"])),
        ("d38f", "decimal(38,38)", json!([format!("-{fraction}"), fraction, null, no_fraction])),
        ("s", "string", json!(["", "größe 🚀\u{0}\t\n\"'\\", null, long, "null", " ", "ﷺ\u{10ffff}", "é"])),
        ("vc", "varchar(10)", json!(["", "0123456789", null, "größegröße", "🚀🚀🚀🚀🚀🚀🚀🚀🚀🚀", " a", "ab"])),
        ("vcl", "varchar(65535)", json!(["", "x".repeat(65535), null, "ü"])),
        ("ch", "char(5)", json!(["", "abcde", null, "🚀ä", "ééééé", " a", "x"])),
        ("bin", "binary", json!(["", "\u{ff}\u{0}", null, "\u{c3}\u{28}", "abc"])),
        (
            "da",
            "date",
            json!(["1582-10-15", "9999-12-31", null, "1970-01-01", "1969-12-31", "1900-02-28", "2024-02-29"]),
        ),
        // The last five: around the changes of New York's clocks in 2026, where 01:30 comes twice.
        (
            "ts",
            "timestamp",
            json!([
                "1900-01-01 00:00:00.000000",
                "9999-12-31 23:59:59.999999",
                null,
                "1960-06-15 12:34:56.123456",
                "2026-03-08 06:59:59.999999",
                "2026-03-08 07:00:00.000000",
                "2026-11-01 05:30:00.000001",
                "2026-11-01 06:30:00.000000"
            ]),
        ),
        (
            "timestamp",
            "timestamp",
            json!([
                "1969-12-31 23:59:59.999999",
                "1970-01-01 00:00:00.000000",
                null,
                "1970-01-01 00:00:00.000001",
                "1901-12-13 20:45:51.999000",
                "2038-01-19 03:14:08.000000",
                "2262-04-11 23:47:16.854776",
                "2300-01-01 00:00:00.500000"
            ]),
        ),
        ("User-Agent", "string", json!(["Firefox", "", null, "curl/8"])),
    ]
}

fn nested() -> Vec<(&'static str, &'static str, Value)> {
    let d38 = format!("-{}.{}", "9".repeat(28), "9".repeat(10));
    vec![
        ("ai", "array<int>", json!([[], [null], null, [1, i32::MIN, i32::MAX], [1, null, 3], [null, null]])),
        ("al", "array<string>", json!([[], ["", "größe 🚀\u{0}\"\\", null], null, ["a"]])),
        ("ab", "array<binary>", json!([[], ["", null, "\u{ff}\u{0}"], null, ["abc"]])),
        ("ad", "array<date>", json!([["1582-10-15"], ["9999-12-31", null], null, [], ["1969-12-31"]])),
        ("ac", "array<char(3)>", json!([["abc"], ["a", null, ""], null, [], ["ü"]])),
        ("av", "array<varchar(3)>", json!([["abc"], ["a", null, ""], null, [], ["ü🚀é"]])),
        ("aa", "array<array<bigint>>", json!([[], [[]], null, [null, [null, i64::MIN]], [[1], [], null, [2, 3]]])),
        (
            "m",
            "map<string,int>",
            json!([{}, {"a": null}, null, {"": 1, "ключ": i32::MIN, "z": null}, {"a": 1, "b": 2}]),
        ),
        ("ms", "map<string,string>", json!([{}, {"a": "", "b": null}, null, {"\"": "größe 🚀\u{0}"}])),
        ("ma", "map<string,array<double>>", json!([{}, {"a": []}, null, {"a": null, "b": [null, "NaN", -0.0, 1.5]}])),
        (
            "mm",
            "map<string,map<string,decimal(18,4)>>",
            json!([{}, {"a": {}}, null, {"a": null, "b": {"x": null, "y": "-99999999999999.9999"}}, {"c": {"z": "0.0001"}}]),
        ),
        (
            "st",
            "struct<Id:string,N:bigint,x:struct<Y:date,z:decimal(38,10)>>",
            json!([
                {"id": "", "n": i64::MIN, "x": {"y": "1582-10-15", "z": d38}},
                {"id": "größe", "n": i64::MAX, "x": null},
                null,
                {"id": null, "n": null, "x": {"y": null, "z": null}},
                {"id": null, "n": null, "x": null},
                {"id": "a", "n": 1, "x": {"y": "9999-12-31", "z": null}}
            ]),
        ),
        (
            "each",
            "struct<bo:boolean,ti:tinyint,si:smallint,i:int,fl:float,do:double,d:decimal(5,2),s:string,vc:varchar(3),\
             ch:char(3),bin:binary,da:date>",
            json!([
                {"bo": true, "ti": -128, "si": -32768, "i": i32::MIN, "fl": -f32::MAX, "do": -f64::MAX, "d": "-999.99",
                 "s": "", "vc": "", "ch": "", "bin": "", "da": "1582-10-15"},
                {"bo": false, "ti": 127, "si": 32767, "i": i32::MAX, "fl": "Infinity", "do": "NaN", "d": "999.99",
                 "s": "größe 🚀", "vc": "ü🚀é", "ch": "ü🚀é", "bin": "\u{ff}\u{0}", "da": "9999-12-31"},
                null,
                {},
                {"bo": null, "ti": 1, "si": null, "i": 1, "fl": null, "do": 5e-324, "d": null, "s": "x", "vc": null,
                 "ch": "a", "bin": null, "da": "1970-01-01"}
            ]),
        ),
        (
            "items",
            "array<struct<id:string,tags:array<string>,props:map<string,struct<v:smallint,f:float>>>>",
            json!([
                [],
                [null, {"id": null, "tags": null, "props": null}, {"id": "a", "tags": [], "props": {}}],
                null,
                [{"id": "b", "tags": ["x", null, ""], "props": {"p": null, "q": {"v": null, "f": 1.5}, "r": {"v": -32768, "f": "NaN"}}}],
                [{"id": "c", "tags": ["y"], "props": {"p": {"v": 1, "f": null}}}, {"id": "d", "tags": [null], "props": null}]
            ]),
        ),
        (
            "deep",
            "array<map<string,array<array<struct<a:map<string,struct<b:array<decimal(9,2)>>>>>>>>",
            json!([
                [{"k": [[{"a": {"l": {"b": ["-9999999.99", null, "0.01"]}}}]]}],
                [{"k": [[{"a": {"l": {"b": []}, "m": {"b": null}, "n": null}}, {"a": {}}, {"a": null}, null], [], null]}],
                null,
                [{"k": [], "l": null}, {}, null],
                []
            ]),
        ),
    ]
}
