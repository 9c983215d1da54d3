//! How many dead letters are too many. Time is an argument: since the start of the process.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::Duration;

use super::buffer::Buried;
use crate::config::settings::Messages;
use crate::decode::Reason;
use crate::model::TopicPartition;

/// Below so many dead letters no share is judged: one bad message of three says nothing.
const LEAST_LETTERS: u64 = 20;
/// A share is that of the last so many messages at least, and of twice as many at most.
const LEAST_MESSAGES: u64 = 1000;
const MILLION: u64 = 1_000_000;
const MINUTE: Duration = Duration::from_secs(60);
/// Kinds of dead letters that are named in words.
const SHOWN: usize = 5;

/// Dead letters of one kind: how many, and the last of them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sample {
    count: u64,
    offset: i64,
    detail: String,
}

/// What was read in some time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Window {
    messages: u64,
    letters: u64,
    kinds: BTreeMap<(TopicPartition, Reason), Sample>,
}

impl Window {
    fn add(&mut self, messages: u64, buried: &[Buried]) {
        self.messages += messages;
        self.letters += buried.len() as u64;
        for b in buried {
            let (offset, detail) = (b.offset, &b.reject.detail);
            let kind = self.kinds.entry((b.partition.clone(), b.reject.reason));
            let sample = kind.or_insert_with(|| Sample { count: 0, offset, detail: String::new() });
            (sample.count, sample.offset) = (sample.count + 1, offset);
            sample.detail.clone_from(detail);
        }
    }

    /// Adds the kinds of a later one.
    fn merge(&mut self, other: &Window) {
        for (kind, sample) in &other.kinds {
            let count = self.kinds.get(kind).map_or(0, |s| s.count) + sample.count;
            self.kinds.insert(kind.clone(), Sample { count, ..sample.clone() });
        }
    }
}

/// The limits of `messages.max_dead_letters…`, and what was read lately.
#[derive(Debug)]
pub struct Ceiling {
    /// In millionths.
    share: Option<u64>,
    per_minute: Option<u64>,
    before: Window,
    latest: Window,
    /// By second.
    minute: VecDeque<(Duration, Window)>,
}

/// There are too many dead letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exceeded {
    what: String,
    kinds: Vec<((TopicPartition, Reason), Sample)>,
    /// When it is over by itself, should nothing more be read; `None`: never.
    pub until: Option<Duration>,
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        for (k, ((partition, reason), s)) in self.kinds.iter().take(SHOWN).enumerate() {
            let and = if k == 0 { ": " } else { "; " };
            write!(f, "{and}{} {reason} in {partition}, the last at offset {} ({})", s.count, s.offset, s.detail)?;
        }
        match self.kinds.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, "; and {more} kinds more"),
        }
    }
}

impl Ceiling {
    /// From the settings.
    pub fn new(settings: &Messages) -> Ceiling {
        Ceiling {
            share: settings.max_dead_letters.map(|share| u64::from(share.get())),
            per_minute: settings.max_dead_letters_per_minute.map(std::num::NonZeroU64::get),
            before: Window::default(),
            latest: Window::default(),
            minute: VecDeque::new(),
        }
    }

    /// Some messages were read, and these of them are dead letters.
    pub fn read(&mut self, messages: u64, buried: &[Buried], now: Duration) {
        if let Some(share) = self.share {
            // So that at the limit there are enough dead letters to judge by.
            let least = LEAST_MESSAGES.max((LEAST_LETTERS * MILLION).div_ceil(share));
            if self.latest.messages >= least {
                self.before = std::mem::take(&mut self.latest);
            }
            self.latest.add(messages, buried);
        }
        if self.per_minute.is_some() && !buried.is_empty() {
            match self.minute.back_mut().filter(|(at, _)| at.as_secs() == now.as_secs()) {
                Some((_, second)) => second.add(messages, buried),
                None => {
                    let mut second = Window::default();
                    second.add(messages, buried);
                    self.minute.push_back((now, second));
                }
            }
        }
    }

    /// Whether a limit is exceeded now.
    pub fn exceeded(&mut self, now: Duration) -> Option<Exceeded> {
        self.share_exceeded().or_else(|| self.minute_exceeded(now))
    }

    fn share_exceeded(&self) -> Option<Exceeded> {
        let share = self.share?;
        let sum = |of: fn(&Window) -> u64| of(&self.before) + of(&self.latest);
        let (letters, messages) = (sum(|w| w.letters), sum(|w| w.messages));
        if letters < LEAST_LETTERS || letters * MILLION <= share * messages {
            return None;
        }
        let percent = |millionths: u64| millionths as f64 / 10_000.0;
        let what = format!(
            "{letters} of the last {messages} messages are dead letters ({:.1} %), and messages.max_dead_letters = \"{}%\"",
            percent(letters * MILLION / messages.max(1)),
            percent(share)
        );
        Some(Exceeded { what, kinds: kinds([&self.before, &self.latest]), until: None })
    }

