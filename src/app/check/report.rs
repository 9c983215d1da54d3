//! What a check says, for people and for scripts.

use std::fmt;

use serde::Serialize;

use crate::fault::Fault;

/// What was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Configuration and migrations.
    Declared,
    /// Kafka.
    Kafka,
    /// Storage.
    Storage,
    /// Metastore.
    Metastore,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// As it must be.
    Ok,
    /// A start makes it.
    New,
    /// A start changes it.
    Change,
    /// A start goes on, but somebody may want to know.
    Note,
    /// It does not answer.
    Away,
    /// A person must act.
    Wrong,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Where.
    pub part: Part,
    /// How it is.
    pub mark: Mark,
    /// What it is.
    pub what: String,
    /// How it is, in words.
    pub says: String,
    /// More, a line each.
    pub details: Vec<String>,
}

impl Line {
    pub(super) fn new(part: Part, mark: Mark, what: impl Into<String>, says: impl Into<String>) -> Line {
        Line { part, mark, what: what.into(), says: says.into(), details: Vec::new() }
    }

    pub(super) fn with(mut self, details: Vec<String>) -> Line {
        self.details = details;
        self
    }

    /// What failed: away if it may work later, else wrong.
    pub(super) fn failed(part: Part, what: impl Into<String>, fault: Fault, e: &impl fmt::Display) -> Line {
        let mark = if fault == Fault::Retry { Mark::Away } else { Mark::Wrong };
        Line::new(part, mark, what, e.to_string())
    }
}

/// What a check has found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// The job.
    pub job: String,
    /// Nothing was reached.
    pub offline: bool,
    /// In the order in which they are shown.
    pub lines: Vec<Line>,
}

impl CheckReport {
    /// What a start would end with: a configuration fault goes before a service that is away. `None`: it would start.
    pub fn fault(&self) -> Option<Fault> {
        let any = |mark| self.lines.iter().any(|l| l.mark == mark);
        if any(Mark::Wrong) {
            Some(Fault::Config)
        } else if any(Mark::Away) {
            Some(Fault::Retry)
        } else {
            None
        }
    }

    /// One line on all of it.
    pub fn summary(&self) -> String {
        let parts = [
            (Mark::Wrong, "to be mended first"),
            (Mark::Away, "not reached"),
            (Mark::New, "to be made"),
            (Mark::Change, "to be changed"),
            (Mark::Note, "to be known"),
        ];
        let count = |mark| self.lines.iter().filter(|l| l.mark == mark).count();
        let parts: Vec<_> =
            parts.iter().filter(|(m, _)| count(*m) > 0).map(|(m, words)| format!("{} {words}", count(*m))).collect();
        match (parts.is_empty(), self.offline) {
            (true, true) => "nothing is wrong in configuration and migrations; nothing was reached".to_owned(),
            (true, false) => "all is as declared: a start has nothing to make or change".to_owned(),
            (false, _) => parts.join(", "),
        }
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut part = None;
        for line in &self.lines {
            if part != Some(line.part) {
                part = Some(line.part);
                writeln!(
                    f,
                    "{}",
                    match line.part {
                        Part::Declared => format!("declared, job {}", self.job),
                        Part::Kafka => "kafka".to_owned(),
                        Part::Storage => "storage".to_owned(),
                        Part::Metastore => "metastore".to_owned(),
                    }
                )?;
            }
            let mark = match line.mark {
                Mark::Ok => "ok",
                Mark::New => "new",
                Mark::Change => "change",
                Mark::Note => "note",
                Mark::Away => "AWAY",
                Mark::Wrong => "WRONG",
            };
            writeln!(f, "  {mark:<7} {}: {}", line.what, line.says)?;
            for detail in &line.details {
                writeln!(f, "          - {detail}")?;
            }
        }
        writeln!(f, "{}", self.summary())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(marks: &[Mark]) -> CheckReport {
        let line = |mark: &Mark| Line::new(Part::Kafka, *mark, "topic events", "there").with(vec!["so".to_owned()]);
        CheckReport { job: "j".into(), offline: false, lines: marks.iter().map(line).collect() }
    }

    #[test]
    fn what_is_wrong_goes_before_what_is_away_and_the_rest_is_no_fault() {
        assert_eq!(report(&[Mark::Ok, Mark::New, Mark::Change, Mark::Note]).fault(), None);
        assert_eq!(report(&[Mark::Ok, Mark::Away]).fault(), Some(Fault::Retry));
        assert_eq!(report(&[Mark::Away, Mark::Wrong]).fault(), Some(Fault::Config));
    }

    #[test]
    fn the_text_has_a_head_for_each_part_and_a_summary() {
        let text = report(&[Mark::Ok, Mark::Wrong, Mark::Wrong]).to_string();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[..3], ["kafka", "  ok      topic events: there", "          - so"]);
        assert_eq!((lines.len(), *lines.last().unwrap()), (8, "2 to be mended first"));
        assert!(report(&[Mark::Ok]).summary().contains("as declared"));
    }
}
