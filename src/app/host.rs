//! The process as the commit sees it, with an ear for partitions that got rows, and for what does not work.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use tracing::warn;
use uuid::Uuid;

use super::App;
use crate::catalog::{NewPartitions, register_new};
use crate::checkpoint::Manifest;
use crate::commit::{Batch, ContentError, DataFile, Host, RealHost};
use crate::model::Slot;
use crate::observe::metrics::table;
use crate::observe::{Metrics, Service};
use crate::storage::StorageError;

/// Tells the registrar of the partitions of every slot that this process publishes, or finds published.
#[derive(Debug)]
struct TellingHost {
    new: NewPartitions,
    /// Another daemon may have partitioned tables that this one does not know; nobody registers any without a metastore.
    tables: Arc<RwLock<BTreeSet<String>>>,
    metrics: Metrics,
}

#[async_trait]
impl Host for TellingHost {
    fn now_ms(&self) -> i64 {
        RealHost.now_ms()
    }

    fn new_id(&self) -> Uuid {
        RealHost.new_id()
    }

    async fn pause(&self, about: Duration) {
        RealHost.pause(about).await;
    }

    async fn encode(&self, batch: Arc<Batch>, slot: Slot) -> Result<Vec<DataFile>, ContentError> {
        RealHost.encode(batch, slot).await
    }

    fn published(&self, manifest: &Manifest) {
        let tables = self.tables.read().unwrap_or_else(PoisonError::into_inner);
        let ours = manifest.files.iter().filter(|file| tables.contains(&file.table));
        self.new.tell(ours.filter_map(|file| Some((file.table.clone(), file.partition.clone()?))));
    }

    fn failed(&self, what: &'static str, error: &StorageError) {
        self.metrics.failed(Service::Storage, what, &error.to_string());
    }

    fn over(&self, what: &'static str) {
        self.metrics.over(Service::Storage, what);
    }

    fn ambiguous(&self, call: &'static str) {
        self.metrics.count(&table::AMBIGUOUS, &[call], 1);
    }
}

impl App {
    pub(super) fn host(&self) -> Arc<dyn Host> {
        // Without a metastore nobody would take them.
        if self.catalog.is_some() {
            self.listen_for_partitions();
        }
        let (new, tables, metrics) = (self.new_partitions.clone(), self.partitioned.clone(), self.metrics.clone());
        Arc::new(TellingHost { new, tables, metrics })
    }

    /// Has the host tell of the partitions of these tables too.
    pub(super) fn listen_for_partitions(&self) {
        let partitioned = self.plan.tables.iter().filter(|t| !t.partition_sources.is_empty());
        let names = partitioned.map(|t| t.table.name.clone());
        self.partitioned.write().unwrap_or_else(PoisonError::into_inner).extend(names);
    }

    /// Of a command that ends: registers the partitions of what it has published. Tries once.
    pub(super) async fn register_new_partitions(&self) {
        let Some(catalog) = &self.catalog else { return };
        let done = register_new(catalog.as_ref(), self.storage.as_ref(), &self.wanted(), &self.new_partitions).await;
        if let Err(e) = done {
            warn!(
                reason = %e,
                "new partitions are not registered in the metastore: their rows are landed; a daemon registers them within \
                 5 minutes, or at its start"
            );
        }
    }
}
