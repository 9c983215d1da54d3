//! What landfall asks of a message source. The source decides who owns which partition; where reading starts is told
//! to it, from the log: a source's own idea of committed offsets is never asked.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::fault::Fault;
use crate::model::{Chunk, Offset, Tail, TopicPartition};
use crate::observe::Time;

/// Where a partition's reading starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At this position: the log's end.
    At {
        /// The position.
        offset: Offset,
        /// The last message before it; if another one stands there, the topic is not the one that was read.
        tail: Option<Tail>,
    },
    /// With the oldest message that is there: the log knows nothing of the partition.
    Oldest,
}

/// What to read, from where. It replaces the assignment before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The [`Event::Assigned`] that it answers; ignored if the group has moved on since.
    pub generation: u64,
    /// Stamped on every event that comes of it, so that what is still under way from an earlier one can be told.
    pub session: u64,
    /// Partitions and their starts.
    pub starts: Vec<(TopicPartition, Start)>,
}

/// What a source has to say.
#[derive(Debug)]
pub enum Event {
    /// The group gave us these partitions, all there are of ours. Nothing is read until [`Source::assign`].
    Assigned {
        /// Counts the group's decisions.
        generation: u64,
        /// The partitions.
        partitions: Vec<TopicPartition>,
    },
    /// The group takes all partitions away; an `Assigned` follows unless we are leaving.
    Revoked {
        /// They are another member's already: nothing of them is worth landing.
        lost: bool,
        /// The group waits for this to be dropped, for a while, so that what is buffered can be landed.
        hold: Hold,
    },
    /// Reading starts here.
    Positioned {
        /// Session of the assignment.
        session: u64,
        /// Each partition's first position.
        positions: Vec<(TopicPartition, Offset)>,
    },
    /// Messages, in order within each partition.
    Messages {
        /// Session of the assignment.
        session: u64,
        /// The messages.
        chunk: Chunk,
    },
    /// All that was in the partition, at some time since the last message of it, has been read.
    EndReached {
        /// Session of the assignment.
        session: u64,
        /// Partition number; the client does not tell the topic.
        partition: i32,
    },
    /// A partition cannot be read on until a person decides. The others go on. All that was read of it came before.
    Stopped {
        /// Session of the assignment.
        session: u64,
        /// Why, and what to do.
        error: SourceError,
    },
    /// Kafka refuses what cannot be done without, and is asked again and again; or not any more.
    Denied(Option<SourceError>),
    /// The source is finished: it cannot go on by itself.
    Failed(SourceError),
}

/// Keeps the group waiting until it is dropped.
#[derive(Debug, Default)]
pub struct Hold {
    /// Never used to send: the other side sees it go.
    _held: Option<std::sync::mpsc::SyncSender<()>>,
}

impl Hold {
    /// A hold and what sees its end.
    pub fn new() -> (Hold, std::sync::mpsc::Receiver<()>) {
        let (held, released) = std::sync::mpsc::sync_channel(0);
        (Hold { _held: Some(held) }, released)
    }
}

/// What a source knows beside its messages, as far as it last heard.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// Where our partitions end, also those that are paused or stopped.
    pub ends: BTreeMap<TopicPartition, End>,
    /// Reading is paused because nobody takes what was read.
    pub paused: bool,
}

/// Where a partition ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// The offset after the newest message that may be read.
    pub offset: i64,
    /// When it was asked for.
    pub at: Time,
}

/// A message source.
#[async_trait]
pub trait Source: Send {
    /// The next event; of a session (those that carry one) only if `data`, so that a full buffer does not keep
    /// rebalances waiting. Cancel-safe. `None`: the source has ended.
    async fn next(&mut self, data: bool) -> Option<Event>;

    /// Reads these partitions from these positions.
    fn assign(&self, assignment: Assignment);

    /// Tells Kafka how far we are, for lag tools. Never read back.
    fn commit_offsets(&self, ends: Vec<(TopicPartition, Offset)>);

    /// What it knows beside. Never waits.
    fn view(&self) -> View;

    /// Leaves the group and ends.
    async fn stop(&mut self);
}

