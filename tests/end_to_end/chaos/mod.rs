//! Three daemons of one job while everything around them breaks, at random and again and again: they are killed and
//! paused, the servers go away, the consumer group changes, the network loses replies. All the while a reader that
//! knows nothing but the tables' directories looks; in the end the tables must hold what Kafka holds.
//!
//! `make chaos` runs it for an hour. By hand, under `landfall-stack run -- cargo test --test end_to_end chaos`:
//! `CHAOS_SECONDS` is the length (110), `CHAOS_SEED` repeats a schedule, `CHAOS_REPORT` names a file for the report,
//! `CHAOS_LOGS` a folder that keeps the daemons' logs, `PAUSE_SECONDS` is the length of the pauses in `pause.rs` (12),
//! `PAUSE_AT` chooses one of its moments.

mod bell;
mod faults;
mod keeper;
mod observer;
mod pause;
mod report;

use std::fmt::Debug;
use std::path::Path;
use std::str::FromStr;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use landfall::game::Load;
use landfall_stack::fence::Fence;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use self::bell::{Alarm, Bell};
use self::report::Figures;
use crate::by_day;
use crate::expected::Expected;
use crate::job::{Daemon, Job};
use crate::world::{World, assert_same_rows, wait_for, world};

/// The seeds' tables, and one that gets a new partition some thirty times in a run.
const TABLES: [&str; 5] = ["sword_purchases", "purchases", "guilds", "dead_letters", by_day::TABLE];
const DAEMONS: usize = 3;
const PARTITIONS: i32 = 6;
const RATE: u64 = 500;
/// The last daemons have to begin anew, and the producer may have been away as well.
const LIMIT: Duration = Duration::from_secs(240);

/// What all threads of a run share.
struct Run<'w> {
    world: &'w World,
    job: &'w Job<'w>,
    /// Around the first daemon; none where namespaces cannot be made.
    fence: Option<Fence>,
    figures: Mutex<Figures>,
    /// The end of faults of servers, of the network and of the group.
    faults: Bell,
    /// The end of kills and pauses.
    kills: Bell,
    /// The end of looking.
    reader: Bell,
}

impl Run<'_> {
    fn note(&self, note: impl FnOnce(&mut Figures)) {
        note(&mut self.figures.lock().unwrap());
    }

    /// A thread that fails ends them all.
    fn alarm(&self) -> Alarm<'_> {
        Alarm([&self.faults, &self.kills, &self.reader])
    }
}

/// A number of the environment.
fn setting<T: FromStr<Err: Debug>>(name: &str, default: T) -> T {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|e| panic!("{name}={text}: {e:?}")))
}

/// The job's configuration: short limits, so that a fault is met many times and not once, for long.
fn chaos_config(job: &Job) -> String {
    let storage = "[storage]\ncall_timeout = \"5s\"\nwrite_timeout = \"10s\"\n";
    let config = job.config("700ms");
    assert!(config.contains("[storage]\n"));
    // Epochs of few slots, so that many end under faults, and old ones are deleted while others read them.
    config.replace("[storage]\n", storage) + "[log]\nslots_per_epoch = 20\nretention = \"20s\"\n"
}

/// The fence around one daemon; a line says why there is none.
fn fence(world: &World) -> Option<Fence> {
    let program = Path::new(env!("CARGO_BIN_EXE_landfall")).with_file_name("landfall-stack");
    if !program.exists() {
        println!("no network faults: cargo build -p landfall-stack makes the program that they need");
        return None;
    }
    Fence::new(&world.stack, &program).inspect_err(|e| println!("no network faults here: {e:#}")).ok()
}

