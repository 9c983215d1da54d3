//! The registrar of a running job, and the tables that it keeps.

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::App;
use crate::catalog::{COMPARE_EVERY, Registrar, RegistrarStatus, Wanted};

/// The registrar's task, and how it stands.
type Task = (JoinHandle<()>, watch::Receiver<RegistrarStatus>);

impl App {
    /// Starts the registrar, if there is a metastore, which tells how it stands to `sender`. It keeps the tables that were
    /// sent last; those of this job at first.
    pub(super) fn keep_registered(
        &self,
        sender: watch::Sender<RegistrarStatus>,
    ) -> (watch::Sender<Vec<Wanted>>, Option<Task>) {
        let (wanted, mut tables) = watch::channel(self.wanted());
        let task = self.catalog.clone().map(|catalog| {
            let status = sender.subscribe();
            let (storage, new) = (self.storage.clone(), self.new_partitions.clone());
            let run = async move {
                loop {
                    let keep = tables.borrow_and_update().clone();
                    let (catalog, storage, new) = (catalog.clone(), storage.clone(), new.clone());
                    tokio::select! {
                        () = Registrar::run(catalog, storage, keep, new, COMPARE_EVERY, sender.clone()) => {}
                        () = sent(&mut tables) => {}
                    }
                }
            };
            (tokio::spawn(run), status)
        });
        (wanted, task)
    }
}

/// Waits until others were sent; for ever, if nobody can send any.
async fn sent(tables: &mut watch::Receiver<Vec<Wanted>>) {
    if tables.changed().await.is_err() {
        std::future::pending().await
    }
}
