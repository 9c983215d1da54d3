//! Whether the daemon lives, and whether all that is sent to it lands. Pure.

use serde::Serialize;

use super::history::lag;
use crate::observe::{PartitionState, Phase, Registration, Service, Status, Time, human};

/// The pipeline turns at least every second or so, whatever it waits for.
const DEAD_AFTER_SECONDS: u64 = 60;
/// A call that fails and works a moment later is daily life.
const OUTAGE_SECONDS: u64 = 5;
/// The registrar needs a moment for a table or a partition that is new.
const UNREGISTERED_SECONDS: u64 = 60;
/// Nothing landed for so many trigger intervals, but at least for [`STALL_SECONDS`], though messages wait.
const STALL_INTERVALS: f64 = 6.0;
const STALL_SECONDS: f64 = 60.0;

/// Whether the process turns over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// Whether it does: if not, only a restart helps.
    pub alive: bool,
    /// In words.
    pub says: String,
}

/// `/livez`: the loop of the pipeline moves. A service that is away does not stop it.
pub fn life(status: &Status, now: Time) -> Life {
    let Some(moved) = status.moved else { return Life { alive: true, says: "alive, starting".to_owned() } };
    let quiet = moved.age(now).as_secs();
    let alive = quiet < DEAD_AFTER_SECONDS;
    let says = match alive {
        true => format!("alive, the pipeline moved {} ago", human::seconds(quiet)),
        false => format!("dead: the pipeline has not moved for {}", human::seconds(quiet)),
    };
    Life { alive, says }
}

/// Something that keeps messages from landing, or might.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reason {
    /// Its name, for machines: `starting`, `stopping`, `kafka`, `storage`, `metastore`, `stalled`, `stopped`, `paused`,
    /// `registration`, `memory`, `standby`, `behind`, `denied`, `configuration`.
    pub reason: &'static str,
    /// In words.
    pub message: String,
    /// Since when, if that is known.
    pub since: Option<Time>,
}

/// Whether all that is sent lands and can be queried.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Readiness {
    /// Why not; empty: it does.
    pub reasons: Vec<Reason>,
    /// What is worth knowing all the same.
    pub notes: Vec<Reason>,
}

impl Readiness {
    /// Whether it does.
    pub fn ready(&self) -> bool {
        self.reasons.is_empty()
    }

    /// Whether nothing else than a start or a stop is why not.
    pub fn is_passing(&self) -> bool {
        self.reasons.iter().all(|r| matches!(r.reason, "starting" | "stopping"))
    }

    /// As `/readyz` shows it, with a line's end.
    pub fn to_json(&self) -> String {
        let json = serde_json::json!({"ready": self.ready(), "reasons": self.reasons, "notes": self.notes});
        format!("{json:#}\n")
    }

    fn because(&mut self, reason: &'static str, since: Option<Time>, message: String) {
        self.reasons.push(Reason { reason, message, since });
    }

    fn note(&mut self, reason: &'static str, since: Option<Time>, message: String) {
        self.notes.push(Reason { reason, message, since });
    }
}

/// `/readyz`
pub fn readiness(s: &Status, now: Time) -> Readiness {
    let mut r = Readiness::default();
    match s.phase {
        Phase::Starting => {
            let what = "It reaches Kafka, the storage and the metastore, and opens the log".to_owned();
            r.because("starting", s.process.started, what);
        }
        Phase::Running => {}
        Phase::Stopping => r.because("stopping", None, "It lands what it has read, and ends".to_owned()),
    }
    outages(s, now, &mut r);
    if let Some(why) = &s.denied {
        r.because("denied", None, format!("Kafka refuses: {why}"));
    }
    if let Some(why) = &s.config.last_error {
        let what = "The configuration was read again and is not taken over, the one before stays in force";
        r.note("configuration", s.config.read_again, format!("{what}: {why}"));
    }
    if let Some(why) = &s.paused {
        r.because("paused", None, format!("Reading is paused: {why}"));
    }
    partitions(s, now, &mut r);
    stall(s, now, &mut r);
    registrations(s, now, &mut r);
    if let Some(since) = s.memory.full_since.filter(|t| t.age(now).as_secs() >= OUTAGE_SECONDS) {
        let what = "Reading waits until there is memory again, see memory.max".to_owned();
        r.note("memory", Some(since), what);
    }
    if s.phase == Phase::Running && s.partitions.is_empty() {
        let what = "No partition is this process's: other daemons of the job have them all, the group is being formed, or \
                    the topic does not exist";
        r.note("standby", None, what.to_owned());
    }
    r
}

