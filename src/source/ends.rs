//! Where partitions end: asked beside the reading, which stops hearing of it when it pauses.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::{Offset as KafkaOffset, TopicPartitionList};
use tracing::{info, warn};

use super::client::describe;
use super::port::{End, SourceError, View};
use crate::model::TopicPartition;
use crate::observe::{Metrics, Service, Time};

/// One request to each broker that leads some of them. What is read meanwhile moves the ends too.
const EVERY: Duration = Duration::from_secs(5);
/// A broker that is slower is out of order.
const LIMIT: Duration = Duration::from_secs(3);
/// What fails so often is spoken of: brokers that are gone altogether are told by the reading thread.
const SAID_AT: u32 = 3;
const ASK: &str = "ask where partitions end";

/// What the threads of a source know, for whoever asks.
#[derive(Debug, Clone, Default)]
pub(super) struct Shared(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    view: View,
    /// When all that was asked for was last answered.
    answered: Option<Instant>,
}

impl Shared {
    pub(super) fn get(&self) -> View {
        self.lock().view.clone()
    }

    /// Whether all brokers that were asked have answered since.
    pub(super) fn answered_since(&self, then: Instant) -> bool {
        self.lock().answered.is_some_and(|at| at > then)
    }

    pub(super) fn set_paused(&self, paused: bool) {
        self.lock().view.paused = paused;
    }

    /// What a panic left behind is as it was before the call: it is only changed at once.
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread that asks, over the consumer's own connections.
pub(super) struct Ends {
    /// `None` when it is to end.
    partitions: Option<SyncSender<Vec<TopicPartition>>>,
    thread: Option<JoinHandle<()>>,
}

impl Ends {
    /// Asks for nothing until [`Ends::of`].
    pub(super) fn ask<C: ConsumerContext + 'static>(
        consumer: &Arc<BaseConsumer<C>>,
        view: &Shared,
        metrics: &Metrics,
    ) -> Result<Ends, SourceError> {
        let (partitions, asked) = sync_channel(64);
        let asker = Asker { consumer: Arc::downgrade(consumer), asked, view: view.clone(), metrics: metrics.clone() };
        let thread = std::thread::Builder::new().name("kafka-ends".to_owned()).spawn(move || asker.run());
        let thread = thread.map_err(|e| SourceError::Fatal(format!("cannot start a thread: {e}")))?;
        Ok(Ends { partitions: Some(partitions), thread: Some(thread) })
    }

    /// From now on of these partitions.
    pub(super) fn of(&self, partitions: Vec<TopicPartition>) {
        if let Some(sender) = &self.partitions {
            // A thread that is behind by so many rebalances waits for a broker: it hears of the next.
            _ = sender.try_send(partitions);
        }
    }

    /// Ends the thread, and waits until it has.
    pub(super) fn stop(&mut self) {
        self.partitions = None;
        if let Some(thread) = self.thread.take() {
            // Its panic has been printed; nothing rests on what it does.
            _ = thread.join();
        }
    }
}

struct Asker<C: ConsumerContext + 'static> {
    /// The consumer ends when its own thread lets go of it.
    consumer: Weak<BaseConsumer<C>>,
    asked: Receiver<Vec<TopicPartition>>,
    view: Shared,
    metrics: Metrics,
}

impl<C: ConsumerContext + 'static> Asker<C> {
    fn run(self) {
        let (mut partitions, mut failures) = (Vec::new(), 0_u32);
        loop {
            match self.asked.recv_timeout(EVERY) {
                Ok(now) => {
                    partitions = now;
                    self.view.lock().view.ends.retain(|tp, _| partitions.contains(tp));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if partitions.is_empty() {
                self.metrics.over(Service::Kafka, ASK);
                continue;
            }
            let Some(consumer) = self.consumer.upgrade() else { break };
            match self.look(&consumer, &partitions) {
                Ok(()) => {
                    self.metrics.over(Service::Kafka, ASK);
                    if failures >= SAID_AT {
                        info!(failures, "Kafka says again where partitions end");
                    }
                    failures = 0;
                }
                Err(e) => {
                    failures += 1;
                    self.metrics.failed(Service::Kafka, ASK, &describe(&e));
                    if failures == SAID_AT {
                        let error = describe(&e);
                        warn!(
                            error,
                            "Kafka does not say where partitions end: it is slow, or leaders are away; asking on"
                        );
                    }
                }
            }
        }
        self.metrics.over(Service::Kafka, ASK);
    }

    fn look(&self, consumer: &BaseConsumer<C>, partitions: &[TopicPartition]) -> KafkaResult<()> {
        let mut list = TopicPartitionList::new();
        for tp in partitions {
            // In place of a time: the end, of what is committed if only that is read.
            list.add_partition_offset(&tp.topic, tp.partition, KafkaOffset::End)?;
        }
        let (at, begun) = (Time::now(), Instant::now());
        let found = consumer.offsets_for_times(list, LIMIT)?;
        let mut first = None;
        let mut known = self.view.lock();
        for element in found.elements() {
            match (element.error(), element.offset()) {
                (Ok(()), KafkaOffset::Offset(offset)) => {
                    let name = TopicPartition::new(element.topic(), element.partition());
                    known.view.ends.insert(name, End { offset, at });
                }
                (Err(e), _) => _ = first.get_or_insert(e),
                (Ok(()), _) => {}
            }
        }
        if first.is_none() {
            known.answered = Some(begun);
        }
        first.map_or(Ok(()), Err::<(), KafkaError>)
    }
}
