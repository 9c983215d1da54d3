//! Pausing where there are too many dead letters, instead of draining a topic into their table.

use std::time::Duration;

use tracing::{error, info};

use crate::batch::ceiling::{Ceiling, Exceeded};
use crate::batch::{Buried, Plan};

/// How often a pause is spoken of.
const SAID_EVERY: Duration = Duration::from_secs(600);

/// Holds reading while a ceiling is exceeded. Times are since the pipeline began.
#[derive(Debug)]
pub(super) struct Brake {
    ceiling: Ceiling,
    on: Option<Exceeded>,
    said: Option<Duration>,
}

impl Brake {
    pub(super) fn new(plan: &Plan) -> Brake {
        Brake { ceiling: Ceiling::new(&plan.messages), on: None, said: None }
    }

    /// After so many messages were decoded, of which some are dead letters: pauses, if these are too many.
    pub(super) fn after(&mut self, messages: u64, buried: &[Buried], now: Duration) {
        self.ceiling.read(messages, buried, now);
        if let Some(e) = self.ceiling.exceeded(now) {
            self.on = Some(e);
        }
    }

    /// Lets go, and says why it was on.
    pub(super) fn release_if(&mut self, wanted: bool) -> Option<Exceeded> {
        if wanted { self.on.take() } else { None }
    }

    pub(super) fn is_on(&self) -> bool {
        self.on.is_some()
    }

    /// How long nothing changes about a pause.
    pub(super) fn nap(&self, now: Duration) -> Duration {
        let until = self.on.as_ref().and_then(|e| e.until).map_or(SAID_EVERY, |until| until.saturating_sub(now));
        // A clock that is read too early must not make this spin.
        until.clamp(Duration::from_millis(10), SAID_EVERY)
    }

    /// Lets go when the time has come; says sparsely how it stands, and what a person can do. What it has said, if it
    /// is on; or `None`.
    pub(super) fn look(&mut self, now: Duration) -> Option<String> {
        let Some(e) = &self.on else { return None };
        if e.until.is_some_and(|until| now >= until) {
            self.on = None;
            info!("reading goes on: the minute of too many dead letters has passed");
            return None;
        }
        if self.said.is_none_or(|at| now - at >= SAID_EVERY) {
            self.said = Some(now);
            error!("reading is paused: {e}. {}", advice(e));
        }
        Some(e.to_string())
    }
}

/// What to do about a ceiling.
pub(super) fn advice(e: &Exceeded) -> &'static str {
    match e.until {
        None => {
            "What was read is landed, nothing more is taken, and a restart tries again. Repair the producer or the \
             configuration and restart; or raise messages.max_dead_letters; or drop them (messages.on_malformed, \
             messages.unrouted)"
        }
        Some(_) => {
            "What was read is landed, and reading goes on when the minute has passed. Repair the producer or the \
             configuration and restart; or raise messages.max_dead_letters_per_minute; or drop them \
             (messages.on_malformed, messages.unrouted)"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::BatchBuffer;
    use crate::config::load_embedded;
    use crate::model::{Offset, Record, TopicPartition};
    use crate::schema::migrations;

    #[test]
    fn a_pause_by_the_minute_lets_go_by_itself() {
        let limit = ("LANDFALL__MESSAGES__MAX_DEAD_LETTERS_PER_MINUTE".to_owned(), "3".to_owned());
        let settings = load_embedded([limit].into_iter()).unwrap();
        let text = |name: &str| {
            let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(name);
            (name.to_owned(), std::fs::read_to_string(path).unwrap())
        };
        let names =
            ["0001_sword_purchases.sql", "0002_purchases.sql", "0003_guilds.sql", "0004_dead_letters.sql"].map(text);
        let plan = std::sync::Arc::new(Plan::new(&migrations::load(&names).unwrap(), &settings).unwrap());
        let (mut brake, mut buffer) = (Brake::new(&plan), BatchBuffer::new(plan));
        let partition = TopicPartition::new("events", 0);
        buffer.start(partition.clone(), Offset(0), 0).unwrap();
        let mut bad = |brake: &mut Brake, offset: i64, now| {
            let value = Some(&b"{broken"[..]);
            let headers = crate::model::Headers::default();
            let (partition, timestamp_ms, key) = (&partition, None, None);
            buffer.push(&Record { partition, offset, timestamp_ms, key, value, headers }).unwrap();
            brake.after(1, &buffer.take_buried(), Duration::from_secs(now));
        };
        (0..3).for_each(|offset| bad(&mut brake, offset, 5));
        assert!(!brake.is_on() && brake.look(Duration::from_secs(5)).is_none());
        bad(&mut brake, 3, 6);
        assert!(brake.is_on());
        let said = brake.look(Duration::from_secs(6)).unwrap();
        assert!(said.contains("4 malformed_json in events[0], the last at offset 3"), "{said}");
        assert_eq!(brake.nap(Duration::from_secs(6)), Duration::from_secs(59));
        assert!(brake.look(Duration::from_secs(64)).is_some());
        assert!(brake.look(Duration::from_secs(65)).is_none() && !brake.is_on());
        bad(&mut brake, 4, 65);
        assert!(!brake.is_on(), "one of the last minute, and one of now");
        let e = brake.release_if(true);
        assert!(e.is_none());
    }
}
