//! A day squeezed into an hour: a daemon under load, a service away every few minutes; memory, open files and threads stay
//! where they are, all that is promised of metrics is there and moves, and every message is landed once.
//!
//! `make soak` runs 65 minutes on the release binary. Else it is one minute: too short to tell what stays flat, but the rest is
//! looked at. `SOAK_SECONDS` says another length, `SOAK_RATE` another load, `SOAK_REPORT` names a file for the figures.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::line::{EVERYTHING, LIMIT, Line};
use super::services::{self, Outage};
use crate::exposition::Exposition;
use crate::world::world;

/// From the beginning of an outage to that of the next, in a run of an hour and more.
const EVERY: Duration = Duration::from_secs(150);
const SAMPLE_EVERY: Duration = Duration::from_secs(5);
/// A run that is shorter says nothing of what stays flat: it is still warming up.
const FLAT_FROM: Duration = Duration::from_secs(1200);
/// Whose samples come with something that a run need not have, or that only another daemon or a person does.
const MAY_BE_MISSING: [&str; 4] =
    ["landfall_field_errors", "landfall_unknown_fields", "landfall_storage_errors", "landfall_dead_letters"];

/// What the process takes, as it says itself.
#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Duration,
    memory: f64,
    files: f64,
    threads: f64,
    lag: f64,
}

fn seconds(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |n| n.parse().unwrap())
}

fn scrape(address: &str) -> std::io::Result<Exposition> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    Ok(Exposition::parse(body))
}

fn sample(at: Duration, found: &Exposition) -> Sample {
    let value = |name| found.value(name, &[]).unwrap();
    let lag = found.samples.iter().filter(|s| s.name == "landfall_lag_messages").map(|s| s.value).sum();
    let memory = value("process_resident_memory_bytes") / f64::from(1 << 20);
    Sample { at, memory, files: value("process_open_fds"), threads: value("process_threads"), lag }
}

type Of = fn(&Sample) -> f64;

/// The most of it in a part of the run.
fn most(samples: &[Sample], of: Of) -> f64 {
    samples.iter().map(of).fold(0.0, f64::max)
}

/// Ends the sampling, also when the run has failed.
struct Ended<'a>(&'a AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// MiB an hour: the slope of a line through the samples.
fn slope(samples: &[Sample]) -> f64 {
    let n = samples.len() as f64;
    let hours = |s: &Sample| s.at.as_secs_f64() / 3600.0;
    let (x, y) = (samples.iter().map(hours).sum::<f64>() / n, samples.iter().map(|s| s.memory).sum::<f64>() / n);
    let both = samples.iter().map(|s| (hours(s) - x) * (s.memory - y)).sum::<f64>();
    both / samples.iter().map(|s| (hours(s) - x).powi(2)).sum::<f64>().max(f64::MIN_POSITIVE)
}

/// What an offset counts in a sum that two offsets in place of two others do not give.
fn weight(offset: i64) -> i64 {
    offset % 9973 * (offset % 89) + offset
}

/// Through Presto: of each partition every offset is there once, as row or dead letter.
fn assert_landed_once(line: &Line<'_>) -> i64 {
    let name = &line.job.name;
    let sql = format!(
        "select p, count(*), sum(o % 9973 * (o % 89) + o) from (select _kafka_partition p, _kafka_offset o from \
         {name}.{EVERYTHING} union all select kafka_partition, kafka_offset from {name}.dead_letters) group by p order by p"
    );
    let ends = line.job.topic.ends();
    let want: Vec<_> = ends.iter().map(|end| [*end, (0..*end).map(weight).sum()]).collect();
    crate::world::wait_for(LIMIT, format!("Presto sees all of {ends:?} once"), || {
        let rows = line.world.stack.presto().query("hive_by_position", &sql).ok()?.rows;
        let found: Vec<_> = rows.iter().map(|row| [row[1].as_i64().unwrap(), row[2].as_i64().unwrap()]).collect();
        (found == want).then_some(())
    });
    ends.iter().sum()
}

