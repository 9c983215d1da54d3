//! Exactly once, over the memory storage: a crash, a lost reply or an error at every single storage call.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
mod partitions;

use std::sync::Arc;

use common::faulty::{Fault, FaultyStorage};
use common::toy::{batch, batch_of, complete, job, open, open_on, partition, replay_of, visible};
use landfall::checkpoint::Layout;
use landfall::commit::{Committed, Committer, Decision, Host, Log, RealHost};
use landfall::model::Offset;
use landfall::storage::{LocalStorage, MemoryStorage, Storage};

/// Lands messages up to `end` in batches of 3, from wherever the log stands.
async fn land(committer: &mut Committer, end: i64, stamped: bool) {
    loop {
        let from = committer.end(&partition(0)).unwrap_or(Offset(0)).0;
        if from >= end {
            return;
        }
        let b = batch(&[(0, from, (from + 3).min(end))], stamped);
        committer.commit(&b).await.unwrap();
    }
}

#[tokio::test]
async fn lands_in_order_and_goes_on_after_a_restart() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
    let mut first = open(storage.clone()).await;
    land(&mut first, 7, false).await;
    drop(first);
    let mut second = open(storage.clone()).await;
    assert_eq!(second.end(&partition(0)), Some(Offset(7)));
    assert_eq!(second.state().next().0, 3);
    land(&mut second, 10, false).await;
    assert_eq!(visible(&*storage).await, complete(&[(0, 10)]));
}

/// Runs a daemon with the fault at call `at` for as long as it gets, then a sound one; returns the calls made.
async fn interrupted(fault: Fault, at: usize, slots_per_epoch: u64) -> usize {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
    let faulty = Arc::new(FaultyStorage::new(storage.clone(), fault, at));
    let work = async {
        let mut doomed = open_on(faulty.clone(), Arc::new(RealHost), slots_per_epoch).await;
        land(&mut doomed, 7, true).await;
    };
    tokio::select! {
        () = work => {}
        () = faulty.crashed() => {}
    }
    for rows in visible(&*storage).await.values() {
        assert!(rows.values().all(|&n| n == 1), "{fault:?} at call {at}: a row is there twice before recovery");
    }
    let mut next = open_on(storage.clone(), Arc::new(RealHost), slots_per_epoch).await;
    land(&mut next, 10, true).await;
    assert_eq!(visible(&*storage).await, complete(&[(0, 10)]), "{fault:?} at call {at}");
    faulty.calls()
}

const FAULTS: [Fault; 4] = [Fault::CrashBefore, Fault::CrashAfter, Fault::LostReply, Fault::Error];

/// How many of these runs, each with a fault at another call, came to the call. All at once: an error is waited out in
/// real time. A run tells how many calls it made.
async fn reached<R: Future<Output = usize>>(runs: usize, run: impl Fn(usize) -> R) -> usize {
    let calls = futures_util::future::join_all((0..runs).map(run)).await;
    calls.iter().zip(0..).filter(|&(&calls, at)| calls > at).count()
}

#[tokio::test(start_paused = true)]
async fn no_row_is_lost_or_doubled_by_a_fault_at_any_storage_call() {
    // With epochs of 2 slots, the run closes one.
    for (slots_per_epoch, least) in [(5000, 40), (2, 55)] {
        for fault in FAULTS {
            let reached = reached(250, |at| interrupted(fault, at, slots_per_epoch)).await;
            assert!((least..250).contains(&reached), "a start and three commits make {reached} storage calls");
        }
    }
}

#[tokio::test]
async fn a_batch_that_was_landed_by_another_while_the_epoch_is_closed_is_dropped() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
    let (mut a, mut b) = (open(storage.clone()).await, open_on(storage.clone(), Arc::new(RealHost), 2).await);
    land(&mut b, 6, false).await;
    let twice = batch(&[(0, 6, 8)], false);
    // a, with longer epochs, takes the third slot; b closes the epoch before its batch, and does so in the fourth.
    a.catch_up().await.unwrap();
    assert!(matches!(a.commit(&twice).await.unwrap(), Committed::Landed { .. }));
    assert!(matches!(b.commit(&twice).await.unwrap(), Committed::Superseded));
    assert_eq!((b.state().epoch(), b.end(&partition(0))), (2, Some(Offset(8))));
    land(&mut b, 9, false).await;
    assert_eq!(visible(&*storage).await, complete(&[(0, 9)]));
}

