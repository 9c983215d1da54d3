//! Rows of every type, written by landfall and read by what reads Hive tables: Presto by name and by position, Spark's
//! own reader, and Hive's SerDe. Each must give every value back, row for row.
//!
//! On the stack's servers (`landfall-stack run -- cargo test --test readers`); or with `LANDFALL_SPARK=1` and no
//! servers, Spark's two readers alone, on local files.
#![allow(clippy::unwrap_used)]

#[allow(dead_code)]
#[path = "common/arrays.rs"]
mod arrays;
#[path = "common/every_type.rs"]
mod every_type;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use every_type::DIFFERENT;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use landfall::catalog::{Catalog, HiveCatalog, Wanted};
use landfall::config::settings::Metastore;
use landfall::encode::{EncodeOptions, parquet};
use landfall::schema::{HiveType, Table, arrow_schema, migrations};
use landfall::storage::{HdfsStorage, LocalStorage, Parents, Storage};
use landfall_stack::{Presto, Service, Spark, Stack};
use serde_json::Value;

const SPARK: &str = "spark's reader";
const NEW_YORK: &str = "America/New_York";

/// Rows of the first file, in row groups of which each begins at another row; the second file has a row group of one.
const ROWS: [usize; 2] = [400, 1];

/// What reads the table.
trait Reader {
    fn rows(&mut self, sql: &str) -> Result<Vec<Vec<Value>>, String>;
    fn set_zone(&mut self, zone: &str);
    /// Whether its SQL is Spark's.
    fn is_spark(&self) -> bool;
    /// Digits of a second's fraction.
    fn digits(&self) -> usize {
        if self.is_spark() { 6 } else { 3 }
    }
}

impl Reader for (Presto, &'static str) {
    fn rows(&mut self, sql: &str) -> Result<Vec<Vec<Value>>, String> {
        self.0.query(self.1, sql).map(|found| found.rows).map_err(|e| e.to_string())
    }
    fn set_zone(&mut self, zone: &str) {
        self.0 = self.0.clone().with_zone(zone);
    }
    fn is_spark(&self) -> bool {
        false
    }
}

impl Reader for Spark {
    fn rows(&mut self, sql: &str) -> Result<Vec<Vec<Value>>, String> {
        self.query(sql).map(|found| found.rows).map_err(|e| e.to_string())
    }
    fn set_zone(&mut self, zone: &str) {
        self.query(&format!("set spark.sql.session.timeZone = {zone}")).unwrap();
    }
    fn is_spark(&self) -> bool {
        true
    }
}

fn declared(name: &str, location: &str) -> Table {
    migrations::load(&[("0001_t.sql".to_owned(), every_type::ddl(name, location))]).unwrap().remove(0)
}

