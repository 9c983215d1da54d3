//! How soon an event is seen, and at what cost.

use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use landfall::encode::read_back;
use landfall::game::Load;
use landfall::storage::Storage;

use crate::job::{Job, wait_until_landed};
use crate::world::{World, wait_for, world};

const LIMIT: Duration = Duration::from_secs(60);
const RATE: u64 = 1000;
/// For machines that are busy with other things.
const ALLOWANCE: f64 = 3.0;
/// Of /proc/<pid>/stat; the same on every Linux that Rust runs on.
const TICKS_A_SECOND: f64 = 100.0;

#[test]
fn at_1000_events_a_second_each_is_seen_within_the_interval_and_two_seconds() {
    let Some(world) = world() else { return };
    for (interval, seconds) in [(2, 16), (10, 24)] {
        let job = Job::new(&world, "lag", 3, &format!("{interval}s"));
        let mut daemon = job.start(&[]);
        wait_for(LIMIT, "reading", || daemon.reads().then_some(()));
        let producing = job.topic.produce_on(Load::new(6).with_request_ids(true), RATE);
        let cpu = cpu_seconds(daemon.id());
        let lags = watch(&world, &job.table_dir("guilds"), Duration::from_secs(seconds));
        let busy = (cpu_seconds(daemon.id()) - cpu) / seconds as f64;
        producing.stop();
        wait_until_landed(&job.topic, &[&daemon], LIMIT);
        let idle = (interval == 2).then(|| {
            let cpu = cpu_seconds(daemon.id());
            std::thread::sleep(Duration::from_secs(10));
            (cpu_seconds(daemon.id()) - cpu) / 10.0
        });
        let worst = lags.iter().copied().fold(0.0, f64::max);
        let of_each: Vec<_> = lags.iter().map(|lag| format!("{lag:.2}")).collect();
        println!(
            "trigger {interval} s, {RATE} events/s: oldest event of each file first seen after {} s; worst {worst:.2} s. \
             CPU {:.1} % of a core (debug build), idle {}; memory {}, at most {}",
            of_each.join(" "),
            busy * 100.0,
            idle.map_or("-".to_owned(), |idle| format!("{:.1} %", idle * 100.0)),
            memory(daemon.id(), "VmRSS"),
            memory(daemon.id(), "VmHWM"),
        );
        assert!(lags.len() as u64 >= seconds / interval - 1, "{lags:?}");
        assert!(worst <= interval as f64 + 2.0 + ALLOWANCE, "{worst:.2} s with a trigger of {interval} s");
        assert!(idle.is_none_or(|idle| idle < 0.05), "{idle:?} of a core while idle");
        daemon.terminate(LIMIT);
        job.assert_landed_once();
    }
}

/// Watches a table directory; of each new file, how long ago its oldest row was produced. A directory's file is what
/// Presto's next query reads.
fn watch(world: &World, dir: &str, time: Duration) -> Vec<f64> {
    let (mut seen, mut lags, begun) = (BTreeSet::new(), Vec::new(), Instant::now());
    while begun.elapsed() < time {
        for name in world.visible(dir) {
            if seen.insert(name.clone()) {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
                let bytes = world.runtime.block_on(world.hdfs.read(&format!("{dir}/{name}"))).unwrap();
                let rows = read_back::rows(bytes, usize::MAX).unwrap().rows;
                let times = rows.iter().map(|row| seconds_of(row[1].as_deref().unwrap()));
                lags.push(now - times.fold(f64::MAX, f64::min));
            }
        }
        std::thread::sleep(Duration::from_millis(30));
    }
    lags
}

fn seconds_of(timestamp: &str) -> f64 {
    let time: DateTime = timestamp.parse().unwrap();
    time.to_zoned(TimeZone::UTC).unwrap().timestamp().as_millisecond() as f64 / 1000.0
}

/// CPU seconds of the process so far.
fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // utime and stime are the 14th and 15th field; the second is a name in parentheses.
    let fields = stat.rsplit_once(')').unwrap().1.split_whitespace().skip(11).take(2);
    fields.map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() / TICKS_A_SECOND
}

fn memory(pid: u32, field: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    format!("{} MiB", kib / 1024)
}
