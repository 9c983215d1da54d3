//! What runs in the simulation: the real committer, as `run` and the operator's commands use it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use landfall::checkpoint::Layout;
use landfall::commit::{Batch, Committed, Committer, Decision, Host, Log, LogError};
use landfall::model::Offset;

use crate::common::toy::{CHECKPOINT, batch_of, job, partition, replay_of};
use crate::wire::{SimHost, SimStorage, Wire};

/// What an operator does in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Skips some messages of partition 0.
    Gap,
    /// Declares the topic new.
    Topic,
    /// Sends dead letters through the tables again. Two people do it at the same time.
    Replay,
}

/// What all daemons of a run know.
#[derive(Debug)]
pub struct Plan {
    /// Messages of each partition.
    pub messages: Vec<i64>,
    pub slots_per_epoch: u64,
    /// Whether every second message is a dead letter, in no table until it is replayed.
    pub letters: bool,
    /// Whether rows carry the number of their slot.
    pub stamped: bool,
    /// How often a daemon tidies up after a commit.
    pub tidy: f64,
    /// `x_kafka_offsets`: believe the group's offsets.
    pub kafka_offsets: bool,
    /// Whether daemons take whatever is there, or any part of it.
    pub whole: bool,
    pub group: Mutex<BTreeMap<i32, i64>>,
    pub done: Done,
}

/// What daemons did.
#[derive(Debug, Default)]
pub struct Done {
    pub landed: AtomicU64,
    pub superseded: AtomicU64,
    /// Replays that gave way to another one.
    pub replays_superseded: AtomicU64,
    /// Batches that landed in a later slot than they first went for.
    pub rebased: AtomicU64,
    /// Directories in staging that a daemon's own collector deleted.
    pub collected: AtomicU64,
}

impl Plan {
    pub fn is_letter(&self, offset: i64) -> bool {
        self.letters && offset % 2 == 1
    }
}

fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}

/// A process that stops: a supervisor starts it again. `Err`: what a sound log never says.
fn stopped(e: LogError) -> Result<(), String> {
    match e {
        LogError::Storage(_) => Ok(()),
        e => Err(format!("STOPPED: {e}")),
    }
}

async fn open(plan: &Plan, host: &Arc<SimHost>, wire: &Arc<Wire>) -> Result<Committer, String> {
    let log = Log::new(Arc::new(SimStorage(wire.clone())), Layout::new(CHECKPOINT), host.clone());
    let incarnation = host.new_id();
    loop {
        let opened = async {
            log.make_directories(incarnation, &job()).await?;
            log.open(&job(), &[]).await
        };
        match opened.await {
            Ok(opened) => {
                host.open.store(true, Ordering::Relaxed);
                let (log, name) = (log.clone(), "sim".to_owned());
                return Ok(Committer::new(log, opened.job, opened.state, incarnation, name, plan.slots_per_epoch));
            }
            Err(e) => stopped(e)?,
        }
        host.yield_now().await;
    }
}

/// What is to be read, from where the log stands.
fn next_batch(plan: &Plan, host: &SimHost, committer: &Committer) -> Option<Arc<Batch>> {
    let mut left = Vec::new();
    for (&messages, p) in plan.messages.iter().zip(0..) {
        let end = committer.end(&partition(p)).unwrap_or(Offset(0)).0;
        if end < messages {
            left.push((p, end, messages));
        }
    }
    let must = host.up_to(left.len().max(1) as i64) as usize - 1;
    let mut ranges = Vec::new();
    for (k, (p, end, messages)) in left.into_iter().enumerate() {
        if plan.whole {
            ranges.push((p, end, messages));
        } else if k == must || host.chance(0.25) {
            ranges.push((p, end, end + host.up_to((messages - end).min(2))));
        }
    }
    let incarnation = committer.state().incarnation("events");
    let mut text = String::new();
    for &(p, start, end) in &ranges {
        (start..end).filter(|o| !plan.is_letter(*o)).for_each(|o| writeln!(text, "{incarnation}:{p}:{o}").unwrap());
    }
    (!ranges.is_empty()).then(|| batch_of(incarnation, &ranges, text, plan.stamped))
}

