//! Dead letters on the real servers: what a new route wants lands once, through kills, beside a daemon and another replay.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use landfall::game::Load;
use serde_json::Value;

use crate::job::{Job, Output, landfall, wait_until_landed};
use crate::world::{World, world};

const LIMIT: Duration = Duration::from_secs(90);
const NARROW: &str = "when = { field = \"event_type\", contains = \"guild\" }";
const WIDE: &str = "when = { any = [{ field = \"event_type\", contains = \"guild\" }, { field = \"event_type\", equals = \"default\" }] }";

/// `landfall dead-letters replay` with these failpoints.
fn replay(world: &World, job: &Job, failpoints: &str) -> Command {
    let mut command = landfall();
    command.args(["dead-letters", "replay", "--config"]).arg(job.folder.path().join("landfall.toml"));
    command.env("HADOOP_USER_NAME", world.stack.user()).env("FAILPOINTS", failpoints);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn said(done: std::process::Output) -> Output {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Output { code: done.status.code(), text: text(done.stdout), errors: text(done.stderr) }
}

/// How many it says that it has replayed.
fn replayed(output: &Output) -> i64 {
    output.assert(0, &["replayed", "still bad"]);
    let figure = output.text.trim_start().strip_prefix("replayed ").unwrap();
    figure.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}

#[test]
fn dead_letters_that_a_new_route_wants_land_once_through_kills_and_twins() {
    let Some(world) = world() else { return };
    let job = Job::new(&world, "letters", 2, "1s");
    job.declare_positions();
    let config =
        job.config("1s").replace("[trigger]", "[messages]\nunrouted = \"dead_letter\"\n[trigger]\nmax_rows = 10");
    assert!(config.contains(NARROW), "{config}");
    job.write_config(&config);
    let sender = job.topic.sender();
    let load = Load::new(11).with_request_ids(true).with_malformed(0.05);
    load.take(3000).for_each(|message| sender.send(Some(&message.value)));
    sender.flush();
    job.drain(LIMIT);
    let count = |sql: &str| world.number(&format!("select count(*) from {}.{sql}", job.name)).unwrap();
    let (unrouted, bad) =
        (count("dead_letters where reason = 'unrouted'"), count("dead_letters where reason <> 'unrouted'"));
    assert!(unrouted > 90 && bad > 50, "{unrouted} unrouted, {bad} others");
    assert_eq!(count("guilds where event_type = 'default'"), 0);
    let listed = job.command(&["dead-letters", "list", "--json"]);
    listed.assert(0, &[]);
    let listed: Value = serde_json::from_str(&listed.text).unwrap();
    assert_eq!((listed["dead_letters"].as_i64(), listed["replayed"].as_i64()), (Some(unrouted + bad), Some(0)));

    // Nothing has changed yet: nothing to do, and nothing is done.
    let says = [&format!("unrouted {unrouted}"), "replayed 0"];
    job.command(&["dead-letters", "replay"]).assert(0, &says.map(|s| s));
    job.write_config(&config.replace(NARROW, WIDE));
    let dry = job.command(&["dead-letters", "replay", "--dry-run"]);
    dry.assert(0, &[&format!("would replay {unrouted} (guilds {unrouted}); still bad {bad}")]);
    assert_eq!(count("guilds where event_type = 'default'"), 0);

    // Killed in its second batch: before the commit, after it, and with the file on its way into the table.
    for point in ["commit.before", "commit.after", "publish.rename.before", "publish.rename.after"] {
        let done = replay(&world, &job, &format!("{point}=1*off->1*return(kill)")).output().unwrap();
        assert_eq!(done.status.signal(), Some(9), "{point}: {:?}", said(done));
    }
    let mut daemon = job.start(&[]);
    let producing = job.topic.produce_on(Load::new(12).with_request_ids(true), 100);
    let twins = [(); 2].map(|()| replay(&world, &job, "").spawn().unwrap());
    let twins = twins.map(|twin| replayed(&said(twin.wait_with_output().unwrap())));
    assert!(twins.iter().sum::<i64>() <= unrouted, "{twins:?} of {unrouted}");
    assert_eq!(replayed(&job.command(&["dead-letters", "replay"])), 0, "all was done");
    producing.stop();
    wait_until_landed(&job.topic, &[&daemon], LIMIT);
    daemon.terminate(LIMIT);

    let is_default = |value: &[u8]| {
        serde_json::from_slice::<Value>(value).is_ok_and(|v| v["event_type"].as_str() == Some("default"))
    };
    let messages = job.topic.read().into_iter().filter(|m| m.value.as_deref().is_some_and(is_default));
    let expected: Vec<_> = messages.map(|m| (i64::from(m.partition), m.offset)).collect();
    for catalog in crate::world::CATALOGS {
        let sql =
            format!("select _kafka_partition, _kafka_offset from {}.guilds where event_type = 'default'", job.name);
        let rows = world.presto(catalog, &sql);
        let found: Vec<_> = rows.iter().map(|r| (r[0].as_i64().unwrap(), r[1].as_i64().unwrap())).collect();
        let (distinct, wanted): (BTreeSet<_>, BTreeSet<_>) =
            (found.iter().copied().collect(), expected.iter().copied().collect());
        assert_eq!((found.len(), &distinct), (expected.len(), &wanted), "{catalog}: each once");
    }
    let list = job.command(&["dead-letters", "list"]);
    list.assert(0, &[&format!("unrouted: {unrouted}, {unrouted} of them replayed")]);
    job.command(&["verify", "--deep"]).assert(0, &["no findings", &format!("dead letters replayed: {unrouted}")]);
    assert_eq!(count("dead_letters"), unrouted + bad, "they stay");
}

#[test]
fn a_ceiling_ends_a_batch_run_with_65_and_pauses_a_daemon() {
    let Some(world) = world() else { return };
    let job = Job::new(&world, "ceiling", 1, "500ms");
    let config = job.config("500ms").replace("[trigger]", "[messages]\nmax_dead_letters = \"10%\"\n[trigger]");
    job.write_config(&config);
    let sender = job.topic.sender();
    Load::new(21).take(200).for_each(|message| sender.send(Some(&message.value)));
    (0..100).for_each(|n| sender.send(Some(format!("garbage {n}").as_bytes())));
    sender.flush();
    let mut run = job.start(&["--available-now"]);
    assert_eq!(run.wait(LIMIT).code(), Some(65), "{}", run.tail());
    let text = run.text();
    assert!(
        text.contains("malformed_json in") && text.contains("max_dead_letters") && text.contains("restart"),
        "{text}"
    );
    (0..100).for_each(|n| sender.send(Some(format!("more garbage {n}").as_bytes())));
    sender.flush();
    let mut daemon = job.start(&[]);
    crate::world::wait_for(LIMIT, "it pauses", || daemon.text().contains("reading is paused").then_some(()));
    daemon.terminate(LIMIT);
    job.write_config(&job.config("500ms"));
    job.drain(LIMIT);
    job.assert_landed_once();
}
