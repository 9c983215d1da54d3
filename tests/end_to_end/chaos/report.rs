//! What happened, in figures.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use serde_json::Value;

use super::observer::Seen;
use super::{DAEMONS, Landed, RATE, TABLES};

/// Counted while it happens.
#[derive(Debug, Default)]
pub struct Figures {
    seed: u64,
    /// How long there were faults.
    pub length: Duration,
    /// From the end of all faults until everything was landed.
    pub to_land_all: Duration,
    /// From there until every partition was registered.
    pub to_register_all: Duration,
    pub kills: u64,
    pauses: u64,
    longest_pause: Duration,
    /// Starts after an end of the daemon's own, by exit code.
    pub restarts: BTreeMap<i32, u64>,
    pub server_faults: BTreeMap<&'static str, u64>,
    pub network_faults: BTreeMap<String, u64>,
    /// How often a foreign member came into the group and left it.
    pub visits: u64,
    pub sent: u64,
    pub seen: Seen,
    pub landed: Landed,
    // From the daemons' logs:
    logged: u64,
    assignments: u64,
    lost_slots: u64,
    superseded: u64,
    seals: u64,
    epochs_deleted: u64,
    staging_deleted: u64,
    outages: u64,
    longest_outage: f64,
    errors: BTreeMap<String, u64>,
}

impl Figures {
    pub fn new(seed: u64) -> Figures {
        Figures { seed, ..Figures::default() }
    }

    pub fn paused(&mut self, time: Duration) {
        self.pauses += 1;
        self.longest_pause = self.longest_pause.max(time);
    }

    /// The log of one daemon.
    pub fn add(&mut self, lines: &[Value]) {
        for line in lines {
            let message = line["message"].as_str().unwrap_or_default();
            self.logged += u64::from(line["progress"].is_object());
            self.lost_slots += line["lost_slots"].as_u64().unwrap_or(0);
            self.superseded += u64::from(message.starts_with("another daemon landed messages of this batch"));
            self.assignments += u64::from(message == "the consumer group gave us partitions");
            self.seals += u64::from(line["sealed_here"] == true);
            self.epochs_deleted += line["epochs"].as_u64().unwrap_or(0);
            self.staging_deleted += line["staging"].as_u64().unwrap_or(0);
            if let Some(seconds) = line["outage_seconds"].as_f64() {
                self.outages += 1;
                self.longest_outage = self.longest_outage.max(seconds);
            }
            // The last line of one that ends because a service is away is counted as its restart.
            if line["level"] == "ERROR" && line["exit_code"].is_null() {
                *self.errors.entry(message.to_owned()).or_default() += 1;
            }
        }
    }

    /// Markdown; what must not happen has stopped the run before this, so that it stands here as 0.
    pub fn report(&self, seconds: u64) -> String {
        let mut text = String::from("# Chaos run\n\n");
        let (seed, length) = (self.seed, self.length.as_secs_f64());
        let command = format!("CHAOS_SECONDS={seconds} CHAOS_SEED={seed} scripts/chaos");
        let mut line = |name: &str, value: &dyn std::fmt::Display| writeln!(text, "| {name} | {value} |").unwrap();
        line("what", &"figure");
        line("---", &"---");
        line("command", &format!("`{command}`"));
        line("daemons; events/s produced", &format!("{DAEMONS}; {RATE}"));
        line("time under faults", &format!("{length:.0} s"));
        line("kill -9 of a daemon", &format!("{} ({:.1} a minute)", self.kills, self.kills as f64 / length * 60.0));
        line("pauses of a daemon", &format!("{} (longest {:.1} s)", self.pauses, self.longest_pause.as_secs_f64()));
        line("foreign member joined the group and left", &self.visits);
        line("assignments that daemons got", &self.assignments);
        for (name, count) in &self.server_faults {
            line(name, count);
        }
        line("network faults", &self.network_faults.values().sum::<u64>());
        for (name, count) in &self.network_faults {
            line(&format!("&nbsp;&nbsp;{name}"), count);
        }
        for (code, count) in &self.restarts {
            line(&format!("restarts by the supervisor after exit code {code}"), count);
        }
        line(
            "outages that daemons met and outlived",
            &format!("{} (longest {:.1} s)", self.outages, self.longest_outage),
        );
        line("slots used", &(self.seen.last_slot + 1));
        line("batches logged as landed", &self.logged);
        line("slots lost to other daemons, batch rebased", &self.lost_slots);
        line("batches dropped, another daemon was first", &self.superseded);
        line("epochs of the log sealed; old ones deleted", &format!("{}; {}", self.seals, self.epochs_deleted));
        line("staging directories deleted, of the dead and of the living", &self.staging_deleted);
        line("messages sent", &self.sent);
        line("messages in Kafka", &self.landed.messages);
        line("of these for no table", &self.landed.unrouted);
        for (table, rows) in TABLES.iter().zip(self.landed.rows) {
            line(&format!("rows in {table}"), &rows);
        }
        line("all landed after the last fault", &format!("{:.1} s", self.to_land_all.as_secs_f64()));
        line("partitions, all of them in the metastore", &self.landed.partitions);
        line("all of them registered after the last fault", &format!("{:.1} s", self.to_register_all.as_secs_f64()));
        line("files decoded by the reader", &self.seen.files);
        line("listings of a table", &self.seen.listings);
        line("calls of the reader that failed, and were repeated", &self.seen.failed);
        for (message, count) in &self.errors {
            line(&format!("logged as error: {message}"), count);
        }
        for name in ["lost", "twice", "unreadable files", "vanished files", "out of order"] {
            line(&format!("**{name}**"), &"**0**");
        }
        text
    }
}
