//! The storage port's contract, run on every implementation.

use bytes::Bytes;
use landfall::storage::{Parents, Storage, StorageError, self_test};

/// Everything in a fresh directory `dir`.
pub async fn run(s: &dyn Storage, dir: &str) {
    s.mkdir(dir, Parents::Create).await.unwrap();
    making_directories(s, &format!("{dir}/mkdir")).await;
    files(s, &format!("{dir}/files")).await;
    renames(s, &format!("{dir}/renames")).await;
    deletes(s, &format!("{dir}/deletes")).await;
    one_of_many_renames_wins(s, &format!("{dir}/race")).await;
    self_test_passes(s, &format!("{dir}/self-test")).await;
    assert!(s.delete(dir).await.unwrap());
}

async fn names(s: &dyn Storage, dir: &str) -> Vec<String> {
    s.list(dir).await.unwrap().into_iter().map(|e| e.name).collect()
}

fn exists<T: std::fmt::Debug>(r: Result<T, StorageError>) {
    assert!(matches!(r, Err(StorageError::AlreadyExists { .. })), "expected AlreadyExists, got {r:?}");
}

fn not_found<T: std::fmt::Debug>(r: Result<T, StorageError>) {
    assert!(matches!(r, Err(StorageError::NotFound { .. })), "expected NotFound, got {r:?}");
}

async fn making_directories(s: &dyn Storage, dir: &str) {
    not_found(s.mkdir(&format!("{dir}/a/b"), Parents::Require).await);
    not_found(s.list(dir).await);
    s.mkdir(&format!("{dir}/a/b"), Parents::Create).await.unwrap();
    s.mkdir(&format!("{dir}/a/b"), Parents::Create).await.unwrap();
    s.mkdir(&format!("{dir}/a/b"), Parents::Require).await.unwrap();
    assert_eq!(names(s, &format!("{dir}/a")).await, ["b"]);
    assert!(s.list(&format!("{dir}/a/b")).await.unwrap().is_empty());
}

async fn files(s: &dyn Storage, dir: &str) {
    s.mkdir(dir, Parents::Create).await.unwrap();
    let big = Bytes::from((0..3_000_000u32).map(|i| (i * 31) as u8).collect::<Vec<_>>());
    for (name, data) in [("c", Bytes::new()), ("a", Bytes::from_static(b"alpha")), ("b", big.clone())] {
        s.create(&format!("{dir}/{name}"), data.clone()).await.unwrap();
        assert_eq!(s.read(&format!("{dir}/{name}")).await.unwrap(), data);
    }
    let listed = s.list(dir).await.unwrap();
    let listed: Vec<_> = listed.iter().map(|e| (e.name.as_str(), e.len, e.is_dir)).collect();
    assert_eq!(listed, [("a", 5, false), ("b", big.len() as u64, false), ("c", 0, false)]);
    exists(s.create(&format!("{dir}/a"), Bytes::from_static(b"other")).await);
    assert_eq!(s.read(&format!("{dir}/a")).await.unwrap(), "alpha");
    not_found(s.create(&format!("{dir}/absent/a"), Bytes::new()).await);
    not_found(s.read(&format!("{dir}/absent")).await);
}

async fn renames(s: &dyn Storage, dir: &str) {
    for d in ["batch", "taken", "empty"] {
        s.mkdir(&format!("{dir}/{d}"), Parents::Create).await.unwrap();
    }
    s.create(&format!("{dir}/batch/f"), Bytes::from_static(b"1")).await.unwrap();
    s.create(&format!("{dir}/taken/g"), Bytes::from_static(b"2")).await.unwrap();
    let batch = format!("{dir}/batch");
    exists(s.rename(&batch, &format!("{dir}/taken")).await);
    exists(s.rename(&batch, &format!("{dir}/empty")).await);
    assert!(names(s, &format!("{dir}/empty")).await.is_empty());
    exists(s.rename(&format!("{batch}/f"), &format!("{dir}/taken/g")).await);
    assert_eq!(s.read(&format!("{dir}/taken/g")).await.unwrap(), "2");
    not_found(s.rename(&batch, &format!("{dir}/absent/slot")).await);
    not_found(s.rename(&format!("{dir}/absent"), &format!("{dir}/slot")).await);
    s.rename(&batch, &format!("{dir}/slot")).await.unwrap();
    not_found(s.rename(&batch, &format!("{dir}/slot")).await);
    not_found(s.list(&batch).await);
    assert_eq!(s.read(&format!("{dir}/slot/f")).await.unwrap(), "1");
    s.rename(&format!("{dir}/slot/f"), &format!("{dir}/taken/f")).await.unwrap();
    assert_eq!(names(s, &format!("{dir}/taken")).await, ["f", "g"]);
    assert!(names(s, &format!("{dir}/slot")).await.is_empty());
}

async fn deletes(s: &dyn Storage, dir: &str) {
    s.mkdir(&format!("{dir}/tree/sub"), Parents::Create).await.unwrap();
    s.create(&format!("{dir}/tree/sub/f"), Bytes::from_static(b"1")).await.unwrap();
    s.create(&format!("{dir}/treetop"), Bytes::from_static(b"2")).await.unwrap();
    assert!(s.delete(&format!("{dir}/tree")).await.unwrap());
    assert!(!s.delete(&format!("{dir}/tree")).await.unwrap());
    assert_eq!(names(s, dir).await, ["treetop"]);
    assert!(s.delete(&format!("{dir}/treetop")).await.unwrap());
}

async fn one_of_many_renames_wins(s: &dyn Storage, dir: &str) {
    const RACERS: usize = 16;
    for i in 0..RACERS {
        s.mkdir(&format!("{dir}/r{i}"), Parents::Create).await.unwrap();
        s.create(&format!("{dir}/r{i}/who"), Bytes::from(i.to_string())).await.unwrap();
    }
    let slot = format!("{dir}/slot");
    let racers: Vec<_> = (0..RACERS).map(|i| (format!("{dir}/r{i}"), slot.clone())).collect();
    let results = futures_util::future::join_all(racers.iter().map(|(from, to)| s.rename(from, to))).await;
    let winners: Vec<_> = (0..RACERS).filter(|&i| results[i].is_ok()).collect();
    assert_eq!(winners.len(), 1, "{results:?}");
    assert_eq!(s.read(&format!("{slot}/who")).await.unwrap(), winners[0].to_string());
    results.into_iter().filter(Result::is_err).for_each(exists);
}

async fn self_test_passes(s: &dyn Storage, dir: &str) {
    let table = format!("{dir}/table");
    s.mkdir(&table, Parents::Create).await.unwrap();
    self_test(s, dir, std::slice::from_ref(&table)).await.unwrap();
    assert_eq!(names(s, dir).await, ["table"], "the self-test cleans up");
    assert!(names(s, &table).await.is_empty());
}
