//! Keeps one daemon running, as a supervisor would, and kills and pauses it, as no supervisor would.

use std::time::{Duration, Instant};

use rand::RngExt;
use rand::rngs::StdRng;

use super::Run;
use crate::job::Daemon;

/// Exit codes after which a supervisor starts the daemon again: a service was away; another daemon went ahead.
const AGAIN: [i32; 2] = [69, 75];

/// Until the bell rings; the daemon, which runs.
pub fn keep(run: &Run, seat: usize, mut rng: StdRng) -> Daemon {
    let _alarm = run.alarm();
    let mut daemon = start(run, seat);
    loop {
        // Some die at their start, some after a few batches.
        let lives = if rng.random_bool(0.15) { rng.random_range(50..2000) } else { rng.random_range(4000..16_000) };
        if !watch(run, seat, &mut daemon, Duration::from_millis(lives)) {
            return daemon;
        }
        if rng.random_bool(0.8) {
            daemon.kill();
            run.note(|f| f.kills += 1);
            ended(run, daemon);
            run.kills.sleep(Duration::from_millis(rng.random_range(0..3000)));
            daemon = start(run, seat);
        } else {
            let longest = if rng.random_bool(0.7) { 8000 } else { 40_000 };
            let begun = Instant::now();
            daemon.signal("STOP");
            run.kills.sleep(Duration::from_millis(rng.random_range(1000..longest)));
            daemon.signal("CONT");
            run.note(|f| f.paused(begun.elapsed()));
        }
    }
}

fn start(run: &Run, seat: usize) -> Daemon {
    run.job.start_behind(run.fence.as_ref().filter(|_| seat == 0))
}

/// Lets the daemon run for this long; false if the bell rings.
fn watch(run: &Run, seat: usize, daemon: &mut Daemon, time: Duration) -> bool {
    let until = Instant::now() + time;
    loop {
        revive(run, seat, daemon);
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return !run.kills.has_rung();
        }
        if !run.kills.sleep(left.min(Duration::from_millis(100))) {
            return false;
        }
    }
}

/// Starts it again if it has ended by itself.
///
/// # Panics
/// If it ended as it must not.
pub fn revive(run: &Run, seat: usize, daemon: &mut Daemon) {
    if daemon.runs() {
        return;
    }
    let status = daemon.wait(Duration::ZERO);
    let again = status.code().filter(|code| AGAIN.contains(code));
    let code = again.unwrap_or_else(|| panic!("a daemon ended by itself: {status}\n{}", daemon.tail()));
    run.note(|f| *f.restarts.entry(code).or_default() += 1);
    std::thread::sleep(Duration::from_millis(300));
    ended(run, std::mem::replace(daemon, start(run, seat)));
}

/// Takes the figures out of the log of a daemon that has ended, and puts the log away.
pub fn ended(run: &Run, daemon: Daemon) {
    let text = daemon.text();
    assert!(!text.contains("panicked at"), "a task of a daemon panicked:\n{text}");
    let lines = daemon.lines();
    run.note(|f| f.add(&lines));
    if let Some(folder) = std::env::var_os("CHAOS_LOGS") {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(std::path::Path::new(&folder).join(daemon.log().file_name().unwrap()), &text).unwrap();
    }
    std::fs::write(daemon.log(), "").unwrap();
}