/// Why a source fails.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SourceError {
    /// The brokers do not answer.
    #[error(
        "no Kafka broker of {servers} answered within {seconds} s: {reason}. Check kafka.bootstrap_servers, that the broker's advertised.listeners can be reached from here, and that security.protocol of kafka.properties, with its ssl.… and sasl.…, is what that port wants"
    )]
    Unreachable {
        /// Bootstrap servers.
        servers: String,
        /// The limit.
        seconds: u64,
        /// What the client said.
        reason: String,
    },
    /// The brokers do not let us in.
    #[error("Kafka at {servers} does not let landfall in: {reason}. {advice}")]
    Denied {
        /// Bootstrap servers.
        servers: String,
        /// What the client said.
        reason: String,
        /// What to look at.
        advice: &'static str,
    },
    /// The brokers let us in, but not do what a daemon does.
    #[error(
        "Kafka at {servers} does not allow this user to read {resource} {name}. Give it the right, for example: kafka-acls \
         --bootstrap-server {servers} --add --allow-principal 'User:{user}' --operation {operation} --{resource} '{name}'"
    )]
    Forbidden {
        /// Bootstrap servers.
        servers: String,
        /// Whom the brokers know us as, if that is known.
        user: String,
        /// What is not allowed.
        operation: &'static str,
        /// `topic` or `group`.
        resource: &'static str,
        /// Its name.
        name: String,
    },
    /// The client refuses the configuration.
    #[error("kafka.properties: {0}")]
    Config(String),
    /// A topic is not there.
    #[error("topic {topic} does not exist at {servers}")]
    NoTopic {
        /// Topic.
        topic: String,
        /// Bootstrap servers.
        servers: String,
    },
    /// Retention overtook us.
    #[error(
        "{partition}: the log goes on at offset {end}, but the oldest message still in Kafka has offset {low}: \
         {missing} offsets are gone by retention. This partition is stopped so that the gap is not skipped in silence; \
         the others go on. To go on behind it: landfall accept-gap {} {} --reason '…' (or kafka.on_gap = \"record\")",
        partition.topic, partition.partition
    )]
    Gap {
        /// Partition.
        partition: TopicPartition,
        /// The log's end.
        end: Offset,
        /// Kafka's low watermark.
        low: i64,
        /// `low - end`.
        missing: i64,
    },
    /// The topic was made anew or cut.
    #[error(
        "{partition}: the log goes on at offset {end}, but Kafka's newest message is before offset {high}: the topic \
         was deleted and made again, or truncated. This partition is stopped; the others go on. If the topic is meant \
         to begin anew: landfall accept-topic {} --reason '…'",
        partition.topic
    )]
    Truncated {
        /// Partition.
        partition: TopicPartition,
        /// The log's end.
        end: Offset,
        /// Kafka's high watermark.
        high: i64,
    },
    /// The topic was made anew, and is already longer than what was read of the old one.
    #[error(
        "{partition}: the message at offset {offset} is not the one that was landed (its time or bytes differ): the \
         topic was deleted and made again. This partition is stopped; the others go on. If the topic is meant to begin \
         anew: landfall accept-topic {} --reason '…'",
        partition.topic
    )]
    Replaced {
        /// Partition.
        partition: TopicPartition,
        /// The last offset that the log has landed.
        offset: i64,
    },
    /// The client gave up for good.
    #[error("Kafka client: {0}")]
    Fatal(String),
}

impl SourceError {
    /// The partition that it is about, and where reading of it stands.
    pub fn stopped(&self) -> Option<(&TopicPartition, Offset)> {
        match self {
            SourceError::Gap { partition, end, .. } | SourceError::Truncated { partition, end, .. } => {
                Some((partition, *end))
            }
            SourceError::Replaced { partition, offset } => Some((partition, Offset::after(*offset))),
            _ => None,
        }
    }

    /// The command that resolves it, if one does.
    pub fn command(&self) -> Option<String> {
        match self {
            SourceError::Gap { partition: p, .. } => {
                Some(format!("landfall accept-gap {} {} --reason '…'", p.topic, p.partition))
            }
            SourceError::Truncated { partition: p, .. } | SourceError::Replaced { partition: p, .. } => {
                Some(format!("landfall accept-topic {} --reason '…'", p.topic))
            }
            _ => None,
        }
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            SourceError::Unreachable { .. } => Fault::Retry,
            SourceError::Config(_)
            | SourceError::NoTopic { .. }
            | SourceError::Denied { .. }
            | SourceError::Forbidden { .. } => Fault::Config,
            SourceError::Gap { .. } | SourceError::Truncated { .. } | SourceError::Replaced { .. } => Fault::BadData,
            SourceError::Fatal(_) => Fault::Retry,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_is_told_names_the_command_that_resolves_it() {
        let partition = TopicPartition::new("events", 3);
        let end = Offset(7);
        for error in [
            SourceError::Gap { partition: partition.clone(), end, low: 9, missing: 2 },
            SourceError::Truncated { partition: partition.clone(), end, high: 2 },
            SourceError::Replaced { partition, offset: 6 },
        ] {
            let command = error.command().unwrap();
            assert!(error.to_string().contains(&command), "{command}: {error}");
        }
        assert_eq!(SourceError::Fatal("x".to_owned()).command(), None);
    }
}
