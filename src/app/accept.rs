//! What an operator decides about the log: that messages which are gone are given up, or that a topic begins anew.

use std::collections::BTreeMap;
use std::fmt;

use uuid::Uuid;

use super::{App, AppError, blocking, hostname, variable};
use crate::commit::{Committer, Decision};
use crate::model::{Offset, Slot, TopicPartition};
use crate::source::{SourceError, watermarks};

/// The log, opened to write an operator's decision into it.
pub struct OperatorLog<'a> {
    app: &'a App,
    committer: Committer,
    incarnation: Uuid,
}

/// Offsets that are to be skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// Partition.
    pub partition: TopicPartition,
    /// The log's end.
    pub from: Offset,
    /// Where reading goes on.
    pub to: Offset,
    /// Offset of the oldest message in Kafka.
    pub low: Offset,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let offsets = self.to.0 - self.from.0;
        write!(f, "{}: offsets {} to {}, {offsets} offsets", self.partition, self.from, self.to.0 - 1)?;
        match self.to.0 - self.low.0.max(self.from.0) {
            there if there > 0 => write!(f, ", {there} of them still in Kafka"),
            _ => Ok(()),
        }
    }
}

/// A topic that is to begin anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewal {
    /// Topic.
    pub topic: String,
    /// How often it was declared new, with this time.
    pub incarnation: u32,
    /// Where each partition begins.
    pub starts: BTreeMap<i32, Offset>,
    /// Whether every position of the log is one that Kafka has: perhaps nothing was made anew.
    pub doubtful: bool,
    ends: BTreeMap<i32, Offset>,
}

impl fmt::Display for Renewal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "topic {} begins anew as {0}#{}:", self.topic, self.incarnation)?;
        for (p, start) in &self.starts {
            let before = self.ends.get(p).map_or("nothing".to_owned(), |end| format!("up to offset {end}"));
            write!(f, "\n  partition {p} from offset {start} on; landed of the old one: {before}")?;
        }
        Ok(())
    }
}

/// Where a topic that begins anew is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// Its oldest message.
    Oldest,
    /// The next message to come.
    Newest,
}

impl App {
    /// Opens the log of a job that has run before. Its daemons may be running.
    pub async fn operator_log(&self) -> Result<OperatorLog<'_>, AppError> {
        let (log, job, incarnation) = (self.log(), self.job(), Uuid::new_v4());
        log.check(&job).await.map_err(|e| self.reached(e))?;
        if !log.exists().await.map_err(|e| self.reached(e))? {
            return Err(self.no_log());
        }
        log.make_directories(incarnation, &job).await.map_err(|e| self.reached(e))?;
        let opened = log.open(&job, &[]).await.map_err(|e| self.reached(e))?;
        Ok(OperatorLog { app: self, committer: self.committer(log, opened, incarnation), incarnation })
    }

    /// There is nothing to look at, or to decide about.
    pub(super) fn no_log(&self) -> AppError {
        let uri = self.storage.uri(&self.settings.storage.checkpoint);
        AppError::Unknown(format!("{uri} holds no log: check storage.checkpoint; this job has never run there"))
    }

    /// The oldest offset, and the one after the newest, of each partition of a topic of the job.
    async fn watermarks(&self, topic: &str) -> Result<BTreeMap<i32, (Offset, Offset)>, AppError> {
        let topics = &self.settings.kafka.topics;
        if !topics.iter().any(|t| t == topic) {
            let what = format!("topic {topic} is not one of this job's: kafka.topics = {topics:?}");
            return Err(AppError::Unknown(what));
        }
        let (kafka, one) = (self.kafka(), vec![topic.to_owned()]);
        let found = blocking(move || watermarks(&kafka, &one)).await?;
        if found.is_empty() {
            let servers = self.settings.kafka.bootstrap_servers.clone();
            return Err(SourceError::NoTopic { topic: topic.to_owned(), servers }.into());
        }
        Ok(found.into_iter().map(|(tp, (low, high))| (tp.partition, (Offset(low), Offset(high)))).collect())
    }
}

/// Who decides, and why: user and host of this process.
pub fn decision(reason: &str) -> Decision {
    let user = variable("SUDO_USER").or_else(|| variable("USER")).or_else(|| variable("LOGNAME"));
    let user = user.unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()));
    Decision { reason: reason.to_owned(), operator: format!("{user}@{}", hostname()) }
}

