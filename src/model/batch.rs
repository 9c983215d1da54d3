//! Names and figures of a micro-batch.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Number of a slot in the job's log. A batch's number is its slot number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Slot(pub u64);

impl Slot {
    /// The slot after this one.
    pub fn next(self) -> Slot {
        Slot(self.0 + 1)
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012}", self.0)
    }
}

/// Name of one attempt to land a batch. Never used again after an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BatchId(pub Uuid);

impl BatchId {
    /// The first eight hex digits, as in the names of table files.
    pub fn short(&self) -> String {
        self.0.simple().to_string()[..8].to_owned()
    }
}

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// What became of every message read: `read = events + dead_letters + dropped + unrouted + tombstones`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accounting {
    /// Messages read from Kafka.
    pub read: u64,
    /// Messages that became rows of at least one table.
    pub events: u64,
    /// Messages that became a row of the dead-letter table.
    pub dead_letters: u64,
    /// Malformed messages dropped because the configuration asks for it.
    pub dropped: u64,
    /// Good messages that no route wanted.
    pub unrouted: u64,
    /// Messages with a null value.
    pub tombstones: u64,
}

impl Accounting {
    /// Adds another batch's figures.
    pub fn add(&mut self, other: &Accounting) {
        self.read += other.read;
        self.events += other.events;
        self.dead_letters += other.dead_letters;
        self.dropped += other.dropped;
        self.unrouted += other.unrouted;
        self.tombstones += other.tombstones;
    }

    /// Whether every message read is accounted for.
    pub fn balances(&self) -> bool {
        self.read == self.events + self.dead_letters + self.dropped + self.unrouted + self.tombstones
    }
}
