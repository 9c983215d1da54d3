//! A job under steady load, and what is seen of it from outside: its log, its process, its tables.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use landfall::game::Load;
use landfall_stack::fence::Fence;
use serde_json::Value;

use super::report::Rows;
use crate::by_day;
use crate::job::{Daemon, Job};
use crate::topic::Producing;
use crate::world::{World, wait_for};

/// Everything that Kafka holds lands in it or among the dead letters; a new partition comes every ten seconds.
pub const EVERYTHING: &str = "everything";
const TRIGGER: u64 = 2;
/// The longest that anything may take to go on.
pub const LIMIT: Duration = Duration::from_secs(120);

/// A daemon under load.
pub struct Line<'w> {
    // Dropped in this order: the daemon is gone before its files are.
    producing: Option<Producing>,
    pub daemon: Daemon,
    pub job: Job<'w>,
    pub world: &'w World,
    rate: u64,
    /// Whether an audit must find nothing: no file was taken away.
    pub sound: bool,
    /// Lines of the log that earlier cases have seen.
    seen: usize,
}

impl<'w> Line<'w> {
    /// `rate` messages a second into two partitions; the daemon behind this fence. `change` is made to its configuration.
    pub fn start(
        world: &'w World,
        name: &str,
        rate: u64,
        fence: Option<&Fence>,
        change: impl FnOnce(String) -> String,
    ) -> Line<'w> {
        let job = Job::new(world, name, 2, &format!("{TRIGGER}s"));
        job.declare_positions();
        let ddl = format!(
            "create external table {}.{EVERYTHING} (raw_event string, `_kafka_topic` string, `_kafka_partition` int, \
             `_kafka_offset` bigint)\npartitioned by (dt date) stored as parquet location '{}'",
            job.name,
            job.table_dir(EVERYTHING)
        );
        std::fs::write(job.folder.path().join("migrations/0006_everything.sql"), ddl).unwrap();
        // The limits are those of production.
        let (before, after) = job.config(&format!("{TRIGGER}s")).split_once("[kafka.properties]").map(own).unwrap();
        let section = format!("[tables.{EVERYTHING}.columns]\ndt = \"date(kafka.timestamp)\"\n");
        let (_, after) = after.split_once("[trigger]").map(own).unwrap();
        job.write_config(&change(format!("{before}[trigger]{after}{section}")));
        let daemon = job.start_behind(fence);
        wait_for(LIMIT, "reading", || daemon.reads().then_some(()));
        let mut line = Line { producing: None, daemon, job, world, rate, sound: true, seen: 0 };
        line.load(1);
        wait_for(LIMIT, "the first batches", || (line.daemon.progress().len() > 1).then_some(()));
        wait_for(LIMIT, "tables", || line.rows().filter(|rows| !rows.is_empty()));
        line
    }

    /// Produces from now on.
    pub fn load(&mut self, seed: u64) {
        let (rate, of_a_day) = (self.rate, self.rate * 10);
        let load = Load::new(seed).with_request_ids(true).with_malformed(0.01);
        let time = move |n| Some(by_day::time_ms(seed as i64 * 1000, n, of_a_day));
        self.producing = Some(self.job.topic.produce_at(load, rate, time));
    }

    /// Ends the load; all of it is in Kafka.
    pub fn quiet(&mut self) {
        self.producing.take().map(Producing::stop);
    }

    /// A case begins: forgets what the log has said and what the memory was.
    pub fn begin(&mut self) -> usize {
        self.seen = self.daemon.lines().len();
        // Where it is not allowed, the peak is that of the whole run.
        _ = std::fs::write(format!("/proc/{}/clear_refs", self.daemon.id()), "5");
        self.daemon.progress().len()
    }

    /// The most memory that the process held since [`Line::begin`], in MiB.
    pub fn peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.daemon.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.split_whitespace().next().unwrap().parse::<u64>().unwrap() / 1024
    }

    /// What the log has said since then and is not of every day.
    pub fn said(&self) -> Vec<Value> {
        let of_interest = |line: &Value| {
            let level = line["level"].as_str().unwrap_or_default();
            level == "WARN" || level == "ERROR" || !line["outage_seconds"].is_null() || !line["away_since"].is_null()
        };
        self.daemon.lines().into_iter().skip(self.seen).filter(of_interest).collect()
    }

    /// Waits until the log says this.
    pub fn wait_for_word(&self, word: &str) -> String {
        let says = || self.said().iter().map(text).find(|said| said.contains(word));
        wait_for(LIMIT, format!("the log says `{word}`"), says)
    }

    /// Waits until new messages come and no more of them wait than at any time; how long that took.
    pub fn goes_on(&self) -> Duration {
        let begun = Instant::now();
        let total = || self.job.topic.ends().iter().sum::<i64>();
        let before = total() + self.rate as i64;
        let normal = (self.rate * (TRIGGER + 2)) as i64;
        wait_for(LIMIT, "the lag is as at any time", || {
            let ends = total();
            (ends > before && ends - self.landed() < normal).then_some(())
        });
        begun.elapsed()
    }

    fn landed(&self) -> i64 {
        (0..self.job.topic.partitions as usize).filter_map(|p| self.daemon.landed(&self.job.name, p)).sum()
    }

    /// By topic and partition: rows, different offsets, the first and the last.
    fn rows(&self) -> Option<BTreeMap<(String, i32), [i64; 4]>> {
        let name = &self.job.name;
        let sql = format!(
            "select t, p, count(*), count(distinct o), min(o), max(o) from (select _kafka_topic t, _kafka_partition p, \
             _kafka_offset o from {name}.{EVERYTHING} union all select kafka_topic, kafka_partition, kafka_offset from \
             {name}.dead_letters) group by t, p"
        );
        let rows = self.world.stack.presto().query("hive_by_position", &sql).ok()?.rows;
        let row = |row: Vec<Value>| {
            let number = |at: usize| row[at].as_i64().unwrap();
            let key = (row[0].as_str().unwrap().to_owned(), number(1) as i32);
            (key, [number(2), number(3), number(4), number(5)])
        };
        Some(rows.into_iter().map(row).collect())
    }

    /// Presto against Kafka: what is landed up to now. `gone`: offsets that never can be. It is asked again while the
    /// metastore may still lack partitions.
    pub fn check(&self, gone: i64) -> Rows {
        let ends = |p: usize| self.daemon.landed(&self.job.name, p).unwrap_or(0);
        let landed: Vec<i64> = (0..self.job.topic.partitions as usize).map(ends).collect();
        let begun = Instant::now();
        loop {
            let rows = self.rows().map(|found| {
                let all = |at: usize| found.values().map(|row| row[at]).sum::<i64>();
                let newest = found.keys().map(|(topic, _)| topic.len()).max().unwrap_or(0);
                // Of the newest incarnation at least what the daemon says; of each partition all up to its last row.
                let missing = |(key, row): (&(String, i32), &[i64; 4])| {
                    let end = if key.0.len() == newest { landed[key.1 as usize] } else { 0 };
                    end.max(row[3] + 1) - row[1]
                };
                let lost = found.iter().map(missing).sum::<i64>() - gone;
                Rows { landed: all(0), lost, twice: all(0) - all(1) }
            });
            match rows {
                Some(rows) if rows.lost == 0 && rows.twice == 0 => return rows,
                Some(rows) if begun.elapsed() > LIMIT => return rows,
                _ => std::thread::sleep(Duration::from_millis(300)),
            }
            assert!(begun.elapsed() < LIMIT * 2, "Presto does not answer");
        }
    }

    /// The daemon must end in good order, and log, files of all tables, metastore and Kafka agree.
    pub fn end(mut self) {
        self.quiet();
        crate::job::wait_until_landed(&self.job.topic, &[&self.daemon], LIMIT);
        assert!(self.daemon.runs(), "{}", self.daemon.tail());
        self.daemon.terminate(LIMIT);
        let text = self.daemon.text();
        assert!(!text.contains("panicked at"), "{text}");
        if self.sound {
            self.job.command(&["verify", "--deep"]).assert(0, &["no findings"]);
        }
        self.world.presto("hive", &format!("drop table {}.{EVERYTHING}", self.job.name));
    }
}

fn own((a, b): (&str, &str)) -> (String, String) {
    (a.to_owned(), b.to_owned())
}

/// A line of the log as a person reads it.
pub fn text(line: &Value) -> String {
    let field = |name: &str| line[name].as_str().map(|text| format!(" {name}={}", text.replace('\n', " ")));
    let number = |name: &str| line[name].as_f64().map(|n| format!(" {name}={n:.1}"));
    let fields: String =
        ["table", "differences", "location", "reason", "error"].into_iter().filter_map(field).collect();
    let seconds = number("outage_seconds").unwrap_or_default();
    format!("{} {}{fields}{seconds}", line["level"].as_str().unwrap(), line["message"].as_str().unwrap_or_default())
}