#[test]
fn chaos_loses_nothing_repeats_nothing_and_shows_no_half_file() {
    let Some(world) = world() else { return };
    let seconds: u64 = setting("CHAOS_SECONDS", 110);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed: u64 = setting("CHAOS_SEED", now.as_millis() as u64);
    println!("chaos for {seconds} s, seed {seed} (CHAOS_SECONDS, CHAOS_SEED)");
    let mut seeds = StdRng::seed_from_u64(seed);
    let mut rng = || StdRng::seed_from_u64(seeds.random());

    let job = Job::new(&world, "chaos", PARTITIONS, "700ms");
    job.declare_positions();
    by_day::declare(&job);
    // Staging is deleted from under daemons that stage.
    job.write_config(&(chaos_config(&job) + "staging_retention = \"2s\"\n" + by_day::CONFIG));
    let figures = Mutex::new(Figures::new(seed));
    let (faults, kills, reader) = (Bell::default(), Bell::default(), Bell::default());
    let run = Run { fence: fence(&world), world: &world, job: &job, figures, faults, kills, reader };
    let of_a_day = RATE * (seconds / 30).max(4);
    let load = Load::new(seed).with_request_ids(true).with_malformed(0.01);
    let producing = job.topic.produce_at(load, RATE, move |n| Some(by_day::time_ms(0, n, of_a_day)));
    let begun = Instant::now();

    let (seen, landed) = std::thread::scope(|scope| {
        let run = &run;
        // Whatever fails on this thread, the others must end.
        let _alarm = run.alarm();
        let reader = scope.spawn(|| observer::look(run));
        let keepers: Vec<_> = (0..DAEMONS)
            .map(|seat| {
                let rng = rng();
                scope.spawn(move || keeper::keep(run, seat, rng))
            })
            .collect();
        let (for_servers, for_network) = (rng(), rng());
        let breakers = [
            scope.spawn(move || faults::servers(run, for_servers, seconds)),
            scope.spawn(move || faults::network(run, for_network)),
            scope.spawn(|| faults::group(run)),
        ];
        run.faults.sleep(Duration::from_secs(seconds));
        run.faults.ring();
        breakers.into_iter().for_each(|breaker| breaker.join().unwrap());
        run.kills.ring();
        let mut daemons: Vec<Daemon> = keepers.into_iter().map(|keeper| keeper.join().unwrap()).collect();
        run.note(|f| f.length = begun.elapsed());
        let sent = producing.stop();
        run.note(|f| f.sent = sent);

        let healed = Instant::now();
        let ends = job.topic.ends();
        wait_for(LIMIT, format!("all of {} landed up to {ends:?}", job.name), || {
            daemons.iter_mut().enumerate().for_each(|(seat, daemon)| keeper::revive(run, seat, daemon));
            let done = |p: usize, end: i64| daemons.iter().any(|d| d.landed(&job.name, p) >= Some(end));
            ends.iter().enumerate().all(|(p, end)| done(p, *end)).then_some(())
        });
        run.note(|f| f.to_land_all = healed.elapsed());
        wait_for(LIMIT, "all partitions are registered", || {
            daemons.iter_mut().enumerate().for_each(|(seat, daemon)| keeper::revive(run, seat, daemon));
            by_day::all_registered(run.world, run.job)
        });
        run.note(|f| f.to_register_all = healed.elapsed());
        for mut daemon in daemons {
            daemon.terminate(LIMIT);
            keeper::ended(run, daemon);
        }
        run.reader.ring();
        let seen = reader.join().unwrap();
        (seen, assert_landed(run.world, run.job))
    });

    let mut figures = run.figures.into_inner().unwrap();
    assert_eq!(seen.rows, landed.rows.map(|rows| rows as u64), "what the reader saw, and what is landed");
    (figures.seen, figures.landed) = (seen, landed);
    let report = figures.report(seconds);
    println!("\n{report}");
    if let Ok(file) = std::env::var("CHAOS_REPORT") {
        std::fs::write(&file, report).unwrap();
    }
    assert!(figures.kills > 0 && figures.landed.messages > 0, "it was not chaos");
}

/// What is landed, as Kafka and Presto say.
#[derive(Debug, Default)]
struct Landed {
    messages: usize,
    /// Of each of [`TABLES`].
    rows: [usize; 5],
    unrouted: usize,
    /// Of the partitioned table; all in the metastore.
    partitions: usize,
}

/// The oracle: log, files and metastore agree, and through Presto every table holds what the topic holds, row by row,
/// each with its partition and offset. Partition by partition, for an hour's messages are many.
fn assert_landed(world: &World, job: &Job) -> Landed {
    job.command(&["verify", "--deep"]).assert(0, &["no findings"]);
    let mut landed = Landed::default();
    let count = |table: &str| format!("select count(*) from {}.{table}", job.name);
    // Presto, too, has lost its connections; and a table may just be registered.
    let ready = |table: &str| wait_for(LIMIT, table, || world.number(&count(table)));
    for table in TABLES {
        ready(table);
    }
    for p in 0..job.topic.partitions {
        let messages = job.topic.read_partitions(p..p + 1);
        let expected = Expected::with_positions(&job.name, &messages);
        let parts = [format!("_kafka_partition = {p}"), format!("kafka_partition = {p}")];
        expected.assert_landed_where(world, "hive_by_position", &job.name, parts.each_ref().map(String::as_str));
        let by_day = format!("select * from {}.{} where {}", job.name, by_day::TABLE, parts[0]);
        let rows: Vec<_> =
            expected.purchases.iter().map(|row| [row.as_slice(), &[by_day::day_of(row)]].concat()).collect();
        assert_same_rows(by_day::TABLE, &world.presto("hive_by_position", &by_day), &rows);
        landed.messages += messages.len();
        landed.unrouted += expected.unrouted + expected.tombstones;
        let counts = expected.counts().into_iter().chain([rows.len()]);
        landed.rows.iter_mut().zip(counts).for_each(|(all, more)| *all += more);
    }
    // And there are none of other partitions.
    for (table, rows) in TABLES.iter().zip(landed.rows) {
        assert_eq!(ready(table), rows as i64, "{table}");
    }
    // As the metastore has them; that there are no others below its directory, the audit has seen.
    let partitions = format!("select count(*) from {}.\"{}$partitions\"", job.name, by_day::TABLE);
    landed.partitions = world.number(&partitions).unwrap() as usize;
    assert_eq!(landed.partitions, by_day::days(world, job).len(), "all partitions are registered");
    landed
}
