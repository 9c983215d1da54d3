//! Which partitions are ours, which session of reading is current, and, for a bounded run, what is still to be read.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Offset, Record, TopicPartition};
use crate::source::{Assignment, Start};

/// The reading side of a pipeline.
#[derive(Debug)]
pub(super) struct Positions {
    generation: u64,
    session: u64,
    owned: Vec<TopicPartition>,
    /// A new assignment waits for positions from the log.
    wanted: bool,
    /// Positions were ordered, and the source has not confirmed them yet.
    ordered: bool,
    /// Where a bounded run ends, and what of it is not read yet.
    until: Option<BTreeMap<TopicPartition, i64>>,
    left: BTreeSet<TopicPartition>,
    begun: bool,
}

impl Positions {
    pub(super) fn new(until: Option<BTreeMap<TopicPartition, i64>>) -> Positions {
        Positions {
            generation: 0,
            session: 0,
            owned: Vec::new(),
            wanted: false,
            ordered: false,
            until,
            left: BTreeSet::new(),
            begun: false,
        }
    }

    pub(super) fn assigned(&mut self, generation: u64, partitions: Vec<TopicPartition>) {
        self.generation = generation;
        self.owned = partitions;
        self.reposition();
    }

    pub(super) fn revoked(&mut self) {
        self.owned.clear();
        self.wanted = false;
        self.session += 1;
        self.begun = false;
    }

    /// All that is under way from the source is void; positions are to be taken from the log anew.
    pub(super) fn reposition(&mut self) {
        self.session += 1;
        self.wanted = true;
        self.ordered = false;
        self.begun = false;
    }

    pub(super) fn wanted(&self) -> Option<&[TopicPartition]> {
        self.wanted.then_some(&self.owned)
    }

    /// Whether messages that come now would be of no use.
    pub(super) fn moving(&self) -> bool {
        self.wanted && !self.ordered
    }

    pub(super) fn is_current(&self, session: u64) -> bool {
        session == self.session
    }

    /// The order to the source, from the log's ends; `None` if the partitions were taken away meanwhile.
    pub(super) fn assignment(&mut self, end: impl Fn(&TopicPartition) -> Option<Offset>) -> Option<Assignment> {
        if !std::mem::take(&mut self.wanted) {
            return None;
        }
        self.ordered = true;
        let start = |tp: &TopicPartition| end(tp).map_or(Start::Oldest, Start::At);
        let starts = self.owned.iter().map(|tp| (tp.clone(), start(tp))).collect();
        Some(Assignment { generation: self.generation, session: self.session, starts })
    }

    pub(super) fn positioned(&mut self, positions: &[(TopicPartition, Offset)]) {
        self.begun = true;
        if let Some(until) = &self.until {
            let unread = positions.iter().filter(|(tp, at)| until.get(tp).is_some_and(|end| at.0 < *end));
            self.left = unread.map(|(tp, _)| tp.clone()).collect();
        }
    }

    pub(super) fn bounded(&self) -> bool {
        self.until.is_some()
    }

    /// Whether a bounded run takes this message.
    pub(super) fn within_bound(&self, record: &Record<'_>) -> bool {
        self.until.as_ref().is_none_or(|until| until.get(record.partition).is_some_and(|end| record.offset < *end))
    }

    pub(super) fn read(&mut self, record: &Record<'_>) {
        if let Some(until) = &self.until
            && until.get(record.partition).is_some_and(|end| Offset::after(record.offset).0 >= *end)
        {
            self.left.remove(record.partition);
        }
    }

    /// Transaction markers at the end of a partition are no messages: its end offset is never read, only its end.
    pub(super) fn end_reached(&mut self, partition: i32) {
        let topics: BTreeSet<_> = self.owned.iter().map(|tp| &tp.topic).collect();
        // The client does not say of which topic: with several, only the end offsets count.
        if topics.len() == 1 {
            self.left.retain(|tp| tp.partition != partition);
        }
    }

    pub(super) fn stopped(&mut self, partition: &TopicPartition) {
        self.left.remove(partition);
        self.owned.retain(|tp| tp != partition);
    }

    /// Whether a bounded run has read all of what is ours.
    pub(super) fn all_read(&self) -> bool {
        self.bounded() && self.begun && self.left.is_empty()
    }
}
