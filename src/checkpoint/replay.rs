//! Dead letters that were landed after all: which offsets of which partitions, by the topic's incarnation.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::manifest::is_zero;
use crate::model::{Offset, OffsetRange, OffsetSet};

/// In a manifest: the dead letters of a partition that the batch lands. In a snapshot: all that were ever landed so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayEntry {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub p: i32,
    /// How often the topic had been declared new when the messages were read; see [`super::TopicEntry`].
    #[serde(default, skip_serializing_if = "is_zero")]
    pub incarnation: u32,
    /// Their offsets, as ranges: the first, and the one after the last.
    pub offsets: Vec<(Offset, Offset)>,
}

impl ReplayEntry {
    /// The offsets, as ranges.
    pub fn ranges(&self) -> impl Iterator<Item = OffsetRange> + '_ {
        self.offsets.iter().map(|&(start, end)| OffsetRange { start, end })
    }

    /// How many messages they are.
    pub fn messages(&self) -> u64 {
        self.offsets.iter().map(|(start, end)| end.0.saturating_sub(start.0).max(0) as u64).sum()
    }
}

type Key = (String, u32, i32);

/// The dead letters that were landed, of all partitions. Cheap to clone: a log's state is cloned for every slot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replayed {
    sets: BTreeMap<Key, Arc<OffsetSet>>,
}

impl Replayed {
    /// Those of some entries.
    pub fn of(entries: &[ReplayEntry]) -> Replayed {
        let mut all = Replayed::default();
        entries.iter().for_each(|e| all.add(e));
        all
    }

    /// As entries.
    pub fn entries(&self) -> Vec<ReplayEntry> {
        let entry = |((topic, incarnation, p), set): (&Key, &Arc<OffsetSet>)| {
            let offsets = set.ranges().map(|r| (r.start, r.end)).collect();
            ReplayEntry { topic: topic.clone(), p: *p, incarnation: *incarnation, offsets }
        };
        self.sets.iter().map(entry).collect()
    }

    /// Whether a message is one of them.
    pub fn contains(&self, topic: &str, incarnation: u32, p: i32, offset: i64) -> bool {
        self.sets.get(&(topic.to_owned(), incarnation, p)).is_some_and(|set| set.contains(offset))
    }

    /// Adds a message; says whether it was not there.
    pub fn insert(&mut self, topic: &str, incarnation: u32, p: i32, offset: i64) -> bool {
        self.set((topic.to_owned(), incarnation, p)).insert(offset)
    }

    /// Adds the messages of an entry.
    pub fn add(&mut self, e: &ReplayEntry) {
        let set = self.set((e.topic.clone(), e.incarnation, e.p));
        e.ranges().for_each(|range| set.add(range));
    }

    /// Takes the messages of an entry out.
    pub fn remove(&mut self, e: &ReplayEntry) {
        let key = (e.topic.clone(), e.incarnation, e.p);
        let set = self.set(key.clone());
        e.ranges().for_each(|range| set.remove(range));
        if set.is_empty() {
            self.sets.remove(&key);
        }
    }

    /// The first message of some entries that is there already, or that they name twice.
    pub fn common<'e>(&self, entries: &'e [ReplayEntry]) -> Option<(&'e ReplayEntry, Offset)> {
        let mut seen = Replayed::default();
        for e in entries {
            let key = (e.topic.clone(), e.incarnation, e.p);
            for range in e.ranges() {
                let twice = self.sets.get(&key).and_then(|set| set.common(range));
                if let Some(at) = twice.or_else(|| seen.set(key.clone()).common(range)) {
                    return Some((e, at));
                }
                seen.set(key.clone()).add(range);
            }
        }
        None
    }

    /// How many messages there are.
    pub fn messages(&self) -> u64 {
        self.sets.values().map(|set| set.len()).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.sets.is_empty()
    }

    fn set(&mut self, key: Key) -> &mut OffsetSet {
        Arc::make_mut(self.sets.entry(key).or_default())
    }
}

/// A topic as rows name it: with its incarnation, if it was ever declared new.
pub fn topic_in_rows(topic: &str, incarnation: u32) -> String {
    if incarnation == 0 { topic.to_owned() } else { format!("{topic}#{incarnation}") }
}

/// The topic and the incarnation of a name in a row. No topic has a `#` in its name.
pub fn topic_of_row(name: &str) -> (&str, u32) {
    let split = name.split_once('#').and_then(|(topic, n)| Some((topic, n.parse().ok()?)));
    split.unwrap_or((name, 0))
}
