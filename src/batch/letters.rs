//! Dead letters of a batch, counted, and a few of them to look at.

use crate::decode::{Reason, Reject};
use crate::model::{Record, TopicPartition};

/// Samples of each reason, of a piece and of a batch.
const KEPT: usize = 3;
/// Characters of a sample's message.
const SHOWN: usize = 200;

/// How many dead letters there are, by reason, and the first of each to look at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Letters {
    counts: [u64; Reason::ALL.len()],
    /// A few of each reason.
    pub samples: Vec<Letter>,
}

/// A dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Where it was read.
    pub partition: TopicPartition,
    /// Its offset.
    pub offset: i64,
    /// Its Kafka timestamp, milliseconds since 1970 UTC, if it has one.
    pub timestamp_ms: Option<i64>,
    /// Why.
    pub reject: Reject,
    /// The beginning of the message; what is no text stands as `�`.
    pub beginning: String,
}

impl Letters {
    /// How many, by reason; only those that occur.
    pub fn counts(&self) -> impl Iterator<Item = (Reason, u64)> {
        Reason::ALL.into_iter().zip(self.counts).filter(|(_, count)| *count > 0)
    }

    pub(super) fn add(&mut self, record: &Record<'_>, reject: &Reject) {
        self.counts[reject.reason as usize] += 1;
        if self.has_room(reject.reason) {
            self.samples.push(Letter {
                partition: record.partition.clone(),
                offset: record.offset,
                timestamp_ms: record.timestamp_ms,
                reject: reject.clone(),
                beginning: beginning(record.value.unwrap_or_default()),
            });
        }
    }

    /// Adds those of what was read later.
    pub(super) fn extend(&mut self, later: Letters) {
        self.counts.iter_mut().zip(later.counts).for_each(|(count, more)| *count += more);
        for letter in later.samples {
            if self.has_room(letter.reject.reason) {
                self.samples.push(letter);
            }
        }
    }

    fn has_room(&self, reason: Reason) -> bool {
        self.samples.iter().filter(|s| s.reject.reason == reason).count() < KEPT
    }
}

fn beginning(value: &[u8]) -> String {
    // No character has more than four bytes.
    let bytes = &value[..value.len().min(SHOWN * 4)];
    String::from_utf8_lossy(bytes).chars().take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Headers;

    #[test]
    fn counts_all_and_keeps_the_beginning_of_a_few() {
        let partition = TopicPartition::new("events", 0);
        let long = "ä".repeat(1000);
        let mut letters = Letters::default();
        let mut add = |offset, value: &[u8], reason| {
            let (partition, headers) = (&partition, Headers::default());
            let record = Record { partition, offset, timestamp_ms: Some(5), key: None, value: Some(value), headers };
            letters.add(&record, &Reject::new(reason, "no good"));
        };
        (0..10).for_each(|n| add(n, long.as_bytes(), Reason::TooDeep));
        add(10, b"{\xff", Reason::InvalidUtf8);
        let mut all = letters.clone();
        all.extend(letters);
        assert_eq!(all.counts().collect::<Vec<_>>(), [(Reason::InvalidUtf8, 2), (Reason::TooDeep, 20)]);
        assert_eq!(all.samples.iter().map(|s| s.offset).collect::<Vec<_>>(), [0, 1, 2, 10, 10]);
        assert_eq!(all.samples[0].beginning, "ä".repeat(200));
        assert_eq!(all.samples[3].beginning, "{�");
        let listed = Reason::ALL.map(|r| Reason::ALL[r as usize]);
        assert_eq!(listed, Reason::ALL, "a reason is its place in the list");
    }
}
