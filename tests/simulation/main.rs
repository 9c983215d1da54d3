//! Deterministic simulation: the real commit code of several daemons over the memory storage, interleaved and
//! disturbed as a seed says. docs/proof.md says what is simulated and how to replay a seed.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
mod config;
mod daemon;
mod sim;
mod trace;
mod wire;
mod world;

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use config::{Config, SABOTAGES, Sabotage, sabotaged};
use sim::Sim;
use trace::Counts;
use world::Broken;

/// Seeds of the sound protocol.
const SEEDS: u64 = 3000;
/// Seeds after which a deliberate defect must be noticed.
const SABOTAGED_SEEDS: u64 = 2000;

/// A run of a seed, and what must not be.
fn run(seed: u64, config: Config, verbose: bool) -> (Sim, Option<String>) {
    let mut sim = Sim::new(seed, config, verbose);
    let end = catch_unwind(AssertUnwindSafe(|| sim.run()));
    let end = end.unwrap_or_else(|_| Err("PANIC: see above".to_owned()));
    (sim, end.err())
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|v| v.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// The seed that somebody wants to see again.
fn replayed() -> Option<u64> {
    number("SIM_SEED")
}

/// Everything about a run that failed.
fn report(seed: u64, config: &Config, sabotage: &str, violation: &str) -> String {
    let (sim, _) = run(seed, config.clone(), true);
    let replay = format!("SIM_SEED={seed}{sabotage} cargo test --test simulation replay -- --nocapture");
    format!("{}\n{config:?}\nseed {seed}: {violation}\nreplay: {replay}", sim.trace.lines.join("\n"))
}

/// Runs seeds on both cores; the first violation fails. Returns the sums and the number of distinct schedules.
fn all_hold(seeds: std::ops::Range<u64>, config: impl Fn(u64) -> Config + Sync, sabotage: &str) -> (Counts, usize) {
    let half = seeds.start + (seeds.end - seeds.start) / 2;
    let work = |seeds: std::ops::Range<u64>| {
        let (mut sums, mut schedules) = (Counts::default(), HashSet::new());
        for seed in seeds {
            let (sim, violation) = run(seed, config(seed), false);
            if let Some(violation) = violation {
                panic!("{}", report(seed, &config(seed), sabotage, &violation));
            }
            sums.add(&sim.counts);
            schedules.insert(sim.counts.schedule);
        }
        (sums, schedules)
    };
    let ((mut sums, mut schedules), other) = std::thread::scope(|scope| {
        let other = scope.spawn(|| work(half..seeds.end));
        (work(seeds.start..half), other.join())
    });
    let (more, others) = other.unwrap_or_else(|e| std::panic::resume_unwind(e));
    sums.add(&more);
    schedules.extend(others);
    (sums, schedules.len())
}

#[test]
fn every_row_lands_once_whatever_the_schedule() {
    if replayed().is_some() {
        return;
    }
    let (seeds, begun) = (number("SIM_SEEDS").unwrap_or(SEEDS), Instant::now());
    let (sums, distinct) = all_hold(0..seeds, Config::of_seed, "");
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "{seeds} seeds, {distinct} distinct interleavings, {seconds:.1} s, {:.0} a second",
        seeds as f64 / seconds
    );
    sums.all().iter().for_each(|(what, n)| println!("{n:10} {what}"));
    for (what, n) in sums.all() {
        assert!(n >= 10 || seeds < SEEDS, "only {n} {what}: the simulation does not reach what it is for");
    }
    assert!(distinct as u64 > seeds * 9 / 10, "most seeds are schedules of their own");
}

#[test]
fn a_rename_that_moves_inside_is_harmless_because_the_slot_is_read() {
    if replayed().is_none() {
        let config = |seed| Config { broken: Some(Broken::MovesInside), ..Config::of_seed(seed) };
        all_hold(0..300, config, "");
    }
}

#[test]
fn a_seed_gives_the_same_run_again() {
    for seed in 0..20 {
        let [a, b] = [(), ()].map(|()| run(seed, Config::of_seed(seed), true).0.trace.lines);
        assert!(a.len() > 100 && a == b, "seed {seed}");
    }
}

/// The first seed that shows the defect.
fn caught(s: &Sabotage) -> Option<(u64, String)> {
    (0..SABOTAGED_SEEDS).find_map(|seed| Some((seed, run(seed, sabotaged(seed, s), false).1?)))
}

#[test]
fn every_deliberate_defect_is_noticed() {
    if replayed().is_some() {
        return;
    }
    let mut missed = Vec::new();
    println!("{:16} {:>5} {:>8}  what was violated", "defect", "seed", "seconds");
    for s in &SABOTAGES {
        let begun = Instant::now();
        match caught(s) {
            Some((seed, violation)) => {
                println!("{:16} {seed:5} {:8.2}  {violation}", s.name, begun.elapsed().as_secs_f64());
            }
            None => missed.push(format!("{}: {}", s.name, s.what)),
        }
    }
    assert!(missed.is_empty(), "not noticed in {SABOTAGED_SEEDS} seeds each:\n{}", missed.join("\n"));
}

/// `SIM_SEED=17 [SIM_DEFECT=x_no_help] cargo test --test simulation replay -- --nocapture`
#[test]
fn replay() {
    let Some(seed) = replayed() else { return };
    let defect = std::env::var("SIM_DEFECT").ok();
    let config = match &defect {
        None => Config::of_seed(seed),
        Some(name) => {
            let s = SABOTAGES.iter().find(|s| s.name == name).expect("SIM_DEFECT is the name of a defect");
            sabotaged(seed, s)
        }
    };
    let (sim, violation) = run(seed, config.clone(), true);
    println!("{config:?}\n{}", sim.trace.lines.join("\n"));
    assert!(violation.is_none(), "seed {seed}: {}", violation.unwrap_or_default());
}
