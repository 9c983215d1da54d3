//! landfall beside the Spark job that it replaces: the same topic, the same HDFS, the same machine, one after the other.

use crate::drain::{Variant, drain};
use crate::events::{self, TABLES, Tally};
use crate::job::{Shape, To};
use crate::peer::{Filters, Peer};
use crate::stats::{median, spread, table};
use crate::steady::steady;
use crate::topic::Topic;
use crate::world::World;
use anyhow::Result;
use std::sync::Arc;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(540);

/// Run Spark's job beside
#[derive(Debug, clap::Subcommand)]
pub enum Which {
    /// Drain a backlog with Python filters: the seeds' job as its user runs it, start-up included
    Drain(Drains),
    /// Drain two backlogs with native filters: the slope, in which the start-up cancels out
    Slope(Slope),
    /// A steady load
    Steady(SteadyLoad),
}

/// Options of `spark drain`.
#[derive(Debug, clap::Args)]
pub struct Drains {
    /// How many events
    #[arg(long, default_value_t = 2_000_000)]
    events: u64,
    /// How often each is measured
    #[arg(long, default_value_t = 3)]
    turns: usize,
}

/// Options of `spark slope`.
#[derive(Debug, clap::Args)]
pub struct Slope {
    /// The smaller and the larger backlog
    #[arg(long, value_delimiter = ',', num_args = 1, default_value = "2000000,6000000")]
    events: Vec<u64>,
    /// How often each is measured
    #[arg(long, default_value_t = 2)]
    turns: usize,
}

/// Options of `spark steady`.
#[derive(Debug, clap::Args)]
pub struct SteadyLoad {
    /// Events a second
    #[arg(long, default_value_t = 1000)]
    rate: u64,
    /// For how many seconds
    #[arg(long, default_value_t = 120)]
    seconds: u64,
}

/// One drain by Spark.
#[derive(Debug, Clone, Copy)]
struct Run {
    cpu: f64,
    wall: f64,
    peak: f64,
}

const DRAIN_HEAD: [&str; 6] = ["drain to HDFS", "events", "CPU µs/event", "CPU s", "wall s", "peak MiB"];

fn drain_row(what: &str, events: u64, runs: &[Run]) -> Vec<String> {
    let each: Vec<f64> = runs.iter().map(|r| r.cpu * 1e6 / events as f64).collect();
    vec![
        what.to_owned(),
        events.to_string(),
        spread(&each, 2),
        format!("{:.1}", median(runs.iter().map(|r| r.cpu))),
        format!("{:.1}", median(runs.iter().map(|r| r.wall))),
        format!("{:.0}", runs.iter().map(|r| r.peak).fold(0.0, f64::max)),
    ]
}

/// Drains the topic once with Spark, and checks the rows as a reader of the directories finds them.
fn spark(world: &World, peer: &Peer, topic: &Topic, filters: Filters, expected: &Tally) -> Result<Run> {
    world.go_on()?;
    let name = world.name("spark");
    let out = format!("/bench/{name}");
    let mut job = peer.start(world, topic, &out, "availableNow", filters)?;
    let wall = job.wait(LIMIT)?;
    let run = Run { cpu: job.family.cpu(), wall, peak: job.family.peak };
    check(world, &name, &out, expected)?;
    world.delete(&out)?;
    Ok(run)
}

fn check(world: &World, name: &str, out: &str, expected: &Tally) -> Result<()> {
    let (presto, hdfs) = (world.stack.presto(), world.stack.hdfs());
    presto.query("hive", &format!("create schema {name}"))?;
    for (table, number) in TABLES {
        let sql = format!(
            "create table {name}.{table} (raw_event varchar, {number} bigint) \
             with (format = 'PARQUET', external_location = '{hdfs}{out}/{table}')"
        );
        presto.query("hive", &sql)?;
    }
    world.check_rows(name, expected)
}

fn landfall(world: &World, topic: &Topic, expected: &Tally) -> Result<Run> {
    let variant = Variant { shape: Shape::shipped(To::Hdfs), cores: None, daemon: false };
    let d = drain(world, topic, &variant, expected)?;
    Ok(Run { cpu: d.cpu, wall: d.wall, peak: d.peak })
}

fn drains(world: &World, peer: &Peer, args: &Drains) -> Result<()> {
    let topic = Topic::backlog(&world.stack.kafka(), args.events, 4)?;
    let expected = events::tally(args.events);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for turn in 1..=args.turns {
        eprintln!("turn {turn} of {}", args.turns);
        ours.push(landfall(world, &topic, &expected)?);
        theirs.push(spark(world, peer, &topic, Filters::Python, &expected)?);
    }
    let rows = [drain_row("landfall", args.events, &ours), drain_row(Filters::Python.text(), args.events, &theirs)];
    let cpu = |runs: &[Run]| median(runs.iter().map(|r| r.cpu));
    let times = cpu(&theirs) / cpu(&ours);
    let text = format!("{}\nSpark takes {times:.1} × the CPU of landfall.\n", table(&DRAIN_HEAD, &rows));
    let what = format!(
        "Draining {} events beside Spark 3.5.7, local[2], on the same topic; medians of {} turns, in turns. CPU and memory \
         are of all processes: Spark's as proportional set size. The rows of each are as expected.",
        args.events, args.turns
    );
    world.report("spark-drain", &what, &text)
}

