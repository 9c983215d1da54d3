//! The table of all cases, as Markdown.

use std::fmt::Write;
use std::time::Duration;

/// What Presto sees against what Kafka holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rows {
    pub landed: i64,
    pub lost: i64,
    pub twice: i64,
}

/// One case.
#[derive(Debug)]
pub struct Case {
    pub what: String,
    /// How long it lasted, for a service.
    pub lasted: Option<Duration>,
    /// Batches that landed meanwhile.
    pub batches: usize,
    /// For a person's case: what was done.
    pub command: Option<String>,
    /// From the service's return, or the person's command, until the lag was normal again.
    pub goes_on: Duration,
    /// For a service: until Presto saw all that was landed, of new partitions too; its own answer takes a second of it.
    pub visible: Option<Duration>,
    pub rows: Rows,
    /// MiB
    pub peak: u64,
    /// The lines of the log.
    pub said: Vec<String>,
}

impl Case {
    fn first_line(&self) -> String {
        let first = self.said.iter().find(|line| line.starts_with("WARN") || line.starts_with("ERROR"));
        first.map_or_else(
            || "nothing".to_owned(),
            |line| format!("`{}`", short(line).replace('`', "'").replace('|', "/")),
        )
    }
}

/// Without the names that are others in every run.
fn short(line: &str) -> String {
    let part = |part: &str| match part.get(..36).map(uuid::Uuid::try_parse) {
        Some(Ok(_)) => format!("…{}", &part[36..]),
        _ => part.to_owned(),
    };
    line.split('/').map(part).collect::<Vec<_>>().join("/")
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// What services did.
pub fn services(cases: &[Case]) -> String {
    let mut out = String::from(
        "| outage | for | batches meanwhile | goes on after | all in Presto after | lost | twice | memory, at most | lines | the log said first |\n\
         |---|---|---|---|---|---|---|---|---|---|\n",
    );
    cases.iter().for_each(|case| out += &service(case));
    out
}

/// One row of it.
pub fn service(case: &Case) -> String {
    let lasted = case.lasted.map(|time| format!("{:.0} s", time.as_secs_f64())).unwrap_or_default();
    let visible = case.visible.map(seconds).unwrap_or_default();
    let Rows { lost, twice, .. } = case.rows;
    let Case { what, batches, peak, .. } = case;
    let (goes_on, lines, first) = (seconds(case.goes_on), case.said.len(), case.first_line());
    format!(
        "| {what} | {lasted} | {batches} | {goes_on} | {visible} | {lost} | {twice} | {peak} MiB | {lines} | {first} |\n"
    )
}

/// What people did.
pub fn people(cases: &[Case]) -> String {
    let mut out = String::from(
        "| what happened | said after | the log said first | what was done | goes on after | lost | twice | memory, at most |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for case in cases {
        let noticed = case.lasted.map(seconds).unwrap_or_default();
        let command = case.command.as_ref().map_or_else(|| "nothing".to_owned(), |c| format!("`{c}`"));
        let Rows { lost, twice, .. } = case.rows;
        let (what, goes_on, first, peak) = (&case.what, seconds(case.goes_on), case.first_line(), case.peak);
        _ = writeln!(out, "| {what} | {noticed} | {first} | {command} | {goes_on} | {lost} | {twice} | {peak} MiB |");
    }
    out
}
