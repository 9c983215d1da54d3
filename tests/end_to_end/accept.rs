//! Messages that are gone from Kafka, topics that are made anew, and partitions that are added: on a real Kafka.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
use rdkafka::client::DefaultClientContext;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serde_json::{Value, json};

use crate::job::{Daemon, Job};
use crate::topic::Topic;
use crate::world::{World, wait_for, world};

const LIMIT: Duration = Duration::from_secs(60);

pub fn admin(world: &World) -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", world.stack.kafka()).create().unwrap()
}

/// What retention does: the messages before `offset` are gone.
pub fn forget(world: &World, job: &Job, partition: i32, offset: i64) {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&job.name, partition, Offset::Offset(offset)).unwrap();
    world.runtime.block_on(admin(world).delete_records(&list, &AdminOptions::new())).unwrap();
}

/// Messages of which each is a dead letter, so that its place stands in a table.
fn send(job: &Job, partition: i32, count: usize, word: &str) {
    let sender = job.topic.sender();
    (0..count).for_each(|n| sender.send_to(Some(partition), None, None, Some(format!("{word} {n}").as_bytes())));
    sender.flush();
}

/// Topic as the rows have it, partition, and offsets: each landed once.
fn assert_landed(world: &World, job: &Job, expected: &[(&str, i32, std::ops::Range<i64>)]) {
    let count: i64 = expected.iter().map(|(_, _, offsets)| offsets.end - offsets.start).sum();
    let sql = format!("select count(*) from {}.dead_letters", job.name);
    wait_for(LIMIT, format!("{count} rows"), || (world.number(&sql) >= Some(count)).then_some(()));
    let sql = format!("select kafka_topic, kafka_partition, kafka_offset from {}.dead_letters", job.name);
    let mut found = world.presto("hive", &sql);
    let row = |topic: &str, p: i32, offset: i64| vec![json!(topic), json!(p), json!(offset)];
    let rows = expected.iter().flat_map(|(topic, p, offsets)| offsets.clone().map(|o| row(topic, *p, o)));
    let mut rows: Vec<Vec<Value>> = rows.collect();
    found.sort_by_key(|row| format!("{row:?}"));
    rows.sort_by_key(|row| format!("{row:?}"));
    assert_eq!(found, rows);
}

fn wait_for_text(daemon: &Daemon, text: &str) {
    wait_for(LIMIT, format!("the daemon says `{text}`"), || daemon.text().contains(text).then_some(()));
}

#[test]
fn a_partition_that_is_stopped_by_a_gap_goes_on_after_accept_gap_while_the_daemon_runs() {
    let Some(world) = world() else { return };
    let job = Job::new(&world, "gap", 2, "1s");
    send(&job, 0, 50, "old");
    send(&job, 1, 10, "old");
    job.drain(LIMIT);
    job.command(&["accept-gap", &job.name, "0", "--reason", "none", "--yes"])
        .assert(65, &["there is no gap", "goes on at offset 50, Kafka holds 0 up to 50", "Nothing was changed"]);
    send(&job, 0, 100, "lost");
    forget(&world, &job, 0, 120);
    let mut daemon = job.start(&[]);
    wait_for_text(&daemon, "70 offsets are gone by retention");
    send(&job, 1, 5, "others go on");
    let name = job.name.as_str();
    assert_landed(&world, &job, &[(name, 0, 0..50), (name, 1, 0..15)]);

    let skipped = format!("{name}[0]: offsets 50 to 119, 70 offsets");
    let accept = ["accept-gap", name, "0", "--reason", "a week of holidays"];
    job.command(&accept).assert(64, &[&skipped, "nothing was changed", "--yes"]);
    job.command(&["accept-gap", name, "7", "--reason", "x", "--yes"]).assert(78, &["[7] does not exist"]);
    job.command(&["accept-gap", "other", "0", "--reason", "x", "--yes"]).assert(78, &["not one of this job's"]);
    job.command(&[&accept[..], &["--to", "110", "--yes"]].concat()).assert(65, &["--to 110 is gone too"]);
    job.command(&[&accept[..], &["--yes"]].concat()).assert(0, &["skipped", &skipped, "goes on at offset 120"]);
    assert_landed(&world, &job, &[(name, 0, 0..50), (name, 0, 120..150), (name, 1, 0..15)]);

    // And over messages that are there.
    job.command(&[&accept[..], &["--to", "150", "--yes"]].concat()).assert(65, &["does not lie behind"]);
    daemon.terminate(LIMIT);
    send(&job, 0, 10, "poison");
    let says = ["offsets 150 to 154, 5 offsets, 5 of them still in Kafka"];
    job.command(&[&accept[..], &["--to", "155", "--yes"]].concat()).assert(0, &says);
    job.drain(LIMIT);
    assert_landed(&world, &job, &[(name, 0, 0..50), (name, 0, 120..150), (name, 0, 155..160), (name, 1, 0..15)]);
    job.command(&["verify", "--deep"])
        .assert(0, &["offsets 50 up to 120 skipped, 70 offsets (operator@", "a week of holidays"]);
    assert_eq!(world.list(&format!("{}/checkpoint/staging", job.base())).unwrap(), [], "nothing stays staged");
}

