//! A partitioned table on the real servers: odd values, a kill, a metastore that is away while new partitions land.

use std::collections::BTreeMap;
use std::time::Duration;

use landfall::schema::partition::NULL_VALUE;
use serde_json::{Value, json};

use crate::job::{Job, wait_until_landed};
use crate::outage::Away;
use crate::world::{CATALOGS, World, assert_same_rows, wait_for, world};

const LIMIT: Duration = Duration::from_secs(90);
const DAY_MS: i64 = 86_400_000;
/// 2026-11-20 00:00 UTC
const FIRST_DAY_MS: i64 = 1_795_132_800_000;

/// Values of the field `kind`; `None`: the field is absent.
fn kinds() -> Vec<Option<Value>> {
    let texts = ["plain", "a/b=c:%", "größe 日本", " x", "100%25", "\"#'*?\\{}[]^", "tab\there", "", NULL_VALUE];
    let long = "é".repeat(200);
    texts.iter().map(|t| Some(json!(t))).chain([Some(json!(long)), Some(Value::Null), None]).collect()
}

/// What readers find there.
fn kind_in_table(kind: Option<&Value>) -> Value {
    let unfit = |text: &str| text.is_empty() || text == NULL_VALUE || text.len() > 200;
    kind.cloned().filter(|kind| !kind.as_str().is_some_and(unfit)).unwrap_or(Value::Null)
}

/// Sends messages of this day, and enters their rows: dt, kind, n, id, partition of Kafka.
fn produce(job: &Job, day: i64, count: i64, rows: &mut Vec<Vec<Value>>) {
    let (sender, kinds) = (job.topic.sender(), kinds());
    for i in 0..count {
        let (id, kind) = (rows.len() as i64, &kinds[i as usize % kinds.len()]);
        let n = if i % 7 == 0 { json!("x") } else { json!(i % 2) };
        let mut message = json!({"id": id, "n": n, "event_type": "none"});
        if let Some(kind) = kind {
            message["kind"] = kind.clone();
        }
        let at = FIRST_DAY_MS + day * DAY_MS + i * DAY_MS / count;
        sender.send_to(Some((i % 2) as i32), None, Some(at), Some(message.to_string().as_bytes()));
        let n = if n.is_string() { Value::Null } else { n };
        rows.push(vec![
            json!(format!("2026-11-{}", 20 + day)),
            kind_in_table(kind.as_ref()),
            n,
            json!(id),
            json!(i % 2),
        ]);
    }
    sender.flush();
}

/// Presto shows these rows in both modes, and finds them by conditions on the partition columns.
fn assert_shown(world: &World, table: &str, rows: &[Vec<Value>]) {
    let mut days: BTreeMap<String, i64> = BTreeMap::new();
    rows.iter().for_each(|row| *days.entry(row[0].as_str().unwrap().to_owned()).or_default() += 1);
    let by_day: Vec<_> = days.iter().map(|(day, n)| vec![json!(day), json!(n)]).collect();
    for catalog in CATALOGS {
        let columns = "dt, kind, n, id, _kafka_partition";
        let found = world.presto(catalog, &format!("select {columns} from {table}"));
        assert_same_rows(format!("{catalog}: all rows"), &found, rows);
        let found = world.presto(catalog, &format!("select dt, count(*) from {table} group by dt"));
        assert_same_rows(format!("{catalog}: rows by day"), &found, &by_day);
        for kind in kinds().iter().flatten().filter(|kind| !kind_in_table(Some(kind)).is_null()) {
            let text = kind.as_str().unwrap().replace('\'', "''");
            let sql =
                format!("select {columns} from {table} where kind = '{text}' and n = 1 and dt > date '2026-11-20'");
            let wanted = |row: &&Vec<Value>| row[1] == *kind && row[2] == 1 && row[0] != "2026-11-20";
            let wanted: Vec<_> = rows.iter().filter(wanted).cloned().collect();
            assert_same_rows(format!("{catalog}: {sql}"), &world.presto(catalog, &sql), &wanted);
        }
        let nulls = world.presto(catalog, &format!("select {columns} from {table} where kind is null and n is null"));
        let wanted: Vec<_> = rows.iter().filter(|row| row[1].is_null() && row[2].is_null()).cloned().collect();
        assert_same_rows(format!("{catalog}: nulls"), &nulls, &wanted);
        let paths =
            world.presto(catalog, &format!("select distinct kind, \"$path\" from {table} where kind = 'a/b=c:%'"));
        let paths: Vec<_> = paths.iter().map(|row| row[1].as_str().unwrap()).collect();
        assert!(!paths.is_empty() && paths.iter().all(|p| p.contains("/kind=a%2Fb%3Dc%3A%25/n=")), "{paths:?}");
    }
}

#[test]
fn rows_are_parted_by_odd_values_and_seen_once_after_a_kill_and_a_metastore_that_was_away() {
    let Some(world) = world() else { return };
    let job = Job::new(&world, "partitions", 2, "1s");
    let table = format!("{}.parted", job.name);
    let ddl = format!(
        "create external table {table} (id bigint, `_kafka_partition` int, `_kafka_offset` bigint)\n\
         partitioned by (dt date, kind string, n int) stored as parquet location '{}'",
        job.table_dir("parted")
    );
    std::fs::write(job.folder.path().join("migrations/0005_parted.sql"), ddl).unwrap();
    job.write_config(&format!("{}[tables.parted.columns]\ndt = \"date(kafka.timestamp)\"\n", job.config("1s")));
    job.command(&["check"]).assert(0, &[&table]);

    let mut rows = Vec::new();
    produce(&job, 0, 120, &mut rows);
    let mut first = job.start(&[]);
    wait_until_landed(&job.topic, &[&first], LIMIT);
    let count = format!("select count(*) from {table}");
    wait_for(LIMIT, "the first partitions are registered", || world.number(&count).filter(|n| *n == rows.len() as i64));
    // Killed with a new day's rows in its hands, or published and not registered yet.
    let before = first.progress().len();
    produce(&job, 1, 200, &mut rows);
    wait_for(LIMIT, "some of them land", || (first.progress().len() > before).then_some(()));
    first.kill();
    let mut second = job.start(&[]);
    wait_until_landed(&job.topic, &[&second], LIMIT);
    wait_for(LIMIT, "the second day is registered", || world.number(&count).filter(|n| *n == rows.len() as i64));
    assert_shown(&world, &table, &rows);

    let away = Away::stop(&world.stack, "metastore");
    produce(&job, 2, 120, &mut rows);
    wait_until_landed(&job.topic, &[&second], LIMIT);
    assert!(!world.visible(&format!("{}/dt=2026-11-22", job.table_dir("parted"))).is_empty());
    drop(away);
    wait_for(LIMIT, "the third day is registered", || world.number(&count).filter(|n| *n == rows.len() as i64));
    produce(&job, 3, 40, &mut rows);
    wait_until_landed(&job.topic, &[&second], LIMIT);
    second.terminate(LIMIT);
    // What its end left unregistered, the next run registers before it ends.
    job.drain(LIMIT);
    assert_shown(&world, &table, &rows);
    job.command(&["verify", "--deep"]).assert(0, &["no findings"]);
    job.command(&["check"]).assert(0, &["as declared"]);
    world.presto("hive", &format!("drop table {table}"));
}
