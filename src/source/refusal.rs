//! What Kafka refuses while we run: told once, while the client asks again for ever.

use std::mem::discriminant;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::Sender;
use tracing::{error, info};

use super::port::{Event, SourceError};

/// A refusal that was not repeated for so long is one no more. The client tells one of the same kind once a minute.
const STALE: Duration = Duration::from_secs(150);

/// Keeps what Kafka refuses.
pub(super) struct Refusals {
    control: Sender<Event>,
    /// When it was last heard of, and what it is.
    current: Option<(Instant, SourceError)>,
}

impl Refusals {
    /// Tells of them through `control`.
    pub(super) fn new(control: Sender<Event>) -> Refusals {
        Refusals { control, current: None }
    }

    /// Kafka refuses something that cannot be done without.
    pub(super) fn heard(&mut self, refusal: SourceError) {
        // Reasons differ in times and addresses.
        let same = |before: &SourceError| discriminant(before) == discriminant(&refusal);
        if !self.current.as_ref().is_some_and(|(_, before)| same(before)) {
            error!("{refusal}. It is tried again until then");
            // A pipeline that is gone needs no telling.
            _ = self.control.blocking_send(Event::Denied(Some(refusal.clone())));
        }
        self.current = Some((Instant::now(), refusal));
    }

    /// A broker answers: it has let us in. A right may be missing all the same.
    pub(super) fn answered(&mut self) {
        if matches!(self.current, Some((_, SourceError::Denied { .. }))) {
            self.over();
        }
    }

    /// The group has given us partitions, and their positions are known.
    pub(super) fn assigned(&mut self) {
        if !matches!(self.current, Some((_, SourceError::Forbidden { resource: "topic", .. }))) {
            self.over();
        }
    }

    /// Forgets what was not repeated.
    pub(super) fn look(&mut self) {
        if self.current.as_ref().is_some_and(|(at, _)| at.elapsed() > STALE) {
            self.over();
        }
    }

    fn over(&mut self) {
        if self.current.take().is_some() {
            info!("Kafka does not refuse it any more");
            _ = self.control.blocking_send(Event::Denied(None));
        }
    }
}