#[test]
fn with_services_away_again_and_again_every_metric_moves_and_memory_files_and_threads_stay_where_they_are() {
    let Some(world) = world() else { return };
    let length = Duration::from_secs(seconds("SOAK_SECONDS", 60));
    let rate = seconds("SOAK_RATE", 5000);
    let mut line = Line::start(&world, "soak", rate, None, |config| config);
    let url = |line: &Line<'_>| line.daemon.lines().iter().find_map(|l| l["url"].as_str().map(str::to_owned));
    let url = url(&line).expect("the daemon says where it serves its metrics");
    let address = url.trim_start_matches("http://").trim_end_matches('/').to_owned();

    let (begun, done, samples) = (Instant::now(), AtomicBool::new(false), Mutex::new(Vec::new()));
    let outages: Vec<Outage> = services::outages(false).into_iter().filter(Outage::is_for_a_soak).collect();
    let mut longest = Duration::ZERO;
    let mut count = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                samples.lock().unwrap().push(sample(begun.elapsed(), &scrape(&address).unwrap()));
                std::thread::sleep(SAMPLE_EVERY);
            }
        });
        let _ended = Ended(&done);
        let every = EVERY.min(length / 2);
        for (n, outage) in (0u32..).zip(outages.iter().cycle()) {
            let at = every * n + every / 2;
            if at > length {
                break;
            }
            std::thread::sleep(at.saturating_sub(begun.elapsed()));
            outage.begin(&world.stack, None);
            std::thread::sleep(outage.lasts());
            outage.end(&world.stack, None);
            let took = line.goes_on();
            println!("{:5.0} s: {}, goes on after {:.1} s", at.as_secs_f64(), outage.name(), took.as_secs_f64());
            (longest, count) = (longest.max(took), count + 1);
        }
        std::thread::sleep(length.saturating_sub(begun.elapsed()));
    });
    let ran = begun.elapsed();
    let last = scrape(&address).unwrap();
    line.quiet();
    crate::job::wait_until_landed(&line.job.topic, &[&line.daemon], LIMIT);
    let messages = assert_landed_once(&line);
    let batches = line.daemon.progress().len();
    assert!(line.daemon.runs(), "{}", line.daemon.tail());

    let wrong: Vec<_> = last.differences();
    let wrong: Vec<_> = wrong.iter().filter(|w| !MAY_BE_MISSING.iter().any(|name| w.starts_with(name))).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let still = |name: &&&str| last.sum(name) == 0.0;
    let moving = [
        "landfall_table_rows_total",
        "landfall_table_bytes_total",
        "landfall_table_files_total",
        "landfall_messages_read_total",
        "landfall_read_bytes_total",
        "landfall_trigger_execution_seconds_count",
        "landfall_phase_seconds_count",
        "landfall_storage_call_seconds_count",
        "landfall_last_batch_id",
        "landfall_rebalances_total",
        "landfall_retries_total",
        "landfall_memory_max_bytes",
        "process_cpu_seconds_total",
    ];
    let still: Vec<_> = moving.iter().filter(still).collect();
    assert!(still.is_empty(), "these did not move: {still:?}");

    let samples = samples.into_inner().unwrap();
    let quarter = samples.len() / 4;
    let parts = [&samples[..quarter], &samples[quarter..2 * quarter], &samples[samples.len() - quarter..]];
    let mut report = format!(
        "{:.0} minutes, {rate} messages/s, {count} outages: {messages} messages in {batches} batches, each landed once. At most \
         {:.1} s until it went on; {:.0} messages behind at most.\n\n| at most | first quarter | second quarter | last quarter |\n\
         |---|---:|---:|---:|\n",
        ran.as_secs_f64() / 60.0,
        longest.as_secs_f64(),
        most(&samples, |s| s.lag),
    );
    let rows: [(&str, Of); 3] =
        [("resident memory, MiB", |s| s.memory), ("open files", |s| s.files), ("threads", |s| s.threads)];
    for (what, of) in rows {
        let [first, second, last] = parts.map(|part| most(part, of));
        _ = writeln!(report, "| {what} | {first:.0} | {second:.0} | {last:.0} |");
    }
    if ran >= FLAT_FROM {
        _ = writeln!(report, "\nMemory after the first quarter: {:+.1} MiB an hour.", slope(&samples[quarter..]));
    }
    super::tell_to("SOAK_REPORT", "## Soak", &report);
    line.end();
    if ran >= FLAT_FROM {
        let [_, second, last] = parts;
        assert!(most(last, |s| s.memory) <= most(second, |s| s.memory) * 1.15 + 8.0, "memory grows:\n{report}");
        assert!(most(last, |s| s.files) <= most(second, |s| s.files) + 8.0, "open files grow:\n{report}");
        assert!(most(last, |s| s.threads) <= most(second, |s| s.threads) + 4.0, "threads grow:\n{report}");
    }
}
