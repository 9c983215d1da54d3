//! What is counted, and its exposition for Prometheus.

#[cfg(test)]
mod docs;
mod gauges;
mod process;
pub mod table;

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry;

use super::outages::{Outage, Outages, Service};
use super::status::Status;
use table::{ALL, Kind, Metric, Unit};

/// From a rename in memory to a storage that makes a commit wait for minutes.
const BUCKETS: [f64; 15] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0];

type Labels = Vec<(&'static str, String)>;

/// All series of a metric. Clones are the same series.
#[derive(Debug, Clone)]
enum Series {
    Count(Family<Labels, Counter>),
    Seconds(Family<Labels, Counter<f64, AtomicU64>>),
    Gauge(Family<Labels, Gauge<f64, AtomicU64>>),
    Histogram(Family<Labels, Histogram, fn() -> Histogram>),
}

/// Counts what happens, and knows what is out of order. A handle that is cheap to clone. Nothing is counted for each
/// message: a count costs about a microsecond.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    series: HashMap<&'static str, Series>,
    registry: registry::Registry,
    outages: Outages,
    /// The gauges are set from a status and written by one at a time.
    rendering: Mutex<()>,
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics::new()
    }
}

impl Metrics {
    /// The content type of what [`Metrics::render`] writes.
    pub const CONTENT_TYPE: &'static str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// All metrics of the table, at zero.
    pub fn new() -> Metrics {
        let mut registry = registry::Registry::default();
        let series = ALL.iter().map(|m| (m.name, register(&mut registry, m))).collect();
        let (outages, rendering) = (Outages::default(), Mutex::default());
        let metrics = Metrics(Arc::new(Inner { series, registry, outages, rendering }));
        metrics.begin();
        metrics
    }

    /// Shows a zero for what is known to be possible: a series that appears with its first event has no rate then.
    fn begin(&self) {
        let one = |metric, values: &[&str]| values.iter().for_each(|v| self.count(metric, &[v], 0));
        one(&table::LANDED, &table::OUTCOMES);
        one(&table::AMBIGUOUS, &table::AMBIGUOUS_CALLS);
        one(&table::RETRIES, &Service::ALL.map(Service::name));
        one(&table::RELOADS, &table::RELOAD_RESULTS);
        for metric in ALL.iter().filter(|m| m.kind == Kind::Counter && m.labels.is_empty()) {
            self.count(metric, &[], 0);
        }
        for cause in table::CAUSES {
            self.count(&table::PAUSES, &[cause], 0);
            self.seconds(&table::PAUSED, &[cause], Duration::ZERO);
        }
        for phase in table::PHASE_NAMES {
            self.touch(&table::PHASES, &[phase]);
        }
        self.touch(&table::TRIGGER, &[]);
    }

    /// Adds to a counter; `labels` are values in the order of the table.
    pub fn count(&self, metric: &Metric, labels: &[&str], by: u64) {
        match self.series(metric) {
            Some(Series::Count(family)) => _ = family.get_or_create(&pairs(metric, labels)).inc_by(by),
            Some(Series::Seconds(_)) => self.seconds(metric, labels, Duration::ZERO),
            _ => debug_assert!(false, "{} is no counter", metric.name),
        }
    }

    /// Adds a time to a counter or a histogram of seconds.
    pub fn seconds(&self, metric: &Metric, labels: &[&str], time: Duration) {
        match self.series(metric) {
            Some(Series::Seconds(family)) => {
                _ = family.get_or_create(&pairs(metric, labels)).inc_by(time.as_secs_f64());
            }
            Some(Series::Histogram(family)) => {
                family.get_or_create(&pairs(metric, labels)).observe(time.as_secs_f64());
            }
            _ => debug_assert!(false, "{} has no seconds to add", metric.name),
        }
    }

    /// Shows a histogram that has seen nothing yet.
    pub fn touch(&self, metric: &Metric, labels: &[&str]) {
        if let Some(Series::Histogram(family)) = self.series(metric) {
            drop(family.get_or_create(&pairs(metric, labels)));
        }
    }

    /// A try of `what` has failed, and is made again.
    pub fn failed(&self, service: Service, what: &'static str, error: &str) {
        self.0.outages.failed(service, what, error);
        self.count(&table::RETRIES, &[service.name()], 1);
    }

    /// It worked, or is not tried any more.
    pub fn over(&self, service: Service, what: &'static str) {
        self.0.outages.over(service, what);
    }

    /// What is out of order now.
    pub fn outages(&self) -> Vec<Outage> {
        self.0.outages.now()
    }

    /// Everything, as Prometheus reads it; what is no counter is taken from `status`.
    pub fn render(&self, status: &Status) -> String {
        let _one_at_a_time = self.0.rendering.lock().unwrap_or_else(PoisonError::into_inner);
        self.set_gauges(status);
        self.set_process();
        let mut text = String::with_capacity(32 << 10);
        // Writing to a string cannot fail.
        _ = encode(&mut text, &self.0.registry);
        text
    }

    fn series(&self, metric: &Metric) -> Option<&Series> {
        self.0.series.get(metric.name)
    }

    fn set(&self, metric: &Metric, labels: &[&str], value: f64) {
        match self.series(metric) {
            Some(Series::Gauge(family)) => _ = family.get_or_create(&pairs(metric, labels)).set(value),
            _ => debug_assert!(false, "{} is no gauge", metric.name),
        }
    }
}

fn pairs(metric: &Metric, values: &[&str]) -> Labels {
    debug_assert_eq!(metric.labels.len(), values.len(), "{}", metric.name);
    metric.labels.iter().zip(values).map(|(name, value)| (*name, (*value).to_owned())).collect()
}

fn histogram() -> Histogram {
    Histogram::new(BUCKETS)
}

/// The library adds unit and `_total` by itself.
fn register(registry: &mut registry::Registry, metric: &Metric) -> Series {
    let name = metric.name.strip_suffix("_total").unwrap_or(metric.name);
    let suffix = format!("_{}", metric.unit.name());
    let name = name.strip_suffix(&suffix).unwrap_or(name);
    let series = match (metric.kind, metric.unit) {
        (Kind::Counter, Unit::Seconds) => Series::Seconds(Family::default()),
        (Kind::Counter, _) => Series::Count(Family::default()),
        (Kind::Gauge, _) => Series::Gauge(Family::default()),
        (Kind::Histogram, _) => Series::Histogram(Family::new_with_constructor(histogram)),
    };
    match series.clone() {
        Series::Count(family) => add(registry, name, metric, family),
        Series::Seconds(family) => add(registry, name, metric, family),
        Series::Gauge(family) => add(registry, name, metric, family),
        Series::Histogram(family) => add(registry, name, metric, family),
    }
    series
}

fn add(to: &mut registry::Registry, name: &str, metric: &Metric, family: impl registry::Metric) {
    match metric.unit {
        Unit::None => to.register(name, metric.help, family),
        Unit::Bytes => to.register_with_unit(name, metric.help, registry::Unit::Bytes, family),
        Unit::Seconds => to.register_with_unit(name, metric.help, registry::Unit::Seconds, family),
    }
}
