//! Services that do not answer as they should, now.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::time::Time;

/// A service that landfall needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Service {
    /// The brokers.
    Kafka,
    /// HDFS, or local files.
    Storage,
    /// The Hive metastore.
    Metastore,
}

impl Service {
    /// All of them.
    pub const ALL: [Service; 3] = [Service::Kafka, Service::Storage, Service::Metastore];

    /// Its name, as it is written.
    pub fn name(self) -> &'static str {
        match self {
            Service::Kafka => "kafka",
            Service::Storage => "storage",
            Service::Metastore => "metastore",
        }
    }
}

/// Something that does not work now, and is tried again and again.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outage {
    /// Which service.
    pub service: Service,
    /// What is tried: `commit a batch`.
    pub what: String,
    /// Since when it has failed.
    pub since: Time,
    /// How often it has failed since.
    pub failures: u64,
    /// What the last try said.
    pub error: String,
}

/// The outages of now; a handle that is cheap to clone. There are as many as there are things to try, and so few.
#[derive(Debug, Clone, Default)]
pub(super) struct Outages(Arc<Mutex<BTreeMap<(Service, &'static str), Outage>>>);

impl Outages {
    /// A try of `what` has failed.
    pub(super) fn failed(&self, service: Service, what: &'static str, error: &str) {
        let mut now = self.lock();
        let new = || Outage { service, what: what.to_owned(), since: Time::now(), failures: 0, error: String::new() };
        let outage = now.entry((service, what)).or_insert_with(new);
        outage.failures += 1;
        error.clone_into(&mut outage.error);
    }

    /// It worked, or is not tried any more.
    pub(super) fn over(&self, service: Service, what: &'static str) {
        self.lock().remove(&(service, what));
    }

    /// Those of now, the longest first for each service.
    pub(super) fn now(&self) -> Vec<Outage> {
        let mut all: Vec<_> = self.lock().values().cloned().collect();
        all.sort_by_key(|o| (o.service, o.since));
        all
    }

    /// What a panic left behind is as it was before the call: it is only changed at once.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<(Service, &'static str), Outage>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_lasts_from_the_first_failure_to_the_first_success() {
        let outages = Outages::default();
        outages.failed(Service::Storage, "commit a batch", "refused");
        let since = outages.now()[0].since;
        outages.failed(Service::Storage, "commit a batch", "no answer");
        outages.failed(Service::Kafka, "reach a broker", "down");
        let now = outages.now();
        assert_eq!((now.len(), now[0].service), (2, Service::Kafka));
        assert_eq!((now[1].since, now[1].failures, now[1].error.as_str()), (since, 2, "no answer"));
        outages.over(Service::Kafka, "reach a broker");
        outages.over(Service::Storage, "something else");
        assert_eq!(outages.now().len(), 1);
    }
}