fn outages(s: &Status, now: Time, r: &mut Readiness) {
    for o in &s.outages {
        let age = o.since.age(now).as_secs();
        let message = format!(
            "{} does not answer as it should: to {} has failed for {} ({}): {}",
            service(o.service),
            o.what,
            human::seconds(age),
            human::of(o.failures, "failure"),
            o.error
        );
        // Rows land without it; what nobody sees for its sake is said below.
        match o.service == Service::Metastore || age < OUTAGE_SECONDS {
            true => r.note(o.service.name(), Some(o.since), message),
            false => r.because(o.service.name(), Some(o.since), message),
        }
    }
}

/// A service as a sentence begins with it.
pub(super) fn service(service: Service) -> &'static str {
    match service {
        Service::Kafka => "Kafka",
        Service::Storage => "The storage",
        Service::Metastore => "The metastore",
    }
}

fn partitions(s: &Status, now: Time, r: &mut Readiness) {
    for p in &s.partitions {
        if let PartitionState::Stopped { since, reason, command } = &p.state {
            let command = command.as_ref().map_or(String::new(), |c| format!(". To resolve it: {c}"));
            r.because(
                "stopped",
                Some(*since),
                format!(
                    "{}[{}] has been stopped for {}: {reason}{command}",
                    p.topic,
                    p.partition,
                    human::seconds(since.age(now).as_secs())
                ),
            );
        }
    }
}

/// Seconds after which nothing landed is too long.
pub(super) fn stall_seconds(s: &Status) -> f64 {
    (s.process.trigger_interval_seconds * STALL_INTERVALS).max(STALL_SECONDS)
}

/// Seconds by which the partition that is furthest behind is behind, of those that are read.
pub(super) fn behind_seconds(s: &Status) -> f64 {
    let read = s.partitions.iter().filter(|p| !matches!(p.state, PartitionState::Stopped { .. }));
    read.filter_map(|p| p.lag_seconds).fold(0.0, f64::max)
}

fn stall(s: &Status, now: Time, r: &mut Readiness) {
    if s.paused.is_some() {
        // It is said already why messages wait.
        return;
    }
    let limit = stall_seconds(s);
    let (behind, waits) = (behind_seconds(s), |t: Time| t.age(now).as_secs_f64() > limit);
    // A daemon that has been there for a moment only has had no time to land anything.
    let quiet_since = s.last_landed.or(s.process.started).filter(|t| waits(*t));
    let held = s.landing_since.filter(|t| waits(*t));
    if let Some(since) = held.or(quiet_since.filter(|_| behind > limit)) {
        let lag = lag(s).map_or("messages".to_owned(), |n| human::of(n, "message"));
        let message = format!("Nothing has landed for {}, though {lag} wait", human::seconds(since.age(now).as_secs()));
        r.because("stalled", Some(since), message);
    } else if behind > limit {
        let message = format!(
            "{}: the oldest of {} is {} old, and batches land",
            if s.batches == 0 { "Far behind" } else { "Catching up" },
            lag(s).map_or("the messages that wait".to_owned(), |n| human::of(n, "waiting message")),
            human::seconds(behind as u64)
        );
        r.note("behind", None, message);
    }
}

fn registrations(s: &Status, now: Time, r: &mut Readiness) {
    let long = |since: &Time| since.age(now).as_secs() >= UNREGISTERED_SECONDS;
    for t in &s.tables {
        let name = &t.full_name;
        match &t.registration {
            Registration::Unregistered { since, reason } if long(since) => {
                let message = format!(
                    "No query finds table {name}: for {} it has not been registered in the metastore: {reason}",
                    human::seconds(since.age(now).as_secs())
                );
                r.because("registration", Some(*since), message);
            }
            Registration::Differs { since, reason } => {
                let message = format!("Table {name} is not in the metastore as it is declared: {reason}");
                r.because("registration", Some(*since), message);
            }
            Registration::Newer { reason } => {
                r.note("registration", None, format!("Table {name} was changed by a newer configuration: {reason}"));
            }
            Registration::None | Registration::Registered | Registration::Unregistered { .. } => {}
        }
        if let Some(since) = t.unregistered_partitions_since.filter(long) {
            let what = human::of(t.unregistered_partitions, "partition");
            let message = format!("No query finds the rows of {what} of table {name}: not registered in the metastore");
            r.because("registration", Some(since), message);
        }
    }
}