async fn write(storage: &dyn Storage, dir: &str, table: &Table) {
    storage.mkdir(dir, Parents::Create).await.unwrap();
    for (number, rows) in ROWS.into_iter().enumerate() {
        let options = EncodeOptions {
            max_group_rows: NonZeroUsize::new(93).unwrap(),
            plain_columns: vec!["s".into()],
            no_dictionary: vec!["vc".into(), "ts".into(), "d38".into(), "d5".into()],
            ..Default::default()
        };
        let file = parquet(&every_type::batch(&arrow_schema(table), rows), &options).unwrap();
        storage.create(&format!("{dir}/{number}.parquet"), file.bytes).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn presto_spark_and_hive_read_every_type_alike() {
    let name = format!("read_{}", uuid::Uuid::new_v4().simple());
    let Some(stack) = Stack::attach().filter(|s| s.has(Service::Presto)) else {
        return without_servers(name).await;
    };
    let dir = format!("/{name}");
    let storage = HdfsStorage::new(&stack.hdfs(), Some(stack.user()), &BTreeMap::new()).unwrap();
    let call_timeout = Duration::from_secs(40);
    let settings = Metastore { uri: stack.metastore(), database: "default".into(), call_timeout, framed: false };
    let catalog: Arc<dyn Catalog> = Arc::new(HiveCatalog::new(&settings, Some(stack.user().to_owned())).unwrap());
    let table = declared(&name, &dir);
    write(&storage, &dir, &table).await;
    catalog.create_table(&Wanted::new(&table, "default", &dir, storage.uri(&dir)).table).await.unwrap();
    asking(move || {
        for by in ["hive", "hive_by_position"] {
            ask(by, &mut (stack.presto(), by), &table);
        }
        ask_spark(stack.spark().unwrap(), &table);
    })
    .await;
    assert!(catalog.drop_table("default", &name).await.unwrap());
    storage.delete(&dir).await.unwrap();
}

async fn without_servers(name: String) {
    if std::env::var_os("LANDFALL_SPARK").is_none() {
        eprintln!("skipped: needs the real servers (landfall-stack run -- cargo test), or LANDFALL_SPARK=1");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let storage = LocalStorage::new(folder.path());
    let table = declared(&name, "/t");
    write(&storage, "/t", &table).await;
    let ddl = every_type::ddl(&name, &storage.uri("/t"));
    asking(move || {
        let mut spark = Spark::local(&folder.path().join("spark")).unwrap();
        spark.query(&ddl).unwrap();
        ask_spark(spark, &table);
    })
    .await;
}

async fn asking(ask: impl FnOnce() + Send + 'static) {
    tokio::task::spawn_blocking(ask).await.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()));
}

/// Both of its readers, and the proof that it is they.
fn ask_spark(mut spark: Spark, table: &Table) {
    for (reader, native, scan) in [(SPARK, true, "FileScan parquet"), ("hive's serde", false, "Scan hive")] {
        spark.query(&format!("set spark.sql.hive.convertMetastoreParquet = {native}")).unwrap();
        let plan = spark.query(&format!("explain select * from {}", table.name)).unwrap().rows[0][0].to_string();
        assert!(plan.contains(scan), "{reader}: {plan}");
        ask(reader, &mut spark, table);
    }
}

fn ask(name: &str, reader: &mut dyn Reader, table: &Table) {
    let start = Instant::now();
    reader.set_zone("UTC");
    let mut wrong = every_value(reader, table);
    wrong.extend(questions(name, reader, table));
    reader.set_zone(NEW_YORK);
    wrong.extend(instants_in_new_york(reader, table));
    reader.set_zone("UTC");
    eprintln!("{name}: asked in {:.1} s", start.elapsed().as_secs_f64());
    assert!(wrong.is_empty(), "{name}:\n{}", wrong.join("\n"));
}

/// Everything that differs from what was written; the first row of each column only.
fn every_value(reader: &mut dyn Reader, table: &Table) -> Vec<String> {
    let found = match reader.rows(&format!("select * from {} order by id", table.name)) {
        Ok(rows) => rows,
        Err(error) => return vec![error],
    };
    // Ids of the files overlap: their first rows are the same.
    let ids: Vec<usize> = [0].into_iter().chain(0..ROWS[0]).collect();
    assert_eq!(found.len(), ids.len());
    let written = every_type::columns();
    let mut wrong = Vec::new();
    for (index, column) in table.columns.iter().enumerate() {
        let differs = found.iter().zip(&ids).find_map(|(row, id)| {
            let expected = match index {
                0 => Value::from(*id),
                _ => seen(&column.hive_type, &written[index - 1].2[id % DIFFERENT], reader.digits()),
            };
            let read = plain(&column.hive_type, &row[index]);
            (read != expected).then(|| format!("row {id}: read {read}, written {expected}"))
        });
        wrong.extend(differs.map(|d| format!("{} {}: {d}", column.physical_name, column.hive_type)));
    }
    wrong
}

/// What a reader shows of a written value: structs as arrays, bytes in base 64, `char` padded.
fn seen(hive_type: &HiveType, written: &Value, digits: usize) -> Value {
    let text = || written.as_str().unwrap();
    let inner = |t: &HiveType, v: &Value| seen(t, v, digits);
    match hive_type {
        _ if written.is_null() => Value::Null,
        HiveType::Binary => Value::from(base64(&text().chars().map(|c| c as u8).collect::<Vec<_>>())),
        HiveType::Char(length) => {
            // Presto counts a character beyond U+FFFF as two and pads less.
            let twice = if digits == 3 { text().chars().filter(|c| c.len_utf16() == 2).count() } else { 0 };
            let width = (*length as usize).saturating_sub(twice);
            Value::from(format!("{:width$}", text()))
        }
        HiveType::Timestamp => Value::from(&text()[..20 + digits]),
        HiveType::Array(element) => written.as_array().unwrap().iter().map(|v| inner(element, v)).collect(),
        HiveType::Map(value) => {
            written.as_object().unwrap().iter().map(|(k, v)| (k.as_str(), inner(value, v))).collect()
        }
        HiveType::Struct(fields) => {
            let field = |f: &landfall::schema::StructField| written.get(f.physical_name()).unwrap_or(&Value::Null);
            fields.iter().map(|f| inner(&f.hive_type, field(f))).collect()
        }
        _ => plain(hive_type, written),
    }
}

/// The value with its floats as text, since their JSON differs between readers; and Presto's nested values, which are
/// JSON in texts, as values.
fn plain(hive_type: &HiveType, read: &Value) -> Value {
    if let (true, Value::String(text)) = (hive_type.is_nested(), read) {
        return plain(hive_type, &serde_json::from_str(text).unwrap());
    }
    match (hive_type, read) {
        (HiveType::Float, Value::Number(n)) => Value::from((n.as_f64().unwrap() as f32).to_string()),
        (HiveType::Double, Value::Number(n)) => Value::from(n.as_f64().unwrap().to_string()),
        (HiveType::Array(element), Value::Array(list)) => list.iter().map(|v| plain(element, v)).collect(),
        (HiveType::Map(value), Value::Object(map)) => map.iter().map(|(k, v)| (k.as_str(), plain(value, v))).collect(),
        (HiveType::Struct(fields), Value::Array(list)) => {
            fields.iter().zip(list).map(|(f, v)| plain(&f.hive_type, v)).collect()
        }
        _ => read.clone(),
    }
}

fn base64(bytes: &[u8]) -> String {
    const SIGNS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, i| bits << 8 | u32::from(three.get(i).copied().unwrap_or(0)));
        for i in 0..4 {
            let sign = SIGNS[(bits >> (18 - 6 * i)) as usize & 63] as char;
            text.push(if i <= three.len() { sign } else { '=' });
        }
    }
    text
}

