//! The seeds' job as it stands in the repository: `config/default.toml`, `migrations/`, topic `events`, the database
//! `default`. Only the servers' addresses are told, by environment.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use landfall::game::Load;
use serde_json::{Value, json};

use crate::expected::{DEAD_LETTERS, Expected, GUILDS, PURCHASES};
use crate::job::{Daemon, TABLES, landfall, wait_until_landed};
use crate::topic::Topic;
use crate::world::{CATALOGS, World, assert_same_rows, wait_for, world};

const TOPIC: &str = "events";
const CHECKPOINT: &str = "/tmp/checkpoints_for_events";
const SAMPLES: &str = include_str!("../data/game_events.jsonl");

/// Messages that a careless reader would get wrong, though each is an event or of no interest.
fn odd_ones() -> Vec<String> {
    let long = "x".repeat(100_000);
    let mut odd: Vec<String> = [
        // A number as text, and no headers.
        r#"{"event_type":"purchase_sword","cost":"6","type":"sabre"}"#,
        // For three tables at once; numbers that are no bigint.
        r#"{"event_type":"purchase_guild_hall","Host":"h","cost":1,"guild_name":"g","guild_member_cnt":3.0,"tot_guild_member_cnt":9223372036854775808}"#,
        r#"{"ev\u0065nt_type":"purchase_shield","type":"sch\u00ebld \u2728 \"q\" \\","Host":"ünï.例え","cost":-9223372036854775808,"unknown":{"a":[1,2]}}"#,
        r#"{"event_type":"join_guild","guild_name":{"a":"b"},"Accept":true,"Host":5,"User-Agent":["x"],"guild_member_cnt":0}"#,
        r#"{"event_type":"purchase_sword","cost":1,"cost":2,"type":"a\u0000b\nc"}"#,
        " {\"event_type\" :\t\"purchase_sword\"}\r\n ",
        // Of no interest to any table.
        "{}",
        r#"{"Host":"x"}"#,
        r#"{"event_type":null}"#,
        r#"{"event_type":7}"#,
        r#"{"EVENT_TYPE":"purchase_sword"}"#,
    ]
    .map(str::to_owned)
    .into();
    odd.push(format!(r#"{{"event_type":"purchase_sword","type":"{long}","cost":3}}"#));
    odd
}

#[test]
fn the_seeds_own_job_lands_every_event_once_and_their_queries_are_right() {
    let Some(world) = world() else { return };
    make_room(&world);
    let topic = Topic::create(&world, TOPIC, 3);
    produce(&topic);
    let messages = topic.read();
    assert_eq!(messages.len(), 9 + 10_000 + 5 + 1 + odd_ones().len());
    let expected = Expected::of(TOPIC, &messages);
    assert!(expected.dead_letters.len() > 50 && expected.tombstones == 6 && expected.unrouted > 400, "{messages:?}");

    let folder = tempfile::tempdir().unwrap();
    let mut command = landfall();
    command.arg("run").env("HADOOP_USER_NAME", world.stack.user());
    for (name, value) in world.stack.env().into_iter().filter(|(name, _)| name.starts_with("LANDFALL__")) {
        command.env(name, value);
    }
    let begun = Instant::now();
    let mut daemon = Daemon::spawn(command, folder.path().join("run.log"));
    wait_until_landed(&topic, &[&daemon], Duration::from_secs(60));
    println!("{} messages landed {:.1} s after the start", messages.len(), begun.elapsed().as_secs_f64());
    wait_for(Duration::from_secs(30), "the tables are registered", || {
        (world.presto("hive", "show tables").len() >= TABLES.len()).then_some(())
    });
    daemon.terminate(Duration::from_secs(30));
    accounts_balance(&daemon, &expected, messages.len());
    for catalog in CATALOGS {
        let begun = Instant::now();
        tables_are_described(&world, catalog);
        seeds_queries_are_right(&world, catalog, &expected);
        expected.assert_landed(&world, catalog, "default");
        println!("{catalog}: all queries right, {:.1} s", begun.elapsed().as_secs_f64());
    }
    clear(&world);
}

/// On a stack that was used before, only what an earlier run of this test left is deleted.
fn make_room(world: &World) {
    let mark = world.stack.dir().join("used-by-the-end-to-end-test");
    if mark.exists() {
        clear(world);
    }
    let tables = world.presto("hive", "show tables");
    assert!(
        world.list(CHECKPOINT).is_none() && !tables.iter().any(|row| TABLES.contains(&row[0].as_str().unwrap())),
        "the stack in {} holds a job of config/default.toml already; this test needs one without: make test",
        world.stack.dir().display()
    );
    std::fs::write(mark, "").unwrap();
}

fn clear(world: &World) {
    for table in TABLES {
        world.presto("hive", &format!("drop table if exists {table}"));
        world.delete(&format!("/tmp/{table}"));
    }
    world.delete(CHECKPOINT);
    Topic::delete(world, TOPIC);
}

fn produce(topic: &Topic) {
    let sender = topic.sender();
    SAMPLES.lines().for_each(|line| sender.send(Some(line.as_bytes())));
    for (message, n) in Load::new(1).with_request_ids(true).with_malformed(0.01).take(10_000).zip(0..) {
        // Some with keys, some without.
        let key = format!("user{}", n % 7);
        sender.send_to(None, (n % 2 == 0).then_some(key.as_bytes()), None, Some(&message.value));
        if n % 2000 == 0 {
            sender.send_to(Some(n / 2000 % 3), Some(b"gone"), None, None);
        }
    }
    sender.send_to(None, None, None, None);
    // Times whose text has every form: no fraction, and trailing zeros cut from it.
    let times = [1_627_669_098_000, 1_627_669_100_010, 1_627_669_101_100, 1_627_669_103_123, 1, 253_402_200_000_999];
    for (message, n) in odd_ones().iter().zip(0..) {
        sender.send_to(Some(n % 3), Some(&[0xff]), Some(times[n as usize % times.len()]), Some(message.as_bytes()));
    }
    sender.flush();
}

fn accounts_balance(daemon: &Daemon, expected: &Expected, messages: usize) {
    let progress = daemon.progress();
    let sum = |name: &str| progress.iter().map(|p| p["accounting"][name].as_u64().unwrap() as usize).sum::<usize>();
    assert_eq!(sum("read"), messages);
    assert_eq!(sum("dead_letters"), expected.dead_letters.len());
    assert_eq!(sum("unrouted"), expected.unrouted);
    assert_eq!(sum("tombstones"), expected.tombstones);
    let rows = |table: &str| progress.iter().filter_map(|p| p["sink"]["tables"][table].as_u64()).sum::<u64>() as usize;
    assert_eq!(rows("guilds"), expected.guilds.len());
    assert_eq!(rows("purchases"), expected.purchases.len());
    assert_eq!(rows("sword_purchases"), expected.sword_purchases.len());
}

fn tables_are_described(world: &World, catalog: &str) {
    let tables = world.presto(catalog, "show tables");
    for (table, columns) in [
        ("sword_purchases", &PURCHASES[..]),
        ("purchases", &PURCHASES),
        ("guilds", &GUILDS),
        ("dead_letters", &DEAD_LETTERS),
    ] {
        assert!(tables.contains(&vec![json!(table)]), "{table} in {tables:?}");
        let found = world.presto(catalog, &format!("describe {table}"));
        let found: Vec<_> = found.iter().map(|row| (row[0].as_str().unwrap(), row[1].as_str().unwrap())).collect();
        assert_eq!(found, columns, "{catalog}.{table}");
    }
}

/// Rows of `rows` by the values of these columns.
fn grouped<'a>(rows: &'a [Vec<Value>], columns: &[usize]) -> BTreeMap<String, (Vec<Value>, Vec<&'a Vec<Value>>)> {
    let mut groups: BTreeMap<String, (Vec<Value>, Vec<&Vec<Value>>)> = BTreeMap::new();
    for row in rows {
        let key: Vec<Value> = columns.iter().map(|c| row[*c].clone()).collect();
        groups.entry(json!(key).to_string()).or_insert((key, Vec::new())).1.push(row);
    }
    groups
}

fn seeds_queries_are_right(world: &World, catalog: &str, expected: &Expected) {
    let (purchases, guilds) = (&expected.purchases, &expected.guilds);
    // By columns; one value of each group more.
    let per = |rows: &[Vec<Value>], columns: &[usize], value: &dyn Fn(&[&Vec<Value>]) -> Value| -> Vec<Vec<Value>> {
        let groups = grouped(rows, columns).into_values();
        groups.map(|(key, rows)| [key, vec![value(&rows)]].concat()).collect()
    };
    let count = |rows: &[&Vec<Value>]| json!(rows.len());
    // The sum of nothing but nulls is null. One cost is i64::MIN: nothing may be added to it.
    let sum = |rows: &[&Vec<Value>]| {
        let costs: Vec<i64> = rows.iter().filter_map(|row| row[7].as_i64()).collect();
        json!((!costs.is_empty()).then(|| costs.iter().sum::<i64>()))
    };
    let distinct_guilds =
        |rows: &[&Vec<Value>]| json!(rows.iter().filter_map(|row| row[7].as_str()).collect::<BTreeSet<_>>().len());
    let known = guilds.iter().filter(|row| !row[6].is_null()).count();
    // Of each guild the newest row: among those of one time, the one with the last text.
    let newest = grouped(guilds, &[7]).into_values().map(|(_, rows)| {
        let newest = rows.into_iter().max_by_key(|row| (row[1].as_str(), row[0].as_str())).unwrap();
        vec![newest[7].clone(), newest[6].clone(), newest[8].clone()]
    });
    let newest: Vec<_> = newest.collect();
    for (sql, rows) in [
        ("select host, count(*) from purchases group by host", per(purchases, &[3], &count)),
        ("select host, sum(cost) from purchases group by host", per(purchases, &[3], &sum)),
        ("select type, count(*) from purchases group by type", per(purchases, &[6], &count)),
        ("select event_type, count(*) from purchases group by event_type", per(purchases, &[5], &count)),
        ("select count(*) from guilds", vec![vec![json!(guilds.len())]]),
        ("select count(*) from guilds where guild_member_cnt is not null", vec![vec![json!(known)]]),
        (
            "select guild_name, guild_member_cnt, tot_guild_member_cnt from (select *, row_number() over (partition by \
             guild_name order by timestamp desc, raw_event desc) as n from guilds) where n = 1",
            newest,
        ),
        (
            "select host, event_type, count(distinct guild_name) from guilds group by host, event_type",
            per(guilds, &[3, 5], &distinct_guilds),
        ),
        (
            "select \"user-agent\", count(*) from purchases where \"user-agent\" = 'ApacheBench/2.3' group by 1",
            per(purchases, &[4], &count).into_iter().filter(|row| row[0] == "ApacheBench/2.3").collect(),
        ),
    ] {
        assert!(!rows.is_empty());
        assert_same_rows(format!("{catalog}: {sql}"), &world.presto(catalog, sql), &rows);
    }
}
