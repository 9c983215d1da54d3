//! Which partitions are ours, which session of reading is current, and, for a bounded run, what is still to be read.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::model::{Offset, Tail, TopicPartition};
use crate::source::{Assignment, Start};

/// An end that is not known by its topic counts after this long without a message.
const QUIET: Duration = Duration::from_secs(5);

/// What the log says of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LogPosition {
    pub end: Option<Offset>,
    pub tail: Option<Tail>,
    pub incarnation: u32,
}

/// How far a bounded run has read a partition, and where it ends.
#[derive(Debug, Clone, Copy)]
struct Bound {
    at: i64,
    end: i64,
}

/// The reading side of a pipeline.
#[derive(Debug)]
pub(super) struct Positions {
    generation: u64,
    session: u64,
    owned: Vec<TopicPartition>,
    /// Ours, but not read until the log says something else of them than it did.
    halted: Vec<(TopicPartition, LogPosition)>,
    /// Where each was ordered to start.
    ordered: BTreeMap<TopicPartition, LogPosition>,
    /// A new assignment waits for positions from the log.
    wanted: bool,
    /// What a bounded run reads, and what of it is not read yet.
    until: Option<BTreeMap<TopicPartition, Bound>>,
    left: BTreeSet<TopicPartition>,
    /// When an end of a partition of this number was last reached, with no message of such a partition since.
    ends: BTreeMap<i32, Instant>,
    begun: bool,
}

impl Positions {
    pub(super) fn new(until: Option<BTreeMap<TopicPartition, i64>>) -> Positions {
        Positions {
            generation: 0,
            session: 0,
            owned: Vec::new(),
            halted: Vec::new(),
            ordered: BTreeMap::new(),
            wanted: false,
            until: until.map(|ends| ends.into_iter().map(|(tp, end)| (tp, Bound { at: 0, end })).collect()),
            left: BTreeSet::new(),
            ends: BTreeMap::new(),
            begun: false,
        }
    }

    pub(super) fn assigned(&mut self, generation: u64, partitions: Vec<TopicPartition>) {
        self.generation = generation;
        self.owned = partitions;
        self.halted.clear();
        self.reposition();
    }

    pub(super) fn revoked(&mut self) {
        self.owned.clear();
        self.halted.clear();
        self.wanted = false;
        self.session += 1;
        self.begun = false;
    }

    /// All that is under way from the source is void; positions are to be taken from the log anew.
    pub(super) fn reposition(&mut self) {
        self.session += 1;
        self.wanted = true;
        self.begun = false;
    }

    /// Whether new positions are to be taken from the log, so that messages that come now would be of no use.
    pub(super) fn moving(&self) -> bool {
        self.wanted
    }

    pub(super) fn is_current(&self, session: u64) -> bool {
        session == self.session
    }

    /// The order to the source, from what the log says; `None` if the partitions were taken away meanwhile.
    pub(super) fn assignment(&mut self, log: impl Fn(&TopicPartition) -> LogPosition) -> Option<Assignment> {
        if !std::mem::take(&mut self.wanted) {
            return None;
        }
        self.ordered = self.owned.iter().map(|tp| (tp.clone(), log(tp))).collect();
        let start = |at: &LogPosition| at.end.map_or(Start::Oldest, |offset| Start::At { offset, tail: at.tail });
        let starts = self.ordered.iter().map(|(tp, at)| (tp.clone(), start(at))).collect();
        Some(Assignment { generation: self.generation, session: self.session, starts })
    }

    /// How often the partition's topic was declared new, when it was ordered.
    pub(super) fn incarnation(&self, partition: &TopicPartition) -> u32 {
        self.ordered.get(partition).map_or(0, |at| at.incarnation)
    }

    /// Whether some partitions wait for an operator.
    pub(super) fn any_halted(&self) -> bool {
        !self.halted.is_empty()
    }

    /// Takes up again, and returns, the partitions of which the log now says something else.
    pub(super) fn revive(&mut self, log: impl Fn(&TopicPartition) -> LogPosition) -> Vec<TopicPartition> {
        let changed = |at: &LogPosition, now: LogPosition| at.end != now.end || at.incarnation != now.incarnation;
        let (again, still) = std::mem::take(&mut self.halted).into_iter().partition(|(tp, at)| changed(at, log(tp)));
        self.halted = still;
        let again: Vec<(TopicPartition, LogPosition)> = again;
        let again: Vec<_> = again.into_iter().map(|(tp, _)| tp).collect();
        self.owned.extend(again.iter().cloned());
        again
    }

    /// The first time in a session for all partitions; later only for those whose start has moved.
    pub(super) fn positioned(&mut self, positions: &[(TopicPartition, Offset)]) {
        if !std::mem::replace(&mut self.begun, true) {
            self.left.clear();
            self.ends.clear();
        }
        let Some(until) = &mut self.until else { return };
        for (tp, at) in positions {
            match until.get_mut(tp) {
                Some(bound) if at.0 < bound.end => {
                    bound.at = at.0;
                    self.left.insert(tp.clone());
                }
                _ => _ = self.left.remove(tp),
            }
        }
    }

    /// How many offsets a bounded run has still to read of what is ours.
    pub(super) fn offsets_left(&self) -> Option<u64> {
        let until = self.until.as_ref()?;
        let left = self.left.iter().filter_map(|tp| until.get(tp)).map(|bound| bound.end - bound.at);
        Some(left.filter_map(|offsets| u64::try_from(offsets).ok()).sum())
    }

