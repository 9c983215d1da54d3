//! Columns that a new migration adds, under load; and migrations that were changed after they were applied.

use std::path::PathBuf;
use std::time::Duration;

use landfall::app::read_migrations;
use landfall::catalog::{Catalog, HiveCatalog, RECORD, Wanted};
use landfall::config::settings::Metastore;
use landfall::game::Load;
use landfall::schema::migrations;
use serde_json::{Value, json};

use crate::job::{Job, wait_until_landed};
use crate::refused::assert_refused;
use crate::world::{CATALOGS, World, assert_same_rows, wait_for, world};

const LIMIT: Duration = Duration::from_secs(60);

/// The metastore, with a job's database.
pub fn catalog(world: &World, job: &Job) -> HiveCatalog {
    let (uri, call_timeout) = (world.stack.metastore(), Duration::from_secs(40));
    let settings = Metastore { uri, database: job.name.clone(), call_timeout, framed: false };
    HiveCatalog::new(&settings, Some(world.stack.user().to_owned())).unwrap()
}

/// A table as a job's migrations declare it.
pub fn wanted(world: &World, job: &Job, table: &str) -> Wanted {
    let files = read_migrations(&job.folder.path().join("migrations")).unwrap();
    let tables = migrations::load(&files).unwrap();
    let declared = tables.iter().find(|t| t.name == table).unwrap();
    Wanted::new(declared, &job.name, &declared.location, format!("{}{}", world.stack.hdfs(), declared.location))
}

fn migration(job: &Job, name: &str) -> PathBuf {
    job.folder.path().join("migrations").join(name)
}

#[test]
fn a_column_added_under_load_is_null_in_old_rows_and_filled_in_new_ones_without_a_restart_of_presto() {
    let Some(world) = world() else { return };
    let job = Job::new(&world, "migrate", 2, "1s");
    job.declare_positions();
    let load = job.topic.produce_on(Load::new(11).with_request_ids(true), 100);
    let mut first = job.start(&[]);
    let count = format!("select count(*) from {}.purchases", job.name);
    wait_for(LIMIT, "rows of the first migrations", || world.number(&count).filter(|n| *n > 100));
    for catalog in CATALOGS {
        world.presto(catalog, &format!("select * from {}.purchases limit 5", job.name));
    }
    first.terminate(LIMIT);
    let ends: Vec<_> = (0..2).map(|p| first.landed(&job.name, p).unwrap()).collect();

    let more = "alter table NAME.purchases add columns (\n    `X-Request-Id` string comment 'of the load',\n    price double,\n    \
                `_kafka_topic` string, `_kafka_timestamp` bigint) cascade";
    std::fs::write(migration(&job, "0005_more.sql"), more.replace("NAME", &job.name)).unwrap();
    let config = job.config("1s").replace("[tables.guilds]", "columns = { price = \"cost\" }\n[tables.guilds]");
    job.write_config(&config);
    let plan = job.command(&["check"]);
    plan.assert(
        0,
        &[&format!("{}.purchases", job.name), "would get 4 columns", "x-request-id string", "0005_more.sql"],
    );
    let before = world.runtime.block_on(catalog(&world, &job).get_table(&job.name, "purchases")).unwrap().unwrap();
    assert_eq!(before.columns.len(), 10, "a check changes nothing");

    let mut second = job.start(&[]);
    let filled = format!("select count(*) from {}.purchases where \"x-request-id\" is not null", job.name);
    wait_for(LIMIT, "rows with the new columns", || world.number(&filled).filter(|n| *n > 100));
    load.stop();
    wait_until_landed(&job.topic, &[&second], LIMIT);
    let told = second.lines().into_iter().find(|line| line["migrations"] == "0005_more.sql");
    let told = told.expect("the daemon says that it has added the columns");
    assert_eq!(told["table"], format!("{}.purchases", job.name));
    assert_eq!(told["columns"], "x-request-id string, price double, _kafka_topic string, _kafka_timestamp bigint");

    let mut expected = Vec::new();
    for message in job.topic.read() {
        let event: Value = serde_json::from_slice(message.value.as_deref().unwrap()).unwrap();
        if event["event_type"].as_str().is_some_and(|kind| kind.contains("purchase")) {
            let place = [json!(message.partition), json!(message.offset)];
            let price = event["cost"].as_i64().map(|cost| cost as f64);
            let new = [event["X-Request-Id"].clone(), json!(price), json!(job.name), json!(message.timestamp_ms)];
            let is_new = message.offset >= ends[message.partition as usize];
            expected.push(place.into_iter().chain(new.map(|v| if is_new { v } else { Value::Null })).collect());
        }
    }
    for catalog in CATALOGS {
        let columns = "_kafka_partition, _kafka_offset, \"x-request-id\", price, _kafka_topic, _kafka_timestamp";
        let found = world.presto(catalog, &format!("select {columns} from {}.purchases", job.name));
        assert_same_rows(format!("{catalog}: the new columns"), &found, &expected);
    }
    let mut spark = world.stack.spark().unwrap();
    for (native, reader) in [("true", "Spark's reader"), ("false", "Hive's SerDe")] {
        spark.query(&format!("set spark.sql.hive.convertMetastoreParquet = {native}")).unwrap();
        let columns = "_kafka_partition, _kafka_offset, `x-request-id`, price, _kafka_topic, _kafka_timestamp";
        let found = spark.query(&format!("select {columns} from {}.purchases", job.name)).unwrap();
        assert_same_rows(format!("{reader}: the new columns"), &found.rows, &expected);
    }
    drop(spark);
    let after = world.runtime.block_on(catalog(&world, &job).get_table(&job.name, "purchases")).unwrap().unwrap();
    let wanted = wanted(&world, &job, "purchases");
    assert_eq!(after.columns, wanted.table.columns);
    assert_eq!(after.comments["x-request-id"], "of the load");
    assert_eq!(after.properties[RECORD], wanted.table.properties[RECORD]);
    assert_eq!(after.properties["parquet.compress"], "SNAPPY");
    second.terminate(LIMIT);
    job.command(&["verify", "--deep"]).assert(0, &["no findings"]);
    job.command(&["check"]).assert(0, &["as declared"]);
}