fn slope(world: &World, peer: &Peer, args: &Slope) -> Result<()> {
    anyhow::ensure!(
        args.events.len() == 2 && args.events[0] < args.events[1],
        "--events: two numbers, the smaller first"
    );
    let mut rows = Vec::new();
    let mut cpu = [Vec::new(), Vec::new()];
    for events in &args.events {
        let topic = Topic::backlog(&world.stack.kafka(), *events, 4)?;
        let expected = events::tally(*events);
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for turn in 1..=args.turns {
            eprintln!("{events} events, turn {turn} of {}", args.turns);
            ours.push(landfall(world, &topic, &expected)?);
            theirs.push(spark(world, peer, &topic, Filters::Native, &expected)?);
        }
        cpu[0].push(median(ours.iter().map(|r| r.cpu)));
        cpu[1].push(median(theirs.iter().map(|r| r.cpu)));
        rows.push(drain_row("landfall", *events, &ours));
        rows.push(drain_row(Filters::Native.text(), *events, &theirs));
    }
    let more = (args.events[1] - args.events[0]) as f64;
    let whole = cpu[0][0] * 1e6 / args.events[0] as f64;
    let [ours, theirs] = cpu.map(|cpu| (cpu[1] - cpu[0]) * 1e6 / more);
    let text = format!(
        "{}\nµs of CPU for each event more: landfall {ours:.2}, Spark {theirs:.2}, {:.1} × as much. Beside landfall with its \
         start-up, {whole:.2} µs an event at {} events, it is {:.1} × as much.\n",
        table(&DRAIN_HEAD, &rows),
        theirs / ours,
        args.events[0],
        theirs / whole
    );
    let what = format!(
        "What another event costs: from {} to {} events, Spark 3.5.7 at its best, local[2]; medians of {} turns.",
        args.events[0], args.events[1], args.turns
    );
    world.report("spark-slope", &what, &text)
}

fn steady_load(world: &World, peer: &Peer, args: &SteadyLoad) -> Result<()> {
    let time = Duration::from_secs(args.seconds);
    eprintln!("landfall, {} events/s for {} s", args.rate, args.seconds);
    let ours = steady(world, args.rate, time, "10s", 4)?;
    let mut rows = vec![vec!["landfall".to_owned(), format!("{:.2}", ours.cpu), format!("{:.0}", ours.peak)]];
    for filters in [Filters::Python, Filters::Native] {
        eprintln!("{}", filters.text());
        let ring = Arc::new(events::Ring::new(100_000));
        let name = world.name("spark");
        let (topic, out) = (Topic::create(&world.stack.kafka(), &name, 4, None)?, format!("/bench/{name}"));
        let mut job = peer.start(world, &topic, &out, "10 seconds", filters)?;
        job.until_started()?;
        job.look_on(Duration::from_secs(20), || false)?; // its first batches are those of a cold machine
        let (begun, before) = (Instant::now(), job.family.cpu());
        let load = topic.produce(Arc::clone(&ring), args.rate, time);
        job.look_on(LIMIT, || !load.goes_on())?;
        let cpu = (job.family.cpu() - before) / begun.elapsed().as_secs_f64();
        let produced = load.join()?;
        job.look_on(Duration::from_secs(25), || false)?; // two triggers and some, for the last events
        let peak = job.family.peak;
        check(world, &name, &out, &ring.tally(produced.events))?;
        drop(job);
        world.delete(&out)?;
        rows.push(vec![filters.text().to_owned(), format!("{:.2}", 100.0 * cpu), format!("{peak:.0}")]);
    }
    let head = ["job", "CPU, % of a core", "peak MiB"];
    let what = format!(
        "{} events/s for {} s, trigger 10 s, HDFS, 4 partitions: one job after the other, CPU and memory of all processes. \
         The rows of each are as expected.",
        args.rate, args.seconds
    );
    world.report("spark-steady", &what, &table(&head, &rows))
}

/// `landfall-bench spark`
pub fn run(world: &World, which: &Which) -> Result<()> {
    let peer = Peer::install(world)?;
    match which {
        Which::Drain(args) => drains(world, &peer, args),
        Which::Slope(args) => slope(world, &peer, args),
        Which::Steady(args) => steady_load(world, &peer, args),
    }
}