/// Filters, nested fields and unnesting. Of 401 rows the first is there once more than the others.
fn questions(name: &str, reader: &mut dyn Reader, table: &Table) -> Vec<String> {
    let mut wrong = Vec::new();
    for (condition, expected) in [
        ("bo", "51"),
        ("ti = -128 and si = -32768", "51"),
        ("i = 2147483647", "50"),
        ("bi = 9223372036854775807", "50"),
        ("bi < -9223372036854775807", "51"),
        ("fl = cast(1.5 as real) or fl < cast(-1e38 as real)", "101"),
        ("do < -1e300", "101"),
        ("d1 = 9", "50"),
        ("d5 = cast('-0.01' as decimal(5,2))", "50"),
        ("d9 < cast('-0.5' as decimal(9,9))", "51"),
        ("d18 = cast('12.3400' as decimal(18,4))", "50"),
        ("d38 < cast('0' as decimal(38,10))", "101"),
        ("d38w > cast('0' as decimal(38,0))", "50"),
        ("d38f = cast('0.00000000000000000000000000000000000001' as decimal(38,38))", "50"),
        ("s = ''", "51"),
        ("s = 'é'", "50"),
        ("length(s) = 12000", "50"),
        ("vc = 'größegröße'", "50"),
        ("vc = '🚀🚀🚀🚀🚀🚀🚀🚀🚀🚀'", "50"),
        ("ch = 'x'", "50"),
        ("ch = 'ééééé'", "50"),
        ("length(bin) = 2", "100"),
        ("da < date '1900-01-01'", "51"),
        ("da = date '9999-12-31'", "50"),
        ("da is null", "100"),
        ("ts < timestamp '1970-01-01 00:00:00'", "101"),
        ("ts >= timestamp '9999-12-31 23:59:59'", "50"),
        ("ts = timestamp '2026-03-08 07:00:00'", "50"),
        ("`timestamp` between timestamp '1969-12-31 23:59:59' and timestamp '1970-01-01 00:00:00.001'", "151"),
        ("`timestamp` is null and `user-agent` is null", "50"),
        ("`user-agent` = 'curl/8'", "50"),
        ("st.id = 'größe'", "50"),
        ("st.n is null", "250"),
        ("st.x.y = date '1582-10-15'", "51"),
        ("st.x.z < cast('0' as decimal(38,10))", "51"),
        ("each.vc = 'ü🚀é'", "50"),
        ("cardinality(ai) = 3", "100"),
        ("cardinality(m) = 0", "51"),
        ("element_at(m, 'a') = 1", "50"),
        ("element_at(element_at(mm, 'c'), 'z') = cast('0.0001' as decimal(18,4))", "50"),
        ("aa is null", "200"),
    ] {
        let sql = format!("select count(*) from TABLE where {condition}");
        wrong.extend(answer(reader, table, [&sql, &sql], expected));
    }
    // What readers disagree about. Spark's own looks for 0.0 in the dictionary, where -0.0 is another. Spark pads a `char` inside a
    // struct, but not the text that it is compared with.
    let zeros = if name == SPARK { "0" } else { "50" };
    let unpadded = if reader.is_spark() { "0" } else { "50" };
    for (condition, expected) in [("do = 0", zeros), ("each.ch = 'a'", unpadded)] {
        let sql = format!("select count(*) from TABLE where {condition}");
        wrong.extend(answer(reader, table, [&sql, &sql], expected));
    }
    for (presto, spark, expected) in [
        (
            "select count(*), count(e), sum(e) from TABLE cross join unnest(ai) as u(e)",
            "select count(*), count(e), sum(e) from TABLE lateral view explode(ai) u as e",
            "450|250|200",
        ),
        (
            "select count(*), count(v), max(k) from TABLE cross join unnest(m) as u(k, v)",
            "select count(*), count(v), max(k) from TABLE lateral view explode(m) u as k, v",
            "300|200|ключ",
        ),
        (
            "select count(*), count(tag), max(item) from TABLE cross join unnest(items) as u(item, tags, props) \
             cross join unnest(tags) as w(tag)",
            "select count(*), count(tag), max(item) from TABLE lateral view inline(items) u as item, tags, props \
             lateral view explode(tags) w as tag",
            "250|150|d",
        ),
        (
            "select min(d18), max(d38), min(da), max(st.n), min(d1) from TABLE",
            "select min(d18), max(d38), min(da), max(st.n), min(d1) from TABLE",
            "-99999999999999.9999|9999999999999999999999999999.9999999999|1582-10-15|9223372036854775807|-9",
        ),
        (
            "select distinct st.x.z, st.id from TABLE where st.n > 0 order by 2",
            "select distinct st.x.z, st.id from TABLE where st.n > 0 order by 2",
            "null|a\nnull|größe",
        ),
    ] {
        wrong.extend(answer(reader, table, [presto, spark], expected));
    }
    wrong
}

