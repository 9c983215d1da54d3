//! The audit over the memory storage: a sound log has no findings, and every planted fault is exactly its finding.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use common::toy::{CHECKPOINT, TABLES, batch, open_on, partition, replay_of, table_dir};
use common::yielding::Yielding;
use landfall::catalog::{Catalog, CatalogTable, MemoryCatalog};
use landfall::checkpoint::Layout;
use landfall::commit::{Committer, Decision, RealHost};
use landfall::fault::Fault;
use landfall::model::Offset;
use landfall::storage::{MemoryStorage, Parents, Storage};
use landfall::verify::{Audited, Options, Report, Target, VerifyError, verify};
use tokio::sync::watch;

type Shared = Arc<dyn Storage>;

fn wanted(table: &str) -> CatalogTable {
    CatalogTable {
        database: "default".to_owned(),
        name: table.to_owned(),
        columns: vec![("x".to_owned(), "string".to_owned())],
        comments: BTreeMap::new(),
        partition_keys: Vec::new(),
        location: format!("memory://{}", table_dir(table)),
        external: true,
        parquet: true,
        properties: BTreeMap::new(),
    }
}

fn target(storage: &Shared, catalog: Option<Arc<dyn Catalog>>) -> Target {
    let table = |t: &str| Audited {
        name: t.to_owned(),
        dir: table_dir(t),
        columns: None,
        dead_letters: false,
        wanted: wanted(t),
    };
    let (storage, layout) = (storage.clone(), Layout::new(CHECKPOINT));
    Target { job: "toy".to_owned(), storage, layout, tables: TABLES.map(table).to_vec(), catalog }
}

async fn audit_of(target: &Target) -> Result<Report, VerifyError> {
    let (progress, _) = watch::channel(Default::default());
    verify(target, Options { deep: false, again_after: Duration::from_millis(1) }, &progress).await
}

async fn audit(storage: &Shared) -> Report {
    audit_of(&target(storage, None)).await.unwrap()
}

/// Each finding as `kind table slot`.
fn found(report: &Report) -> Vec<String> {
    let none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let words = report.findings.iter().map(|f| {
        assert!(!f.what.is_empty() && !f.todo.is_empty(), "{f}");
        assert!(f.path.starts_with("memory:///") || f.path.starts_with("default."), "{}", f.path);
        format!("{} {} {}", f.kind, none(f.table.clone()), none(f.slot.map(|s| s.to_string())))
    });
    words.collect()
}

/// A log of so many slots in epochs of 4, each with a file in both tables.
async fn landed(batches: i64) -> (Shared, Committer) {
    let storage: Shared = Arc::new(MemoryStorage::default());
    let mut committer = open_on(storage.clone(), Arc::new(RealHost), 4).await;
    land(&mut committer, batches).await;
    (storage, committer)
}

async fn land(committer: &mut Committer, batches: i64) {
    for _ in 0..batches {
        let from = committer.end(&partition(0)).map_or(0, |o| o.0);
        committer.commit(&batch(&[(0, from, from + 3)], true)).await.unwrap();
    }
}

async fn files(storage: &Shared, table: &str) -> Vec<String> {
    let dir = table_dir(table);
    let entries = storage.list(&dir).await.unwrap().into_iter().filter(|e| !e.name.starts_with('_'));
    entries.map(|e| format!("{dir}/{}", e.name)).collect()
}

async fn replace(storage: &Shared, path: &str, change: impl Fn(Bytes) -> Bytes) {
    let bytes = storage.read(path).await.unwrap();
    storage.delete(path).await.unwrap();
    storage.create(path, change(bytes)).await.unwrap();
}

async fn slot_dir(storage: &Shared, slot: u64) -> String {
    for epoch in storage.list(&format!("{CHECKPOINT}/log")).await.unwrap() {
        let dir = format!("{CHECKPOINT}/log/{}/{slot:012}", epoch.name);
        if storage.list(&dir).await.is_ok() {
            return dir;
        }
    }
    panic!("no slot {slot}");
}

