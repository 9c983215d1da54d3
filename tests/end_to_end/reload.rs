//! Another configuration for running daemons, under load; and a stop that HDFS holds up.

use std::time::{Duration, Instant};

use landfall::game::Load;
use landfall_stack::Stack;

use crate::job::{Daemon, Job, wait_until_landed};
use crate::world::{wait_for, world};

const LIMIT: Duration = Duration::from_secs(90);
/// Said only of tables and routes that have changed.
pub const IN_FORCE: &str = "is in force from this batch on";

fn count(daemon: &Daemon, words: &str) -> usize {
    daemon.text().matches(words).count()
}

#[test]
fn two_daemons_take_over_twenty_configurations_under_load_and_every_row_lands_once() {
    let Some(world) = world() else { return };
    let job = Job::new(&world, "reload", 4, "1s");
    let load = job.topic.produce_on(Load::new(21).with_request_ids(true), 400);
    let mut daemons = [job.start(&[]), job.start(&[])];
    daemons.iter().for_each(|daemon| wait_for(LIMIT, "both read", || daemon.reads().then_some(())));

    // A partitioned table at first, a column more of it half way; and where its rows come from, and how often.
    let (migrations, config) = (job.folder.path().join("migrations"), job.config("1s"));
    let table = format!(
        "create external table {}.everything (n int, `_kafka_partition` int, `_kafka_offset` bigint)\npartitioned by (kind string)\n\
         stored as parquet location '{}'",
        job.name,
        job.table_dir("everything")
    );
    std::fs::write(migrations.join("0005_everything.sql"), table).unwrap();
    let column = format!("alter table {}.everything add columns (`X-Request-Id` string)", job.name);
    let mut longest = Duration::ZERO;
    for round in 0..20 {
        if round == 10 {
            std::fs::write(migrations.join("0006_more.sql"), &column).unwrap();
        }
        let when = if round / 2 % 2 == 0 { "" } else { "when = { field = \"event_type\", contains = \"guild\" }\n" };
        let text = config.replace("interval = \"1s\"", ["interval = \"500ms\"", "interval = \"5s\""][round / 4 % 2]);
        job.write_config(&format!("{text}[tables.everything]\n{when}columns = {{ kind = \"event_type\" }}\n"));
        let daemon = &daemons[round % 2];
        let (before, asked) = (count(daemon, IN_FORCE), Instant::now());
        daemon.signal("HUP");
        wait_for(LIMIT, "it is in force", || (count(daemon, IN_FORCE) > before).then_some(()));
        longest = longest.max(asked.elapsed());
        std::thread::sleep(Duration::from_millis(300));
    }
    load.stop();
    daemons.iter().for_each(|daemon| daemon.signal("HUP"));
    wait_until_landed(&job.topic, &[&daemons[0], &daemons[1]], LIMIT);
    println!("20 configurations, each in force after {:.2} s at most", longest.as_secs_f64());
    for daemon in &daemons {
        // Once when it came, and once more when the other one did; when one goes, the other is given all.
        assert!(count(daemon, "the consumer group gave us partitions") <= 2, "{}", daemon.text());
    }
    daemons.iter_mut().for_each(|daemon| daemon.terminate(LIMIT));
    job.assert_landed_once();
    let number = |sql: &str| world.number(&sql.replace("NAME", &job.name)).unwrap();
    let (rows, all) = (number("select count(*) from NAME.everything"), job.topic.ends().iter().sum::<i64>());
    let places = "count(distinct cast(_kafka_partition as bigint) * 1000000000 + _kafka_offset)";
    assert_eq!(number(&format!("select {places} from NAME.everything")), rows);
    assert!(rows > 0 && rows < all, "{rows} of {all}");
    assert!(number("select count(*) from NAME.everything where \"x-request-id\" is not null") > 0);
    assert!(number("select count(*) from NAME.everything where \"x-request-id\" is null") > 0);
    job.command(&["verify", "--deep"]).assert(0, &["no findings"]);
    job.command(&["check"]).assert(0, &["as declared"]);
    world.presto("hive", &format!("drop table {}.everything", job.name));
}

/// A part that stands still, and goes on whatever happens.
struct Paused<'s>(&'s Stack, &'static str);

impl Drop for Paused<'_> {
    fn drop(&mut self) {
        self.0.resume(self.1).unwrap();
    }
}

#[test]
fn a_stop_that_hdfs_holds_up_ends_at_its_limit_with_75_and_the_next_start_lands_it() {
    let Some(world) = world() else { return };
    let job = Job::new(&world, "late", 2, "1s");
    job.write_config(&format!("{}\n[shutdown]\ntimeout = \"3s\"\n", job.config("1s")));
    let mut daemon = job.start(&[]);
    let (sender, mut load) = (job.topic.sender(), Load::new(9));
    let mut produce = |n| {
        load.by_ref().take(n).for_each(|message| sender.send(Some(&message.value)));
        sender.flush();
    };
    produce(100);
    wait_until_landed(&job.topic, &[&daemon], LIMIT);
    world.stack.pause("namenode").unwrap();
    let paused = Paused(&world.stack, "namenode");
    produce(100);
    std::thread::sleep(Duration::from_secs(2));
    let asked = Instant::now();
    daemon.signal("TERM");
    assert_eq!(daemon.wait(LIMIT).code(), Some(75), "{}", daemon.tail());
    let took = asked.elapsed();
    println!("ended {:.1} s after SIGTERM", took.as_secs_f64());
    assert!((3..7).contains(&took.as_secs()), "{took:?}");
    let said = "shutdown.timeout, which is 3 s: 100 messages that were read are not landed";
    assert!(daemon.text().contains(said), "{}", daemon.tail());
    drop(paused);
    job.drain(LIMIT);
    job.assert_landed_once();
}
