//! Pausing where there are too many dead letters, instead of draining a topic into their table.

use std::time::Duration;

use tracing::{error, info};

use crate::batch::ceiling::{Ceiling, Exceeded};
use crate::batch::{BatchBuffer, Plan};

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

    /// After a chunk of messages was put into the buffer: why reading must pause, if it must.
    pub(super) fn after(&mut self, messages: usize, buffer: &mut BatchBuffer, now: Duration) -> Option<&Exceeded> {
        self.ceiling.read(messages as u64, &buffer.take_buried(), now);
        self.on = self.ceiling.exceeded(now);
        self.on.as_ref()
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
             configuration and restart; or raise messages.max_dead_letters; or messages.on_malformed = \"drop\""
        }
        Some(_) => {
            "What was read is landed, and reading goes on when the minute has passed. Repair the producer or the \
             configuration and restart; or raise messages.max_dead_letters_per_minute; or messages.on_malformed = \"drop\""
        }
    }
}
