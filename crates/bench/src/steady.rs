//! A steady load: what the daemon costs, how its memory does, and when events are seen.

use crate::events::{Ring, TABLES};
use crate::job::{Job, Landed, Run, Shape, To};
use crate::process;
use crate::stats::{Weighted, slope_per_hour, table};
use crate::topic::{Produced, Topic, now_ms};
use crate::world::World;
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(120);
/// How often the tables' directories are listed.
const POLL: Duration = Duration::from_millis(200);
/// How long a daemon that reads is left alone before the load: its tables are being registered.
const SETTLE: Duration = Duration::from_secs(10);
/// Of so long a time, the most memory is one figure: it rises and falls with every batch.
const SAMPLE: Duration = Duration::from_secs(10);
/// How much of each partition Kafka keeps: the daemon reads what came just now.
const KEEP: u64 = 512 << 20;
const DISTINCT: usize = 100_000;

/// Run the daemon on HDFS under a steady load
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Events a second, one load after the other
    #[arg(long, value_delimiter = ',', default_value = "1000,20000,100000")]
    rate: Vec<u64>,
    /// For how many seconds each
    #[arg(long, default_value_t = 120)]
    seconds: u64,
    /// The trigger's interval
    #[arg(long, default_value = "10s")]
    interval: String,
    /// Partitions
    #[arg(long, default_value_t = 4)]
    partitions: u32,
    /// Name of the report
    #[arg(long, default_value = "steady")]
    name: String,
}

/// What a load cost.
#[derive(Debug)]
pub struct Steady {
    /// Percent of a core, from the first event to the last.
    pub cpu: f64,
    /// Memory held, in MiB: seconds since the load's begin, and the most of the ten seconds from then.
    pub held: Vec<(f64, f64)>,
    /// The most it ever held, in MiB.
    pub peak: f64,
    /// Seconds from an event's timestamp to when a reader of the directories sees all files of its batch; each event
    /// once.
    pub lags: Weighted,
    /// Files.
    pub files: usize,
    /// The load.
    pub produced: Produced,
    /// Percent of a core that the load and the looking took.
    pub bench: f64,
}

/// Runs a daemon under this load, and checks the rows at the end.
pub fn steady(world: &World, rate: u64, time: Duration, interval: &str, partitions: u32) -> Result<Steady> {
    let ring = Arc::new(Ring::new(DISTINCT));
    let topic = Topic::create(&world.stack.kafka(), &world.name("steady"), partitions, Some(KEEP))?;
    let shape = Shape { trigger: format!("interval = \"{interval}\""), ..Shape::shipped(To::Hdfs) };
    let job = Job::new(world, "steady", &topic, &shape)?;
    let mut daemon = job.start(&[], None)?;
    daemon.until_reading()?;
    thread::sleep(SETTLE);
    let (me, pid) = (std::process::id(), daemon.id());
    let (begun, cpu, own) = (Instant::now(), process::cpu(pid), process::cpu(me));
    let load = topic.produce(Arc::clone(&ring), rate, time);
    let (mut seen, mut held) = (BTreeMap::new(), Vec::<(f64, f64)>::new());
    while load.goes_on() {
        world.go_on()?;
        look(world, &job, &mut seen)?;
        let now = process::memory(pid, "VmRSS").context("landfall has ended")?;
        let (time, slot) = (begun.elapsed().as_secs_f64(), begun.elapsed().as_secs() / SAMPLE.as_secs());
        match held.get_mut(slot as usize) {
            Some((_, most)) => *most = now.max(*most),
            None => held.push((time, now)),
        }
        thread::sleep(POLL);
    }
    let seconds = begun.elapsed().as_secs_f64();
    let (cpu, bench) = (process::cpu(pid) - cpu, process::cpu(me) - own);
    let produced = load.join()?;
    let waiting = Instant::now();
    while daemon.messages() < produced.events {
        look(world, &job, &mut seen)?;
        let log = daemon.log_file().display();
        ensure!(waiting.elapsed() < LIMIT, "{} of {} events landed; see {log}", daemon.messages(), produced.events);
        thread::sleep(POLL);
    }
    look(world, &job, &mut seen)?;
    let lags = lags(&daemon, &produced, &seen)?;
    let cost = daemon.stop()?;
    world.check_rows(&job.name, &ring.tally(produced.events))?;
    let (files, _) = job.files()?;
    job.delete_files()?;
    let share = |cpu: f64| 100.0 * cpu / seconds;
    Ok(Steady { cpu: share(cpu), held, peak: cost.peak, lags, files, produced, bench: share(bench) })
}

