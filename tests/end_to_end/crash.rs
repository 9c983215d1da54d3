//! kill -9 in the middle of a load, seen by a reader that knows nothing of landfall but its directories.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use landfall::encode::read_back;
use landfall::game::Load;
use landfall::storage::{HdfsStorage, Storage, StorageError};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::job::{Job, TABLES, wait_until_landed};
use crate::world::{World, wait_for, world};

/// `E2E_KILLS` says another number, for a longer run.
const KILLS: u64 = 10;
const RATE: u64 = 700;
const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn ten_kills_under_load_lose_nothing_repeat_nothing_and_show_no_half_file() {
    let Some(world) = world() else { return };
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    println!("seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let job = Job::new(&world, "crash", 3, "300ms");
    let reader = Reader::start(&world, &job);
    let producing = job.topic.produce_on(Load::new(seed).with_request_ids(true).with_malformed(0.01), RATE);
    let mut daemons = Vec::new();
    let kills = std::env::var("E2E_KILLS").map_or(KILLS, |n| n.parse().unwrap());
    for n in 0..kills {
        let mut daemon = job.start(&[]);
        match n % 3 {
            // While a batch is written, commits, or goes to its tables.
            0 => {
                wait_for(LIMIT, "reading", || daemon.reads().then_some(()));
                wait_for(LIMIT, "a batch is staged", || being_staged(&world, &job).then_some(()));
            }
            1 => wait_for(LIMIT, "reading", || daemon.reads().then_some(())),
            _ => wait_for(LIMIT, "a batch landed", || (!daemon.progress().is_empty()).then_some(())),
        }
        let longest = if n % 3 == 0 { 150 } else { 2500 };
        std::thread::sleep(Duration::from_millis(rng.random_range(0..longest)));
        daemon.kill();
        daemons.push(daemon);
    }
    let sent = producing.stop();
    let mut last = job.start(&[]);
    wait_until_landed(&job.topic, &[&last], LIMIT);
    last.terminate(LIMIT);
    daemons.push(last);
    let seen = reader.stop();

    let expected = job.assert_landed_once();
    let rows = [&expected.sword_purchases, &expected.purchases, &expected.guilds, &expected.dead_letters];
    let rows: usize = rows.iter().map(|rows| rows.len()).sum();
    // The reader saw the same rows, each in one file.
    assert_eq!(seen.values().sum::<u64>() as usize, rows);
    let logged: usize = daemons.iter().map(|d| d.progress().len()).sum();
    let (slots, files, left) = (job.slots(), seen.len(), attempts_left(&world, &job));
    println!(
        "{kills} kills under {RATE} events/s: {sent} messages, {slots} batches ({} killed between commit and log line, \
         {left} between stage and commit), {rows} rows in {files} files: all readable, all once",
        slots - logged,
    );
}

/// How many batches are, or were left, in this process's staging.
fn attempts(world: &World, staging: &str, incarnation: &str) -> usize {
    let entries = world.list(&format!("{staging}/{incarnation}")).unwrap_or_default();
    entries.iter().filter(|e| uuid::Uuid::try_parse(&e.name).is_ok()).count()
}

/// Whether the process that started last has a batch in staging.
fn being_staged(world: &World, job: &Job) -> bool {
    let staging = format!("{}/checkpoint/staging", job.base());
    let newest = world.list(&staging).unwrap_or_default().into_iter().max_by_key(|e| e.modified_ms);
    newest.is_some_and(|newest| attempts(world, &staging, &newest.name) > 0)
}

fn attempts_left(world: &World, job: &Job) -> usize {
    let staging = format!("{}/checkpoint/staging", job.base());
    world.list(&staging).unwrap().iter().map(|e| attempts(world, &staging, &e.name)).sum()
}

/// Reads every file as soon as it sees it.
struct Reader {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<BTreeMap<String, u64>>,
}

impl Reader {
    fn start(world: &World, job: &Job) -> Reader {
        let stop = Arc::new(AtomicBool::new(false));
        let (url, user, stopped) = (world.stack.hdfs(), world.stack.user().to_owned(), stop.clone());
        let dirs = TABLES.map(|table| job.table_dir(table));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let hdfs = HdfsStorage::new(&url, Some(&user), &BTreeMap::new()).unwrap();
                let mut seen = BTreeMap::new();
                let mut rounds = 0;
                loop {
                    // One round more after the last batch is landed.
                    let last = stopped.load(Ordering::Relaxed);
                    for dir in &dirs {
                        look(&hdfs, dir, &mut seen).await;
                    }
                    rounds += 1;
                    if last {
                        println!("the reader has listed the tables {rounds} times");
                        return seen;
                    }
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            })
        });
        Reader { stop, thread }
    }

    /// The files seen, and the rows of each.
    fn stop(self) -> BTreeMap<String, u64> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

async fn look(hdfs: &HdfsStorage, dir: &str, seen: &mut BTreeMap<String, u64>) {
    let entries = match hdfs.list(dir).await {
        Err(StorageError::NotFound { .. }) => Vec::new(),
        entries => entries.unwrap(),
    };
    let names = entries.into_iter().map(|e| e.name).filter(|name| !name.starts_with(['_', '.']));
    let names: BTreeSet<String> = names.map(|name| format!("{dir}/{name}")).collect();
    let before = seen.keys().filter(|path| path.strip_prefix(dir).is_some_and(|rest| rest.starts_with('/')));
    let vanished: Vec<_> = before.filter(|path| !names.contains(*path)).collect();
    assert!(vanished.is_empty(), "vanished: {vanished:?}");
    for path in names {
        if let Entry::Vacant(new) = seen.entry(path) {
            let path = new.key();
            let bytes = hdfs.read(path).await.unwrap_or_else(|e| panic!("{path}: {e}"));
            let read = read_back::rows(bytes, usize::MAX).unwrap_or_else(|e| panic!("{path}: {e}"));
            assert_eq!(read.rows.len() as u64, read.total_rows, "{path}");
            assert!(read.total_rows > 0, "{path}: no rows");
            new.insert(read.total_rows);
        }
    }
}