#[tokio::test]
async fn a_sound_log_has_no_findings_through_seals_gaps_topics_and_deleted_epochs() {
    let (storage, mut committer) = landed(10).await;
    let why = || Decision { reason: "tried".to_owned(), operator: "me@here".to_owned() };
    committer.accept_gap(partition(0), Offset(40), why()).await.unwrap().unwrap();
    let report = audit(&storage).await;
    assert_eq!(found(&report), [""; 0], "{report}");
    assert_eq!((report.slots, report.epochs, report.dropped_epochs, report.next_slot), (13, 3, 0, 13), "{report}");
    assert_eq!((report.files, report.rows, report.tables.len()), (20, 60, 2));
    assert!(report.to_string().contains("events[0]: offsets 30 up to 40 skipped, 10 offsets (me@here: tried)"));
    assert_eq!(report.fault(), None);

    committer.accept_topic("events".to_owned(), [(0, Offset(0))].into(), why()).await.unwrap().unwrap();
    // The first epochs are as old as can be.
    committer.tidy(Duration::from_secs(3600), Duration::ZERO).await.unwrap();
    let report = audit(&storage).await;
    assert_eq!(found(&report), [""; 0], "{report}");
    assert_eq!((report.epochs, report.dropped_epochs, report.first_slot), (1, 2, 10), "{report}");
    assert_eq!((report.files, report.rows, report.decided.len()), (20, 60, 2));
    assert!(report.summary().ends_with("no findings"), "{}", report.summary());
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!((&json["rows"], &json["findings"]), (&60.into(), &serde_json::json!([])));
}

#[tokio::test]
async fn every_planted_fault_in_a_table_is_exactly_its_finding() {
    for fault in
        ["missing", "truncated", "longer", "copy", "copy elsewhere", "foreign", "directory", "newer", "gone", "owner"]
    {
        let (storage, _) = landed(6).await;
        let (a, b) = (files(&storage, "a").await, files(&storage, "b").await);
        let expected = match fault {
            "missing" => {
                storage.delete(&a[1]).await.unwrap();
                vec!["missing_file a 1"]
            }
            "truncated" => {
                replace(&storage, &b[2], |bytes| bytes.slice(..bytes.len() / 2)).await;
                vec!["truncated_file b 2"]
            }
            "longer" => {
                replace(&storage, &b[2], |bytes| [&bytes[..], b"x"].concat().into()).await;
                vec!["longer_file b 2"]
            }
            "copy" => {
                let bytes = storage.read(&a[3]).await.unwrap();
                storage.create(&a[3].replace(".snappy", ".copy"), bytes).await.unwrap();
                vec!["doubled_file a 3"]
            }
            "copy elsewhere" => {
                let bytes = storage.read(&a[0]).await.unwrap();
                storage.create("/tables/b/part-0.parquet", bytes).await.unwrap();
                vec!["doubled_file b 0"]
            }
            "foreign" => {
                storage.create("/tables/a/part-0.parquet", Bytes::from_static(b"other")).await.unwrap();
                storage.create("/tables/a/_SUCCESS", Bytes::new()).await.unwrap();
                vec!["foreign_file a -"]
            }
            "directory" => {
                storage.mkdir("/tables/a/dt=1", Parents::Require).await.unwrap();
                vec!["foreign_file a -"]
            }
            "newer" => {
                let name = "/tables/a/000000000099-0-1b9d6bcd.snappy.parquet";
                storage.create(name, Bytes::from_static(b"of no slot")).await.unwrap();
                vec!["foreign_file a -"]
            }
            "gone" => {
                storage.delete("/tables/a").await.unwrap();
                vec!["missing_directory a -"]
            }
            _ => {
                storage.delete("/tables/b/_owner.json").await.unwrap();
                vec!["wrong_owner b -"]
            }
        };
        let report = audit(&storage).await;
        assert_eq!(found(&report), expected, "{fault}: {report}");
        assert_eq!(report.fault(), Some(Fault::BadData));
    }
}