#[tokio::test]
async fn two_daemons_that_own_different_partitions_both_land() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
    let (mut a, mut b) = (open(storage.clone()).await, open(storage.clone()).await);
    for i in 0..4 {
        let (of_a, of_b) = (batch(&[(0, i, i + 1)], true), batch(&[(1, 2 * i, 2 * i + 2)], true));
        let (ra, rb) = tokio::join!(a.commit(&of_a), b.commit(&of_b));
        assert!(matches!(ra.unwrap(), Committed::Landed { .. }));
        assert!(matches!(rb.unwrap(), Committed::Landed { .. }));
    }
    assert_eq!(visible(&*storage).await, complete(&[(0, 4), (1, 8)]));
}

#[tokio::test]
async fn a_batch_made_before_the_log_was_read_again_is_dropped() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
    let (mut a, mut b) = (open(storage.clone()).await, open(storage.clone()).await);
    let twice = batch(&[(0, 0, 3)], false);
    assert!(matches!(a.commit(&twice).await.unwrap(), Committed::Landed { .. }));
    // Upkeep reads the log while a batch is being filled.
    b.catch_up().await.unwrap();
    assert!(matches!(b.commit(&twice).await.unwrap(), Committed::Superseded));
    assert_eq!(visible(&*storage).await, complete(&[(0, 3)]));
}

#[tokio::test]
async fn a_gap_never_goes_back() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
    let (mut a, mut b) = (open(storage.clone()).await, open(storage.clone()).await);
    land(&mut a, 8, false).await;
    b.catch_up().await.unwrap();
    let why = Decision { reason: "gone by retention".to_owned(), operator: "test".to_owned() };
    assert_eq!(b.accept_gap(partition(0), Offset(5), why).await.unwrap(), None);
    assert_eq!(b.end(&partition(0)), Some(Offset(8)));
}

#[tokio::test]
async fn of_two_daemons_with_the_same_messages_one_lands_and_the_other_gives_way() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
    let (mut a, mut b) = (open(storage.clone()).await, open(storage.clone()).await);
    let (ra, rb) = (a.commit(&batch(&[(0, 0, 5)], false)).await, b.commit(&batch(&[(0, 0, 3)], false)).await);
    assert!(matches!(ra.unwrap(), Committed::Landed { .. }));
    assert!(matches!(rb.unwrap(), Committed::Superseded));
    assert_eq!(b.end(&partition(0)), Some(Offset(5)), "the loser has read the winner's slot");
    land(&mut b, 8, false).await;
    assert_eq!(visible(&*storage).await, complete(&[(0, 8)]));
    let staging = storage.list("/checkpoint/staging").await.unwrap();
    for incarnation in staging {
        let dir = format!("/checkpoint/staging/{}", incarnation.name);
        assert!(storage.list(&dir).await.unwrap().is_empty(), "the loser clears its staging directory");
    }
}

#[tokio::test]
async fn a_batch_that_was_filled_before_the_log_was_read_on_gives_way() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
    let (mut a, mut b) = (open(storage.clone()).await, open(storage.clone()).await);
    let filled = batch(&[(0, 0, 5)], false);
    land(&mut b, 3, false).await;
    // As upkeep does, between two batches.
    a.catch_up().await.unwrap();
    assert!(matches!(a.commit(&filled).await.unwrap(), Committed::Superseded));
    assert_eq!(visible(&*storage).await, complete(&[(0, 3)]));
}

#[tokio::test]
async fn a_daemon_that_was_away_until_its_epoch_was_deleted_lands_nothing_twice() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
    let host: Arc<dyn Host> = Arc::new(RealHost);
    let mut a = open_on(storage.clone(), host.clone(), 1).await;
    land(&mut a, 2, false).await;
    let filled = batch(&[(0, 2, 5)], false);
    let mut b = open_on(storage.clone(), host, 1).await;
    // Closes the epoch, and deletes it.
    land(&mut b, 4, false).await;
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    assert_eq!(b.tidy(std::time::Duration::from_secs(60), std::time::Duration::ZERO).await.unwrap().epochs, 1);
    assert!(matches!(a.commit(&filled).await.unwrap(), Committed::Superseded));
    assert_eq!(a.end(&partition(0)), Some(Offset(4)));
    assert_eq!(visible(&*storage).await, complete(&[(0, 4)]));
}