fn answer(reader: &mut dyn Reader, table: &Table, sql: [&str; 2], expected: &str) -> Option<String> {
    let sql = match reader.is_spark() {
        true => sql[1].to_owned(),
        false => sql[0].replace('`', "\""),
    };
    let found = match reader.rows(&sql.replace("TABLE", &table.name)) {
        Ok(rows) => rows,
        Err(error) => return Some(format!("{sql}: {error}")),
    };
    let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    let lines: Vec<_> = found.iter().map(|row| row.iter().map(text).collect::<Vec<_>>().join("|")).collect();
    let found = lines.join("\n");
    (found != expected).then(|| format!("{sql}: {found}, expected {expected}"))
}

/// The session's zone shifts what is shown; 01:30 of 1 November is there twice, 02:30 of 8 March not at all.
fn instants_in_new_york(reader: &mut dyn Reader, table: &Table) -> Vec<String> {
    let sql = format!("select id, ts from {} where id < {DIFFERENT} and id <> 1 order by id", table.name);
    let found = reader.rows(&sql).unwrap();
    let columns = every_type::columns();
    let (_, _, written) = columns.iter().find(|(name, _, _)| *name == "ts").unwrap();
    let zone = TimeZone::get(NEW_YORK).unwrap();
    let shown = |id: usize| {
        let utc: DateTime = written[id].as_str()?.parse().unwrap();
        let local = utc.to_zoned(TimeZone::UTC).unwrap().with_time_zone(zone.clone()).datetime();
        Some(local.strftime("%Y-%m-%d %H:%M:%S%.6f").to_string()[..20 + reader.digits()].to_owned())
    };
    let mut expected: Vec<_> = (0..DIFFERENT).filter(|id| *id != 1).map(|id| (id, shown(id))).collect();
    expected.insert(0, expected[0].clone());
    assert_eq!(expected.iter().filter(|(_, text)| text.as_ref().is_some_and(|t| t.contains("11-01 01:30"))).count(), 2);
    let found: Vec<_> =
        found.iter().map(|row| (row[0].as_u64().unwrap() as usize, row[1].as_str().map(str::to_owned))).collect();
    let same = found == expected;
    if same { Vec::new() } else { vec![format!("in New York: {found:?}, expected {expected:?}")] }
}
