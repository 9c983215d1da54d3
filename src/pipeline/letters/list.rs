//! What is in the dead-letter table, by reason. Nothing of it is kept but counts and a few samples.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use tokio::sync::watch;

use super::{Letters, LettersError, Message, Progress, Selection, tell};
use crate::checkpoint::{LogState, topic_in_rows};
use crate::model::Slot;

/// Characters of a message, and of its detail, that are shown.
const SHOWN: usize = 100;

/// The dead letters of a job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Listing {
    /// How many there are.
    pub dead_letters: u64,
    /// How many of them were replayed already.
    pub replayed: u64,
    /// By reason, the most frequent first.
    pub reasons: Vec<Group>,
}

/// Those of one reason.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Group {
    /// The reason.
    pub reason: String,
    /// How many there are.
    pub count: u64,
    /// How many of them were replayed already.
    pub replayed: u64,
    /// The first batch that landed one.
    pub first_batch: u64,
    /// The last batch that landed one.
    pub last_batch: u64,
    /// The earliest Kafka timestamp, in milliseconds since 1970 UTC.
    pub first_timestamp_ms: Option<i64>,
    /// The latest one.
    pub last_timestamp_ms: Option<i64>,
    /// Some of them: the first ones that were not replayed, then others.
    pub samples: Vec<Sample>,
}

/// A dead letter, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sample {
    /// Topic, with its incarnation; empty if the table does not say.
    pub topic: String,
    /// Partition; -1 if the table does not say.
    pub partition: i32,
    /// Offset; -1 if the table does not say.
    pub offset: i64,
    /// The batch that landed it.
    pub batch: u64,
    /// What is wrong, and where.
    pub detail: String,
    /// How the message begins, control characters escaped.
    pub beginning: String,
    /// Whether it was replayed.
    pub replayed: bool,
}

impl Letters {
    /// Counts the dead letters that are meant, with at most so many samples of each reason.
    pub async fn list(
        &self,
        state: &LogState,
        selection: &Selection,
        samples: usize,
        progress: &watch::Sender<Progress>,
    ) -> Result<Listing, LettersError> {
        let files = self.files(selection).await?;
        tell(progress, |p| p.total = files.len() as u64);
        let mut groups: BTreeMap<String, Group> = BTreeMap::new();
        for file in &files {
            let (slot, state) = (file.slot, state.clone());
            let add = move |groups: &mut BTreeMap<String, Group>, m: Message| {
                let seen = Seen::of(&m, slot, &state);
                groups.entry(m.reason).or_default().add(seen, samples);
            };
            groups = self.fold(file, selection, groups, add).await?;
            tell(progress, |p| p.done += 1);
        }
        let mut reasons: Vec<_> = groups.into_values().collect();
        reasons.sort_by_key(|g| std::cmp::Reverse(g.count));
        let sum = |of: fn(&Group) -> u64| reasons.iter().map(of).sum();
        Ok(Listing { dead_letters: sum(|g| g.count), replayed: sum(|g| g.replayed), reasons })
    }
}

struct Seen {
    reason: String,
    timestamp_ms: Option<i64>,
    sample: Sample,
}

impl Seen {
    fn of(m: &Message, slot: Slot, state: &LogState) -> Seen {
        let place = m.place.as_ref();
        let sample = Sample {
            topic: place.map_or(String::new(), |p| topic_in_rows(&p.partition.topic, p.incarnation)),
            partition: place.map_or(-1, |p| p.partition.partition),
            offset: place.map_or(-1, |p| p.offset),
            batch: slot.0,
            detail: beginning(m.detail.as_bytes()),
            beginning: m.bytes.as_deref().map_or(String::new(), beginning),
            replayed: place.is_some_and(|p| p.is_replayed(state)),
        };
        Seen { reason: m.reason.clone(), timestamp_ms: m.timestamp_ms, sample }
    }
}

