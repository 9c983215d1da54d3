//! What no retry helps with, or somebody did behind the daemon's back. Each case has a job of its own, all at once.

use std::time::{Duration, Instant};

use landfall::catalog::{Catalog, CatalogTable};
use landfall::storage::{Parents, Storage};
use rdkafka::admin::{AdminOptions, NewPartitions};

use super::line::{Line, text};
use super::report::{Case, Rows};
use crate::accept::{admin, forget};
use crate::migrate;
use crate::reload::IN_FORCE;
use crate::topic::Topic;
use crate::world::{World, wait_for};

const RATE: u64 = 100;
const LIMIT: Duration = super::line::LIMIT;

/// What a case has to say beyond what every case has.
struct Done {
    /// From the break until the log told of it.
    noticed: Duration,
    /// What was done; `None`: nothing was needed.
    command: Option<String>,
    /// From then until the daemon went on.
    goes_on: Duration,
    rows: Rows,
}

type Break = fn(&mut Line<'_>) -> Done;

const CASES: [(&str, &str, Break); 9] = [
    ("retention overtakes the daemon", "o_gap", retention),
    ("retention overtakes the daemon, with `kafka.on_gap = \"record\"`", "o_skip", retention_is_recorded),
    ("the topic is deleted and made again", "o_anew", anew),
    ("partitions are added to the topic", "o_grow", grow),
    ("a table is dropped in the metastore", "o_drop", dropped),
    ("a table's location is changed in the metastore", "o_moved", moved),
    ("a table's directory is deleted", "o_dir", directory),
    ("no space left by quota: a table's directory", "o_quota", quota_of_a_table),
    ("no space left by quota: all directories of the job", "o_full", quota_of_all),
];

/// All cases, or those that are wanted.
pub fn run(world: &World) -> Vec<Case> {
    let wanted: Vec<_> = CASES.into_iter().filter(|(what, ..)| super::wanted(what)).collect();
    std::thread::scope(|scope| {
        let case =
            |(what, name, it): (&'static str, &'static str, Break)| scope.spawn(move || one(world, what, name, it));
        let cases: Vec<_> = wanted.into_iter().map(case).collect();
        cases.into_iter().map(|case| case.join().unwrap()).collect()
    })
}

fn one(world: &World, what: &str, name: &str, it: Break) -> Case {
    let mut line = Line::start(world, name, RATE, None, |config| config);
    let before = line.begin();
    let Done { noticed, command, goes_on, rows } = it(&mut line);
    let case = Case {
        what: what.to_owned(),
        lasted: Some(noticed),
        batches: line.daemon.progress().len() - before,
        command,
        goes_on,
        visible: None,
        rows,
        peak: line.peak(),
        said: line.said().iter().map(text).collect(),
    };
    println!("{case:#?}");
    line.end();
    case
}

/// Waits until the log says this; how long that took since `begun`.
fn noticed(line: &Line<'_>, begun: Instant, word: &str) -> Duration {
    line.wait_for_word(word);
    begun.elapsed()
}

/// Runs the command that the log names, which must be `command`, with a reason.
fn resolve(line: &Line<'_>, command: &[&str]) -> String {
    let named = format!("landfall {}", command.join(" "));
    line.wait_for_word(&named);
    line.job.command(&[command, &["--reason", "a test", "--yes"]].concat()).assert(0, &[]);
    format!("{named} --reason '…'")
}

/// The other partition lands on.
fn assert_others_land(line: &Line<'_>, partition: usize) {
    let at = || line.daemon.landed(&line.job.name, partition);
    let before = at();
    wait_for(LIMIT, "the other partition goes on", || (at() > before).then_some(()));
}

/// Lets retention take messages of partition 0 that the daemon has not read, beside some that it has in its memory.
fn overtake(line: &Line<'_>) -> Instant {
    line.daemon.signal("STOP");
    std::thread::sleep(Duration::from_secs(4));
    let end = line.job.topic.ends()[0];
    let begun = Instant::now();
    forget(line.world, &line.job, 0, end);
    line.daemon.signal("CONT");
    begun
}

fn retention(line: &mut Line<'_>) -> Done {
    let begun = overtake(line);
    let noticed = noticed(line, begun, "are gone by retention");
    let said = line.wait_for_word("are gone by retention");
    let number = |before: &str, after: &str| said.split_once(before)?.1.split_once(after)?.0.parse::<i64>().ok();
    let landed = line.daemon.landed_by_itself(&line.job.name, 0);
    assert_eq!(landed, number("goes on at offset ", ","), "what was read before is landed when it is said");
    let gone = number("has offset ", ":").unwrap() - landed.unwrap();
    assert_others_land(line, 1);
    let name = line.job.name.clone();
    let command = resolve(line, &["accept-gap", &name, "0"]);
    let goes_on = line.goes_on();
    Done { noticed, command: Some(command), goes_on, rows: line.check(gone) }
}

fn retention_is_recorded(line: &mut Line<'_>) -> Done {
    let path = line.job.folder.path().join("landfall.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    std::fs::write(path, config.replace("[trigger]", "on_gap = \"record\"\n[trigger]")).unwrap();
    line.daemon.signal("HUP");
    wait_for(LIMIT, "the configuration is in force", || line.daemon.text().contains(IN_FORCE).then_some(()));
    let begun = overtake(line);
    let noticed = noticed(line, begun, "gap recorded");
    let gone = line.said().iter().find_map(|said| said["missing"].as_i64()).unwrap();
    let goes_on = line.goes_on();
    Done { noticed, command: None, goes_on, rows: line.check(gone) }
}

