//! The memory twin: topics in memory, one consumer that owns every partition.

use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::TryRecvError;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;

use super::port::{Assignment, End, Event, Hold, Source, SourceError, Start, View};
use crate::model::{Chunk, Headers, Offset, Record, Tail, TopicPartition};
use crate::observe::Time;

type Message = (i64, Option<Vec<u8>>);

#[derive(Debug, Default)]
struct Topics {
    /// How often the group shared the partitions out.
    generation: u64,
    partitions: BTreeMap<TopicPartition, (i64, Vec<Message>)>,
    committed: BTreeMap<TopicPartition, Offset>,
}

/// Topics that survive their consumers.
#[derive(Debug, Clone, Default)]
pub struct MemoryTopic {
    topics: Arc<Mutex<Topics>>,
    appended: Arc<Notify>,
}

impl MemoryTopic {
    fn lock(&self) -> MutexGuard<'_, Topics> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a partition that holds nothing.
    pub fn create(&self, partition: &TopicPartition) {
        self.lock().partitions.entry(partition.clone()).or_default();
    }

    /// Appends a message; `None` is a tombstone.
    pub fn append(&self, partition: &TopicPartition, timestamp_ms: i64, value: Option<&[u8]>) {
        let mut topics = self.lock();
        let (_, log) = topics.partitions.entry(partition.clone()).or_default();
        log.push((timestamp_ms, value.map(<[u8]>::to_vec)));
        self.appended.notify_waiters();
    }

    /// Lets retention remove all messages before `offset`.
    pub fn expire(&self, partition: &TopicPartition, offset: i64) {
        if let Some((low, log)) = self.lock().partitions.get_mut(partition) {
            log.drain(..(offset - *low) as usize);
            *low = offset;
        }
        self.appended.notify_waiters();
    }

    /// Deletes the topic's messages, as if it were made anew.
    pub fn remake(&self) {
        self.lock().partitions.values_mut().for_each(|partition| *partition = (0, Vec::new()));
    }

    /// Lets the group take all partitions away and share them out again.
    pub fn rebalance(&self) {
        self.lock().generation += 1;
        self.appended.notify_waiters();
    }

    /// The group offsets that a consumer wrote.
    pub fn committed(&self) -> BTreeMap<TopicPartition, Offset> {
        self.lock().committed.clone()
    }
}

/// A consumer of all partitions of a [`MemoryTopic`].
pub struct MemorySource {
    topic: MemoryTopic,
    chunk: usize,
    control: Mutex<VecDeque<Event>>,
    data: Mutex<VecDeque<Event>>,
    session: Mutex<u64>,
    generation: u64,
    /// Sees the end of the pipeline's hold on a rebalance.
    released: Option<std::sync::mpsc::Receiver<()>>,
    positions: Mutex<BTreeMap<TopicPartition, (Offset, bool)>>,
}

fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemorySource {
    /// A consumer that hands out chunks of at most `chunk` messages.
    pub fn subscribe(topic: &MemoryTopic, chunk: usize) -> MemorySource {
        let topics = topic.lock();
        let (generation, partitions) = (topics.generation, topics.partitions.keys().cloned().collect());
        MemorySource {
            topic: topic.clone(),
            chunk,
            generation,
            released: None,
            control: Mutex::new(VecDeque::from([Event::Assigned { generation, partitions }])),
            data: Mutex::default(),
            session: Mutex::default(),
            positions: Mutex::default(),
        }
    }

    /// What the group has to say.
    fn rebalanced(&mut self) -> Option<Event> {
        if let Some(released) = &self.released {
            if released.try_recv() == Err(TryRecvError::Empty) {
                return None;
            }
            self.released = None;
            let partitions = self.topic.lock().partitions.keys().cloned().collect();
            return Some(Event::Assigned { generation: self.generation, partitions });
        }
        let generation = self.topic.lock().generation;
        if generation == self.generation {
            return None;
        }
        self.generation = generation;
        lock(&self.positions).clear();
        let (hold, released) = Hold::new();
        self.released = Some(released);
        Some(Event::Revoked { lost: false, hold })
    }

    fn read(&self) -> Option<Event> {
        if let Some(event) = lock(&self.data).pop_front() {
            return Some(event);
        }
        let session = *lock(&self.session);
        let topics = self.topic.lock();
        let mut positions = lock(&self.positions);
        let gap = positions.iter().find_map(|(tp, (end, _))| gap(tp, *end, topics.partitions.get(tp)?.0));
        if let Some(error) = gap {
            positions.retain(|tp, _| error.stopped().is_none_or(|(stopped, _)| stopped != tp));
            return Some(Event::Stopped { session, error });
        }
        for (tp, (position, told)) in positions.iter_mut() {
            let Some((low, log)) = topics.partitions.get(tp) else { continue };
            let from = (position.0 - low) as usize;
            if from >= log.len() {
                if !std::mem::replace(told, true) {
                    return Some(Event::EndReached { session, partition: tp.partition });
                }
                continue;
            }
            let mut chunk = Chunk::default();
            for (i, (timestamp_ms, value)) in log.iter().enumerate().skip(from).take(self.chunk) {
                let offset = low + i as i64;
                let (timestamp_ms, value) = (Some(*timestamp_ms), value.as_deref());
                chunk.push(Record {
                    partition: tp,
                    offset,
                    timestamp_ms,
                    key: None,
                    value,
                    headers: Headers::default(),
                });
                *position = Offset::after(offset);
            }
            *told = false;
            return Some(Event::Messages { session, chunk });
        }
        None
    }
}