#[tokio::test]
async fn every_planted_fault_in_the_log_is_exactly_its_finding() {
    for fault in
        ["gap", "gap at the end", "manifest", "foreign", "left", "epoch", "register", "snapshot", "job", "twice"]
    {
        let (storage, _) = landed(6).await;
        let slot = slot_dir(&storage, 1).await;
        let manifest = storage.list(&slot).await.unwrap().remove(0).name;
        let expected = match fault {
            "gap" => {
                storage.delete(&slot).await.unwrap();
                vec!["missing_slot - 1"]
            }
            "gap at the end" => {
                // The seal itself.
                storage.delete(&slot_dir(&storage, 4).await).await.unwrap();
                vec!["missing_slot - 4"]
            }
            "manifest" => {
                replace(&storage, &format!("{slot}/{manifest}"), |bytes| bytes.slice(..20)).await;
                vec!["unreadable - 1"]
            }
            "foreign" => {
                storage.create(&format!("{slot}/x"), Bytes::from_static(b"x")).await.unwrap();
                vec!["foreign_file - 1"]
            }
            "left" => {
                let file = files(&storage, "a").await.remove(1);
                storage.rename(&file, &format!("{slot}/a.0.parquet")).await.unwrap();
                vec!["unpublished_file a 1"]
            }
            "epoch" => {
                // The newest one: the log has no end any more.
                let dir = slot_dir(&storage, 5).await;
                storage.delete(dir.rsplit_once('/').unwrap().0).await.unwrap();
                vec!["missing_epoch - -"]
            }
            "register" => {
                storage.delete("/checkpoint/log/epochs/000001").await.unwrap();
                storage.create("/checkpoint/log/epochs/x", Bytes::new()).await.unwrap();
                vec!["foreign_file - -"]
            }
            "snapshot" => {
                let dir = slot_dir(&storage, 5).await;
                let path = format!("{}/snapshot.json", dir.rsplit_once('/').unwrap().0);
                let change = |b: Bytes| String::from_utf8(b.to_vec()).unwrap().replace("\"rows\":12", "\"rows\":13");
                replace(&storage, &path, |b| change(b).into()).await;
                vec!["wrong_snapshot - -"]
            }
            "job" => {
                storage.delete("/checkpoint/job.json").await.unwrap();
                vec!["unreadable - -"]
            }
            _ => {
                // The same batch again, in the next free slot: files in no table, offsets that do not continue.
                let to = slot_dir(&storage, 6).await.replace("000000000006", "000000000007");
                storage.mkdir(&to, Parents::Require).await.unwrap();
                let bytes = storage.read(&format!("{slot}/{manifest}")).await.unwrap();
                storage.create(&format!("{to}/{manifest}"), bytes).await.unwrap();
                vec!["missing_file a 7", "missing_file b 7", "broken_chain - 7", "doubled_batch - 7"]
            }
        };
        let report = audit(&storage).await;
        let mut kinds = found(&report);
        if fault == "epoch" {
            // Its slots are not known any more, so their files are nobody's.
            kinds.retain(|k| !k.starts_with("foreign_file"));
        }
        assert_eq!(kinds, expected, "{fault}: {report}");
    }
}

#[tokio::test]
async fn replays_are_counted_through_snapshots_and_a_doubled_one_is_found() {
    let (storage, mut committer) = landed(3).await;
    let letters = replay_of(&[(0, 1), (0, 2), (0, 7)], "0:1\n0:2\n0:7\n".to_owned(), true);
    committer.commit(&letters).await.unwrap();
    land(&mut committer, 3).await;
    let report = audit(&storage).await;
    assert_eq!((found(&report), report.replayed, report.epochs, report.rows), (vec![], 3, 2, 42), "{report}");
    // The same dead letters, in another batch of the next epoch.
    let (slot, to) = (slot_dir(&storage, 3).await, slot_dir(&storage, 7).await.replace("000000000007", "000000000008"));
    let manifest = storage.list(&slot).await.unwrap().remove(0).name;
    let text = String::from_utf8(storage.read(&format!("{slot}/{manifest}")).await.unwrap().to_vec()).unwrap();
    let (old, new) = (&manifest[2..38], uuid::Uuid::new_v4().to_string());
    storage.mkdir(&to, Parents::Require).await.unwrap();
    storage.create(&format!("{to}/m.{new}.json"), text.replace(old, &new).into()).await.unwrap();
    let report = audit(&storage).await;
    assert_eq!(found(&report), ["missing_file a 8", "missing_file b 8", "broken_chain - 8"], "{report}");
    assert!(report.to_string().contains("events[0] offset 1: the entry lands a dead letter that was landed already"));
}

#[tokio::test]
async fn faults_in_files_of_deleted_epochs_are_seen_by_totals_and_names() {
    let (storage, committer) = landed(10).await;
    committer.tidy(Duration::from_secs(3600), Duration::ZERO).await.unwrap();
    let a = files(&storage, "a").await;
    let bytes = storage.read(&a[1]).await.unwrap();
    let double = format!("{}-00000000.snappy.parquet", &a[1][..a[1].rfind('-').unwrap()]);
    storage.create(&double, bytes.clone()).await.unwrap();
    let report = audit(&storage).await;
    assert_eq!(found(&report), ["doubled_file a 1"], "{report}");
    storage.delete(&double).await.unwrap();
    storage.delete(&a[1]).await.unwrap();
    let report = audit(&storage).await;
    assert_eq!(found(&report), ["wrong_totals a -"], "{report}");
    assert!(report.findings[0].what.contains("7 files"), "{report}");
    storage.create(&a[1], bytes).await.unwrap();
    assert_eq!(found(&audit(&storage).await), [""; 0]);
}