impl OperatorLog<'_> {
    /// The gap of a partition: from the log's end to Kafka's oldest message, or to `to`.
    pub async fn gap(&self, partition: &TopicPartition, to: Option<Offset>) -> Result<Gap, AppError> {
        let marks = self.app.watermarks(&partition.topic).await?;
        let Some(&(low, high)) = marks.get(&partition.partition) else {
            let what = format!("{partition} does not exist: the topic has the partitions 0 to {}", marks.len() - 1);
            return Err(AppError::Unknown(what));
        };
        let refused = |what: String| Err(AppError::Refused(format!("{partition}: {what}. Nothing was changed")));
        let Some(from) = self.committer.end(partition) else {
            return refused("the log knows nothing of it, so it begins with its oldest message by itself".to_owned());
        };
        let there = format!("the log goes on at offset {from}, Kafka holds {low} up to {high}");
        if from > high {
            let topic = &partition.topic;
            return refused(format!(
                "{there}: the topic was made anew or cut; see landfall accept-topic {topic} --help"
            ));
        }
        match to {
            None if from >= low => refused(format!("there is no gap: {there}. To skip messages that are there: --to")),
            None => Ok(Gap { partition: partition.clone(), from, to: low, low }),
            Some(to) if to <= from => refused(format!("{there}: --to {to} does not lie behind the log's end")),
            Some(to) if to < low => {
                refused(format!("{there}: --to {to} is gone too; leave --to away, or {low} at least"))
            }
            Some(to) if to > high => refused(format!("{there}: --to {to} lies behind the newest message")),
            Some(to) => Ok(Gap { partition: partition.clone(), from, to, low }),
        }
    }

    /// Writes it into the log.
    pub async fn accept_gap(&mut self, gap: &Gap, reason: &str) -> Result<Slot, AppError> {
        self.committer.catch_up().await?;
        if self.committer.end(&gap.partition) != Some(gap.from) {
            return Err(moved_on());
        }
        let slot = self.committer.accept_gap(gap.partition.clone(), gap.to, decision(reason)).await?;
        slot.ok_or_else(moved_on)
    }

    /// What it means that a topic begins anew.
    pub async fn renewal(&self, topic: &str, from: From) -> Result<Renewal, AppError> {
        let marks = self.app.watermarks(topic).await?;
        let ends = self.committer.state().ends().filter(|(tp, _)| *tp.topic == *topic);
        let ends: BTreeMap<_, _> = ends.map(|(tp, end)| (tp.partition, end)).collect();
        if ends.is_empty() {
            let what = format!("the log knows nothing of topic {topic}: it begins with its oldest messages by itself");
            return Err(AppError::Refused(format!("{what}. Nothing was changed")));
        }
        let fits = |(p, end): (&i32, &Offset)| marks.get(p).is_some_and(|(low, high)| low <= end && end <= high);
        Ok(Renewal {
            topic: topic.to_owned(),
            incarnation: self.committer.state().incarnation(topic) + 1,
            starts: marks
                .iter()
                .map(|(p, (low, high))| (*p, if from == From::Oldest { *low } else { *high }))
                .collect(),
            doubtful: ends.iter().all(fits),
            ends,
        })
    }

    /// Writes it into the log.
    pub async fn accept_topic(&mut self, renewal: &Renewal, reason: &str) -> Result<Slot, AppError> {
        self.committer.catch_up().await?;
        if self.committer.state().incarnation(&renewal.topic) + 1 != renewal.incarnation {
            return Err(moved_on());
        }
        let (topic, starts) = (renewal.topic.clone(), renewal.starts.clone());
        let slot = self.committer.accept_topic(topic, starts, decision(reason)).await?;
        slot.ok_or_else(moved_on)
    }

    /// Who writes into it.
    pub(super) fn committer(&mut self) -> &mut Committer {
        &mut self.committer
    }

    /// Deletes what this process has staged, and registers the partitions of what it has published.
    pub async fn close(self) {
        self.app.register_new_partitions().await;
        self.app.clear_staging(self.incarnation).await;
    }
}

fn moved_on() -> AppError {
    AppError::Refused("the log has moved on meanwhile, and nothing was changed: look again".to_owned())
}
