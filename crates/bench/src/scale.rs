//! What becomes of the cost per event with more partitions, more tables, smaller and larger batches.

use crate::drain::{self, Drained, Variant, drain};
use crate::events;
use crate::job::{Shape, To};
use crate::stats::{median, table};
use crate::topic::Topic;
use crate::world::World;
use anyhow::Result;

/// Drain with 1 to 64 partitions, 3 and 30 tables, batches of 1 MiB to 256 MiB
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How many events
    #[arg(long, default_value_t = 2_000_000)]
    events: u64,
    /// How often each is measured
    #[arg(long, default_value_t = 3)]
    turns: usize,
    /// Where to
    #[arg(long, value_enum, default_value = "local")]
    to: To,
    /// Partitions to try; the others are drained with the second of them
    #[arg(long, value_delimiter = ',', default_value = "1,4,64")]
    partitions: Vec<u32>,
    /// Tables more than the three
    #[arg(long, value_delimiter = ',', default_value = "27")]
    more_tables: Vec<usize>,
    /// trigger.max_bytes to try
    #[arg(long, value_delimiter = ',', default_value = "1MiB,4MiB,16MiB,256MiB")]
    max_bytes: Vec<String>,
}

/// `landfall-bench scale`
pub fn run(world: &World, args: &Args) -> Result<()> {
    let usual = *args.partitions.get(1).or(args.partitions.first()).unwrap_or(&4);
    let plain = Shape::shipped(args.to);
    let mut cases: Vec<(String, u32, Shape)> = vec![("as shipped".to_owned(), usual, plain.clone())];
    for p in args.partitions.iter().filter(|p| **p != usual) {
        cases.push((format!("{p} partitions"), *p, plain.clone()));
    }
    for more in &args.more_tables {
        cases.push((format!("{} tables", 3 + more), usual, Shape { more_tables: *more, ..plain.clone() }));
    }
    for bytes in &args.max_bytes {
        let trigger = format!("max_bytes = \"{bytes}\"\nmax_rows = 8000000\ninterval = \"10m\"");
        cases.push((format!("batches of {bytes}"), usual, Shape { trigger, ..plain.clone() }));
    }
    let expected = events::tally(args.events);
    let mut drained: Vec<Vec<Drained>> = cases.iter().map(|_| Vec::new()).collect();
    for turn in 1..=args.turns {
        eprintln!("turn {turn} of {}", args.turns);
        for ((_, partitions, shape), turns) in cases.iter().zip(&mut drained) {
            let topic = Topic::backlog(&world.stack.kafka(), args.events, *partitions)?;
            let variant = Variant { shape: shape.clone(), cores: None, daemon: false };
            turns.push(drain(world, &topic, &variant, &expected)?);
        }
    }
    let cpu = |turns: &[Drained]| median(turns.iter().map(|d| d.cpu));
    let row = |((what, ..), turns): (&(String, u32, Shape), &Vec<Drained>)| {
        let mut row = vec![what.clone(), format!("{:.2}", cpu(turns) / cpu(&drained[0]))];
        row.extend(drain::cells(args.events, turns));
        row
    };
    let rows: Vec<_> = cases.iter().zip(&drained).map(row).collect();
    let mut head = vec!["drain", "CPU × as shipped"];
    head.extend(drain::HEAD);
    let what = format!(
        "Draining {} events into {}, {usual} partitions and 3 tables unless said otherwise; medians of {} turns.",
        args.events,
        args.to.text(),
        args.turns
    );
    world.report("scale", &what, &table(&head, &rows))
}
