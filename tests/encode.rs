//! An encoded file in a registered table, read by a real Presto, by name and by position.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array,
    RecordBatch, StringArray, TimestampMicrosecondArray,
};
use landfall::catalog::{Catalog, CatalogTable, HiveCatalog, NewPartitions, Registrar, RegistrarStatus};
use landfall::config::settings::Metastore;
use landfall::encode::{EncodeOptions, parquet};
use landfall::storage::{HdfsStorage, Storage};
use landfall_stack::{Presto, Service, Stack};
use tokio::sync::watch;

const ROWS: i64 = 5_000;

/// Row 0 is null everywhere; the values of row `i` follow from `i`, and cross 1970.
fn batch() -> RecordBatch {
    let ids = || (0..ROWS).map(|i| (i > 0).then_some(i));
    let column = |name: &'static str, array: ArrayRef| (name, array, true);
    let micros = TimestampMicrosecondArray::from_iter(ids().map(|i| i.map(micros))).with_timezone("+00:00");
    let text = |i: i64| format!("größe {i}");
    let texts: Vec<Option<String>> = ids().map(|i| i.map(text)).collect();
    let bytes: Vec<Option<&[u8]>> = texts.iter().map(|t| t.as_ref().map(|t| t.as_bytes())).collect();
    RecordBatch::try_from_iter_with_nullable([
        column("id", Arc::new(Int64Array::from_iter(ids()))),
        column("bo", Arc::new(BooleanArray::from_iter(ids().map(|i| i.map(|i| i % 2 == 0))))),
        column("ti", Arc::new(Int8Array::from_iter(ids().map(|i| i.map(|i| i as i8))))),
        column("si", Arc::new(Int16Array::from_iter(ids().map(|i| i.map(|i| i as i16 - 2500))))),
        column("i", Arc::new(Int32Array::from_iter(ids().map(|i| i.map(|i| -i as i32))))),
        column("fl", Arc::new(Float32Array::from_iter(ids().map(|i| i.map(|i| i as f32 / 2.0))))),
        column("do", Arc::new(Float64Array::from_iter(ids().map(|i| i.map(|i| -i as f64 / 4.0))))),
        column("user-agent", Arc::new(StringArray::from(texts.clone()))),
        column("bin", Arc::new(BinaryArray::from_opt_vec(bytes))),
        column("timestamp", Arc::new(micros)),
    ])
    .unwrap()
}

/// An hour a row, from 1969-09-03 on, with a fraction.
fn micros(i: i64) -> i64 {
    (i - 2880) * 3_600_000_000 + 123_456
}

fn table(storage: &dyn Storage, path: &str, name: &str) -> CatalogTable {
    let types = ["bigint", "boolean", "tinyint", "smallint", "int", "float", "double", "string", "binary", "timestamp"];
    let names = batch().schema().fields().iter().map(|f| f.name().clone()).collect::<Vec<_>>();
    CatalogTable {
        database: "default".into(),
        name: name.into(),
        columns: names.into_iter().zip(types.map(str::to_owned)).collect(),
        comments: Default::default(),
        partition_keys: vec![],
        location: storage.uri(path),
        external: true,
        parquet: true,
        properties: BTreeMap::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn presto_reads_every_type_right() {
    let Some(stack) = Stack::attach().filter(|s| s.has(Service::Presto)) else {
        eprintln!("skipped: needs the real servers (landfall-stack run -- cargo test)");
        return;
    };
    let name = format!("encoded_{}", uuid::Uuid::new_v4().simple());
    let path = format!("/{name}");
    let storage: Arc<dyn Storage> =
        Arc::new(HdfsStorage::new(&stack.hdfs(), Some(stack.user()), &BTreeMap::new()).unwrap());
    let call_timeout = Duration::from_secs(40);
    let settings = Metastore { uri: stack.metastore(), database: "default".into(), call_timeout, framed: false };
    let catalog: Arc<dyn Catalog> = Arc::new(HiveCatalog::new(&settings, Some(stack.user().to_owned())).unwrap());

    let wanted = table(storage.as_ref(), &path, &name);
    let (sender, mut status) = watch::channel(RegistrarStatus::default());
    let registrar = tokio::spawn(Registrar::run(
        catalog.clone(),
        storage.clone(),
        vec![(wanted, path.clone()).into()],
        NewPartitions::new(),
        Duration::from_secs(300),
        sender,
    ));
    let registered = status.wait_for(|s| !s.tables.is_empty() && s.unregistered() == 0);
    tokio::time::timeout(Duration::from_secs(60), registered).await.unwrap().unwrap();
    registrar.abort();

    let options = EncodeOptions {
        max_group_rows: NonZeroUsize::new(1000).unwrap(),
        plain_columns: vec!["user-agent".into()],
        no_dictionary: vec!["timestamp".into()],
        footer: vec![("landfall.job".into(), "test".into())],
        ..EncodeOptions::default()
    };
    let file = parquet(&batch(), &options).unwrap();
    storage.create(&format!("{path}/a.parquet"), file.bytes).await.unwrap();

    let presto = stack.presto();
    let queried = tokio::task::spawn_blocking(move || {
        for catalog in ["hive", "hive_by_position"] {
            ask(&presto, catalog, &name);
        }
        name
    });
    let name = queried.await.unwrap();
    assert!(catalog.drop_table("default", &name).await.unwrap());
    storage.delete(&path).await.unwrap();
}

fn ask(presto: &Presto, catalog: &str, table: &str) {
    let ask = |what: &str| {
        let sql = what.replace("TABLE", table);
        let rows = presto.query(catalog, &sql).unwrap_or_else(|e| panic!("{catalog}: {sql}: {e}"));
        let text = |v: &serde_json::Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
        rows.rows.iter().map(|r| r.iter().map(text).collect::<Vec<_>>().join("|")).collect::<Vec<_>>().join("\n")
    };
    for (sql, expected) in [
        (
            "select count(*), count(id), count(bo), count(bin), count(\"timestamp\") from TABLE",
            "5000|4999|4999|4999|4999",
        ),
        (
            "select id, bo, ti, si, i, fl, do, \"user-agent\", from_utf8(bin), \"timestamp\" from TABLE where id = 2000",
            "2000|true|-48|-500|-2000|1000.0|-500.0|größe 2000|größe 2000|1969-11-25 08:00:00.123",
        ),
        ("select \"timestamp\" from TABLE where id = 2881", "1970-01-01 01:00:00.123"),
        ("select count(*) from TABLE where \"timestamp\" < timestamp '1970-01-01 00:00:00'", "2879"),
        (
            "select id from TABLE where \"timestamp\" between timestamp '1970-03-30 07:00:00' and timestamp '1970-03-30 08:00:00'",
            "4999",
        ),
        (
            "select min(ti), max(ti), min(si), max(si), min(i), max(i), min(fl), max(fl), min(do), max(do) from TABLE",
            "-128|127|-2499|2499|-4999|-1|0.5|2499.5|-1249.75|-0.25",
        ),
        ("select count(*) from TABLE where id is null and \"user-agent\" is null and \"timestamp\" is null", "1"),
        ("select id from TABLE where \"user-agent\" = 'größe 4321'", "4321"),
        ("select count(*) from TABLE where do < -1000 and bo", "499"),
        ("select sum(id), sum(i) from TABLE", "12497500|-12497500"),
    ] {
        assert_eq!(ask(sql), expected, "{catalog}: {sql}");
    }
}