impl Group {
    fn add(&mut self, seen: Seen, samples: usize) {
        let Seen { reason, timestamp_ms, sample } = seen;
        if self.count == 0 {
            (self.reason, self.first_batch) = (reason, sample.batch);
        }
        self.count += 1;
        self.replayed += u64::from(sample.replayed);
        self.first_batch = self.first_batch.min(sample.batch);
        self.last_batch = self.last_batch.max(sample.batch);
        self.first_timestamp_ms = [self.first_timestamp_ms, timestamp_ms].into_iter().flatten().min();
        self.last_timestamp_ms = [self.last_timestamp_ms, timestamp_ms].into_iter().flatten().max();
        // What still waits for somebody is of more use than what is done.
        let done = self.samples.iter().position(|s| s.replayed);
        match done {
            _ if self.samples.len() < samples => self.samples.push(sample),
            Some(at) if !sample.replayed => {
                self.samples.remove(at);
                self.samples.push(sample);
            }
            _ => {}
        }
    }
}

/// The first characters, on one line, with nothing in them that a terminal would obey.
fn beginning(bytes: &[u8]) -> String {
    // No character has more than four bytes.
    let head = &bytes[..bytes.len().min(SHOWN * 4)];
    let text = String::from_utf8_lossy(head);
    let mut out = String::new();
    for c in text.chars().take(SHOWN) {
        if c.is_control() || ('\u{200e}'..='\u{206f}').contains(&c) {
            out.extend(c.escape_default())
        } else {
            out.push(c)
        }
    }
    if text.chars().count() > SHOWN || head.len() < bytes.len() {
        out.push('…');
    }
    out
}

fn time(ms: Option<i64>) -> String {
    let time = ms.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    time.map_or("unknown".to_owned(), |t| t.to_string())
}

impl fmt::Display for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for g in &self.reasons {
            writeln!(f, "{}: {}, {} of them replayed", g.reason, g.count, g.replayed)?;
            match g.first_batch == g.last_batch {
                true => writeln!(f, "  batch {}", g.first_batch)?,
                false => writeln!(f, "  batches {} to {}", g.first_batch, g.last_batch)?,
            }
            writeln!(f, "  Kafka timestamps {} to {}", time(g.first_timestamp_ms), time(g.last_timestamp_ms))?;
            for s in &g.samples {
                let done = if s.replayed { ", replayed" } else { "" };
                writeln!(
                    f,
                    "  {}[{}] offset {} (batch {}{done}): {}",
                    s.topic, s.partition, s.offset, s.batch, s.detail
                )?;
                writeln!(f, "    {}", s.beginning)?;
            }
        }
        match self.dead_letters {
            0 => writeln!(f, "no dead letters"),
            n => writeln!(f, "{n} dead letters, {} of them replayed", self.replayed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_shown_on_one_line_and_does_nothing_to_the_terminal() {
        assert_eq!(beginning(b"{\"a\":\x1b[2J\n\t\xff}"), "{\"a\":\\u{1b}[2J\\n\\t\u{fffd}}");
        assert_eq!(beginning("a\u{202e}b".as_bytes()), "a\\u{202e}b");
        assert_eq!(beginning("ä".repeat(100).as_bytes()), "ä".repeat(100));
        assert_eq!(beginning("ä".repeat(101).as_bytes()), "ä".repeat(100) + "…");
        assert_eq!(beginning(&[b'x'; 1 << 20]), "x".repeat(100) + "…");
    }

    #[test]
    fn samples_are_those_that_still_wait() {
        let mut group = Group::default();
        let seen = |offset: i64, replayed| Seen {
            reason: "too_deep".to_owned(),
            timestamp_ms: Some(100 - offset),
            sample: Sample {
                topic: "t".to_owned(),
                partition: 0,
                offset,
                batch: offset as u64 / 10,
                detail: String::new(),
                beginning: String::new(),
                replayed,
            },
        };
        (0..50).for_each(|o| group.add(seen(o, o < 30), 3));
        assert_eq!((group.count, group.replayed, group.first_batch, group.last_batch), (50, 30, 0, 4));
        assert_eq!((group.first_timestamp_ms, group.last_timestamp_ms), (Some(51), Some(100)));
        assert_eq!(group.samples.iter().map(|s| s.offset).collect::<Vec<_>>(), [30, 31, 32]);
    }
}
