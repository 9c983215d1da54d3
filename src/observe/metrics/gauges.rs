//! What is no counter: set from the status when somebody asks.

use std::time::Duration;

use super::table::{self, ALL, Kind, STATES};
use super::{Metrics, Series};
use crate::observe::outages::Service;
use crate::observe::partitions::{PartitionState, PartitionStatus};
use crate::observe::status::Status;
use crate::observe::tables::{Registration, TableStatus};
use crate::observe::time::Time;

impl Metrics {
    /// Sets all gauges anew, so that what is gone, such as a partition that another process reads now, has no series.
    pub(super) fn set_gauges(&self, s: &Status) {
        let now = Time::now();
        for metric in ALL.iter().filter(|m| m.kind == Kind::Gauge) {
            if let Some(Series::Gauge(family)) = self.series(metric) {
                family.clear();
            }
        }
        for state in STATES {
            let in_it = s.partitions.iter().filter(|p| p.state.name() == state).count();
            self.set(&table::PARTITIONS, &[state], in_it as f64);
        }
        s.partitions.iter().for_each(|p| self.set_partition(p, now));
        s.tables.iter().for_each(|t| self.set_table(t, now));
        let unregistered = s.tables.iter().filter(|t| unregistered_since(t).is_some()).count();
        self.set(&table::UNREGISTERED, &[], unregistered as f64);
        for service in Service::ALL {
            let longest = s.outages.iter().filter(|o| o.service == service).map(|o| o.since).min();
            self.set(&table::OUTAGE, &[service.name()], age(longest, now));
        }
        self.set(&table::LAST_BATCH, &[], s.last.as_ref().map_or(0, |p| p.batch_id) as f64);
        self.set(&table::LAST_LANDED, &[], s.last_landed.map_or(0, Time::ms) as f64 / 1000.0);
        self.set(&table::NOT_LANDED, &[], age(s.landing_since, now));
        self.set(&table::TRIGGER_INTERVAL, &[], s.process.trigger_interval_seconds);
        self.set(&table::MEMORY_HELD, &[], s.memory.held_bytes as f64);
        self.set(&table::MEMORY_MAX, &[], s.memory.max_bytes as f64);
        self.set(&table::REFUSED, &[], f64::from(u8::from(s.denied.is_some())));
        self.set(&table::CONFIG_TAKEN, &[], f64::from(u8::from(s.config.last_error.is_none())));
        self.set(&table::BUILD, &[env!("CARGO_PKG_VERSION")], 1.0);
    }

    fn set_partition(&self, p: &PartitionStatus, now: Time) {
        let number = p.partition.to_string();
        let labels = [p.topic.as_str(), number.as_str()];
        if let Some(lag) = p.lag_messages {
            self.set(&table::LAG_MESSAGES, &labels, lag as f64);
        }
        if let Some(lag) = p.lag_seconds {
            self.set(&table::LAG_SECONDS, &labels, lag);
        }
        if p.end_known.is_some() {
            self.set(&table::END_AGE, &labels, age(p.end_known, now));
        }
        let stopped = matches!(p.state, PartitionState::Stopped { .. });
        self.set(&table::STOPPED, &labels, f64::from(u8::from(stopped)));
    }

    fn set_table(&self, t: &TableStatus, now: Time) {
        let labels = [t.name.as_str()];
        self.set(&table::TABLE_UNREGISTERED, &labels, age(unregistered_since(t), now));
        self.set(&table::UNREGISTERED_PARTITIONS, &labels, t.unregistered_partitions as f64);
        self.set(&table::PARTITIONS_UNREGISTERED, &labels, age(t.unregistered_partitions_since, now));
    }
}

fn unregistered_since(t: &TableStatus) -> Option<Time> {
    match t.registration {
        Registration::Unregistered { since, .. } | Registration::Differs { since, .. } => Some(since),
        Registration::None | Registration::Registered | Registration::Newer { .. } => None,
    }
}

/// Seconds; what has begun has lasted for a moment at least, so that it is told from what is not.
fn age(since: Option<Time>, now: Time) -> f64 {
    since.map_or(0.0, |since| since.age(now).max(Duration::from_millis(1)).as_secs_f64())
}
