//! What Kafka refuses while we run: told once, while the client asks again for ever.

use std::collections::BTreeSet;
use std::mem::discriminant;

use tokio::sync::mpsc::Sender;
use tracing::{error, info};

use super::port::{Event, SourceError};
use crate::model::Chunk;

/// Keeps what Kafka refuses. The client tells of it once, and of the end of it never: that is seen by what comes again.
pub(super) struct Refusals {
    control: Sender<Event>,
    current: Option<SourceError>,
    /// How many topics are read, and of which messages have come since something was refused.
    topics: usize,
    heard_of: BTreeSet<String>,
}

impl Refusals {
    /// Tells of them through `control`, for a consumer of so many topics.
    pub(super) fn new(control: Sender<Event>, topics: usize) -> Refusals {
        Refusals { control, current: None, topics, heard_of: BTreeSet::new() }
    }

    /// Kafka refuses something that cannot be done without.
    pub(super) fn heard(&mut self, refusal: SourceError) {
        self.heard_of.clear();
        // Reasons differ in times and addresses.
        let same = |before: &SourceError| discriminant(before) == discriminant(&refusal);
        if !self.current.as_ref().is_some_and(same) {
            error!("{refusal}. It is tried again until then");
            // A pipeline that is gone needs no telling.
            _ = self.control.blocking_send(Event::Denied(Some(refusal.clone())));
        }
        self.current = Some(refusal);
    }

    /// A broker answers: it has let us in. A right may be missing all the same.
    pub(super) fn answered(&mut self) {
        if matches!(self.current, Some(SourceError::Denied { .. })) {
            self.over();
        }
    }

    /// The group has given us partitions, and their positions are known.
    pub(super) fn assigned(&mut self) {
        if !self.is_of_a_topic() {
            self.over();
        }
    }

    /// Messages have come: their topics may be read.
    pub(super) fn read(&mut self, chunk: &Chunk) {
        if self.is_of_a_topic() {
            self.heard_of.extend(chunk.ends().into_iter().map(|(partition, _)| partition.topic.to_string()));
            if self.heard_of.len() >= self.topics {
                self.over();
            }
        }
    }

    fn is_of_a_topic(&self) -> bool {
        matches!(self.current, Some(SourceError::Forbidden { resource: "topic", .. }))
    }

    fn over(&mut self) {
        self.heard_of.clear();
        if self.current.take().is_some() {
            info!("Kafka does not refuse it any more");
            _ = self.control.blocking_send(Event::Denied(None));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Record, TopicPartition};

    fn forbidden(resource: &'static str) -> SourceError {
        let (servers, user, name) = ("b:1".to_owned(), "anna".to_owned(), "x".to_owned());
        SourceError::Forbidden { servers, user, operation: "Read", resource, name }
    }

    fn denied(reason: &str) -> SourceError {
        SourceError::Denied { servers: "b:1".to_owned(), reason: reason.to_owned(), advice: "" }
    }

    fn chunk(topic: &str) -> Chunk {
        let mut chunk = Chunk::default();
        let (partition, headers) = (TopicPartition::new(topic, 0), Default::default());
        let (offset, timestamp_ms, key) = (0, None, None);
        chunk.push(Record { partition: &partition, offset, timestamp_ms, key, value: Some(b"x"), headers });
        chunk
    }

    #[test]
    fn a_refusal_is_told_once_and_is_over_when_what_was_refused_comes_again() {
        let (sender, mut told) = tokio::sync::mpsc::channel(16);
        let mut refusals = Refusals::new(sender, 2);
        let mut next = || match told.try_recv() {
            Ok(Event::Denied(refusal)) => Some(refusal.is_some()),
            _ => None,
        };
        refusals.heard(denied("after 3 ms"));
        refusals.heard(denied("after 4 ms"));
        assert_eq!((next(), next()), (Some(true), None));
        refusals.answered();
        refusals.answered();
        assert_eq!((next(), next()), (Some(false), None));

        refusals.heard(forbidden("group"));
        refusals.answered();
        assert_eq!((next(), next()), (Some(true), None), "a broker answers, the group is refused all the same");
        refusals.assigned();
        assert_eq!(next(), Some(false));

        refusals.heard(forbidden("topic"));
        refusals.answered();
        refusals.assigned();
        refusals.read(&chunk("a"));
        assert_eq!((next(), next()), (Some(true), None), "the other topic may be the one");
        refusals.read(&chunk("b"));
        assert_eq!(next(), Some(false));
    }
}
