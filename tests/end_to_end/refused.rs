//! What cannot work is refused before anything is written, with all that a person needs to know.

use std::net::TcpListener;
use std::time::Duration;

use crate::job::{Daemon, Job, TABLES, landfall};
use crate::topic::Topic;
use crate::world::{World, world};

const LIMIT: Duration = Duration::from_secs(60);

/// Runs the job with this configuration: it must end with this code, and the last line of its log say all of this.
pub fn assert_refused(job: &Job, config: &str, args: &[&str], code: i32, says: &[&str]) {
    job.write_config(config);
    let mut run = job.start(args);
    let status = run.wait(LIMIT);
    assert_eq!(status.code(), Some(code), "{}", run.text());
    let last = run.lines().pop().expect("it says why it ends");
    assert_eq!((&last["level"], &last["exit_code"]), (&"ERROR".into(), &code.into()), "{last}");
    let message = last["message"].as_str().unwrap();
    for words in says {
        assert!(message.contains(words), "`{words}` is not in:\n{message}");
    }
}

fn assert_nothing_written(world: &World, job: &Job) {
    assert_eq!(world.list(&job.base()), None, "{}", job.base());
    let tables = world.presto("hive", &format!("show tables from {}", job.name));
    assert!(tables.is_empty(), "{tables:?}");
}

/// An address that nobody listens on.
fn nobody() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[test]
fn a_wrong_configuration_ends_with_78_and_names_every_error_at_once() {
    let Some(world) = world() else { return };
    let job = Job::new(&world, "wrong", 1, "1s");
    let right = job.config("1s");
    let wrong = right.replace("interval = \"1s\"", "interval = \"1 parsec\"\nmax_byte = 5\nmax_rows = 0");
    let wrong = wrong.replace("[metastore]", "call_timeout = \"soon\"\n[metastore]");
    let file = job.folder.path().join("landfall.toml");
    let says = [
        "4 errors",
        "trigger.interval = \"1 parsec\"",
        "10s",
        "trigger.max_byte: ",
        "max_bytes",
        "trigger.max_rows",
        "storage.call_timeout",
        "soon",
    ];
    assert_refused(&job, &wrong, &[], 78, &[&says[..], &[file.to_str().unwrap()]].concat());

    let shields = format!("{right}\n[tables.shields]\nwhen = {{ field = \"event_type\", contains = \"shield\" }}\n");
    assert_refused(&job, &shields, &[], 78, &["shields", "migration"]);
    let folder = format!("{}/nowhere", job.folder.path().display());
    let nowhere = right.replace("/migrations\"", "/nowhere\"");
    assert_refused(&job, &nowhere, &[], 78, &["migrations", &folder, "No such file or directory"]);
    let inside = right.replace("/checkpoint\"", "/guilds/checkpoint\"");
    assert_refused(&job, &inside, &[], 78, &["guilds", "storage.checkpoint", "lie in one another"]);
    let topic = right.replace(&format!("topics = [\"{}\"]", job.name), "topics = [\"no_such_topic\"]");
    assert_refused(&job, &topic, &["--available-now"], 78, &["no_such_topic", "does not exist", &world.stack.kafka()]);
    assert_nothing_written(&world, &job);
}

#[test]
fn a_service_that_cannot_be_reached_ends_the_start_with_69_and_is_named() {
    let Some(world) = world() else { return };
    let job = Job::new(&world, "away", 1, "1s");
    let right = job.config("1s");
    let broker = nobody();
    let config =
        right.replace(&world.stack.kafka(), &broker).replace("connect_timeout = \"5s\"", "connect_timeout = \"3s\"");
    assert_refused(&job, &config, &[], 69, &["Kafka", &broker, "kafka.bootstrap_servers", "3 s"]);
    let namenode = nobody();
    let config = right.replace(&world.stack.hdfs(), &format!("hdfs://{namenode}"));
    let config = config.replace("[metastore]", "call_timeout = \"5s\"\n[metastore]");
    assert_refused(&job, &config, &[], 69, &["storage.url", &format!("hdfs://{namenode}")]);
    assert_nothing_written(&world, &job);
}

#[test]
fn a_table_that_the_metastore_holds_with_other_columns_stops_the_start_with_the_difference() {
    let Some(world) = world() else { return };
    let job = Job::new(&world, "differs", 1, "1s");
    world.presto("hive", &format!("create table {}.guilds (raw_event varchar, guild_member_cnt varchar)", job.name));
    let says = [&format!("{}.guilds", job.name), "guild_member_cnt is string", "bigint", "column accept is missing"];
    assert_refused(&job, &job.config("1s"), &[], 78, &says);
    assert_eq!(world.list(&job.base()), None, "{}", job.base());
}

#[test]
fn a_second_job_on_the_same_tables_or_the_same_checkpoint_is_refused_and_leaves_nothing() {
    let Some(world) = world() else { return };
    let job = Job::new(&world, "owner", 1, "1s");
    job.drain(LIMIT);
    let right = job.config("1s");
    let named = right.replace(&format!("job = \"{}\"", job.name), "job = \"intruder\"");
    let other_checkpoint = format!("{}/intruder", job.base());
    let config = named.replace("/checkpoint\"", "/intruder\"");
    let says = ["intruder", &job.name, "Two jobs must not feed one table", &job.table_dir("sword_purchases")];
    assert_refused(&job, &config, &[], 78, &says);
    assert_eq!(world.list(&other_checkpoint), None, "the checkpoint of a job that never was");

    // Tables of its own, but that checkpoint.
    for entry in std::fs::read_dir(job.folder.path().join("migrations")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let own = text.replace(&job.base(), &format!("{}/own", job.base()));
        std::fs::write(&path, own.replace(&format!("{}.", job.name), "no_such_database.")).unwrap();
    }
    let checkpoint = format!("{}/checkpoint", job.base());
    assert_refused(&job, &named, &[], 78, &["intruder", &job.name, &checkpoint, "storage.checkpoint"]);
    for table in TABLES {
        assert_eq!(world.list(&format!("{}/own/{table}", job.base())), None, "{table}");
    }
    let staged = world.list(&format!("{checkpoint}/staging")).unwrap();
    assert!(staged.is_empty(), "{staged:?}");
}

#[test]
fn produce_fails_when_the_broker_refuses_its_messages() {
    let Some(world) = world() else { return };
    let name = format!("e2e_refused_{}", std::process::id());
    Topic::create_with(&world, &name, 1, &[("max.message.bytes", "50")]);
    let mut command = landfall();
    command.args(["produce", "--events", "5", "--topic", &name]);
    command.env("LANDFALL__KAFKA__BOOTSTRAP_SERVERS", world.stack.kafka());
    let folder = tempfile::tempdir().unwrap();
    let mut produce = Daemon::spawn(command, folder.path().join("produce.log"));
    assert!(!produce.wait(LIMIT).success(), "{}", produce.text());
    assert!(produce.text().contains("messages not acknowledged"), "{}", produce.text());
    Topic::delete(&world, &name);
}
