//! What there is to show.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::history::History;
use crate::observe::{Metrics, Status, Time};

/// How often the status is looked at for what it does not remember itself.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What the page is made of.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// How the job stands.
    pub status: Status,
    /// How it stood.
    pub history: History,
}

/// What a server shows: the status, what it was before, and the metrics.
pub struct Site {
    status: watch::Receiver<Status>,
    history: Arc<Mutex<History>>,
    metrics: Metrics,
    looking: JoinHandle<()>,
}

impl Site {
    /// Begins to look at the status.
    pub fn new(status: watch::Receiver<Status>, metrics: Metrics) -> Site {
        let history = Arc::new(Mutex::new(History::default()));
        let (watched, seen) = (status.clone(), history.clone());
        let looking = tokio::spawn(async move {
            loop {
                lock(&seen).look(&watched.borrow(), Time::now());
                tokio::time::sleep(LOOK_EVERY).await;
            }
        });
        Site { status, history, metrics, looking }
    }

    pub(super) fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    pub(super) fn view(&self) -> View {
        View { status: self.status(), history: lock(&self.history).clone() }
    }

    pub(super) fn metrics(&self) -> String {
        self.metrics.render(&self.status())
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.looking.abort();
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site").finish_non_exhaustive()
    }
}

/// What a panic left behind is at worst a sample short.
fn lock(history: &Mutex<History>) -> MutexGuard<'_, History> {
    history.lock().unwrap_or_else(PoisonError::into_inner)
}