    fn minute_exceeded(&mut self, now: Duration) -> Option<Exceeded> {
        let limit = self.per_minute?;
        while self.minute.front().is_some_and(|(at, _)| *at + MINUTE <= now) {
            self.minute.pop_front();
        }
        let letters: u64 = self.minute.iter().map(|(_, second)| second.letters).sum();
        // The oldest must pass until no more than the limit are left.
        let (mut left, mut until) = (letters, None);
        for (at, second) in self.minute.iter() {
            if left <= limit {
                break;
            }
            left -= second.letters;
            until = Some(*at + MINUTE);
        }
        let until = Some(until?);
        let what =
            format!("{letters} dead letters within a minute, and messages.max_dead_letters_per_minute = {limit}");
        Some(Exceeded { what, kinds: kinds(self.minute.iter().map(|(_, second)| second)), until })
    }
}

/// The kinds of some windows, oldest first; the most frequent come first.
fn kinds<'w>(windows: impl IntoIterator<Item = &'w Window>) -> Vec<((TopicPartition, Reason), Sample)> {
    let mut all = Window::default();
    windows.into_iter().for_each(|w| all.merge(w));
    let mut kinds: Vec<_> = all.kinds.into_iter().collect();
    kinds.sort_by_key(|(_, s)| std::cmp::Reverse(s.count));
    kinds
}

#[cfg(test)]
mod tests {
    use std::num::{NonZeroU32, NonZeroU64};

    use super::*;
    use crate::config::load_embedded;
    use crate::decode::Reject;

    fn ceiling(share: Option<u32>, per_minute: Option<u64>) -> Ceiling {
        let mut messages = load_embedded(std::iter::empty()).unwrap().messages;
        assert!(!messages.has_ceiling(), "no limit unless one is set");
        messages.max_dead_letters = share.and_then(NonZeroU32::new);
        messages.max_dead_letters_per_minute = per_minute.and_then(NonZeroU64::new);
        Ceiling::new(&messages)
    }

    fn buried(n: usize) -> Vec<Buried> {
        let one = |i: usize| Buried {
            partition: TopicPartition::new("events", i.is_multiple_of(3).into()),
            offset: i as i64,
            reject: Reject::new(Reason::MalformedJson, format!("broken {i}")),
        };
        (0..n).map(one).collect()
    }

    fn second(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn a_share_is_judged_from_20_dead_letters_on() {
        for (messages, letters, over) in [
            (3, 1, false),
            (19, 19, false),
            (20, 20, true),
            (400, 20, false),
            (399, 20, true),
            (1000, 50, false),
            (1000, 51, true),
        ] {
            let mut c = ceiling(Some(50_000), None);
            c.read(messages, &buried(letters), second(1));
            assert_eq!(c.exceeded(second(1)).is_some(), over, "{letters} of {messages}");
        }
    }

    #[test]
    fn what_was_long_ago_does_not_hide_a_share_of_now() {
        let mut c = ceiling(Some(50_000), None);
        for _ in 0..1000 {
            c.read(1000, &[], second(1));
            assert_eq!(c.exceeded(second(1)), None);
        }
        c.read(1000, &buried(100), second(2));
        assert_eq!(c.exceeded(second(2)), None, "a twentieth of the last two thousand, and not more");
        c.read(10, &buried(10), second(3));
        let e = c.exceeded(second(3)).unwrap();
        assert_eq!(e.until, None, "nothing changes by itself");
        assert_eq!(
            e.to_string(),
            "110 of the last 1010 messages are dead letters (10.9 %), and messages.max_dead_letters = \"5%\": \
             72 malformed_json in events[0], the last at offset 8 (broken 8); \
             38 malformed_json in events[1], the last at offset 9 (broken 9)"
        );
    }

    #[test]
    fn a_small_share_is_seen_over_more_messages() {
        // 0.1 %
        let mut c = ceiling(Some(1000), None);
        for n in 1..=40_u64 {
            c.read(1000, &buried(usize::from(n.is_multiple_of(2))), second(n));
            assert_eq!(c.exceeded(second(n)), None, "after {n} thousand");
        }
        for n in 41..=60 {
            c.read(1000, &buried(2), second(n));
        }
        assert!(c.exceeded(second(61)).is_some());
    }

    #[test]
    fn a_minute_passes() {
        let mut c = ceiling(None, Some(10));
        c.read(100, &buried(6), second(10));
        c.read(100, &buried(4), second(30));
        assert_eq!(c.exceeded(second(30)), None);
        c.read(100, &buried(1), second(31));
        let e = c.exceeded(second(31)).unwrap();
        assert_eq!(e.until, Some(second(70)));
        assert!(e.to_string().starts_with("11 dead letters within a minute, and"), "{e}");
        assert!(c.exceeded(second(69)).is_some());
        assert_eq!(c.exceeded(second(70)), None);
        c.read(100, &buried(40), second(71));
        assert_eq!(c.exceeded(second(71)).unwrap().until, Some(second(131)), "all that is more must have passed");
        assert_eq!(c.exceeded(second(131)), None);
    }

    #[test]
    fn without_limits_nothing_is_too_much() {
        let mut c = ceiling(None, None);
        c.read(1000, &buried(1000), second(1));
        assert_eq!(c.exceeded(second(1)), None);
    }
}