#[tokio::test]
async fn a_void_slot_is_counted_and_a_half_published_last_slot_waits_for_a_daemon() {
    let (storage, mut committer) = landed(2).await;
    let void = slot_dir(&storage, 1).await.replace("000000000001", "000000000002");
    storage.mkdir(&void, Parents::Require).await.unwrap();
    land(&mut committer, 1).await;
    let report = audit(&storage).await;
    assert_eq!((found(&report), report.void_slots, report.slots), (vec![], 1, 4), "{report}");

    let (last, file) = (slot_dir(&storage, 3).await, files(&storage, "b").await.pop().unwrap());
    storage.rename(&file, &format!("{last}/b.1.parquet")).await.unwrap();
    let report = audit(&storage).await;
    assert_eq!(found(&report), ["unpublished_file b 3"], "{report}");
    // The daemon that makes it whole comes while the audit waits.
    let target = target(&storage, None);
    let (progress, _) = watch::channel(Default::default());
    let options = Options { deep: false, again_after: Duration::from_millis(200) };
    let repaired = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(open_on(storage.clone(), Arc::new(RealHost), 4).await);
    };
    let (report, ()) = tokio::join!(verify(&target, options, &progress), repaired);
    assert_eq!(found(&report.unwrap()), [""; 0]);
}

#[tokio::test]
async fn an_audit_beside_a_busy_daemon_finds_nothing() {
    let storage: Shared = Arc::new(Yielding(Arc::new(MemoryStorage::default())));
    let mut committer = open_on(storage.clone(), Arc::new(RealHost), 4).await;
    let (stop, stopped) = watch::channel(false);
    let landed = std::cell::Cell::new(0u64);
    let busy = async {
        while !*stopped.borrow() {
            land(&mut committer, 1).await;
            landed.set(landed.get() + 1);
            if landed.get().is_multiple_of(20) {
                committer.tidy(Duration::from_secs(3600), Duration::ZERO).await.unwrap();
            }
        }
    };
    let audits = async {
        let (mut dropped, mut audits) = (0, 0);
        // Batches are encoded on a thread of their own, which a busy machine lets wait.
        while audits < 40 || landed.get() <= 60 {
            audits += 1;
            // An epoch lives here for a few calls only.
            match audit_of(&target(&storage, None)).await {
                Ok(report) => {
                    assert_eq!(found(&report), [""; 0], "{report}");
                    dropped = report.dropped_epochs;
                }
                Err(e) => assert!(matches!(e, VerifyError::Moving), "{e}"),
            }
        }
        stop.send_replace(true);
        dropped
    };
    let ((), dropped) = tokio::join!(busy, audits);
    let batches = landed.get();
    assert!(batches > 40 && dropped > 0, "{batches} batches, {dropped} epochs deleted");
    assert_eq!(audit(&storage).await.files, batches * 2);
}

#[tokio::test]
async fn tables_must_not_move_in_the_configuration_or_in_the_metastore() {
    let (storage, _) = landed(3).await;
    let catalog = Arc::new(MemoryCatalog::default());
    let mut moved = target(&storage, Some(catalog.clone()));
    catalog.create_table(&wanted("a")).await.unwrap();
    catalog.create_table(&CatalogTable { location: "memory:///else".to_owned(), ..wanted("b") }).await.unwrap();
    let report = audit_of(&moved).await.unwrap();
    let wrong = &report.findings[0];
    assert_eq!((found(&report).len(), wrong.kind.word(), wrong.table.as_deref()), (1, "wrong_location", Some("b")));
    assert!(wrong.what.contains("default.b at memory:///else"), "{wrong}");
    catalog.drop_table("default", "b").await.unwrap();
    assert_eq!(found(&audit_of(&moved).await.unwrap()), ["missing_table b -"]);
    catalog.set_away(true);
    let report = audit_of(&moved).await.unwrap();
    assert_eq!((found(&report).len(), report.fault()), (1, Some(Fault::Retry)), "{report}");

    moved.catalog = None;
    moved.tables[0].dir = "/elsewhere/a".to_owned();
    let report = audit_of(&moved).await.unwrap();
    assert_eq!(found(&report), ["wrong_location a 0"], "{report}");
    assert!(report.findings[0].what.contains("/elsewhere/a"), "{report}");
}

#[tokio::test]
async fn a_checkpoint_of_nobody_or_of_another_job_is_an_error() {
    let storage: Shared = Arc::new(MemoryStorage::default());
    let e = audit_of(&target(&storage, None)).await.unwrap_err();
    assert!(e.to_string().contains("/checkpoint holds no log") && e.fault() == Fault::Config, "{e}");
    let (storage, _) = landed(1).await;
    let other = Target { job: "other".to_owned(), ..target(&storage, None) };
    let e = audit_of(&other).await.unwrap_err();
    assert!(e.to_string().contains("belongs to job `toy`") && e.fault() == Fault::Config, "{e}");
}
