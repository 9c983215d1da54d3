//! What is known of each table's registration, and which changes of it deserve a line in the log. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

/// How the tables stand with the metastore.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RegistrarStatus {
    /// By `database.table`.
    pub tables: BTreeMap<String, TableStatus>,
    /// Since when the metastore does not answer, and what the last try said. `None`: it answered.
    pub away: Option<(Timestamp, String)>,
    /// How often all tables were compared.
    pub rounds: u64,
    /// How long the last of them took.
    pub took: Duration,
    /// How many of them are to be made again soon, because something was in the way.
    pub failed_rounds: u64,
}

impl RegistrarStatus {
    /// How many tables are not registered as they should be.
    pub fn unregistered(&self) -> usize {
        self.tables.values().filter(|t| !matches!(t, TableStatus::Registered | TableStatus::Newer(_))).count()
    }
}

/// How one table stands with the metastore, as far as it last answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableStatus {
    /// The metastore holds it as wanted.
    Registered,
    /// A daemon of a newer configuration has added columns, which our rows leave null.
    Newer(String),
    /// The metastore does not hold it, or never answered: its files are landed, but queries do not find them.
    Unregistered {
        /// Since when.
        since: Timestamp,
        /// What the last try said.
        reason: String,
    },
    /// The metastore holds another definition. landfall leaves it alone; a person must act.
    Differs(Vec<String>),
}

/// What one try at one table ended in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The metastore answered; the table is there, with these differences.
    Found(Vec<String>),
    /// The metastore answered; the table has migrations that we do not.
    Newer(String),
    /// The metastore did not answer.
    Away(String),
    /// The storage did not answer, so the metastore was not asked for all.
    Storage(String),
    /// Something else is in the way.
    Failed(String),
}

impl Outcome {
    /// Whether the metastore has answered.
    pub(super) fn is_answer(&self) -> bool {
        matches!(self, Outcome::Found(_) | Outcome::Newer(_))
    }
}

/// A change worth a line in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Note {
    Away(String),
    Back { since: Timestamp },
    Storage(String),
    Registered(String),
    Failed { table: String, reason: String },
    Newer { table: String, reason: String },
    Differs { table: String, differences: Vec<String> },
}

/// The status, and what the log was already told.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) status: RegistrarStatus,
    failing: BTreeSet<String>,
    /// Whether the log knows that the storage is away.
    storage_away: bool,
}

impl Ledger {
    pub(super) fn new(tables: impl Iterator<Item = String>, now: Timestamp) -> Ledger {
        let unregistered = |t| (t, TableStatus::Unregistered { since: now, reason: "not tried yet".to_owned() });
        let status = RegistrarStatus { tables: tables.map(unregistered).collect(), ..RegistrarStatus::default() };
        Ledger { status, failing: BTreeSet::new(), storage_away: false }
    }

    /// Enters the outcomes of one try at all tables; the notes are those that are news.
    pub(super) fn enter(&mut self, outcomes: Vec<(String, Outcome)>, now: Timestamp) -> Vec<Note> {
        let mut notes = Vec::new();
        let answered = outcomes.iter().any(|(_, o)| o.is_answer());
        let silence = outcomes.iter().find_map(|(_, o)| match o {
            Outcome::Away(reason) if !answered => Some(reason.clone()),
            _ => None,
        });
        match (silence, self.status.away.take()) {
            (Some(reason), None) => {
                notes.push(Note::Away(reason.clone()));
                self.status.away = Some((now, reason));
            }
            (Some(reason), Some((since, _))) => self.status.away = Some((since, reason)),
            (None, Some((since, _))) if answered => notes.push(Note::Back { since }),
            // nobody asked the metastore, or it refuses everything: neither away nor back
            (None, before) => self.status.away = before,
        }
        let storage =
            outcomes.iter().find_map(|(_, o)| if let Outcome::Storage(reason) = o { Some(reason) } else { None });
        match storage {
            Some(reason) if !self.storage_away => {
                self.storage_away = true;
                notes.push(Note::Storage(reason.clone()));
            }
            None if answered => self.storage_away = false,
            _ => {}
        }
        let away = self.status.away.is_some();
        for (table, outcome) in outcomes {
            notes.extend(self.enter_table(table, outcome, away, now));
        }
        notes
    }

    /// Counts a try at all tables.
    pub(super) fn count(&mut self, took: Duration, failed: bool) {
        self.status.rounds += 1;
        self.status.took = took;
        self.status.failed_rounds += u64::from(failed);
    }

    fn enter_table(&mut self, table: String, outcome: Outcome, away: bool, now: Timestamp) -> Option<Note> {
        let before = self.status.tables.get(&table).cloned();
        let (reason, of_one) = match outcome {
            Outcome::Found(differences) if differences.is_empty() => {
                return self.answered(table.clone(), TableStatus::Registered, Note::Registered(table));
            }
            Outcome::Found(differences) => {
                let note = Note::Differs { table: table.clone(), differences: differences.clone() };
                return self.answered(table, TableStatus::Differs(differences), note);
            }
            Outcome::Newer(reason) => {
                let note = Note::Newer { table: table.clone(), reason: reason.clone() };
                return self.answered(table, TableStatus::Newer(reason), note);
            }
            Outcome::Away(reason) => (reason, !away),
            Outcome::Storage(reason) => (reason, false),
            Outcome::Failed(reason) => (reason, true),
        };
        // what the metastore last said of the table still holds, as far as anybody knows
        let since = match before {
            Some(TableStatus::Registered | TableStatus::Newer(_) | TableStatus::Differs(_)) => None,
            Some(TableStatus::Unregistered { since, .. }) => Some(since),
            None => Some(now),
        };
        if let Some(since) = since {
            let unregistered = TableStatus::Unregistered { since, reason: reason.clone() };
            self.status.tables.insert(table.clone(), unregistered);
        }
        // one line for a metastore that is away, not one for each table
        (of_one && self.failing.insert(table.clone())).then_some(Note::Failed { table, reason })
    }