fn anew(line: &mut Line<'_>) -> Done {
    line.quiet();
    crate::job::wait_until_landed(&line.job.topic, &[&line.daemon], LIMIT);
    let name = line.job.name.clone();
    let begun = Instant::now();
    Topic::delete(line.world, &name);
    std::thread::sleep(Duration::from_secs(5));
    Topic::create(line.world, &name, 2);
    line.load(2);
    let noticed = noticed(line, begun, "If the topic is meant to begin anew");
    let command = resolve(line, &["accept-topic", &name]);
    let goes_on = line.goes_on();
    Done { noticed, command: Some(command), goes_on, rows: line.check(0) }
}

fn grow(line: &mut Line<'_>) -> Done {
    let new = NewPartitions::new(&line.job.name, 4);
    let begun = Instant::now();
    let added = line.world.runtime.block_on(admin(line.world).create_partitions([&new], &AdminOptions::new()));
    added.unwrap().into_iter().for_each(|r| drop(r.unwrap()));
    line.job.topic.partitions = 4;
    let sender = line.job.topic.sender();
    (0..50).for_each(|n| sender.send_to(Some(3), None, None, Some(format!("{{\"n\": {n}}}").as_bytes())));
    sender.flush();
    wait_for(LIMIT, "the new partition lands", || line.daemon.landed(&line.job.name, 3).filter(|end| *end == 50));
    let goes_on = begun.elapsed();
    Done { noticed: goes_on, command: None, goes_on, rows: line.check(0) }
}

fn dropped(line: &mut Line<'_>) -> Done {
    let table = format!("{}.guilds", line.job.name);
    let begun = Instant::now();
    line.world.presto("hive", &format!("drop table {table}"));
    let noticed = noticed(line, begun, "somebody has dropped the table");
    let rows = format!("select count(*) from {table}");
    wait_for(LIMIT, "it is there again with all its rows", || line.world.number(&rows).filter(|n| *n > 0));
    Done { noticed, command: None, goes_on: begun.elapsed(), rows: line.check(0) }
}

fn moved(line: &mut Line<'_>) -> Done {
    let (world, job) = (line.world, &line.job);
    let catalog = migrate::catalog(world, job);
    let elsewhere = format!("{}/elsewhere", job.base());
    world.runtime.block_on(world.hdfs.mkdir(&elsewhere, Parents::Create)).unwrap();
    let swap = |table: &CatalogTable| {
        world.runtime.block_on(async {
            catalog.drop_table(&job.name, "guilds").await.unwrap();
            catalog.create_table(table).await.unwrap();
        });
    };
    let right = world.runtime.block_on(catalog.get_table(&job.name, "guilds")).unwrap().unwrap();
    let begun = Instant::now();
    swap(&CatalogTable { location: world.hdfs.uri(&elsewhere), ..right.clone() });
    let noticed = noticed(line, begun, "its location is");
    let files = world.visible(&job.table_dir("guilds")).len();
    wait_for(LIMIT, "it lands on where it landed", || {
        (world.visible(&job.table_dir("guilds")).len() > files).then_some(())
    });
    line.wait_for_word(&format!("set location '{}'", right.location));
    let (begun, before) = (Instant::now(), line.daemon.lines().len());
    swap(&right);
    let again = || line.daemon.lines().into_iter().skip(before).find(|l| l["message"] == "registered");
    wait_for(LIMIT, "registered again", again);
    let goes_on = begun.elapsed();
    let command = "alter table guilds set location '…/guilds'".to_owned();
    Done { noticed, command: Some(command), goes_on, rows: line.check(0) }
}

fn directory(line: &mut Line<'_>) -> Done {
    let dir = line.job.table_dir("guilds");
    let begun = Instant::now();
    line.sound = false;
    line.world.delete(&dir);
    let noticed = noticed(line, begun, "table directory is missing");
    wait_for(LIMIT, "new rows land", || (!line.world.visible(&dir).is_empty()).then_some(()));
    let goes_on = begun.elapsed();
    Done { noticed, command: None, goes_on, rows: line.check(0) }
}

fn quota_of_a_table(line: &mut Line<'_>) -> Done {
    let dir = line.job.table_dir("guilds");
    quota(line, &dir)
}

fn quota_of_all(line: &mut Line<'_>) -> Done {
    let dir = line.job.base();
    quota(line, &dir)
}

fn quota(line: &mut Line<'_>, dir: &str) -> Done {
    let begun = Instant::now();
    line.world.stack.set_space_quota(dir, Some(1)).unwrap();
    let noticed = noticed(line, begun, "quota");
    std::thread::sleep(Duration::from_secs(20));
    line.world.stack.set_space_quota(dir, None).unwrap();
    let goes_on = line.goes_on();
    let command = format!("hdfs dfsadmin -clrSpaceQuota …/{}", dir.rsplit('/').next().unwrap());
    Done { noticed, command: Some(command), goes_on, rows: line.check(0) }
}
