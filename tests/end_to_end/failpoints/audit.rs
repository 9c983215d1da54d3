//! What must hold when all daemons of a job have ended.

use std::collections::BTreeSet;

use landfall::checkpoint::Layout;
use serde_json::{Value, json};

use super::case::TABLES;
use crate::expected::Expected;
use crate::job::Job;
use crate::world::{World, assert_same_rows};

/// The tables hold every message once, and nothing is left half done. `landfall verify` goes here when there is one.
/// How many rows there are.
pub fn audit(world: &World, job: &Job) -> usize {
    let rows = every_row_once(world, job);
    nothing_half_done(world, job);
    rows
}

/// Through Presto, against a fresh read of the topic. No two messages are alike, so a table's name and the message as
/// a whole say which row it is; one statement for all tables.
fn every_row_once(world: &World, job: &Job) -> usize {
    let e = Expected::of(&job.name, &job.topic.read());
    let named = |table: &str, column: usize, rows: &[Vec<Value>]| {
        rows.iter().map(|row| vec![json!(table), row[column].clone()]).collect::<Vec<_>>()
    };
    let expected =
        [named("purchases", 0, &e.purchases), named("guilds", 0, &e.guilds), named("dead_letters", 2, &e.dead_letters)];
    let expected = expected.concat();
    let select = |table: &str| {
        let what = if table == "dead_letters" { "to_hex(raw_bytes)" } else { "raw_event" };
        format!("select '{table}', {what} from {}.{table}", job.name)
    };
    let found = world.presto("hive_by_position", &TABLES.map(select).join(" union all "));
    assert_same_rows(&job.name, &found, &expected);
    assert!(expected.len() > 20, "{}: only {} rows", job.name, expected.len());
    expected.len()
}

fn nothing_half_done(world: &World, job: &Job) {
    let names = |dir: &str| world.list(dir).unwrap_or_default().into_iter().map(|e| e.name).collect::<Vec<_>>();
    let log = format!("{}/checkpoint/log", job.base());
    for epoch in names(&log).into_iter().filter(|name| Layout::parse_epoch_dir(name).is_some()) {
        for slot in names(&format!("{log}/{epoch}")).into_iter().filter(|name| name != "snapshot.json") {
            let left = names(&format!("{log}/{epoch}/{slot}"));
            let manifests = left.iter().filter(|name| Layout::parse_manifest_name(name).is_some()).count();
            assert_eq!((manifests, left.len()), (1, 1), "slot {slot} of {epoch} holds {left:?}");
        }
    }
    // A file of a batch is in one table, once.
    let mut seen = BTreeSet::new();
    for table in TABLES {
        for file in world.visible(&job.table_dir(table)) {
            let mut parts = file.splitn(3, '-');
            let number = |part: Option<&str>| part.and_then(|n| n.parse::<u64>().ok());
            let place = (number(parts.next()), number(parts.next()));
            assert!(place.0.is_some() && place.1.is_some(), "{table}/{file} is no file of landfall's");
            assert!(seen.insert(place), "{table}/{file}: there is another file of this slot and index");
        }
    }
}
