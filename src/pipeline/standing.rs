//! How each of our partitions stands: landed, read, and how far behind the end. Time is an argument.

use std::collections::{BTreeMap, VecDeque};

use crate::model::{Chunk, Offset, TopicPartition};
use crate::observe::{PartitionState, PartitionStatus, Time};
use crate::source::{End, View};

/// What was read within so many milliseconds is remembered by its first message.
const TOGETHER_MS: i64 = 1000;

/// All of our partitions.
#[derive(Debug, Default)]
pub(super) struct Standing(BTreeMap<TopicPartition, Track>);

/// One of them.
#[derive(Debug, Default)]
struct Track {
    landed: Option<i64>,
    read: Option<i64>,
    end: Option<End>,
    /// What was read and is not landed, oldest first.
    waiting: VecDeque<Waiting>,
    /// Since when there is something behind that was not read, as far as we know.
    behind_since: Option<Time>,
    /// All that was there has been read, and no message came since; with the first end that was told afterwards. What lies
    /// before that end are no messages but the marks of transactions.
    drained: Option<Option<i64>>,
    reading: bool,
    stopped: Option<(Time, String, Option<String>)>,
}

/// Some messages, read at about the same time.
#[derive(Debug)]
struct Waiting {
    end: i64,
    oldest: Time,
    read: Time,
}

impl Standing {
    /// The group gave us these, and no others.
    pub(super) fn assigned(&mut self, partitions: &[TopicPartition]) {
        self.0 = partitions.iter().map(|tp| (tp.clone(), Track::default())).collect();
    }

    /// The log says where each is landed; what is under way is void.
    pub(super) fn ordered<'p>(&mut self, landed: impl Iterator<Item = (&'p TopicPartition, Option<Offset>)>) {
        for (tp, landed) in landed {
            let track = self.0.entry(tp.clone()).or_default();
            let end = track.end;
            *track = Track { landed: landed.map(|o| o.0), end, ..Track::default() };
        }
    }

    /// Reading begins here, in all that were ordered.
    pub(super) fn reading(&mut self, positions: &[(TopicPartition, Offset)]) {
        for (tp, at) in positions {
            let track = self.0.entry(tp.clone()).or_default();
            (track.landed, track.read, track.reading) = (Some(at.0), Some(at.0), true);
            track.waiting.clear();
        }
    }

    /// Some messages were read.
    pub(super) fn read(&mut self, chunk: &Chunk, now: Time) {
        for ((tp, end), first_ms) in chunk.ends().into_iter().zip(chunk.first_timestamps()) {
            let Some(track) = self.0.get_mut(tp) else { continue };
            track.drained = None;
            track.read = Some(end.0);
            let oldest = first_ms.and_then(Time::of_ms).unwrap_or(now);
            match track.waiting.back_mut() {
                Some(last) if now.ms() - last.read.ms() < TOGETHER_MS => {
                    last.end = end.0;
                    last.oldest = last.oldest.min(oldest);
                }
                _ => track.waiting.push_back(Waiting { end: end.0, oldest, read: now }),
            }
        }
    }

    /// All that was in the partitions of this number has been read; of which topic, nobody knows. Another one that is wrongly
    /// taken for it is put right by its next message.
    pub(super) fn drained(&mut self, number: i32) {
        for (_, track) in self.0.iter_mut().filter(|(tp, track)| tp.partition == number && track.reading) {
            track.drained = Some(None);
        }
    }

    /// All before `end` is landed.
    pub(super) fn landed(&mut self, tp: &TopicPartition, end: Offset) {
        let Some(track) = self.0.get_mut(tp) else { return };
        track.landed = Some(end.0);
        track.read = track.read.max(track.landed);
        while track.waiting.front().is_some_and(|w| w.end <= end.0) {
            track.waiting.pop_front();
        }
    }

    /// A person must decide about it.
    pub(super) fn stopped(&mut self, tp: &TopicPartition, since: Time, reason: String, command: Option<String>) {
        let track = self.0.entry(tp.clone()).or_default();
        track.reading = false;
        track.stopped = Some((since, reason, command));
    }

    /// The end of a partition, as far as anybody knows.
    pub(super) fn end(&self, tp: &TopicPartition) -> Option<i64> {
        self.0.get(tp).and_then(Track::known_end)
    }

    /// Looks at all of them; `paused` is the cause and the reason of a pause of all reading.
    pub(super) fn look(
        &mut self,
        view: &View,
        paused: Option<(&'static str, &str)>,
        now: Time,
    ) -> Vec<PartitionStatus> {
        self.0.iter_mut().map(|(tp, track)| track.look(tp, view.ends.get(tp).copied(), paused, now)).collect()
    }
}

