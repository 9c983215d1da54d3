//! What the protocol takes from the process around it: time, ids, waits, and a thread for encoding. A simulation has
//! its own, so that a seed gives the same run again.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rand::RngExt;
use uuid::Uuid;

use super::batch::{Batch, ContentError, DataFile};
use crate::checkpoint::Manifest;
use crate::model::Slot;
use crate::storage::StorageError;

/// The process around the protocol.
#[async_trait]
pub trait Host: Send + Sync + std::fmt::Debug {
    /// Now, milliseconds since 1970 UTC. Nothing rests on it but the age of what is tidied up.
    fn now_ms(&self) -> i64;

    /// A name that nobody has used before.
    fn new_id(&self) -> Uuid;

    /// Waits for about this long.
    async fn pause(&self, about: Duration);

    /// The batch's files, made where they keep nobody waiting.
    async fn encode(&self, batch: Arc<Batch>, slot: Slot) -> Result<Vec<DataFile>, ContentError>;

    /// Hears which slots are published: all files of this manifest are in their tables, whoever wrote and moved them. May
    /// hear of one several times, and of old ones.
    fn published(&self, _: &Manifest) {}

    /// Hears that a try of `what` has failed, and is made again after a wait.
    fn failed(&self, _what: &'static str, _error: &StorageError) {}

    /// Hears that `what`, which had failed, has worked, or is not tried any more.
    fn over(&self, _what: &'static str) {}

    /// Hears of a reply to the `rename` of a batch, the `create` of a staged file or the `publish` of a file into its table
    /// that leaves open whether it was done. Reading settles it.
    fn ambiguous(&self, _call: &'static str) {}

    /// Whether the protocol has this defect: for tests that show that the suite would notice.
    #[cfg(feature = "failpoints")]
    fn has(&self, _: super::defect::Defect) -> bool {
        false
    }
}

/// A real process.
#[derive(Debug)]
pub struct RealHost;

#[async_trait]
impl Host for RealHost {
    fn now_ms(&self) -> i64 {
        jiff::Timestamp::now().as_millisecond()
    }

    fn new_id(&self) -> Uuid {
        Uuid::new_v4()
    }

    async fn pause(&self, about: Duration) {
        let jitter = rand::rng().random_range(0.5..1.0);
        tokio::time::sleep(about.mul_f64(jitter)).await;
    }

    async fn encode(&self, batch: Arc<Batch>, slot: Slot) -> Result<Vec<DataFile>, ContentError> {
        let files = tokio::task::spawn_blocking(move || batch.content.files(slot)).await;
        // The task cannot be cancelled; a panic in it is a bug that must not be swallowed.
        files.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()))
    }
}