#[tokio::test]
async fn a_gap_that_somebody_else_has_recorded_and_read_beyond_is_not_gone_back_to() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
    let (mut a, mut b) = (open(storage.clone()).await, open(storage.clone()).await);
    let why = || Decision { reason: "retention".to_owned(), operator: "test".to_owned() };
    assert!(b.accept_gap(partition(0), Offset(5), why()).await.unwrap().is_some());
    land(&mut b, 8, false).await;
    a.catch_up().await.unwrap();
    assert_eq!(a.accept_gap(partition(0), Offset(5), why()).await.unwrap(), None);
    assert_eq!(a.end(&partition(0)), Some(Offset(8)));
}

#[tokio::test]
async fn rows_carry_the_number_of_the_slot_that_they_land_in() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
    let (mut a, mut b) = (open(storage.clone()).await, open(storage.clone()).await);
    a.commit(&batch(&[(0, 0, 1)], true)).await.unwrap();
    // b expects slot 0 and finds it taken.
    b.commit(&batch(&[(1, 0, 1)], true)).await.unwrap();
    let files = storage.list("/tables/a").await.unwrap();
    let files: Vec<_> = files.iter().filter(|f| !f.name.starts_with('_')).collect();
    assert_eq!(files.len(), 2);
    for (slot, file) in files.iter().enumerate() {
        let text = storage.read(&format!("/tables/a/{}", file.name)).await.unwrap();
        assert!(file.name.starts_with(&format!("{slot:012}-0-")), "{}", file.name);
        assert!(text.starts_with(format!("slot {slot}\n").as_bytes()), "{} holds {text:?}", file.name);
    }
}

#[tokio::test]
async fn a_void_slot_is_a_no_op_for_everybody() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
    let mut a = open(storage.clone()).await;
    land(&mut a, 3, false).await;
    // A late duplicate of some `mkdirs` may make an empty slot.
    let dir = format!("/checkpoint/log/{}/000000000001", a.state().dir());
    storage.mkdir(&dir, landfall::storage::Parents::Require).await.unwrap();
    land(&mut a, 6, true).await;
    assert_eq!(a.state().next().0, 3);
    let b = open(storage.clone()).await;
    assert_eq!((b.state().next().0, b.end(&partition(0))), (3, Some(Offset(6))));
    assert_eq!(visible(&*storage).await, complete(&[(0, 6)]));
}

#[tokio::test]
async fn a_second_job_is_kept_out_of_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let storage: Arc<dyn Storage> = Arc::new(LocalStorage::new(folder.path()));
    drop(open(storage.clone()).await);
    // The checkpoint is lost: a new job must not land everything again into the same tables.
    assert!(storage.delete("/checkpoint").await.unwrap());
    let log = Log::new(storage, Layout::new("/checkpoint"), Arc::new(RealHost));
    log.make_directories(uuid::Uuid::new_v4(), &job()).await.unwrap();
    let e = log.open(&job(), &[]).await.unwrap_err();
    assert!(e.to_string().contains("Two jobs must not feed one table"), "{e}");
    assert_eq!(e.fault(), landfall::fault::Fault::Config);
}

