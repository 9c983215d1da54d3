//! Kafka as a [`Source`]: a handle on the one thread that talks to librdkafka.

use std::sync::mpsc as std_mpsc;
use std::thread::JoinHandle;

use async_trait::async_trait;
use tokio::sync::mpsc;

use super::client::KafkaConfig;
use super::consumer::{Command, ConsumerThread, Out};
use super::ends::Shared;
use super::port::{Assignment, Event, Source, SourceError, View};
use crate::model::{Offset, TopicPartition};
use crate::observe::Metrics;

/// Chunks between the consumer thread and the pipeline. When full, the thread keeps polling with partitions paused.
const DATA_CAPACITY: usize = 8;
/// Rebalances and errors; they are few, and the thread waits for room.
const CONTROL_CAPACITY: usize = 64;
/// Orders to the thread, taken at every poll.
const COMMAND_CAPACITY: usize = 256;

/// A member of the job's consumer group.
pub struct KafkaSource {
    data: mpsc::Receiver<Event>,
    control: mpsc::Receiver<Event>,
    commands: std_mpsc::SyncSender<Command>,
    thread: Option<JoinHandle<()>>,
    view: Shared,
}

impl KafkaSource {
    /// Joins the group and subscribes to the topics; they may appear later. Messages come without their headers.
    pub fn subscribe(config: &KafkaConfig, topics: &[String]) -> Result<KafkaSource, SourceError> {
        KafkaSource::subscribe_with(config, topics, false, &Metrics::new())
    }

    /// The same, the messages with their `headers` if they are wanted. `metrics` is told of what does not work.
    pub fn subscribe_with(
        config: &KafkaConfig,
        topics: &[String],
        headers: bool,
        metrics: &Metrics,
    ) -> Result<KafkaSource, SourceError> {
        let (data_in, data) = mpsc::channel(DATA_CAPACITY);
        let (control_in, control) = mpsc::channel(CONTROL_CAPACITY);
        let (commands, orders) = std_mpsc::sync_channel(COMMAND_CAPACITY);
        let view = Shared::default();
        let out = Out { data: data_in, control: control_in, view: view.clone(), metrics: metrics.clone() };
        let worker = ConsumerThread::new(config, topics, headers, out, orders)?;
        let thread = std::thread::Builder::new().name("kafka".to_owned()).spawn(move || worker.run());
        let thread = thread.map_err(|e| SourceError::Fatal(format!("cannot start the consumer thread: {e}")))?;
        Ok(KafkaSource { data, control, commands, thread: Some(thread), view })
    }
}

#[async_trait]
impl Source for KafkaSource {
    async fn next(&mut self, data: bool) -> Option<Event> {
        tokio::select! {
            biased;
            event = self.control.recv() => event,
            event = self.data.recv(), if data => event,
        }
    }

    fn assign(&self, assignment: Assignment) {
        // A thread that is gone has said so by `Failed`.
        _ = self.commands.send(Command::Assign(assignment));
    }

    fn commit_offsets(&self, ends: Vec<(TopicPartition, Offset)>) {
        // Advisory: better dropped than waited for.
        _ = self.commands.try_send(Command::CommitOffsets(ends));
    }

    fn view(&self) -> View {
        self.view.get()
    }

    async fn stop(&mut self) {
        _ = self.commands.send(Command::Stop);
        self.data.close();
        self.control.close();
        if let Some(thread) = self.thread.take() {
            _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}
