//! The same of a partitioned table: whoever publishes a file makes its directory.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use landfall::checkpoint::Manifest;
use landfall::commit::{Batch, Committer, ContentError, DataFile, Host, RealHost};
use landfall::model::{Offset, Slot};
use landfall::storage::{MemoryStorage, Storage};
use uuid::Uuid;

use super::common::faulty::{Fault, FaultyStorage};
use super::common::toy::{batch, complete, data_files, open, open_on, partition, toy_partition, visible};

/// Lands batches of messages of three partitions, up to `end` of each: table b gets three files of each batch.
async fn land_parted(committer: &mut Committer, end: i64) {
    loop {
        let from = |p| committer.end(&partition(p)).unwrap_or(Offset(0)).0;
        let left: Vec<_> =
            (0..3).map(|p| (p, from(p), (from(p) + 2).min(end))).filter(|(_, from, _)| *from < end).collect();
        if left.is_empty() {
            return;
        }
        committer.commit(&batch(&left, true)).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn no_row_of_many_partitions_is_lost_or_doubled_by_a_fault_at_any_storage_call() {
    let run = |fault: Fault, at: usize| async move {
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
        let faulty = Arc::new(FaultyStorage::new(storage.clone(), fault, at));
        let work = async {
            let mut doomed = open_on(faulty.clone(), Arc::new(RealHost), 2).await;
            land_parted(&mut doomed, 4).await;
        };
        tokio::select! {
            () = work => {}
            () = faulty.crashed() => {}
        }
        for rows in visible(&*storage).await.values() {
            assert!(rows.values().all(|&n| n == 1), "{fault:?} at call {at}: a row is there twice before recovery");
        }
        let mut next = open_on(storage.clone(), Arc::new(RealHost), 2).await;
        land_parted(&mut next, 6).await;
        assert_eq!(visible(&*storage).await, complete(&[(0, 6), (1, 6), (2, 6)]), "{fault:?} at call {at}");
        faulty.calls()
    };
    for fault in [Fault::CrashBefore, Fault::CrashAfter, Fault::LostReply, Fault::Error] {
        let calls = futures_util::future::join_all((0..250).map(|at| run(fault, at))).await;
        let reached = calls.iter().zip(0..).filter(|&(&calls, at)| calls > at).count();
        assert!((50..250).contains(&reached), "a start and two commits make {reached} storage calls");
    }
}

#[tokio::test]
async fn a_partition_that_somebody_dropped_comes_back_with_its_next_rows_only() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
    let mut first = open(storage.clone()).await;
    land_parted(&mut first, 2).await;
    let dir = |p: &str| format!("/tables/b/{}", toy_partition(p));
    assert!(storage.delete(&dir("1")).await.unwrap());
    // It looks at the last slot.
    let mut second = open(storage.clone()).await;
    assert!(storage.list(&dir("1")).await.is_err());
    land_parted(&mut second, 4).await;
    assert_eq!(storage.list(&dir("1")).await.unwrap().len(), 1);
    assert_eq!(storage.list(&dir("0")).await.unwrap().len(), 2);
    // All of the table is gone: it is made again, and marked.
    assert!(storage.delete("/tables/b").await.unwrap());
    land_parted(&mut second, 6).await;
    let files = data_files(&*storage, "/tables/b").await;
    let slot = |p: &str| files.iter().filter(|f| f.starts_with(&dir(p)) && f.contains("/000000000002-")).count();
    assert_eq!((files.len(), ["0", "1", "2"].map(slot)), (3, [1, 1, 1]), "{files:?}");
    assert!(storage.read("/tables/b/_owner.json").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_table_directory_that_was_made_again_is_marked_whichever_call_fails() {
    for fault in [Fault::LostReply, Fault::Error] {
        for at in 0..200 {
            let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
            let faulty = Arc::new(FaultyStorage::new(storage.clone(), fault, at));
            let mut committer = open_on(faulty.clone(), Arc::new(RealHost), 5000).await;
            land_parted(&mut committer, 2).await;
            assert!(storage.delete("/tables/b").await.unwrap());
            land_parted(&mut committer, 4).await;
            assert!(storage.read("/tables/b/_owner.json").await.is_ok(), "{fault:?} at call {at}");
            assert!(faulty.calls() < 200, "not every call was made to fail");
        }
    }
}

/// Remembers of which partitions it heard.
#[derive(Debug, Default)]
struct Ear(Mutex<BTreeSet<String>>);

impl Ear {
    fn heard(&self) -> BTreeSet<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[async_trait]
impl Host for Ear {
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
        self.0.lock().unwrap().extend(manifest.files.iter().filter_map(|f| f.partition.clone()));
    }
}

/// Lands the next message of one partition, into a partition of table b.
async fn land_one(committer: &mut Committer, p: i32) {
    let from = committer.end(&partition(p)).unwrap_or(Offset(0)).0;
    committer.commit(&batch(&[(p, from, from + 1)], true)).await.unwrap();
}

#[tokio::test]
async fn a_process_hears_of_the_partitions_of_every_slot_that_it_or_another_one_has_landed() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
    let ear = Arc::new(Ear::default());
    let partitions = |all: &[&str]| all.iter().map(|p| toy_partition(p)).collect::<BTreeSet<_>>();
    let mut listening = open_on(storage.clone(), ear.clone(), 5000).await;
    assert_eq!(ear.heard(), partitions(&[]));
    land_one(&mut listening, 0).await;
    assert_eq!(ear.heard(), partitions(&["0"]), "its own");
    let mut other = open(storage.clone()).await;
    land_one(&mut other, 1).await;
    land_one(&mut other, 2).await;
    land_one(&mut listening, 0).await;
    assert_eq!(ear.heard(), partitions(&["0", "1", "2"]), "those that it lost slots to");
    land_one(&mut other, 1).await;
    land_one(&mut other, 2).await;
    listening.catch_up().await.unwrap();
    assert_eq!(ear.heard(), partitions(&["1", "2"]), "those that it reads");
    // A start hears of the last slot, whose files it may have moved itself.
    open_on(storage, ear.clone(), 5000).await;
    assert_eq!(ear.heard(), partitions(&["2"]));
}
