//! Going on behind a fault: states as the next slot takes them to be.

use crate::checkpoint::{Entry, LogState, Snapshot, SnapshotEnd};
use crate::model::{BrokenChain, Slot, TopicPartition};

/// The state as it is, at a later slot.
pub(super) fn moved_to(state: &LogState, slot: Slot) -> LogState {
    let mut snapshot = state.next_snapshot();
    (snapshot.epoch, snapshot.base_slot) = (state.epoch(), slot);
    LogState::from_snapshot(&snapshot, state.dir())
}

/// The state that the entry takes for the one before it.
pub(super) fn adopted(state: &LogState, entry: &Entry) -> LogState {
    let mut s = state.next_snapshot();
    (s.epoch, s.base_slot) = (state.epoch(), state.next());
    let mut end_at = |topic: &str, p: i32, end| {
        s.offsets.entry(topic.to_owned()).or_default().insert(p, SnapshotEnd { end, tail: None });
    };
    match entry {
        Entry::Batch(m) => {
            m.partitions.iter().for_each(|p| end_at(&p.topic, p.p, p.start));
            let mut replayed = state.replayed().clone();
            m.replay.iter().for_each(|e| replayed.remove(e));
            s.replayed = replayed.entries();
            s.incarnations.extend(m.partitions.iter().map(|p| (p.topic.clone(), p.incarnation)));
        }
        Entry::Gap(g) => end_at(&g.topic, g.p, g.from),
        Entry::Topic(t) => _ = s.incarnations.insert(t.topic.clone(), t.incarnation.saturating_sub(1)),
        Entry::Seal(seal) => s.epoch = seal.epoch.saturating_sub(1),
    }
    s.incarnations.retain(|_, n| *n > 0);
    LogState::from_snapshot(&s, state.dir())
}

/// In words, where two snapshots differ.
pub(super) fn difference(expected: &Snapshot, found: &Snapshot) -> String {
    for (topic, partitions) in &expected.offsets {
        for (p, end) in partitions {
            let other = found.offsets.get(topic).and_then(|o| o.get(p));
            if other != Some(end) {
                let partition = TopicPartition::new(topic.as_str(), *p);
                let broken =
                    other.map(|o| BrokenChain { partition: partition.clone(), expected: end.end, found: o.end });
                return match broken.filter(|b| b.expected != b.found) {
                    Some(b) => format!("{partition} begins at {}, the epoch before ended at {}", b.found, b.expected),
                    None => format!("{partition} is not as the epoch before left it"),
                };
            }
        }
    }
    for (table, total) in &expected.tables {
        if found.tables.get(table) != Some(total) {
            let other = found.tables.get(table).copied().unwrap_or_default();
            return format!("table {table} has {other:?}, the epoch before ended with {total:?}");
        }
    }
    if expected.replayed != found.replayed {
        return "it does not have the replayed dead letters that the epoch before ended with".to_owned();
    }
    "it is not the state that the epoch before ended with".to_owned()
}
