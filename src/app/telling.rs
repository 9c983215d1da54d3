//! Keeps the status true: who we are at the start, and every second what the services and the metastore say.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::App;
use crate::catalog::{self, NewPartitions, RegistrarStatus, Wanted};
use crate::observe::metrics::table;
use crate::observe::{Metrics, Process, Registration, Service, Status, TableStatus, Time};

/// How old the status may be.
const EVERY: Duration = Duration::from_secs(1);
/// What the registrar tries for as long as the metastore is away.
const REGISTER: &str = "register the tables";

/// The task that tells; it ends with this.
#[derive(Debug)]
pub(super) struct Telling(JoinHandle<()>);

impl Drop for Telling {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl App {
    /// Says who we are, and keeps telling until the answer is dropped.
    pub(super) fn tell(
        &self,
        incarnation: Uuid,
        status: &watch::Sender<Status>,
        registrar: watch::Receiver<RegistrarStatus>,
    ) -> Telling {
        status.send_modify(|s| {
            s.process = self.process(incarnation);
            self.name_tables(s);
        });
        // A series that appears with its first event has no rate then.
        for topic in &self.settings.kafka.topics {
            self.metrics.count(&table::READ, &[topic], 0);
            self.metrics.count(&table::READ_BYTES, &[topic], 0);
        }
        let (status, metrics, new) = (status.clone(), self.metrics.clone(), self.new_partitions.clone());
        let mut teller = Teller { status, metrics, new, registrar, rounds: (0, 0) };
        Telling(tokio::spawn(async move { teller.keep().await }))
    }

    /// Names the tables that are not named yet, and the trigger: both may come with another configuration.
    pub(super) fn name_tables(&self, status: &mut Status) {
        status.process.trigger_interval_seconds = self.settings.trigger.interval.as_secs_f64();
        for (wanted, declared) in self.wanted().iter().zip(&self.tables) {
            if status.tables.iter().all(|t| t.name != declared.name) {
                status.tables.push(self.table(wanted, &declared.name));
            }
            for metric in [&table::TABLE_ROWS, &table::TABLE_BYTES, &table::TABLE_FILES] {
                self.metrics.count(metric, &[&declared.name], 0);
            }
        }
    }

    fn process(&self, incarnation: Uuid) -> Process {
        Process {
            version: env!("CARGO_PKG_VERSION"),
            job: self.settings.job.clone(),
            instance: super::instance(incarnation),
            started: Some(Time::now()),
            trigger_interval_seconds: self.settings.trigger.interval.as_secs_f64(),
            storage: self.storage.uri("/"),
            topics: self.settings.kafka.topics.clone(),
        }
    }

    fn table(&self, wanted: &Wanted, name: &str) -> TableStatus {
        let registration = match self.catalog {
            Some(_) => Registration::Unregistered { since: Time::now(), reason: "not tried yet".to_owned() },
            None => Registration::None,
        };
        let (full_name, location) = (wanted.full_name(), wanted.table.location.clone());
        TableStatus { full_name, location, registration, ..TableStatus::new(name) }
    }
}

struct Teller {
    status: watch::Sender<Status>,
    metrics: Metrics,
    new: NewPartitions,
    registrar: watch::Receiver<RegistrarStatus>,
    /// The registrar's rounds that are counted, and how many of them failed.
    rounds: (u64, u64),
}

impl Teller {
    async fn keep(&mut self) {
        loop {
            let registrar = self.registrar.borrow_and_update().clone();
            self.count(&registrar);
            self.tell(&registrar);
            // Its rounds come no faster than it tells of them; a registrar that is gone says no more.
            _ = tokio::time::timeout(EVERY, async {
                if self.registrar.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            })
            .await;
        }
    }

    /// Counts what the registrar has done since.
    fn count(&mut self, registrar: &RegistrarStatus) {
        let (rounds, failed) = std::mem::replace(&mut self.rounds, (registrar.rounds, registrar.failed_rounds));
        if registrar.rounds > rounds {
            self.metrics.seconds(&table::PHASES, &["register"], registrar.took);
        }
        match &registrar.away {
            Some((_, reason)) if registrar.failed_rounds > failed => {
                self.metrics.failed(Service::Metastore, REGISTER, reason);
            }
            Some(_) => {}
            None => {
                self.metrics.over(Service::Metastore, REGISTER);
                let more = registrar.failed_rounds - failed;
                self.metrics.count(&table::RETRIES, &[Service::Metastore.name()], more);
            }
        }
    }

    fn tell(&self, registrar: &RegistrarStatus) {
        let waiting = self.new.subscribe().borrow().clone();
        self.status.send_modify(|s| {
            let now = Time::now();
            for table in &mut s.tables {
                if let Some(said) = registrar.tables.get(&table.full_name) {
                    table.registration = registration(said, &table.registration, now);
                }
                let partitions = waiting.iter().filter(|(t, _)| *t == table.name).count();
                table.unregistered_partitions = partitions as u64;
                let since = table.unregistered_partitions_since.or(Some(now));
                table.unregistered_partitions_since = since.filter(|_| partitions > 0);
            }
            s.outages = self.metrics.outages();
        });
    }
}

fn registration(said: &catalog::TableStatus, before: &Registration, now: Time) -> Registration {
    match said {
        catalog::TableStatus::Registered => Registration::Registered,
        catalog::TableStatus::Newer(reason) => Registration::Newer { reason: reason.clone() },
        catalog::TableStatus::Unregistered { since, reason } => {
            Registration::Unregistered { since: (*since).into(), reason: reason.clone() }
        }
        catalog::TableStatus::Differs(differences) => {
            let since = match before {
                Registration::Differs { since, .. } => *since,
                _ => now,
            };
            Registration::Differs { since, reason: differences.join("; ") }
        }
    }
}
