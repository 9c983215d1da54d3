//! Keeps the status true: who we are at the start, and every second what the services and the metastore say.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::App;
use crate::catalog::{self, RegistrarStatus, Wanted};
use crate::observe::{Process, Registration, Status, TableStatus, Time};

/// How old the status may be.
const EVERY: Duration = Duration::from_secs(1);

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
        let wanted = self.wanted();
        status.send_modify(|s| {
            s.process = self.process(incarnation);
            s.tables = wanted.iter().zip(&self.tables).map(|(w, t)| self.table(w, &t.name)).collect();
        });
        let (status, metrics, new) = (status.clone(), self.metrics.clone(), self.new_partitions.clone());
        Telling(tokio::spawn(async move {
            loop {
                let waiting = new.subscribe().borrow().clone();
                status.send_modify(|s| {
                    let now = Time::now();
                    for table in &mut s.tables {
                        table.enter(registrar.borrow().tables.get(&table.full_name), now);
                        let partitions = waiting.iter().filter(|(t, _)| *t == table.name).count();
                        table.unregistered_partitions = partitions as u64;
                        let since = table.unregistered_partitions_since.filter(|_| partitions > 0);
                        table.unregistered_partitions_since = since.or_else(|| (partitions > 0).then_some(now));
                    }
                    s.outages = metrics.outages();
                });
                tokio::time::sleep(EVERY).await;
            }
        }))
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

impl TableStatus {
    /// Enters what the registrar says of it, if it has said anything.
    fn enter(&mut self, registrar: Option<&catalog::TableStatus>, now: Time) {
        let Some(said) = registrar else { return };
        self.registration = match said {
            catalog::TableStatus::Registered => Registration::Registered,
            catalog::TableStatus::Newer(reason) => Registration::Newer { reason: reason.clone() },
            catalog::TableStatus::Unregistered { since, reason } => {
                Registration::Unregistered { since: (*since).into(), reason: reason.clone() }
            }
            catalog::TableStatus::Differs(differences) => {
                let since = match self.registration {
                    Registration::Differs { since, .. } => since,
                    _ => now,
                };
                Registration::Differs { since, reason: differences.join("; ") }
            }
        };
    }
}
