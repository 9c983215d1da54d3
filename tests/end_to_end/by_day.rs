//! A table with a partition for each day of Kafka's timestamps; and producers whose days are short, so that new partitions
//! come all the time.

use std::time::Duration;

use landfall::catalog::unregistered;
use serde_json::{Value, json};

use crate::job::Job;
use crate::migrate;
use crate::world::{World, assert_same_rows, world};

/// The rows of `purchases`, by day.
pub const TABLE: &str = "purchases_by_day";

/// Its section of the configuration, to be put at the end.
pub const CONFIG: &str = "[tables.purchases_by_day]\n\
     when = { field = \"event_type\", contains = \"purchase\" }\n\
     columns = { dt = \"date(kafka.timestamp)\" }\n";

/// 2020-01-01 00:00 UTC
const FIRST_DAY_MS: i64 = 1_577_836_800_000;
const DAY_MS: i64 = 86_400_000;

/// Declares the table, with the columns that `purchases` has by now.
pub fn declare(job: &Job) {
    let migrations = job.folder.path().join("migrations");
    let purchases = std::fs::read_to_string(migrations.join("0002_purchases.sql")).unwrap();
    let text = purchases
        .replace(".purchases (", &format!(".{TABLE} ("))
        .replace("/purchases'", &format!("/{TABLE}'"))
        .replace("\n)\nstored as", "\n)\npartitioned by (dt string)\nstored as");
    assert!(text.matches(TABLE).count() == 2 && text.contains("(dt string)"), "{text}");
    std::fs::write(migrations.join("0005_purchases_by_day.sql"), text).unwrap();
}

/// The time of the n-th message, where a day has so many of them; the first day has the number 0.
pub fn time_ms(first_day: i64, n: u64, of_a_day: u64) -> i64 {
    FIRST_DAY_MS + first_day * DAY_MS + (i128::from(n) * i128::from(DAY_MS) / i128::from(of_a_day)) as i64
}

/// The value of `dt` in the row of this row of `purchases`.
pub fn day_of(purchase: &[Value]) -> Value {
    json!(purchase[1].as_str().unwrap()[..10])
}

/// How many partitions have a directory; `None` if not all of them are in the metastore, or it cannot be asked.
pub fn all_registered(world: &World, job: &Job) -> Option<usize> {
    let (wanted, catalog) = (migrate::wanted(world, job, TABLE), migrate::catalog(world, job));
    let missing = world.runtime.block_on(unregistered(&catalog, &world.hdfs, &wanted));
    missing.is_ok_and(|missing| missing.is_empty()).then(|| days(world, job).len())
}

/// Its partitions that have a directory.
pub fn days(world: &World, job: &Job) -> Vec<String> {
    let entries = world.list(&job.table_dir(TABLE)).unwrap_or_default();
    entries.into_iter().filter(|e| e.is_dir && e.name.starts_with("dt=")).map(|e| e.name).collect()
}

#[test]
fn a_replay_of_dead_letters_registers_its_partitions_before_it_ends() {
    let Some(world) = world() else { return };
    let job = Job::new(&world, "by_day", 2, "1s");
    declare(&job);
    let config = job.config("1s").replace("[trigger]", "[messages]\nunrouted = \"dead_letter\"\n[trigger]") + CONFIG;
    job.write_config(&config);
    let sender = job.topic.sender();
    let event = |n: u64| json!({"event_type": "visit", "n": n}).to_string();
    (0..40).for_each(|n| sender.send_to(None, None, Some(time_ms(0, n, 10)), Some(event(n).as_bytes())));
    sender.flush();
    job.drain(Duration::from_secs(60));
    assert_eq!(all_registered(&world, &job), Some(0));
    job.write_config(&config.replace(CONFIG, &CONFIG.replace("\"purchase\"", "\"visit\"")));
    // No daemon runs.
    job.command(&["dead-letters", "replay"]).assert(0, &["replayed 40 (purchases_by_day 40)"]);
    assert_eq!(all_registered(&world, &job), Some(4));
    let found = world.presto("hive_by_position", &format!("select dt, count(*) from {}.{TABLE} group by dt", job.name));
    let expected: Vec<_> = (1..=4).map(|day| vec![json!(format!("2020-01-0{day}")), json!(10)]).collect();
    assert_same_rows("rows by day", &found, &expected);
    job.command(&["verify", "--deep"]).assert(0, &["no findings"]);
}
