//! The task that keeps the tables registered. It is never in the way of the data and never gives up.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::partitions::{Known, NewPartitions, PartitionError, Partitions};
use super::port::{Catalog, CatalogError};
use super::reconcile::{Plan, Wanted};
use super::settle::{look, settle};
use super::status::{Ledger, Note, Outcome, RegistrarStatus, TableStatus};
use super::validate::validate;
use crate::fault::Fault;
use crate::observe::Reminder;
use crate::storage::{Parents, Storage};

/// How often the tables are compared again when all is well.
pub const COMPARE_EVERY: Duration = Duration::from_secs(300);

/// How often it is looked in between whether somebody has changed or dropped a table.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// The first wait after a failure, and the longest.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

/// Tables asked about at a time.
const AT_ONCE: usize = 4;

/// Keeps tables registered in a metastore.
#[derive(Debug)]
pub struct Registrar {
    catalog: Arc<dyn Catalog>,
    storage: Arc<dyn Storage>,
    wanted: Vec<Wanted>,
    new: NewPartitions,
    retry: (Duration, Duration),
    look: Duration,
}

impl Registrar {
    /// Registers each wanted table, adds columns that it lacks at its end, compares them again at every `interval`, and
    /// makes anew what was dropped, within half a minute. Tries again for ever, with growing, jittered waits, while something is away. Leaves a
    /// table that differs alone. Partitions follow their table: `new` ones are registered as soon as they are told, others
    /// at the next comparison. Never returns; may be dropped at any time.
    pub async fn run(
        catalog: Arc<dyn Catalog>,
        storage: Arc<dyn Storage>,
        wanted: Vec<Wanted>,
        new: NewPartitions,
        interval: Duration,
        status: watch::Sender<RegistrarStatus>,
    ) {
        Registrar { catalog, storage, wanted, new, retry: RETRY, look: LOOK_EVERY }.keep(interval, &status).await
    }

    async fn keep(&self, interval: Duration, status: &watch::Sender<RegistrarStatus>) {
        let mut ledger = Ledger::new(self.wanted.iter().map(Wanted::full_name), Timestamp::now());
        let mut jitter = StdRng::seed_from_u64(seed());
        let mut failures: u32 = 0;
        let mut known: Vec<Known> = self.wanted.iter().map(|_| Known::default()).collect();
        let mut told = self.new.subscribe();
        let mut away: Option<Reminder> = None;
        loop {
            publish(status, &ledger.status);
            let begun = Instant::now();
            let outcomes = self.try_all(&mut known).await;
            let failed = outcomes.iter().any(|(_, o)| !o.is_answer());
            failures = if failed { failures.saturating_add(1) } else { 0 };
            ledger.enter(outcomes, Timestamp::now()).iter().for_each(log);
            ledger.count(begun.elapsed(), failed);
            publish(status, &ledger.status);
            remind(&mut away, &ledger.status, begun.into_std());
            if failed {
                tokio::time::sleep(growing(self.retry, failures, jitter.random())).await;
                continue;
            }
            let next = Instant::now() + interval;
            let mut look = Instant::now() + self.look;
            // What does not work here is found out, and told, by comparing all.
            while self.register_new(&mut known).await {
                tokio::select! {
                    () = tokio::time::sleep_until(next) => break,
                    () = tokio::time::sleep_until(look) => {
                        if !self.is_as_found(&known, &ledger.status).await {
                            break;
                        }
                        look = Instant::now() + self.look;
                    }
                    // `self` has a sender, so there is always one.
                    _ = told.changed() => {}
                }
            }
        }
    }

    /// Whether the metastore answers, and has each table as it was when all were compared.
    async fn is_as_found(&self, known: &[Known], status: &RegistrarStatus) -> bool {
        let Ok(plans) = look(self.catalog.as_ref(), &self.wanted).await else { return false };
        let mut tables = self.wanted.iter().zip(known).zip(plans);
        tables.all(|((wanted, known), plan)| match (plan, status.tables.get(&wanted.full_name())) {
            (Plan::UpToDate | Plan::Newer(_), _) => known.is_settled,
            (Plan::Differs(now), Some(TableStatus::Differs(before))) => now == *before,
            _ => false,
        })
    }

    /// Registers new partitions of tables that are as wanted. Whether all is well.
    async fn register_new(&self, known: &mut [Known]) -> bool {
        for (wanted, known) in self.wanted.iter().zip(known).filter(|(_, known)| known.is_settled) {
            if !self.partitions(wanted).register_new(known).await.unwrap_or(false) {
                return false;
            }
        }
        true
    }

    fn partitions<'a>(&'a self, wanted: &'a Wanted) -> Partitions<'a> {
        Partitions { catalog: self.catalog.as_ref(), storage: self.storage.as_ref(), wanted, new: &self.new }
    }

    async fn try_all(&self, known: &mut [Known]) -> Vec<(String, Outcome)> {
        // gathered first: a closure that lives across the await would not be general enough for a spawned task
        let tries: Vec<_> = self.wanted.iter().zip(known).map(|(wanted, known)| self.try_one(wanted, known)).collect();
        stream::iter(tries).buffered(AT_ONCE).collect().await
    }