    pub(super) fn bounded(&self) -> bool {
        self.until.is_some()
    }

    /// A partition was read up to here.
    pub(super) fn read(&mut self, partition: &TopicPartition, end: Offset) {
        self.ends.remove(&partition.partition);
        let Some(bound) = self.until.as_mut().and_then(|until| until.get_mut(partition)) else { return };
        bound.at = end.0.min(bound.end);
        if bound.at == bound.end {
            self.left.remove(partition);
        }
    }

    /// Transaction markers at the end of a partition are no messages: its end offset is never read, only its end.
    pub(super) fn end_reached(&mut self, partition: i32, now: Instant) {
        let mut topics = self.owned.iter().map(|tp| &tp.topic);
        let first = topics.next();
        if topics.all(|t| Some(t) == first) {
            self.left.retain(|tp| tp.partition != partition);
        } else {
            // The client does not say of which topic: believed after a while without a message.
            self.ends.insert(partition, now);
        }
    }

    /// A partition is not read on from `end`.
    pub(super) fn stopped(&mut self, partition: &TopicPartition, end: Offset) {
        self.left.remove(partition);
        self.owned.retain(|tp| tp != partition);
        if let Some(at) = self.ordered.get(partition) {
            self.halted.push((partition.clone(), LogPosition { end: Some(end), ..*at }));
        }
    }

    /// A partition that was to be stopped is to be read with the others.
    pub(super) fn not_stopped(&mut self, partition: &TopicPartition) {
        let again = self.halted.extract_if(.., |(tp, _)| tp == partition);
        self.owned.extend(again.map(|(tp, _)| tp));
    }

    /// Whether a bounded run has read all of what is ours.
    pub(super) fn all_read(&self, now: Instant) -> bool {
        let ended = |tp: &TopicPartition| self.ends.get(&tp.partition).is_some_and(|at| now - *at > QUIET);
        self.bounded() && self.begun && self.left.iter().all(ended)
    }
}

pub(super) fn names(partitions: &[TopicPartition]) -> Vec<String> {
    partitions.iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: LogPosition = LogPosition { end: None, tail: None, incarnation: 0 };

    fn tp(topic: &str) -> TopicPartition {
        TopicPartition::new(topic, 0)
    }

    /// A bounded run over topics that hold offsets 0 to 9 each, positioned at 0.
    fn bounded(topics: &[&str]) -> Positions {
        let mut p = Positions::new(Some(topics.iter().map(|t| (tp(t), 10)).collect()));
        p.assigned(1, topics.iter().map(|t| tp(t)).collect());
        assert!(p.assignment(|_| NEW).is_some());
        p.positioned(&topics.iter().map(|t| (tp(t), Offset(0))).collect::<Vec<_>>());
        p
    }

    #[test]
    fn a_bounded_run_ends_at_its_offsets() {
        let mut p = bounded(&["a"]);
        let (a, now) = (tp("a"), Instant::now());
        assert!(!p.all_read(now));
        // A re-assignment within the session that moves no start must not end the run.
        p.positioned(&[]);
        assert!(!p.all_read(now));
        assert_eq!(p.offsets_left(), Some(10));
        p.read(&a, Offset(7));
        assert_eq!(p.offsets_left(), Some(3));
        p.read(&a, Offset(12));
        assert!(p.all_read(now));
        assert_eq!(p.offsets_left(), Some(0));
    }

    #[test]
    fn markers_at_the_end_do_not_keep_a_bounded_run_waiting() {
        let now = Instant::now();
        let mut one = bounded(&["a"]);
        one.end_reached(0, now);
        assert!(one.all_read(now));
        assert_eq!(one.offsets_left(), Some(0));
        let mut two = bounded(&["a", "b"]);
        two.end_reached(0, now);
        assert!(!two.all_read(now), "which topic has ended?");
        two.read(&tp("b"), Offset(4));
        assert!(!two.all_read(now + QUIET * 2), "a message came since");
        two.end_reached(0, now);
        assert!(two.all_read(now + QUIET * 2));
    }

    #[test]
    fn what_an_earlier_assignment_says_is_not_current() {
        let mut p = bounded(&["a"]);
        let before = p.session;
        p.reposition();
        assert!(p.is_current(before + 1) && !p.is_current(before));
        assert!(p.moving());
        p.revoked();
        assert!(p.assignment(|_| NEW).is_none(), "what was taken away is not ordered");
    }

    #[test]
    fn a_halted_partition_is_taken_up_again_when_the_log_says_something_else_of_it() {
        let mut p = bounded(&["a", "b"]);
        p.stopped(&tp("a"), Offset(4));
        let here = |_: &TopicPartition| LogPosition { end: Some(Offset(4)), ..NEW };
        assert!(p.any_halted() && p.revive(here).is_empty());
        let moved = |partition: &TopicPartition| match &*partition.topic {
            "a" => LogPosition { end: Some(Offset(7)), ..NEW },
            _ => NEW,
        };
        assert_eq!(p.revive(moved), [tp("a")]);
        assert!(!p.any_halted());
        p.reposition();
        let starts = p.assignment(moved).unwrap().starts;
        assert_eq!(starts, [(tp("a"), Start::At { offset: Offset(7), tail: None }), (tp("b"), Start::Oldest)]);
    }
}
