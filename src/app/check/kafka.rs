//! The topics: what there is to be read.

use std::collections::BTreeMap;

use super::super::{App, blocking};
use super::report::{Line, Mark, Part};
use super::storage::LogView;
use crate::config::settings::StartingOffsets;
use crate::model::{Offset, TopicPartition};
use crate::source::{Look, SourceError, look};

/// Offset of the oldest message and the one after the newest, of each partition.
pub(super) type Marks = BTreeMap<TopicPartition, (i64, i64)>;

impl App {
    pub(super) async fn look_at_kafka(&self) -> Result<Look, SourceError> {
        let (kafka, topics) = (self.kafka(), self.settings.kafka.topics.clone());
        blocking(move || look(&kafka, &topics)).await
    }

    pub(super) fn kafka_lines(&self, look: Result<Look, SourceError>, log: &LogView) -> Vec<Line> {
        let Look { watermarks, refusals } = match look {
            Ok(look) => look,
            Err(e) => return vec![Line::failed(Part::Kafka, "brokers", e.fault(), &e)],
        };
        let refused = |what: &str, of: &str| {
            let forbids = |e: &&SourceError| matches!(e, SourceError::Forbidden { resource, name, .. } if *resource == what && name == of);
            let e = refusals.iter().find(forbids)?;
            Some(Line::failed(Part::Kafka, format!("{what} {of}"), e.fault(), e))
        };
        let group = &self.settings.kafka.group_id;
        let usable = || Line::new(Part::Kafka, Mark::Ok, format!("group {group}"), "may be used");
        let topics = self.settings.kafka.topics.iter();
        let topics =
            topics.map(|topic| refused("topic", topic).unwrap_or_else(|| self.topic_line(topic, &watermarks, log)));
        // Whether the group may be used is asked with a partition.
        let group = refused("group", group).or_else(|| (!watermarks.is_empty()).then(usable));
        topics.chain(group).collect()
    }

    fn topic_line(&self, topic: &str, marks: &Marks, log: &LogView) -> Line {
        let what = format!("topic {topic}");
        let of_topic: Vec<_> = marks.iter().filter(|(tp, _)| *tp.topic == *topic).collect();
        if of_topic.is_empty() {
            let servers = &self.settings.kafka.bootstrap_servers;
            let says = format!(
                "does not exist at {servers}: a daemon waits for it, run --available-now ends with exit code 78"
            );
            return Line::new(Part::Kafka, Mark::Note, what, says);
        }
        let (mut messages, mut details, mut mark) = (0, Vec::new(), Mark::Ok);
        let newest = self.settings.kafka.starting_offsets == StartingOffsets::Latest;
        for (tp, (low, high)) in of_topic.iter().map(|(tp, marks)| (tp, **marks)) {
            let from = match log {
                LogView::There(state) => state.end(tp).map_or(low, |Offset(end)| end),
                _ if newest => high,
                _ => low,
            };
            if from > high {
                details.push(format!(
                    "{tp}: the log goes on at offset {from}, Kafka ends at {high}: the topic was made anew or cut, and \
                     its partition would stop; see landfall accept-topic --help"
                ));
                mark = Mark::Wrong;
            } else if from < low && self.settings.kafka.record_gaps {
                details
                    .push(format!("{tp}: offsets {from} to {} are gone, and would be recorded as given up", low - 1));
            } else if from < low {
                let gone = low - 1;
                details.push(format!(
                    "{tp}: offsets {from} to {gone} are gone, and the partition would stop; see landfall accept-gap --help"
                ));
                mark = Mark::Wrong;
            }
            messages += (high - from.max(low)).max(0);
        }
        let from = match log {
            LogView::There(_) => "from where the log ends",
            LogView::Unknown => "if the log has not begun yet",
            LogView::None if newest => "by kafka.starting_offsets = latest",
            LogView::None => "from the oldest on",
        };
        let says = format!("{} partitions, {messages} offsets to be read {from}", of_topic.len());
        Line::new(Part::Kafka, mark, what, says).with(details)
    }
}
