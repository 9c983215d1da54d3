//! Nothing to read.

use crate::job::{Job, Shape, To};
use crate::process;
use crate::stats::table;
use crate::topic::Topic;
use crate::world::World;
use anyhow::{Context, Result};
use std::thread;
use std::time::Duration;

/// Run the daemon on HDFS with an empty topic
#[derive(Debug, clap::Args)]
pub struct Args {
    /// For how many seconds
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Partitions
    #[arg(long, default_value_t = 4)]
    partitions: u32,
}

/// `landfall-bench idle`
pub fn run(world: &World, args: &Args) -> Result<()> {
    let topic = Topic::create(&world.stack.kafka(), &world.name("idle"), args.partitions, None)?;
    let job = Job::new(world, "idle", &topic, &Shape::shipped(To::Hdfs))?;
    let mut daemon = job.start(&[], None)?;
    daemon.until_reading()?;
    thread::sleep(Duration::from_secs(10)); // its tables are being registered
    let before = process::cpu(daemon.id());
    thread::sleep(Duration::from_secs(args.seconds));
    let cpu = process::cpu(daemon.id()) - before;
    let held = process::memory(daemon.id(), "VmRSS").context("landfall has ended")?;
    let peak = daemon.stop()?.peak;
    job.delete_files()?;
    let row = vec![
        args.seconds.to_string(),
        format!("{:.2}", 100.0 * cpu / args.seconds as f64),
        format!("{held:.0}"),
        format!("{peak:.0}"),
    ];
    let what = format!("Nothing to read, {} partitions, HDFS.", args.partitions);
    world.report("idle", &what, &table(&["seconds", "CPU, % of a core", "RSS MiB", "peak MiB"], &[row]))
}
