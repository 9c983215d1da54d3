//! What must hold when all daemons of a job have ended.

use serde_json::{Value, json};

use super::case::TABLES;
use crate::by_day;
use crate::expected::Expected;
use crate::job::Job;
use crate::world::{World, assert_same_rows};

/// The tables hold every message once, and log, files and metastore agree. How many rows there are.
pub fn audit(world: &World, job: &Job) -> usize {
    let rows = every_row_once(world, job);
    job.command(&["verify", "--deep"]).assert(0, &["no findings"]);
    rows
}

/// Through Presto, against a fresh read of the topic. No two messages are alike, so a table's name and the message as
/// a whole say which row it is; one statement for all tables.
fn every_row_once(world: &World, job: &Job) -> usize {
    let e = Expected::of(&job.name, &job.topic.read());
    let named = |table: &str, column: usize, rows: &[Vec<Value>]| {
        rows.iter().map(|row| vec![json!(table), row[column].clone()]).collect::<Vec<_>>()
    };
    let dated = |row: &Vec<Value>| format!("{} {}", by_day::day_of(row).as_str().unwrap(), row[0].as_str().unwrap());
    let dated: Vec<_> = e.purchases.iter().map(|row| vec![json!(dated(row))]).collect();
    let expected = [
        named("purchases", 0, &e.purchases),
        named("guilds", 0, &e.guilds),
        named("dead_letters", 2, &e.dead_letters),
        named(by_day::TABLE, 0, &dated),
    ];
    let expected = expected.concat();
    let select = |table: &str| {
        let what = match table {
            "dead_letters" => "to_hex(raw_bytes)",
            by_day::TABLE => "dt || ' ' || raw_event",
            _ => "raw_event",
        };
        format!("select '{table}', {what} from {}.{table}", job.name)
    };
    let found = world.presto("hive_by_position", &TABLES.map(select).join(" union all "));
    assert_same_rows(&job.name, &found, &expected);
    assert!(expected.len() > 20, "{}: only {} rows", job.name, expected.len());
    expected.len()
}
