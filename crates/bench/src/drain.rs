//! A backlog drained, again and again, and checked each time.

use crate::events::{self, Tally};
use crate::job::{Job, Shape, Span, To};
use crate::limits::Limits;
use crate::stats::{median, spread, table};
use crate::topic::Topic;
use crate::world::World;
use anyhow::{Context, Result};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(300);

/// Drain a backlog into local files and HDFS, on one core and on two, in turns with the limit bench ($LIMITS_BENCH)
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How many events
    #[arg(long, default_value_t = 2_000_000)]
    events: u64,
    /// In how many partitions
    #[arg(long, default_value_t = 4)]
    partitions: u32,
    /// How often each is measured
    #[arg(long, default_value_t = 5)]
    turns: usize,
    /// Where to
    #[arg(long, value_enum, value_delimiter = ',', default_value = "local,hdfs")]
    to: Vec<To>,
    /// On which cores: sets as `taskset -c` has them, divided by slashes
    #[arg(long, value_delimiter = '/', default_value = "0/0,1")]
    cores: Vec<String>,
    /// Keep the servers on the same cores, so that one core is a whole machine's and two are as well
    #[arg(long)]
    servers_too: bool,
    /// Measure the daemon as well, `landfall run` without --available-now, up to its last batch
    #[arg(long)]
    daemon: bool,
}