    /// The note, if this status is news.
    fn answered(&mut self, table: String, after: TableStatus, note: Note) -> Option<Note> {
        self.failing.remove(&table);
        let before = self.status.tables.insert(table, after.clone());
        (before != Some(after)).then_some(note)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn both(outcome: Outcome) -> Vec<(String, Outcome)> {
        vec![("d.a".into(), outcome.clone()), ("d.b".into(), outcome)]
    }

    fn away() -> Outcome {
        Outcome::Away("refused".into())
    }

    fn ledger() -> Ledger {
        Ledger::new(["d.a".to_owned(), "d.b".to_owned()].into_iter(), at(0))
    }

    #[test]
    fn an_absence_is_told_once_and_so_is_the_return() {
        let mut l = ledger();
        assert_eq!(l.enter(both(away()), at(1)), [Note::Away("refused".into())]);
        assert_eq!(l.enter(both(away()), at(2)), []);
        assert_eq!(l.status.away, Some((at(1), "refused".into())));
        assert_eq!(l.status.tables["d.a"], TableStatus::Unregistered { since: at(0), reason: "refused".into() });
        assert_eq!(l.status.unregistered(), 2);
        let back = l.enter(both(Outcome::Found(vec![])), at(3));
        let registered = |t: &str| Note::Registered(t.into());
        assert_eq!(back, [Note::Back { since: at(1) }, registered("d.a"), registered("d.b")]);
        assert_eq!(l.enter(both(Outcome::Found(vec![])), at(4)), []);
        assert_eq!((l.status.unregistered(), &l.status.away), (0, &None));
        // a registered table stays so while nobody can ask
        assert_eq!(l.enter(both(away()), at(5)), [Note::Away("refused".into())]);
        assert_eq!(l.status.unregistered(), 0);
    }

    #[test]
    fn a_failure_of_one_table_is_told_once_and_is_no_absence() {
        let mut l = ledger();
        let outcomes = || vec![("d.a".to_owned(), Outcome::Found(vec![])), ("d.b".to_owned(), away())];
        let failed = Note::Failed { table: "d.b".into(), reason: "refused".into() };
        assert_eq!(l.enter(outcomes(), at(1)), [Note::Registered("d.a".into()), failed]);
        assert_eq!(l.enter(outcomes(), at(2)), []);
        assert_eq!(l.status.away, None);
        assert_eq!(l.enter(both(Outcome::Found(vec![])), at(3)), [Note::Registered("d.b".into())]);
    }

    #[test]
    fn a_difference_is_told_once_and_again_when_it_is_another_one() {
        let mut l = ledger();
        let differs = |d: &str| Note::Differs { table: "d.a".into(), differences: vec![d.into()] };
        let found = |d: &str| vec![("d.a".to_owned(), Outcome::Found(vec![d.into()]))];
        assert_eq!(l.enter(found("x"), at(1)), [differs("x")]);
        assert_eq!(l.enter(found("x"), at(2)), []);
        assert_eq!(l.enter(found("y"), at(3)), [differs("y")]);
        assert_eq!(l.status.tables["d.a"], TableStatus::Differs(vec!["y".into()]));
        assert_eq!(l.enter(vec![("d.a".to_owned(), Outcome::Found(vec![]))], at(4)), [Note::Registered("d.a".into())]);
    }

    #[test]
    fn a_newer_table_is_registered_and_told_once() {
        let mut l = ledger();
        let newer = || vec![("d.a".to_owned(), Outcome::Newer("0003".into()))];
        assert_eq!(l.enter(newer(), at(1)), [Note::Newer { table: "d.a".into(), reason: "0003".into() }]);
        assert_eq!((l.enter(newer(), at(2)), l.status.unregistered()), (vec![], 1), "d.b was not tried");
    }

    #[test]
    fn an_absence_is_not_over_because_the_storage_is_away_too() {
        let mut l = ledger();
        l.enter(both(away()), at(1));
        let storage = || both(Outcome::Storage("mkdir".into()));
        assert_eq!(l.enter(storage(), at(2)), [Note::Storage("mkdir".into())], "one line for all tables, and once");
        assert_eq!(l.enter(storage(), at(3)), []);
        assert!(l.status.away.is_some());
        let failed = l.enter(both(Outcome::Failed("no right".into())), at(4));
        assert_eq!(failed.len(), 2, "one line for each table: {failed:?}");
        l.enter(both(Outcome::Found(vec![])), at(5));
        assert_eq!(l.enter(storage(), at(6)), [Note::Storage("mkdir".into())], "another absence");
    }
}
