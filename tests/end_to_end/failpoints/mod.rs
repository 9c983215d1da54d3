//! Every failpoint, every fault: real daemons on the real servers, and after each the audit.

mod audit;
mod case;
mod plan;

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use case::Done;
use landfall::failpoint;
use plan::{Fault, POINTS, Point};

use crate::world::world;

/// Cases at once: each mostly waits. `FAILPOINT_WORKERS` says another number.
const WORKERS: usize = 8;

/// What became of a case: its rows, or why it failed; and how long it took.
type Outcome = (Result<Done, String>, Duration);
type Outcomes = BTreeMap<(&'static str, Fault), Outcome>;

/// `FAILPOINT_ONLY=seal,kill` runs the cases whose name (`seal.cas kill`) contains one of these.
fn cases() -> VecDeque<(&'static Point, Fault)> {
    let only = std::env::var("FAILPOINT_ONLY").unwrap_or_default();
    let is_call: BTreeMap<_, _> = failpoint::ALL.into();
    let all = POINTS.iter().flat_map(|p| Fault::ALL.map(|fault| (p, fault)));
    let all = all.filter(|(p, fault)| is_call[p.name] || !fault.needs_call());
    all.filter(|(p, fault)| only.split(',').any(|o| format!("{} {fault}", p.name).contains(o))).collect()
}

#[test]
fn every_failpoint_is_in_the_plan() {
    let planned: Vec<_> = POINTS.iter().map(|p| p.name).collect();
    assert_eq!(planned, failpoint::ALL.map(|(name, _)| name));
}

#[test]
fn at_every_failpoint_a_kill_a_pause_an_error_and_a_lost_reply_leave_every_row_once() {
    let Some(world) = world() else { return };
    let begun = Instant::now();
    let queue = Mutex::new(cases());
    let outcomes = Mutex::new(Outcomes::new());
    let workers = std::env::var("FAILPOINT_WORKERS").map_or(WORKERS, |n| n.parse().unwrap());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap().pop_front();
                    let Some((point, fault)) = next else { return };
                    let begun = Instant::now();
                    let result = catch_unwind(AssertUnwindSafe(|| case::run(&world, point, fault)));
                    let result = result.map_err(|e| match e.downcast::<String>() {
                        Ok(text) => *text,
                        Err(e) => e.downcast::<&str>().map_or_else(|_| "it panicked".to_owned(), |s| (*s).to_owned()),
                    });
                    let said =
                        result.as_ref().map_or("FAILED".to_owned(), |d| format!("{} rows once; s:{}", d.rows, d.steps));
                    println!("{:5.1} s: {} {fault}: {said}", begun.elapsed().as_secs_f64(), point.name);
                    outcomes.lock().unwrap().insert((point.name, fault), (result, begun.elapsed()));
                }
            });
        }
    });
    let outcomes = outcomes.into_inner().unwrap();
    let table = table(&outcomes, begun.elapsed());
    println!("{table}");
    if let Some(path) = std::env::var_os("FAILPOINT_REPORT") {
        std::fs::write(path, &table).unwrap();
    }
    let failed =
        outcomes.iter().filter_map(|((point, fault), (result, _))| Some((point, fault, result.as_ref().err()?)));
    let failed: Vec<_> = failed.map(|(point, fault, why)| format!("{point} {fault}: {why}")).collect();
    assert!(failed.is_empty(), "{} cases failed:\n\n{}", failed.len(), failed.join("\n\n"));
}

/// As Markdown.
fn table(outcomes: &Outcomes, took: Duration) -> String {
    let mut out =
        String::from("| point | at which | kill -9 | pause | error | lost reply |\n|---|---|---|---|---|---|\n");
    let is_call: BTreeMap<_, _> = failpoint::ALL.into();
    for point in &POINTS {
        if !outcomes.keys().any(|(name, _)| *name == point.name) {
            continue;
        }
        let cells = Fault::ALL.map(|fault| match outcomes.get(&(point.name, fault)) {
            Some((Ok(_), took)) => format!("ok, {:.0} s", took.as_secs_f64()),
            Some((Err(_), _)) => "**FAILED**".to_owned(),
            None if fault.needs_call() && !is_call[point.name] => "n/a".to_owned(),
            None => "not run".to_owned(),
        });
        _ = writeln!(out, "| `{}` | {} | {} |", point.name, point.what, cells.join(" | "));
    }
    let rows: usize = outcomes.values().filter_map(|(result, _)| Some(result.as_ref().ok()?.rows)).sum();
    let green = outcomes.values().filter(|(result, _)| result.is_ok()).count();
    _ = write!(
        out,
        "\nn/a: no call is made at this point, so none can fail or lose its reply.\n\n{green} of {} cases green, \
         {rows} rows each landed once, in {:.0} s.\n",
        outcomes.len(),
        took.as_secs_f64()
    );
    out
}