/// One drain.
#[derive(Debug, Clone, Copy)]
pub struct Drained {
    /// Seconds from the start of the process to its end.
    pub wall: f64,
    /// CPU seconds of the process, start-up included.
    pub cpu: f64,
    /// From the first read to the last batch landed.
    pub reading: Span,
    /// The most memory held, in MiB.
    pub peak: f64,
    /// Batches.
    pub batches: usize,
    /// Files in the tables.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// How one drain differs from another.
#[derive(Debug, Clone)]
pub struct Variant {
    /// The job.
    pub shape: Shape,
    /// On these cores only.
    pub cores: Option<String>,
    /// Without --available-now.
    pub daemon: bool,
}

/// Drains the topic once into tables of its own, checks the rows, and deletes the files.
pub fn drain(world: &World, topic: &Topic, variant: &Variant, expected: &Tally) -> Result<Drained> {
    world.go_on()?;
    let job = Job::new(world, "drain", topic, &variant.shape)?;
    let events = expected[1].rows + expected[2].rows;
    let paused = world.without_presto()?;
    let args: &[&str] = if variant.daemon { &[] } else { &["--available-now"] };
    let mut run = job.start(args, variant.cores.as_deref())?;
    let cost = if variant.daemon {
        run.until("all landed", LIMIT, |run| run.messages() >= events)?;
        run.stop()?
    } else {
        run.wait(LIMIT)?
    };
    let log = run.log();
    let reading = log.reading.zip(log.last).map(|(first, last)| last.since(first));
    let untold = || format!("the log does not tell of reading and landing; see {}", run.log_file().display());
    let reading = reading.with_context(untold)?;
    let batches = log.landed.len();
    drop(log);
    drop(paused);
    world.check_rows(&job.name, expected)?;
    let (files, bytes) = job.files()?;
    job.delete_files()?;
    let wall = (cost.ended - run.begun).as_secs_f64();
    Ok(Drained { wall, cpu: cost.cpu, reading, peak: cost.peak, batches, files, bytes })
}

/// The columns that [`cells`] fills.
pub const HEAD: [&str; 11] = [
    "CPU ns/event",
    "while reading: CPU ns/event",
    "CPU/wall",
    "events/s",
    "servers: CPU ns/event",
    "cores idle",
    "in all: wall s",
    "CPU s",
    "peak MiB",
    "batches, files, MB",
    "rows",
];

/// The medians of some drains of so many events.
pub fn cells(events: u64, turns: &[Drained]) -> Vec<String> {
    let n = events as f64;
    let of = |figure: &dyn Fn(&Drained) -> f64| median(turns.iter().map(figure));
    let all = |figure: &dyn Fn(&Drained) -> f64, digits| spread(&turns.iter().map(figure).collect::<Vec<_>>(), digits);
    vec![
        all(&|d| d.cpu * 1e9 / n, 0),
        format!("{:.0}", of(&|d| d.reading.cpu * 1e9 / n)),
        format!("{:.2}", of(&|d| d.reading.cpu / d.reading.wall)),
        format!("{:.0}", of(&|d| n / d.reading.wall)),
        format!("{:.0}", of(&|d| d.reading.servers * 1e9 / n)),
        format!("{:.2}", of(&|d| d.reading.idle / d.reading.wall)),
        all(&|d| d.wall, 2),
        format!("{:.2}", of(&|d| d.cpu)),
        format!("{:.0}", turns.iter().map(|d| d.peak).fold(0.0, f64::max)),
        format!(
            "{:.0}, {:.0}, {:.0}",
            of(&|d| d.batches as f64),
            of(&|d| d.files as f64),
            of(&|d| d.bytes as f64 / 1e6)
        ),
        "as expected".to_owned(), // or else the drain had failed
    ]
}

/// `landfall-bench drain`
pub fn run(world: &World, args: &Args) -> Result<()> {
    let topic = Topic::backlog(&world.stack.kafka(), args.events, args.partitions)?;
    let expected = events::tally(args.events);
    let limits = Limits::start(args.events, args.partitions)?;
    let mut variants = Vec::new();
    for to in &args.to {
        let new = |cores: &String, daemon| Variant { shape: Shape::shipped(*to), cores: Some(cores.clone()), daemon };
        variants.extend(args.cores.iter().map(|cores| new(cores, false)));
        variants.extend(args.cores.last().filter(|_| args.daemon).map(|cores| new(cores, true)));
    }
    let mut drained: Vec<Vec<Drained>> = variants.iter().map(|_| Vec::new()).collect();
    let mut limit: Vec<Vec<f64>> = variants.iter().map(|_| Vec::new()).collect();
    for turn in 1..=args.turns {
        eprintln!("turn {turn} of {}", args.turns);
        for ((variant, turns), limit) in variants.iter().zip(&mut drained).zip(&mut limit) {
            if let Some(cores) = variant.cores.as_deref().filter(|_| args.servers_too) {
                world.keep_servers_on(cores)?;
            }
            turns.push(drain(world, &topic, variant, &expected)?);
            limit.extend(limits.as_ref().map(Limits::round).transpose()?);
        }
    }
    // Each drain beside the limit bench right after it: the machine is slower in one minute than in another.
    let times_limit = |turns: &[Drained], limit: &[f64]| {
        median(turns.iter().zip(limit).map(|(drained, limit)| drained.cpu * 1e9 / args.events as f64 / limit))
    };
    // And beside the first of the same turn, for the same reason.
    let times_first = |turns: &[Drained], first: &[Drained]| {
        median(turns.iter().zip(first).map(|(d, f)| f.reading.wall / d.reading.wall))
    };
    let mut rows = Vec::new();
    for ((variant, turns), limit) in variants.iter().zip(&drained).zip(&limit) {
        let servers = if args.servers_too { ", with the servers" } else { "" };
        let how = if variant.daemon { ", daemon" } else { servers };
        let cores = variant.cores.as_deref().unwrap_or("all");
        let mut row = vec![format!("landfall to {}{how}, cores {cores}", variant.shape.to.text())];
        row.extend(cells(args.events, turns));
        // Beside the same on the first set of cores. A daemon waits for its trigger: it has no rate of its own.
        let first = variants.iter().position(|v| v.shape.to == variant.shape.to).unwrap_or(0);
        let times = times_first(turns, &drained[first]);
        row.push(if variant.daemon { "-".to_owned() } else { format!("{times:.2}") });
        row.push(if limit.is_empty() { "-".to_owned() } else { format!("{:.2}", times_limit(turns, limit)) });
        rows.push(row);
    }
    let limit = limit.concat();
    if !limit.is_empty() {
        let mut row = vec!["limit bench, broker in memory, no storage, core 0".to_owned(), spread(&limit, 0)];
        row.resize(HEAD.len() + 1, "-".to_owned());
        row.extend(["-".to_owned(), "1".to_owned()]);
        rows.push(row);
    }
    let mut head = vec!["drain"];
    head.extend(HEAD);
    head.extend(["events/s, × that on the first cores in the same turn", "CPU × limit"]);
    let what = format!(
        "Draining {} events ({:.1} B each) of {} partitions; medians of {} turns, in turns [least–most].",
        args.events,
        (expected[1].bytes + expected[2].bytes) as f64 / args.events as f64,
        args.partitions,
        args.turns
    );
    world.report("drain", &what, &table(&head, &rows))
}