/// What is missing before the oldest message at `low`.
fn gap(partition: &TopicPartition, end: Offset, low: i64) -> Option<SourceError> {
    (end.0 < low).then(|| SourceError::Gap { partition: partition.clone(), end, low, missing: low - end.0 })
}

/// The fingerprint of the message at `offset`, if it is there.
fn found(partition: &TopicPartition, low: i64, log: &[Message], offset: i64) -> Option<Tail> {
    let (timestamp_ms, value) = log.get(usize::try_from(offset - low).ok()?)?;
    let (timestamp_ms, value) = (Some(*timestamp_ms), value.as_deref());
    Some(Tail::of(&Record { partition, offset, timestamp_ms, key: None, value, headers: Headers::default() }))
}

#[async_trait]
impl Source for MemorySource {
    async fn next(&mut self, data: bool) -> Option<Event> {
        loop {
            let appended = self.topic.appended.clone();
            let appended = appended.notified();
            if let Some(event) = lock(&self.control).pop_front() {
                return Some(event);
            }
            if let Some(event) = self.rebalanced() {
                return Some(event);
            }
            if data && let Some(event) = self.read() {
                return Some(event);
            }
            if self.released.is_some() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            } else {
                appended.await;
            }
        }
    }

    fn assign(&self, a: Assignment) {
        let topics = self.topic.lock();
        let mut positions = BTreeMap::new();
        let mut data = lock(&self.data);
        data.clear();
        for (tp, start) in a.starts {
            let Some((low, log)) = topics.partitions.get(&tp) else { continue };
            let high = low + log.len() as i64;
            let error = match start {
                Start::Oldest => {
                    positions.insert(tp, (Offset(*low), false));
                    continue;
                }
                // The first read finds what retention took.
                Start::At { offset: end, .. } if end.0 > high => SourceError::Truncated { partition: tp, end, high },
                Start::At { tail: Some(tail), .. } if found(&tp, *low, log, tail.offset).is_some_and(|t| t != tail) => {
                    SourceError::Replaced { partition: tp, offset: tail.offset }
                }
                Start::At { offset, .. } => {
                    positions.insert(tp, (offset, false));
                    continue;
                }
            };
            data.push_back(Event::Stopped { session: a.session, error });
        }
        *lock(&self.session) = a.session;
        let told = positions.iter().map(|(tp, (o, _))| (tp.clone(), *o)).collect();
        *lock(&self.positions) = positions;
        data.push_back(Event::Positioned { session: a.session, positions: told });
        self.topic.appended.notify_waiters();
    }

    fn commit_offsets(&self, ends: Vec<(TopicPartition, Offset)>) {
        self.topic.lock().committed.extend(ends);
    }

    fn view(&self) -> View {
        let at = Time::now();
        let end = |(tp, (low, log)): (&TopicPartition, &(i64, Vec<Message>))| {
            (tp.clone(), End { offset: low + log.len() as i64, at })
        };
        View { ends: self.topic.lock().partitions.iter().map(end).collect(), paused: false }
    }

    async fn stop(&mut self) {
        lock(&self.positions).clear();
    }
}
