//! The chain in process: messages in memory to Parquet in memory, on one thread, by the code that is shipped, with the
//! tables and the configuration of this repository. docs/performance.md says what it is for.
//!
//!     cargo bench --bench chain                         turns of all variants, medians and ratios
//!     LIMITS_BENCH=…/limits_bench cargo bench …         in turns with the limit bench
//!     cargo bench --bench chain -- turns EVENTS TURNS   another size
//!     cargo bench --bench chain -- once PHASE EVENTS    one phase, or all, once
//!     cargo bench --bench chain -- count PHASE EVENTS   one phase, or nothing, for scripts/instructions

mod common;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use common::open_files::OpenFiles;
use common::{Files, Messages, naive};
use landfall::batch::{BatchBuffer, Plan, SealedBatch};
use landfall::config;
use landfall::model::{Headers, Offset, Record, TopicPartition};
use landfall::schema::{Table, migrations};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rustix::time::{ClockId, clock_gettime};

const EVENTS: usize = 500_000;
const TURNS: usize = 5;
/// What is decoded at once.
const PIECE_BYTES: u64 = 256 << 10;
/// `trigger.max_bytes` of config/default.toml.
const BATCH_BYTES: u64 = 64 << 20;
/// Variants of the limit bench, as its table names them, and what they are called here.
const LIMITS: [(&str, &str); 3] = [
    ("no encode: best", "limit bench: columns alone"),
    ("best: learned, own vectors, tuned props", "limit bench: limit"),
    ("naive: Value tree, parsed once, chrono, default props", "limit bench: naive"),
];

/// A part of the chain that is measured by itself.
type Phase = fn(&Messages, &Arc<Plan>, &mut Files);
const PHASES: [(&str, Phase); 3] = [("columns", columns), ("chain", chain), ("naive", naive::chain)];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let count = |at: usize, default| arguments.get(at).map_or(default, |n| n.parse().expect("a number"));
    match arguments.first().map(String::as_str) {
        None => turns(EVENTS, TURNS),
        Some("turns") => turns(count(1, EVENTS), count(2, TURNS)),
        Some("once") => once(arguments.get(1).map_or("all", String::as_str), count(2, EVENTS)),
        Some("count") => run(&arguments[1], &Messages::new(count(2, EVENTS))),
        Some(other) => panic!("no command {other}: turns, once or count"),
    }
}

/// The seeds' job, as the daemon reads it.
fn plan() -> Arc<Plan> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let settings = config::load(&[root.join(config::DEFAULT_FILE)], std::iter::empty()).expect("the configuration");
    let files = std::fs::read_dir(root.join(&settings.migrations)).expect("the migrations").map(|file| {
        let file = file.expect("a migration");
        let text = std::fs::read_to_string(file.path()).expect("a migration's text");
        (file.file_name().to_string_lossy().into_owned(), text)
    });
    let tables: Vec<Table> = migrations::load(&files.collect::<Vec<_>>()).expect("sound migrations");
    Arc::new(Plan::new(&tables, &settings).expect("a plan"))
}

/// Decodes, routes and builds columns; every piece goes to `piece`.
fn read(messages: &Messages, plan: &Arc<Plan>, mut piece: impl FnMut(SealedBatch)) {
    let partition = TopicPartition::new("events", 0);
    let mut buffer = BatchBuffer::new(plan.clone());
    buffer.start(partition.clone(), Offset(0), 0).expect("a first start");
    for ((value, timestamp), offset) in messages.iter().zip(0..) {
        let record = Record {
            partition: &partition,
            offset,
            timestamp_ms: Some(timestamp),
            key: None,
            value: Some(value),
            headers: Headers::default(),
        };
        buffer.push(&record).expect("a good message");
        if buffer.bytes() >= PIECE_BYTES {
            piece(buffer.seal());
        }
    }
    piece(buffer.seal());
}

fn columns(messages: &Messages, plan: &Arc<Plan>, _: &mut Files) {
    read(messages, plan, |piece| _ = black_box(piece));
}

fn chain(messages: &Messages, plan: &Arc<Plan>, files: &mut Files) {
    let (mut open, mut bytes) = (OpenFiles::default(), 0);
    read(messages, plan, |piece| {
        bytes += piece.bytes;
        open.write(&piece, plan);
        if bytes >= BATCH_BYTES {
            bytes = 0;
            open.finish(plan, files);
        }
    });
    open.finish(plan, files);
}

/// Runs a phase and nothing else.
fn run(wanted: &str, messages: &Messages) {
    landfall_malloc::bound_what_is_kept();
    let plan = plan();
    PHASES.iter().filter(|(name, _)| *name == wanted).for_each(|(_, phase)| phase(messages, &plan, &mut Files::new()));
}

