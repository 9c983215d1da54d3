//! What the client has trouble with: told once, again sparsely while it lasts, and noted for as long as it lasts.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use tracing::{info, warn};

use super::ends::Shared;
use crate::observe::{Metrics, Reminder, Service};

/// What is tried for as long as Kafka is out of order.
const READ: &str = "read from Kafka";
const FIND_TOPICS: &str = "find all topics";
/// An error that did not come again for so long, while brokers answer, is over; where nothing is sent no message says so.
const FORGOTTEN: Duration = Duration::from_secs(60);

/// Of one consumer.
#[derive(Debug)]
pub(super) struct Trouble {
    metrics: Metrics,
    view: Shared,
    said: HashSet<String>,
    /// No broker answers.
    down: Option<Reminder>,
    /// When something else was told, since the client last gave a message.
    other: Option<Instant>,
}

impl Trouble {
    pub(super) fn new(metrics: &Metrics, view: &Shared) -> Trouble {
        let (metrics, view) = (metrics.clone(), view.clone());
        Trouble { metrics, view, said: HashSet::new(), down: None, other: None }
    }

    /// Warns, but not again until an assignment has succeeded.
    pub(super) fn say_once(&mut self, text: String) {
        if self.said.insert(text.clone()) {
            warn!("{text}");
        }
    }

    /// Something does not work, and the client or we try again.
    pub(super) fn failed(&mut self, text: &str) {
        self.other = Some(Instant::now());
        self.metrics.failed(Service::Kafka, READ, text);
    }

    /// A topic is not there.
    pub(super) fn topic_is_missing(&mut self) {
        let text = "a topic of kafka.topics does not exist yet: waiting for it";
        self.metrics.failed(Service::Kafka, FIND_TOPICS, text);
        self.say_once(text.to_owned());
    }

    /// No broker answers.
    pub(super) fn is_down(&mut self) {
        self.metrics.failed(Service::Kafka, READ, "no broker answers");
        if self.down.is_none() {
            self.down = Some(Reminder::new(Instant::now()));
            warn!(
                "no Kafka broker answers: waiting, the client reconnects by itself; look at the brokers and at \
                 kafka.bootstrap_servers"
            );
        }
    }

    /// Speaks again of brokers that are still away, now and then; and hears of it when they answer somebody else: whether they
    /// do now.
    pub(super) fn look(&mut self) -> bool {
        let now = Instant::now();
        let answered = match &mut self.down {
            Some(down) => {
                let answered = self.view.answered_since(now - down.lasted(now));
                if !answered && down.is_due(now) {
                    warn!(for_seconds = down.lasted(now).as_secs(), "still no Kafka broker answers");
                }
                answered
            }
            None => self.other.is_some_and(|at| now - at > FORGOTTEN && self.view.answered_since(at)),
        };
        if answered {
            self.answered();
        }
        answered
    }

    /// The brokers have given something.
    pub(super) fn answered(&mut self) {
        let down = self.down.take();
        if let Some(down) = &down {
            info!(outage_seconds = down.lasted(Instant::now()).as_secs_f64(), "Kafka answers again");
        }
        if self.other.take().is_some() || down.is_some() {
            self.metrics.over(Service::Kafka, READ);
        }
    }

    /// Reading has begun.
    pub(super) fn assigned(&mut self) {
        self.said.clear();
        self.metrics.over(Service::Kafka, READ);
        self.metrics.over(Service::Kafka, FIND_TOPICS);
    }
}