#[test]
fn an_edited_and_a_missing_migration_are_refused_and_nothing_is_written() {
    let Some(world) = world() else { return };
    let job = Job::new(&world, "edited", 1, "1s");
    let more = format!("alter table {}.purchases add columns (request_id string)", job.name);
    std::fs::write(migration(&job, "0005_more.sql"), &more).unwrap();
    let sender = job.topic.sender();
    Load::new(3).take(50).for_each(|message| sender.send(Some(&message.value)));
    sender.flush();
    job.drain(LIMIT);
    let (slots, config) = (job.slots(), job.config("1s"));

    let original = std::fs::read_to_string(migration(&job, "0002_purchases.sql")).unwrap();
    std::fs::write(migration(&job, "0002_purchases.sql"), original.replace("cost long", "cost bigint")).unwrap();
    let table = format!("{}.purchases", job.name);
    let says = [&*table, "0002_purchases.sql was edited after it was applied", "recorded is 0002:", "new migration"];
    assert_refused(&job, &config, &[], 78, &says);
    job.command(&["check"]).assert(78, &says);
    let spaced = original.replace("cost long", "-- what it cost\n\n    cost   long");
    std::fs::write(migration(&job, "0002_purchases.sql"), spaced).unwrap();
    job.command(&["check"]).assert(0, &["as declared"]);

    std::fs::remove_file(migration(&job, "0005_more.sql")).unwrap();
    let says = [&*table, "a newer configuration has applied migration 0005"];
    assert_refused(&job, &config, &[], 78, &says);
    job.command(&["check"]).assert(78, &says);
    std::fs::write(migration(&job, "0006_more.sql"), &more).unwrap();
    assert_refused(&job, &config, &[], 78, &["0006_more.sql was applied as number 0005"]);
    assert_eq!(job.slots(), slots);
}