/// A daemon, until all has landed. It owns all partitions, as every other one does.
pub async fn daemon(plan: Arc<Plan>, host: Arc<SimHost>, wire: Arc<Wire>) -> Result<(), String> {
    let mut committer = open(&plan, &host, &wire).await?;
    if plan.kafka_offsets {
        *committer.state_mut() = committer.state().clone().lenient();
        for p in 0..plan.messages.len() as i32 {
            let end = plan.group.lock().unwrap().get(&p).copied().unwrap_or(0);
            committer.state_mut().override_end(partition(p), Offset(end));
        }
    }
    while let Some(batch) = next_batch(&plan, &host, &committer) {
        // As upkeep does, while a batch is being filled.
        if !plan.kafka_offsets && host.chance(0.1) {
            committer.catch_up().await.or_else(stopped)?;
        }
        match committer.commit(&batch).await {
            Ok(Committed::Landed { lost_slots, .. }) => {
                add(&plan.done.landed, 1);
                add(&plan.done.rebased, u64::from(lost_slots > 0));
                host.yield_now().await;
                let ends = batch.partitions.iter().map(|p| (p.p, p.end.0));
                plan.group.lock().unwrap().extend(ends);
            }
            Ok(Committed::Superseded) => add(&plan.done.superseded, 1),
            Err(e) => return stopped(e),
        }
        if host.chance(plan.tidy) {
            let age = |now| Duration::from_millis(if now { 0 } else { 2 * SimHost::NOW_MS as u64 });
            let (staging, epochs) = (age(host.chance(0.5)), age(host.chance(0.8)));
            match committer.tidy(staging, epochs).await {
                Ok(tidied) => add(&plan.done.collected, tidied.staging),
                Err(e) => stopped(e)?,
            }
        }
    }
    Ok(())
}

/// A person with a command.
pub async fn operator(plan: Arc<Plan>, host: Arc<SimHost>, wire: Arc<Wire>, order: Order) -> Result<(), String> {
    let mut committer = open(&plan, &host, &wire).await?;
    let seen = committer.end(&partition(0)).unwrap_or(Offset(0)).0;
    for _ in 0..host.up_to(10) {
        host.yield_now().await;
    }
    // What was decided is done on top of a log that may have moved on.
    committer.catch_up().await.map_err(|e| format!("STOPPED: {e}"))?;
    let why = Decision { reason: "simulated".to_owned(), operator: "sim".to_owned() };
    let answer = match order {
        Order::Gap => {
            let to = seen + host.up_to(2);
            if to > plan.messages[0] {
                return Ok(());
            }
            committer.accept_gap(partition(0), Offset(to), why).await
        }
        Order::Topic => committer.accept_topic("events".to_owned(), BTreeMap::new(), why).await,
        Order::Replay => return replay(&plan, &host, &mut committer).await,
    };
    answer.map(|_| ()).or_else(stopped)
}

/// The dead letters that the log has read and not landed, or some of them.
fn waiting(plan: &Plan, host: &SimHost, committer: &Committer) -> Vec<(i32, i64)> {
    let mut letters = Vec::new();
    for p in 0..plan.messages.len() as i32 {
        let end = committer.end(&partition(p)).unwrap_or(Offset(0)).0;
        let replayed = committer.state().replayed();
        letters
            .extend((0..end).filter(|o| plan.is_letter(*o) && !replayed.contains("events", 0, p, *o)).map(|o| (p, o)));
    }
    let most = host.up_to(letters.len().max(1) as i64) as usize;
    if !plan.whole {
        letters.truncate(most);
    }
    letters
}

/// `dead-letters replay`, until nothing waits any more.
async fn replay(plan: &Plan, host: &SimHost, committer: &mut Committer) -> Result<(), String> {
    let mut looks = 0;
    loop {
        let letters = waiting(plan, host, committer);
        if letters.is_empty() {
            looks += 1;
            if looks > 8 {
                return Ok(());
            }
            host.yield_now().await;
            committer.catch_up().await.or_else(stopped)?;
            continue;
        }
        let mut text = String::new();
        letters.iter().for_each(|(p, o)| writeln!(text, "0:{p}:{o}").unwrap());
        match committer.commit(&replay_of(&letters, text, plan.stamped)).await {
            Ok(Committed::Landed { .. }) => {}
            Ok(Committed::Superseded) => add(&plan.done.replays_superseded, 1),
            Err(e) => return stopped(e),
        }
    }
}