    async fn try_one(&self, wanted: &Wanted, known: &mut Known) -> (String, Outcome) {
        let was_settled = std::mem::take(&mut known.is_settled);
        let outcome = match self.register(wanted, was_settled).await {
            settled @ Outcome::Newer(_) => self.compare_partitions(wanted, known, settled).await,
            Outcome::Found(differences) if differences.is_empty() => {
                self.compare_partitions(wanted, known, Outcome::Found(Vec::new())).await
            }
            other => other,
        };
        (wanted.full_name(), outcome)
    }

    /// `settled`: what is said if all partitions are as they should be.
    async fn compare_partitions(&self, wanted: &Wanted, known: &mut Known, settled: Outcome) -> Outcome {
        match self.partitions(wanted).compare(known).await {
            Ok(differences) => {
                known.is_settled = true;
                if differences.is_empty() { settled } else { Outcome::Found(differences) }
            }
            Err(PartitionError::Catalog(e @ CatalogError::Unavailable { .. })) => Outcome::Away(e.to_string()),
            Err(PartitionError::Storage(e)) if e.fault() == Fault::Retry => Outcome::Storage(e.to_string()),
            Err(e) => Outcome::Failed(format!("its partitions: {e}")),
        }
    }

    /// The directory first: a metastore that makes it may also delete it. `was_settled`: it was there before.
    async fn register(&self, wanted: &Wanted, was_settled: bool) -> Outcome {
        let wrong = validate(&wanted.table);
        if !wrong.is_empty() {
            return Outcome::Failed(format!("the definition must change: {}", wrong.join("; ")));
        }
        if let Err(e) = self.storage.mkdir(&wanted.directory, Parents::Create).await {
            let is_away = e.fault() == Fault::Retry;
            return if is_away { Outcome::Storage(e.to_string()) } else { Outcome::Failed(e.to_string()) };
        }
        let settled = settle(self.catalog.as_ref(), wanted).await;
        if was_settled && matches!(settled, Ok((Plan::UpToDate, true))) {
            let table = wanted.full_name();
            warn!(
                table,
                "somebody has dropped the table in the metastore: it is made anew, its files were never touched"
            );
        }
        match settled.map(|(plan, _)| plan) {
            Ok(Plan::UpToDate) => Outcome::Found(Vec::new()),
            Ok(newer @ Plan::Newer(_)) => Outcome::Newer(newer.refusals().join("; ")),
            Ok(Plan::Differs(differences)) => Outcome::Found(differences),
            Ok(Plan::Create | Plan::Alter(_)) => {
                Outcome::Failed("the metastore took the table, but does not show it as it was sent".to_owned())
            }
            Err(e @ CatalogError::Unavailable { .. }) => Outcome::Away(e.to_string()),
            Err(e) => Outcome::Failed(e.to_string()),
        }
    }
}

fn publish(status: &watch::Sender<RegistrarStatus>, new: &RegistrarStatus) {
    status.send_if_modified(|old| {
        let changed = old != new;
        if changed {
            old.clone_from(new);
        }
        changed
    });
}

/// Says again that the metastore is away, ever more sparsely; returns whether it did.
fn remind(away: &mut Option<Reminder>, status: &RegistrarStatus, now: std::time::Instant) -> bool {
    let Some((_, reason)) = &status.away else {
        *away = None;
        return false;
    };
    let since = away.get_or_insert_with(|| Reminder::new(now));
    let due = since.is_due(now);
    if due {
        let (for_seconds, unregistered) = (since.lasted(now).as_secs(), status.unregistered());
        warn!(%reason, for_seconds, unregistered, "the metastore is still away: data lands all the same");
    }
    due
}

fn log(note: &Note) {
    match note {
        Note::Away(reason) => {
            warn!(%reason, "the metastore is away: data lands all the same, new tables are registered when it is back");
        }
        Note::Back { since } => info!(away_since = %since, "the metastore is back"),
        Note::Storage(reason) => {
            warn!(%reason, "the storage does not answer: tables are registered when it is back");
        }
        Note::Registered(table) => info!(table, "registered"),
        Note::Failed { table, reason } => warn!(table, %reason, "not registered; trying again"),
        Note::Newer { table, reason } => warn!(
            table,
            %reason,
            "the table has new columns that this daemon does not fill: bring it up to date, a start would be refused"
        ),
        Note::Differs { table, differences } => error!(
            table,
            differences = %differences.join("; "),
            "the metastore holds another definition; landfall leaves it alone: change it there, or the migrations"
        ),
    }
}

/// The wait after the n-th failure in a row, from 1: doubling from the first to the longest, less up to half of it.
/// `unit` is from 0 to 1.
fn growing((first, longest): (Duration, Duration), failures: u32, unit: f64) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    (first * 2u32.pow(doublings)).min(longest).mul_f64(1.0 - unit.clamp(0.0, 1.0) / 2.0)
}

/// Only for spreading the tries of several daemons.
fn seed() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64) ^ u64::from(std::process::id())
}

#[cfg(test)]
mod tests;