/// Notes, of each batch, when the last of its files came into sight.
fn look(world: &World, job: &Job<'_>, seen: &mut BTreeMap<String, i64>) -> Result<()> {
    for (table, _) in TABLES {
        for file in world.list(&job.table_dir(table))? {
            ensure!(file.bytes > 0, "a reader saw the empty file {} in {table}", file.name);
            seen.entry(format!("{table}/{}", file.name)).or_insert_with(now_ms);
        }
    }
    Ok(())
}

/// The lag of every event. Which events a file holds is what the daemon's progress record says of its batch.
fn lags(daemon: &Run, produced: &Produced, seen: &BTreeMap<String, i64>) -> Result<Weighted> {
    let mut visible: BTreeMap<u64, i64> = BTreeMap::new();
    for (file, at) in seen {
        let name = file.split_once('/').map_or("", |(_, name)| name);
        let slot = name.split('-').next().and_then(|digits| digits.parse().ok());
        let slot = slot.with_context(|| format!("{file}: its name does not begin with the number of a batch"))?;
        let last = visible.entry(slot).or_insert(*at);
        *last = (*last).max(*at);
    }
    let mut lags = Weighted::default();
    for Landed { slot, offsets, .. } in &daemon.log().landed {
        let at = visible.get(slot).with_context(|| format!("batch {slot} landed, and no file of it was seen"))?;
        for (partition, (start, end)) in offsets {
            for (time, events) in produced.times(*partition, *start, *end) {
                lags.add((at - time) as f64 / 1000.0, events);
            }
        }
    }
    ensure!(lags.count() == produced.events, "{} of {} events have a lag", lags.count(), produced.events);
    Ok(lags)
}

/// `landfall-bench steady`
pub fn run(world: &World, args: &Args) -> Result<()> {
    let mut rows = Vec::new();
    for rate in &args.rate {
        eprintln!("{rate} events/s for {} s", args.seconds);
        let mut s = steady(world, *rate, Duration::from_secs(args.seconds), &args.interval, args.partitions)?;
        ensure!(!s.held.is_empty(), "--seconds: at least 1");
        let held: Vec<f64> = s.held.iter().map(|(_, mib)| *mib).collect();
        let most = held.iter().copied().fold(0.0, f64::max);
        // The first quarter is that of buffers that grow to what the load needs; in a short run all of it is.
        let later = &s.held[s.held.len() / 4..];
        let slope = if args.seconds < 600 { "-".to_owned() } else { format!("{:+.1}", slope_per_hour(later)) };
        rows.push(vec![
            rate.to_string(),
            s.produced.events.to_string(),
            format!("{:.2}", s.cpu),
            [0.5, 0.99, 1.0].map(|share| format!("{:.1}", s.lags.percentile(share))).join(" / "),
            format!("{:.0} / {:.0} / {:.0} / {most:.0}", held[0], held[held.len() / 4], held[held.len() - 1]),
            format!("{:.0}", s.peak),
            slope,
            s.files.to_string(),
            format!("{:.2} / {:.2}", s.produced.latest, s.produced.waiting),
            format!("{:.1}", s.bench),
            "as expected".to_owned(), // or else it had failed
        ]);
    }
    let head = [
        "events/s",
        "events",
        "CPU, % of a core",
        "lag until visible, s: p50 / p99 / max",
        "RSS at first / after a quarter / last / most, MiB",
        "peak MiB",
        "RSS slope after the first quarter, MiB/h",
        "files",
        "load behind its schedule / unacknowledged, at most s",
        "load's and watcher's own CPU, % of a core",
        "rows",
    ];
    let what = format!(
        "A steady load for {} s, {} partitions, trigger {}, HDFS with {} DataNodes. Visible: a listing of the table's \
         directories, every {} ms, shows all files of the event's batch.",
        args.seconds,
        args.partitions,
        args.interval,
        world.stack.datanodes(),
        POLL.as_millis()
    );
    world.report(&args.name, &what, &table(&head, &rows))
}
