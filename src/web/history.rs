//! What the status does not remember: how far behind the job was, which outages are over, when a table last got rows.

use std::collections::{BTreeMap, VecDeque};

use crate::observe::{Outage, Status, Time};

/// Seconds between two samples.
const SAMPLE_SECONDS: u64 = 5;
/// Half an hour of them.
const SAMPLES: usize = 360;
const OUTAGES: usize = 20;
/// A failure that the next try gets over is no outage worth remembering.
const SHORTEST_SECONDS: u64 = 1;

/// How the job stood at some time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// When.
    pub at: Time,
    /// Offsets that were to be landed, of all partitions of this process; `None`: it was not known.
    pub lag: Option<u64>,
}

/// An outage that is over.
#[derive(Debug, Clone, PartialEq)]
pub struct PastOutage {
    /// What it was when it was last seen.
    pub outage: Outage,
    /// When it was over.
    pub until: Time,
}

/// What was seen, bounded.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// Oldest first.
    pub samples: VecDeque<Sample>,
    /// Outages that are over, the last one first.
    pub outages: VecDeque<PastOutage>,
    /// When each table last got rows from this process.
    pub landed: BTreeMap<String, Time>,
    rows: BTreeMap<String, u64>,
    before: Vec<Outage>,
}

impl History {
    /// Looks at the status at `now`; to be called about every second.
    pub fn look(&mut self, status: &Status, now: Time) {
        let due = self.samples.back().is_none_or(|last| last.at.age(now).as_secs() >= SAMPLE_SECONDS);
        if due && !status.partitions.is_empty() {
            self.samples.push_back(Sample { at: now, lag: lag(status) });
        }
        while self.samples.len() > SAMPLES {
            self.samples.pop_front();
        }
        let is_same = |a: &Outage, b: &Outage| (a.service, &a.what, a.since) == (b.service, &b.what, b.since);
        let over = self.before.iter().filter(|old| !status.outages.iter().any(|new| is_same(old, new)));
        for outage in over.filter(|o| o.since.age(now).as_secs() > SHORTEST_SECONDS) {
            self.outages.push_front(PastOutage { outage: outage.clone(), until: now });
        }
        self.outages.truncate(OUTAGES);
        self.before.clone_from(&status.outages);
        for (table, rows) in &status.rows {
            if self.rows.insert(table.clone(), *rows) != Some(*rows) {
                // Exact, where the batch is the one that was seen to land.
                let landed = status
                    .last_landed
                    .filter(|_| status.last.as_ref().is_some_and(|l| l.sink.tables.contains_key(table)));
                self.landed.insert(table.clone(), landed.unwrap_or(now));
            }
        }
    }
}

/// Offsets that are to be landed, of all partitions; `None`: of one it is not known.
pub(super) fn lag(status: &Status) -> Option<u64> {
    status.partitions.iter().map(|p| p.lag_messages).sum::<Option<u64>>().filter(|_| !status.partitions.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TopicPartition;
    use crate::observe::{PartitionStatus, Service};

    fn at(second: i64) -> Time {
        Time::of_ms(second * 1000).unwrap()
    }

    fn status(lag: Option<u64>) -> Status {
        let partition = PartitionStatus { lag_messages: lag, ..PartitionStatus::new(&TopicPartition::new("t", 0)) };
        Status { partitions: vec![partition], ..Status::default() }
    }

    #[test]
    fn samples_are_apart_and_no_more_than_half_an_hour() {
        let mut history = History::default();
        history.look(&Status::default(), at(0));
        assert_eq!(history.samples.len(), 0, "nothing is known before the first assignment");
        (0..4000).for_each(|s| history.look(&status(Some(3)), at(s)));
        assert_eq!(history.samples.len(), SAMPLES);
        assert_eq!(history.samples[1].at.ms() - history.samples[0].at.ms(), 5000);
        history.look(&status(None), at(5000));
        assert_eq!(history.samples.back().unwrap().lag, None);
    }

    #[test]
    fn an_outage_that_is_over_is_remembered_unless_it_was_a_moment() {
        let mut history = History::default();
        let outage = |since, failures| Outage {
            service: Service::Storage,
            what: "commit a batch".into(),
            since: at(since),
            failures,
            error: "refused".into(),
        };
        let with = |outages| Status { outages, ..Status::default() };
        history.look(&with(vec![outage(0, 1)]), at(1));
        history.look(&with(vec![outage(0, 9)]), at(20));
        history.look(&with(vec![]), at(21));
        history.look(&with(vec![outage(30, 1)]), at(30));
        history.look(&with(vec![]), at(31));
        assert_eq!(history.outages, [PastOutage { outage: outage(0, 9), until: at(21) }]);
        (0..100).for_each(|n| {
            history.look(&with(vec![outage(100 * n, 1)]), at(100 * n));
            history.look(&with(vec![]), at(100 * n + 50));
        });
        assert_eq!((history.outages.len(), history.outages[0].until), (OUTAGES, at(9950)));
    }

    #[test]
    fn a_table_was_landed_when_its_rows_grew() {
        let mut history = History::default();
        let rows = |n| Status { rows: [("a".to_owned(), n)].into(), ..Status::default() };
        history.look(&rows(5), at(1));
        history.look(&rows(5), at(9));
        assert_eq!(history.landed["a"], at(1));
        history.look(&rows(6), at(10));
        assert_eq!(history.landed["a"], at(10));
    }
}
