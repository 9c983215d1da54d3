//! Processes: started apart from this one, recognised by their mark, never signalled by their id alone.

use crate::state::PartState;
use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Starts the part's server, and notes its id in `state`.
pub(crate) fn spawn(state: &mut PartState) -> Result<()> {
    let log = fs::OpenOptions::new().create(true).append(true).open(&state.log)?;
    state.log_from = log.metadata()?.len();
    let (program, args) = state.argv.split_first().context("nothing to start")?;
    let mut child = Command::new(program)
        .args(args)
        .env_clear()
        .envs(&state.env)
        .current_dir(&state.cwd)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .process_group(0) // a Ctrl-C in the terminal is for the supervisor, which stops the servers in its own way
        .spawn()
        .with_context(|| format!("cannot start {program}"))?;
    let pid = child.id() as i32;
    // We go on a moment before the process's command line changes from ours, over none, to its own with the mark.
    let own: Vec<u8> = state.argv.iter().flat_map(|arg| arg.bytes().chain([0])).collect();
    wait_until(Duration::from_secs(5), || {
        fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|c| c == own) || !matches!(child.try_wait(), Ok(None))
    });
    state.pid = Some(pid);
    thread::spawn(move || child.wait()); // else it stays a zombie when it ends
    Ok(())
}

/// Whether the process runs and bears the mark.
pub(crate) fn is_ours(pid: i32, mark: &str) -> bool {
    let Ok(cmdline) = fs::read(format!("/proc/{pid}/cmdline")) else { return false };
    cmdline.split(|b| *b == 0).any(|arg| arg == mark.as_bytes())
}

/// Every process that bears the mark.
pub(crate) fn find(mark: &str) -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|e| e.file_name().to_str()?.parse().ok());
    pids.filter(|pid| is_ours(*pid, mark)).collect()
}

pub(crate) fn is_paused(pid: i32) -> bool {
    stat(pid).is_some_and(|(state, _)| state == 'T')
}

/// The memory it holds, in KiB.
pub(crate) fn resident(pid: i32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Sends the signal, if the process bears the mark.
pub(crate) fn signal(pid: i32, mark: &str, signal: Signal) -> Result<()> {
    let Some(id) = Pid::from_raw(pid).filter(|_| is_ours(pid, mark)) else { bail!("it is not running") };
    kill_process(id, signal).with_context(|| format!("cannot signal process {pid}"))
}

/// Asks it to end, then makes it, and waits until it is gone. No error if it was already.
pub(crate) fn end(pid: i32, mark: &str, patience: Duration) -> Result<()> {
    if !patience.is_zero() && is_ours(pid, mark) {
        signal(pid, mark, Signal::TERM).ok(); // it may end in between: what counts is that it is gone in the end
        signal(pid, mark, Signal::CONT).ok(); // a paused one hears nothing
        if wait_until(patience, || is_gone(pid, mark)) {
            return Ok(());
        }
    }
    signal(pid, mark, Signal::KILL).ok();
    if !wait_until(Duration::from_secs(20), || is_gone(pid, mark)) {
        bail!("process {pid} does not end");
    }
    Ok(())
}

/// Whether it has let go of everything, its ports above all.
fn is_gone(pid: i32, mark: &str) -> bool {
    match fs::read(format!("/proc/{pid}/cmdline")) {
        Err(_) => true,
        // The command line of an ending process goes first; its other threads may hold the ports a little longer.
        Ok(cmdline) if cmdline.is_empty() => stat(pid).is_none_or(|(state, threads)| state == 'Z' && threads <= 1),
        Ok(_) => !is_ours(pid, mark),
    }
}

/// The state and the number of threads.
fn stat(pid: i32) -> Option<(char, u32)> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn parse_stat(stat: &str) -> Option<(char, u32)> {
    // The program's name, in parentheses, may contain anything: count from the last one.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.nth(16)?.parse().ok()?))
}

pub(crate) fn wait_until(limit: Duration, mut done: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    loop {
        if done() {
            return true;
        }
        if Instant::now() > end {
            return false;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::path::Path;

    /// Busy rather than asleep: a shell that starts `sleep` is two processes with the mark for a moment.
    fn busy(dir: &Path, mark: &str) -> PartState {
        let argv = ["sh", "-c", "echo started; while :; do :; done", mark].map(str::to_owned).to_vec();
        let env = BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]);
        PartState { argv, env, cwd: "/".into(), log: dir.join("log"), ports: vec![], pid: None, log_from: 0 }
    }

    #[test]
    fn a_process_is_paused_resumed_and_ended_by_its_mark_only() {
        let dir = tempfile::tempdir().expect("a folder");
        let mark = format!("-Dlandfall.stack=test:{}", dir.path().display());
        let mut state = busy(dir.path(), &mark);
        spawn(&mut state).expect("started");
        let pid = state.pid.expect("an id");
        assert!(wait_until(Duration::from_secs(5), || state.log_text() == "started\n"));
        assert!(is_ours(pid, &mark) && !is_ours(pid, "another mark"));
        assert_eq!(find(&mark), [pid]);
        assert!(resident(pid).expect("a size") > 0);
        assert!(signal(pid, "another mark", Signal::KILL).is_err());

        signal(pid, &mark, Signal::STOP).expect("paused");
        assert!(wait_until(Duration::from_secs(5), || is_paused(pid)));
        end(pid, &mark, Duration::from_secs(5)).expect("ended");
        assert!(find(&mark).is_empty());
        end(pid, &mark, Duration::ZERO).expect("ending it again does nothing");
    }

    #[test]
    fn a_strange_program_name_does_not_confuse() {
        let stat = "12 (a) b) R 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 21 0 99";
        assert_eq!(parse_stat(stat), Some(('R', 17)));
    }
}
