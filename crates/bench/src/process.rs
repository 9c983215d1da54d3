//! What processes cost, from /proc.

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::fs;
use std::process::{Child, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

/// Of /proc/PID/stat; the same on every Linux that Rust runs on.
const TICKS_A_SECOND: f64 = 100.0;

/// A line of /proc/PID/stat.
#[derive(Debug, Clone, Copy)]
struct Stat {
    /// It has ended, and nobody has asked for its exit code yet: its CPU time is still told.
    zombie: bool,
    parent: u32,
    /// Tells apart processes that had the same id one after the other.
    started: u64,
    /// CPU seconds, user and system.
    cpu: f64,
    /// Those of its children that have ended.
    of_children: f64,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is a name in parentheses, in which anything may stand.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |at: usize| fields.get(at - 3)?.parse::<u64>().ok();
    let seconds = |at: usize| Some((number(at)? + number(at + 1)?) as f64 / TICKS_A_SECOND);
    Some(Stat {
        zombie: *fields.first()? == "Z",
        parent: number(4)? as u32,
        started: number(22)?,
        cpu: seconds(14)?,
        of_children: seconds(16)?,
    })
}

/// CPU seconds of a process so far; 0 if there is none.
pub fn cpu(pid: u32) -> f64 {
    stat(pid).map_or(0.0, |s| s.cpu)
}

/// Seconds that the machine's cores have been idle since its start, all together.
pub fn idle() -> f64 {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let all = text.lines().next().and_then(|cpu| cpu.split_whitespace().nth(4)?.parse::<f64>().ok());
    all.unwrap_or(0.0) / TICKS_A_SECOND
}

/// A figure of /proc/PID/status in MiB, such as `VmRSS` (memory held now) and `VmHWM` (the most it ever held).
pub fn memory(pid: u32, field: &str) -> Option<f64> {
    kib(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?, field)
}

fn kib(text: &str, field: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    Some(line.split_whitespace().next()?.parse::<f64>().ok()? / 1024.0)
}

/// Asks a process to end.
pub fn terminate(child: &Child) {
    if let Some(pid) = Pid::from_raw(child.id() as i32) {
        kill_process(pid, Signal::TERM).ok(); // it may have just ended
    }
}

/// What a process had cost when it ended.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// How it ended.
    pub status: ExitStatus,
    /// CPU seconds, user and system, from its first instruction to its last; exact to two hundredths.
    pub cpu: f64,
    /// The most memory it held, in MiB, as last seen a hundredth of a second before its end.
    pub peak: f64,
    /// When it ended.
    pub ended: Instant,
}

/// Waits for the end of a process, for at most `limit`; then it is killed.
pub fn wait(child: &mut Child, limit: Duration) -> Result<Cost> {
    let (pid, begun, mut peak) = (child.id(), Instant::now(), 0.0);
    loop {
        let now = stat(pid).with_context(|| format!("process {pid} is gone, and nobody but us may wait for it"))?;
        if now.zombie {
            let ended = Instant::now();
            return Ok(Cost { status: child.wait()?, cpu: now.cpu, peak, ended });
        }
        peak = memory(pid, "VmHWM").unwrap_or(0.0).max(peak);
        if begun.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            anyhow::bail!("process {pid} did not end in {} s, and was killed", limit.as_secs());
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// A process with all those that came of it, also where their parents have ended.
#[derive(Debug)]
pub struct Family {
    root: u32,
    /// CPU seconds by process id and start.
    seen: BTreeMap<(u32, u64), f64>,
    of_root: f64,
    /// The most memory they held together, in MiB: proportional set sizes, in which shared pages count once.
    pub peak: f64,
    looked: Option<Instant>,
}

impl Family {
    /// Of this process.
    pub fn of(root: u32) -> Family {
        Family { root, seen: BTreeMap::new(), of_root: 0.0, peak: 0.0, looked: None }
    }

    /// Looks at them all; whether the first still runs. Memory, which is dear to ask for, twice a second at most.
    pub fn look(&mut self) -> bool {
        let all: BTreeMap<u32, Stat> = fs::read_dir("/proc")
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter_map(|pid| Some((pid, stat(pid)?)))
            .collect();
        let mut members: Vec<u32> = all
            .iter()
            .filter(|(pid, s)| **pid == self.root || self.seen.contains_key(&(**pid, s.started)))
            .map(|(pid, _)| *pid)
            .collect();
        let mut at = 0;
        while let Some(parent) = members.get(at).copied() {
            let children: Vec<u32> = all
                .iter()
                .filter(|(pid, s)| s.parent == parent && !members.contains(pid))
                .map(|(pid, _)| *pid)
                .collect();
            members.extend(children);
            at += 1;
        }
        for pid in &members {
            self.seen.insert((*pid, all[pid].started), all[pid].cpu);
        }
        let root = all.get(&self.root);
        if let Some(root) = root {
            self.of_root = root.cpu + root.of_children;
        }
        if self.looked.is_none_or(|at| at.elapsed() > Duration::from_millis(500)) {
            let held = members
                .iter()
                .filter_map(|pid| kib(&fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?, "Pss"));
            self.peak = held.sum::<f64>().max(self.peak);
            self.looked = Some(Instant::now());
        }
        root.is_some_and(|root| !root.zombie)
    }

    /// CPU seconds of all of them so far: as seen while they ran, or as their parents were told when they ended,
    /// whichever is more.
    pub fn cpu(&self) -> f64 {
        self.seen.values().sum::<f64>().max(self.of_root)
    }

    /// Asks those that still run to end, the youngest first.
    pub fn terminate(&mut self) {
        self.look();
        for (pid, started) in self.seen.keys().rev() {
            if stat(*pid).is_some_and(|s| s.started == *started && !s.zombie) {
                Pid::from_raw(*pid as i32).map(|pid| kill_process(pid, Signal::TERM));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_process_and_its_children_are_counted_to_their_end() {
        let spin = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";
        let mut one = Command::new("sh").args(["-c", spin]).spawn().expect("sh");
        let cost = wait(&mut one, Duration::from_secs(60)).expect("its end");
        assert!(cost.status.success() && cost.cpu > 0.05 && cost.peak > 0.5, "{cost:?}");

        let mut two =
            Command::new("sh").args(["-c", &format!("sh -c '{spin}' & sh -c '{spin}' & wait")]).spawn().expect("sh");
        let mut family = Family::of(two.id());
        while family.look() {
            thread::sleep(Duration::from_millis(5));
        }
        two.wait().expect("its end");
        assert!(family.cpu() > 1.2 * cost.cpu && family.peak > 0.0, "{family:?} beside {cost:?}");
    }
}