#[tokio::test]
async fn a_manifest_of_a_later_version_stops_the_daemon() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
    let mut a = open(storage.clone()).await;
    let slot = format!("/checkpoint/log/{}/000000000000", a.state().dir());
    storage.mkdir(&slot, landfall::storage::Parents::Require).await.unwrap();
    let name = format!("{slot}/m.{}.json", uuid::Uuid::new_v4());
    storage.create(&name, bytes::Bytes::from_static(br#"{"v":1,"kind":"swap","next":"x"}"#)).await.unwrap();
    let e = a.catch_up().await.unwrap_err();
    assert!(e.to_string().contains("of kind `swap` is not known to this landfall"), "{e}");
}

/// Lands messages up to `end` in batches of 3. The odd ones are dead letters: none of them is in these tables.
async fn land_even(committer: &mut Committer, end: i64) {
    loop {
        let from = committer.end(&partition(0)).unwrap_or(Offset(0)).0;
        if from >= end {
            return;
        }
        let to = (from + 3).min(end);
        let rows = (from..to).filter(|o| o % 2 == 0).map(|o| format!("0:{o}\n")).collect();
        committer.commit(&batch_of(0, &[(0, from, to)], rows, true)).await.unwrap();
    }
}

/// The dead letters that wait, as the log says.
fn waiting(committer: &Committer) -> Vec<i64> {
    let end = committer.end(&partition(0)).unwrap_or(Offset(0)).0;
    let replayed = committer.state().replayed();
    (0..end).filter(|o| o % 2 == 1 && !replayed.contains("events", 0, 0, *o)).collect()
}

/// Lands some dead letters.
async fn send(committer: &mut Committer, letters: &[i64]) -> Committed {
    let rows = letters.iter().map(|o| format!("0:{o}\n")).collect();
    let letters: Vec<_> = letters.iter().map(|o| (0, *o)).collect();
    committer.commit(&replay_of(&letters, rows, true)).await.unwrap()
}

/// Lands all that wait, two a batch, as `dead-letters replay` does.
async fn replay(committer: &mut Committer) {
    loop {
        let next: Vec<_> = waiting(committer).into_iter().take(2).collect();
        if next.is_empty() {
            return;
        }
        send(committer, &next).await;
    }
}

/// Batches and replays with the fault at call `at` for as long as it gets, then sound ones; returns the calls made.
async fn interrupted_replay(fault: Fault, at: usize, slots_per_epoch: u64) -> usize {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
    let faulty = Arc::new(FaultyStorage::new(storage.clone(), fault, at));
    let work = async {
        let mut doomed = open_on(faulty.clone(), Arc::new(RealHost), slots_per_epoch).await;
        land_even(&mut doomed, 6).await;
        replay(&mut doomed).await;
        land_even(&mut doomed, 8).await;
        replay(&mut doomed).await;
    };
    tokio::select! {
        () = work => {}
        () = faulty.crashed() => {}
    }
    for rows in visible(&*storage).await.values() {
        assert!(rows.values().all(|&n| n == 1), "{fault:?} at call {at}: a row is there twice before recovery");
    }
    let mut next = open_on(storage.clone(), Arc::new(RealHost), slots_per_epoch).await;
    replay(&mut next).await;
    land_even(&mut next, 12).await;
    replay(&mut next).await;
    assert_eq!(visible(&*storage).await, complete(&[(0, 12)]), "{fault:?} at call {at}");
    assert_eq!(next.state().replayed().messages(), 6);
    assert_eq!(next.end(&partition(0)), Some(Offset(12)), "a replay moves no position");
    faulty.calls()
}

#[tokio::test(start_paused = true)]
async fn no_dead_letter_is_replayed_twice_or_forgotten_by_a_fault_at_any_storage_call() {
    // With epochs of 2 slots, the set of replayed dead letters goes through snapshots.
    for (slots_per_epoch, least) in [(5000, 60), (2, 90)] {
        for fault in FAULTS {
            let reached = reached(300, |at| interrupted_replay(fault, at, slots_per_epoch)).await;
            assert!((least..300).contains(&reached), "batches and replays make {reached} storage calls");
        }
    }
}

#[tokio::test]
async fn of_two_replays_of_the_same_dead_letters_one_lands_them_and_the_other_does_the_rest() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
    let (mut daemon, mut a) = (open(storage.clone()).await, open(storage.clone()).await);
    land_even(&mut daemon, 8).await;
    a.catch_up().await.unwrap();
    let mut b = open(storage.clone()).await;
    assert_eq!((waiting(&a), waiting(&b)), (vec![1, 3, 5, 7], vec![1, 3, 5, 7]));
    assert!(matches!(send(&mut a, &[1, 3]).await, Committed::Landed { .. }));
    assert!(matches!(send(&mut b, &[3, 5]).await, Committed::Superseded));
    assert_eq!(waiting(&b), [5, 7], "the loser has read the winner's slot");
    // The daemon's next batch goes beside it.
    let (of_b, ()) = tokio::join!(send(&mut b, &[5, 7]), land_even(&mut daemon, 9));
    assert!(matches!(of_b, Committed::Landed { .. }));
    replay(&mut a).await;
    a.catch_up().await.unwrap();
    assert!(waiting(&a).is_empty());
    assert_eq!(visible(&*storage).await, complete(&[(0, 9)]));
    let fresh = open(storage.clone()).await;
    assert_eq!((fresh.state(), fresh.state().replayed().messages()), (a.state(), 4));
    let job = job();
    let peeked = Log::new(storage.clone(), Layout::new("/checkpoint"), Arc::new(RealHost)).peek(&job).await.unwrap();
    assert_eq!(peeked.as_ref(), Some(fresh.state()));
}
