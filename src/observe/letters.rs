//! Dead letters, counted, and some of them to look at.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

use super::time::Time;

/// Samples kept of each reason; reasons are few.
const KEPT: usize = 10;

/// Dead letters landed by this process.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetters {
    /// How many, by reason.
    pub by_reason: BTreeMap<&'static str, u64>,
    /// The newest of each reason, newest last.
    pub samples: VecDeque<LetterSample>,
}

/// One dead letter.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LetterSample {
    /// When it was landed in the dead-letter table.
    pub time: Time,
    /// The message's Kafka timestamp, if it has one.
    pub timestamp: Option<Time>,
    /// Topic.
    pub topic: String,
    /// Partition number.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// Why, in a word: as in the dead-letter table.
    pub reason: &'static str,
    /// Why, in words.
    pub detail: String,
    /// The first 200 characters of the message; what is no text stands as `�`.
    pub message: String,
}

impl DeadLetters {
    /// Counts some.
    pub fn count(&mut self, reason: &'static str, letters: u64) {
        *self.by_reason.entry(reason).or_default() += letters;
    }

    /// Keeps one to look at, in place of the oldest of its reason if there are enough.
    pub fn keep(&mut self, sample: LetterSample) {
        let same = |s: &LetterSample| s.reason == sample.reason;
        if self.samples.iter().filter(|s| same(s)).count() >= KEPT
            && let Some(oldest) = self.samples.iter().position(same)
        {
            self.samples.remove(oldest);
        }
        self.samples.push_back(sample);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_one_reason_does_not_hide_the_others() {
        let mut letters = DeadLetters::default();
        let sample = |reason, offset| LetterSample {
            time: Time::now(),
            timestamp: None,
            topic: "events".to_owned(),
            partition: 0,
            offset,
            reason,
            detail: String::new(),
            message: String::new(),
        };
        letters.keep(sample("too_deep", 7));
        (0..1000).for_each(|n| letters.keep(sample("malformed_json", n)));
        assert_eq!(letters.samples.len(), KEPT + 1);
        assert_eq!((letters.samples[0].offset, letters.samples[1].offset), (7, 990));
    }
}
