//! Retrying for ever with growing, jittered waits, and saying so once, and now and then while it lasts.

use std::time::{Duration, Instant};

use tracing::{error, info, warn};

use super::host::Host;
use crate::fault::Fault;
use crate::observe::Reminder;
use crate::storage::StorageError;

const FIRST: Duration = Duration::from_millis(50);
/// What waits when the storage is back waits at most this long; a try costs a storage that is away next to nothing.
const LONGEST: Duration = Duration::from_secs(5);

/// The waits of one operation that is tried until it works.
#[derive(Debug)]
pub(super) struct Retry<'h> {
    host: &'h dyn Host,
    what: &'static str,
    wait: Duration,
    since: Option<Reminder>,
}

impl<'h> Retry<'h> {
    pub(super) fn new(host: &'h dyn Host, what: &'static str) -> Retry<'h> {
        Retry { host, what, wait: FIRST, since: None }
    }

    /// Says what went wrong, sparsely, and waits.
    pub(super) async fn failed(&mut self, e: &StorageError) {
        self.host.failed(self.what, e);
        let now = Instant::now();
        match &mut self.since {
            None => {
                self.since = Some(Reminder::new(now));
                let fault = e.fault();
                match fault {
                    Fault::Config => error!(
                        error = %e,
                        ?fault,
                        "cannot {}: somebody must give landfall the right (permission, quota); it tries again until then",
                        self.what
                    ),
                    _ => warn!(error = %e, ?fault, "cannot {}: trying again until the storage is back", self.what),
                }
            }
            Some(since) => {
                if since.is_due(now) {
                    let for_seconds = since.lasted(now).as_secs();
                    warn!(error = %e, fault = ?e.fault(), for_seconds, "still cannot {}: trying again", self.what);
                }
            }
        }
        self.pause().await;
    }

    /// Waits, longer each time.
    pub(super) async fn pause(&mut self) {
        self.host.pause(self.wait).await;
        self.wait = (self.wait * 2).min(LONGEST);
    }

    /// It worked: says so if it had not before.
    pub(super) fn worked(&mut self) {
        if let Some(since) = self.since.take() {
            self.host.over(self.what);
            let outage_seconds = since.lasted(Instant::now()).as_secs_f64();
            info!(outage_seconds, "the storage is back: could {}", self.what);
        }
        self.wait = FIRST;
    }
}

impl Drop for Retry<'_> {
    fn drop(&mut self) {
        if self.since.is_some() {
            self.host.over(self.what);
        }
    }
}