impl Track {
    fn known_end(&self) -> Option<i64> {
        let end = match (self.drained, self.end) {
            (Some(None), _) => None,
            (Some(Some(nothing_before)), Some(end)) if end.offset <= nothing_before => None,
            (_, end) => end.map(|e| e.offset),
        };
        end.max(self.read)
    }

    fn look(
        &mut self,
        tp: &TopicPartition,
        end: Option<End>,
        paused: Option<(&'static str, &str)>,
        now: Time,
    ) -> PartitionStatus {
        if let Some(end) = end.filter(|end| self.end.is_none_or(|known| known.at < end.at)) {
            self.end = Some(end);
            if self.drained == Some(None) {
                self.drained = Some(Some(end.offset));
            }
        }
        let known = self.known_end();
        let lag = known.zip(self.landed).map(|(end, landed)| u64::try_from(end - landed).unwrap_or(0));
        let state = match (&self.stopped, paused) {
            (Some((since, reason, command)), _) => {
                PartitionState::Stopped { since: *since, reason: reason.clone(), command: command.clone() }
            }
            _ if !self.reading => PartitionState::Assigned,
            (None, Some((cause, why))) => PartitionState::Paused { cause, why: why.to_owned() },
            (None, None) => PartitionState::Reading,
        };
        PartitionStatus {
            landed_offset: self.landed,
            read_offset: self.read,
            end_offset: known,
            end_known: self.end.map(|end| end.at),
            lag_messages: lag,
            lag_seconds: lag.map(|lag| self.lag_seconds(lag, now)),
            state,
            ..PartitionStatus::new(tp)
        }
    }

    fn lag_seconds(&mut self, lag: u64, now: Time) -> f64 {
        if lag == 0 {
            self.behind_since = None;
            return 0.0;
        }
        let since = *self.behind_since.get_or_insert(now);
        let oldest = self.waiting.front().map_or(since, |w| w.oldest);
        oldest.age(now).as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Headers, Record};

    fn at(seconds: i64) -> Time {
        Time::of_ms(1_000_000_000_000 + seconds * 1000).unwrap()
    }

    fn tp() -> TopicPartition {
        TopicPartition::new("events", 2)
    }

    fn messages(offsets: std::ops::Range<i64>, made: Time) -> Chunk {
        let (mut chunk, partition) = (Chunk::default(), tp());
        for offset in offsets {
            let (partition, timestamp_ms, headers) = (&partition, Some(made.ms()), Headers::default());
            chunk.push(Record { partition, offset, timestamp_ms, key: None, value: None, headers });
        }
        chunk
    }

    fn view(offset: i64, asked: i64) -> View {
        View { ends: [(tp(), End { offset, at: at(asked) })].into(), paused: false }
    }

    /// State, lag in messages and in seconds.
    fn look(s: &mut Standing, view: &View, now: i64) -> (&'static str, Option<u64>, Option<f64>) {
        let p = s.look(view, None, at(now)).remove(0);
        (p.state.name(), p.lag_messages, p.lag_seconds)
    }

    #[test]
    fn lag_is_what_is_not_landed_and_as_old_as_its_oldest_message() {
        let mut s = Standing::default();
        s.assigned(&[tp()]);
        assert_eq!(look(&mut s, &View::default(), 0), ("assigned", None, None));
        s.ordered([(&tp(), Some(Offset(10)))].into_iter());
        assert_eq!(look(&mut s, &view(10, 1), 1), ("assigned", Some(0), Some(0.0)));
        s.reading(&[(tp(), Offset(10))]);
        assert_eq!(look(&mut s, &view(30, 2), 3), ("reading", Some(20), Some(0.0)), "nobody knows yet how old");
        assert_eq!(look(&mut s, &view(30, 2), 7), ("reading", Some(20), Some(4.0)));
        s.read(&messages(10..20, at(-60)), at(7));
        s.read(&messages(20..40, at(5)), at(9));
        assert_eq!(look(&mut s, &view(30, 2), 10), ("reading", Some(30), Some(70.0)), "what is read is there");
        s.landed(&tp(), Offset(20));
        assert_eq!(look(&mut s, &view(30, 2), 10), ("reading", Some(20), Some(5.0)));
        s.landed(&tp(), Offset(40));
        assert_eq!(look(&mut s, &view(40, 11), 12), ("reading", Some(0), Some(0.0)));
        assert_eq!(look(&mut s, &view(50, 16), 17), ("reading", Some(10), Some(0.0)));
    }

    #[test]
    fn a_partition_that_is_not_read_falls_behind_all_the_same() {
        let mut s = Standing::default();
        s.assigned(&[tp()]);
        s.ordered([(&tp(), Some(Offset(10)))].into_iter());
        s.stopped(&tp(), at(1), "a gap".to_owned(), Some("landfall accept-gap".to_owned()));
        assert_eq!(look(&mut s, &view(100, 2), 2), ("stopped", Some(90), Some(0.0)));
        assert_eq!(look(&mut s, &view(150, 60), 62), ("stopped", Some(140), Some(60.0)));
        let p = s.look(&view(150, 60), Some(("memory", "full")), at(62)).remove(0);
        assert_eq!(p.state.name(), "stopped", "whatever else is the matter");
        s.ordered([(&tp(), Some(Offset(120)))].into_iter());
        s.reading(&[(tp(), Offset(120))]);
        let p = s.look(&view(150, 60), Some(("memory", "full")), at(63)).remove(0);
        assert_eq!((p.state.name(), p.lag_messages), ("paused", Some(30)));
    }

    #[test]
    fn the_marks_of_transactions_are_no_lag() {
        let mut s = Standing::default();
        s.assigned(&[tp()]);
        s.reading(&[(tp(), Offset(0))]);
        s.read(&messages(0..10, at(0)), at(1));
        s.landed(&tp(), Offset(10));
        s.drained(2);
        assert_eq!(look(&mut s, &view(11, 2), 2), ("reading", Some(0), Some(0.0)));
        assert_eq!(look(&mut s, &view(11, 7), 30), ("reading", Some(0), Some(0.0)));
        assert_eq!(look(&mut s, &view(21, 32), 32), ("reading", Some(11), Some(0.0)), "more came since");
        s.read(&messages(11..20, at(31)), at(33));
        assert_eq!(look(&mut s, &view(21, 32), 33), ("reading", Some(11), Some(2.0)));
    }

    #[test]
    fn what_another_process_reads_now_is_not_ours_to_tell() {
        let mut s = Standing::default();
        s.assigned(&[tp(), TopicPartition::new("events", 0)]);
        s.assigned(&[tp()]);
        assert_eq!(s.look(&View::default(), None, at(0)).len(), 1);
        s.read(&messages(0..3, at(0)), at(0));
        s.landed(&TopicPartition::new("events", 0), Offset(5));
        assert_eq!(s.end(&TopicPartition::new("events", 0)), None);
    }
}