/// Runs one phase, or all, once, and prints a line of a table for each.
fn once(wanted: &str, events: usize) {
    landfall_malloc::bound_what_is_kept();
    let (messages, plan) = (Messages::new(events), plan());
    for (name, phase) in PHASES.iter().filter(|(name, _)| [*name, "all"].contains(&wanted)) {
        let mut files = Files::new();
        let before = cpu_ns();
        phase(&messages, &plan, &mut files);
        let took = (cpu_ns() - before) / messages.len() as f64;
        let out = files.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() as f64 / messages.len() as f64;
        println!("| {name} | {took:.1} | {out:.1} |");
        if !files.is_empty() {
            check(&messages, &files);
        }
    }
}

/// CPU time of this process in nanoseconds.
fn cpu_ns() -> f64 {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    now.tv_sec as f64 * 1e9 + now.tv_nsec as f64
}

/// Reads the files back: rows by table, and the sum of a column.
fn check(messages: &Messages, files: &Files) {
    let (mut rows, mut costs) = (BTreeMap::<&str, usize>::new(), 0);
    for (table, bytes) in files {
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes.clone()).and_then(|b| b.build());
        for batch in reader.expect("a Parquet file") {
            let batch = batch.expect("sound pages");
            *rows.entry(table).or_default() += batch.num_rows();
            if table == "purchases" {
                let column = batch.column_by_name("cost").expect("a column");
                costs += column.as_primitive::<Int64Type>().iter().flatten().sum::<i64>();
            }
        }
    }
    let n = messages.len();
    let want = BTreeMap::from([("sword_purchases", n / 2), ("purchases", n / 4 * 3), ("guilds", n / 4)]);
    assert_eq!((rows, costs), (want, messages.costs), "rows of each table, and the sum of all costs");
}

/// Runs everything `turns` times, the limit bench in between, each time in new processes, and prints the medians.
fn turns(events: usize, turns: usize) {
    let limits = std::env::var("LIMITS_BENCH").ok();
    let own = std::env::current_exe().expect("the path of this bench");
    // By the name of the variant, nanoseconds by turn; and the bytes written.
    let mut figures: BTreeMap<String, (Vec<f64>, f64)> = BTreeMap::new();
    let mut note = |name: &str, ns: f64, out: f64| {
        let figures = figures.entry(name.to_owned()).or_default();
        figures.0.push(ns);
        figures.1 = out;
    };
    for _ in 0..turns {
        for row in table(Command::new(&own).args(["once", "all", &events.to_string()])) {
            note(&row[0], number(&row, 1), number(&row, 2));
        }
        let Some(limits) = &limits else { continue };
        let only = LIMITS.map(|(variant, _)| variant).join("|");
        for row in table(Command::new(limits).args(["chain", &events.to_string(), "1"]).env("ONLY", only)) {
            if let Some((_, name)) = LIMITS.iter().find(|(variant, _)| *variant == row[0]) {
                note(name, number(&row, 1), number(&row, 7));
            }
        }
    }
    let bytes = Messages::new(events.min(10_000)).byte_size() as f64 / events.min(10_000) as f64;
    println!("{events} events of {bytes:.0} bytes, one thread, {turns} turns, CPU time of the process\n");
    println!("| variant | ns/event, median | least | events/s a core | bytes/event out |\n|---|---:|---:|---:|---:|");
    let mut medians = BTreeMap::new();
    for (name, (mut ns, out)) in figures {
        ns.sort_by(f64::total_cmp);
        let median = ns[ns.len() / 2];
        println!("| {name} | {median:.0} | {:.0} | {:.0} | {out:.1} |", ns[0], 1e9 / median);
        medians.insert(name, median);
    }
    println!();
    let chain = medians["chain"];
    for (name, median) in medians.iter().filter(|(name, _)| name.contains("limit") || *name == "naive") {
        match name.as_str() {
            "limit bench: columns alone" => println!("columns / {name}: {:.2}", medians["columns"] / median),
            "limit bench: limit" => println!("chain / {name}: {:.2} (at most 1.15)", chain / median),
            _ => println!("{name} / chain: {:.2} (at least 2)", median / chain),
        }
    }
}

/// The rows of the table that a command prints, cells trimmed.
fn table(command: &mut Command) -> Vec<Vec<String>> {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    text.lines().filter(|line| line.starts_with('|')).map(cells).collect()
}

fn number(row: &[String], at: usize) -> f64 {
    row.get(at).and_then(|cell| cell.parse().ok()).unwrap_or(0.0)
}