#[test]
fn a_gap_is_recorded_by_the_daemon_itself_where_the_configuration_says_so() {
    let Some(world) = world() else { return };
    let job = Job::new(&world, "ongap", 1, "1s");
    send(&job, 0, 10, "old");
    job.drain(LIMIT);
    send(&job, 0, 10, "lost");
    forget(&world, &job, 0, 15);
    job.write_config(&job.config("1s").replace("[kafka.properties]", "on_gap = \"record\"\n[kafka.properties]"));
    let mut daemon = job.start(&[]);
    let name = job.name.as_str();
    assert_landed(&world, &job, &[(name, 0, 0..10), (name, 0, 15..20)]);
    daemon.terminate(LIMIT);
    job.command(&["verify"])
        .assert(0, &["offsets 10 up to 15 skipped, 5 offsets (kafka.on_gap = record", "no findings"]);
}

#[test]
fn a_topic_that_is_made_anew_stops_and_lands_as_another_incarnation_after_accept_topic() {
    let Some(world) = world() else { return };
    let job = Job::new(&world, "anew", 1, "1s");
    let name = job.name.as_str();
    send(&job, 0, 10, "old");
    job.drain(LIMIT);
    // Longer than before: only the last message's fingerprint tells.
    Topic::delete(&world, name);
    Topic::create(&world, name, 1);
    send(&job, 0, 25, "new");
    let mut daemon = job.start(&[]);
    wait_for_text(&daemon, "the message at offset 9 is not the one that was landed");
    let accept = ["accept-topic", name, "--reason", "made anew"];
    let says = [&format!("topic {name} begins anew as {name}#1"), "up to offset 10", "--yes"];
    job.command(&accept).assert(64, &says.map(|s| s as &str));
    job.command(&[&accept[..], &["--yes"]].concat()).assert(0, &["begins anew"]);
    let first = format!("{name}#1");
    assert_landed(&world, &job, &[(name, 0, 0..10), (&first, 0, 0..25)]);

    // Shorter than before, while the daemon runs.
    Topic::delete(&world, name);
    Topic::create(&world, name, 1);
    send(&job, 0, 3, "newer");
    // Before or after the messages came into it.
    wait_for_text(&daemon, "Kafka's newest message is before offset");
    job.command(&["accept-gap", name, "0", "--reason", "x", "--yes"]).assert(65, &["accept-topic"]);
    job.command(&[&accept[..], &["--yes"]].concat()).assert(0, &["begins anew"]);
    let second = format!("{name}#2");
    assert_landed(&world, &job, &[(name, 0, 0..10), (&first, 0, 0..25), (&second, 0, 0..3)]);
    daemon.terminate(LIMIT);
    job.command(&["verify", "--deep"]).assert(0, &["began anew as", "no findings"]);
}

#[test]
fn a_topic_that_is_made_anew_and_refilled_while_the_daemon_runs_is_noticed() {
    let Some(world) = world() else { return };
    let job = Job::new(&world, "refilled", 1, "1s");
    let name = job.name.as_str();
    send(&job, 0, 10, "old");
    let mut daemon = job.start(&[]);
    assert_landed(&world, &job, &[(name, 0, 0..10)]);
    Topic::delete(&world, name);
    // A topic that is back before the client has missed it passes for the old one: docs/exactly-once.md.
    wait_for_text(&daemon, "does not exist yet");
    Topic::create(&world, name, 1);
    send(&job, 0, 40, "new");
    // By its length, before all of the messages came into it, or by the last message.
    wait_for_text(&daemon, "If the topic is meant to begin anew");
    job.command(&["accept-topic", name, "--reason", "made anew", "--yes"]).assert(0, &["begins anew"]);
    assert_landed(&world, &job, &[(name, 0, 0..10), (&format!("{name}#1"), 0, 0..40)]);
    daemon.terminate(LIMIT);
}

#[test]
fn messages_of_an_added_partition_land_from_its_beginning_although_the_job_began_with_the_latest() {
    let Some(world) = world() else { return };
    let job = Job::new(&world, "grow", 1, "1s");
    send(&job, 0, 5, "before");
    let config = job.config("1s").replace("[kafka.properties]", "starting_offsets = \"latest\"\n[kafka.properties]");
    let fast = "[kafka.properties]\n\"topic.metadata.refresh.interval.ms\" = \"1000\"\n";
    job.write_config(&config.replace("[kafka.properties]", fast));
    let mut daemon = job.start(&[]);
    wait_for(LIMIT, "reading", || daemon.reads().then_some(()));
    send(&job, 0, 2, "first");
    let new = NewPartitions::new(&job.name, 3);
    let added = world.runtime.block_on(admin(&world).create_partitions([&new], &AdminOptions::new())).unwrap();
    added.into_iter().for_each(|r| drop(r.unwrap()));
    // Before the daemon knows of it.
    send(&job, 2, 7, "early");
    let name = job.name.as_str();
    assert_landed(&world, &job, &[(name, 0, 5..7), (name, 2, 0..7)]);
    daemon.terminate(LIMIT);
    job.command(&["verify", "--deep"]).assert(0, &["no findings"]);
}
