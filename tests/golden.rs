//! Files of a checkpoint as each format version first wrote them. They are kept and read for ever: a change that
//! cannot read or keep one of them needs a new version, and a folder of its own here.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use bytes::Bytes;
use landfall::checkpoint::{Entry, EpochFile, FormatError, JobFile, OwnerFile, Snapshot};
use landfall::model::{Accounting, Offset, Slot};
use serde_json::Value;

fn golden(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1").join(name)).unwrap()
}

/// Reads a file, checks that writing it gives the same JSON, and hands out what was read.
fn kept<T>(name: &str, parse: fn(&str, &[u8]) -> Result<T, FormatError>, to_bytes: fn(&T) -> Bytes) -> T {
    let bytes = golden(name);
    let read = parse(name, &bytes).unwrap();
    let (was, is): (Value, Value) =
        (serde_json::from_slice(&bytes).unwrap(), serde_json::from_slice(&to_bytes(&read)).unwrap());
    assert_eq!(was, is, "{name}");
    read
}

#[test]
fn the_job_file_is_read_and_kept() {
    let job = kept("job.json", JobFile::parse, JobFile::to_bytes);
    assert_eq!((job.job.as_str(), job.shards, job.topics.len(), job.tables.len()), ("events-prod", 1, 1, 2));
}

#[test]
fn the_epoch_file_and_the_snapshot_are_read_and_kept() {
    let epoch = kept("epoch.json", EpochFile::parse, EpochFile::to_bytes);
    assert_eq!((epoch.dir.as_str(), epoch.base_slot), ("e000001-0b8a3f0e-6a7e-4c7b-9d59-3f1de0a0c0de", Slot(0)));
    let snapshot = kept("snapshot.json", Snapshot::parse, Snapshot::to_bytes);
    assert_eq!(snapshot.offsets["events"][&0].end, Offset(17));
    assert_eq!(snapshot.offsets["events"][&10].tail.as_ref().unwrap().offset, 4);
}

#[test]
fn the_owner_file_is_read_and_kept() {
    let owner = kept("owner.json", OwnerFile::parse, OwnerFile::to_bytes);
    assert_eq!(owner.checkpoint, "hdfs://namenode:8020/tmp/checkpoints_for_events");
}

#[test]
fn the_manifest_is_read_and_kept_with_fields_of_a_later_minor_version() {
    let Entry::Batch(m) = kept("manifest.json", Entry::parse, Entry::to_bytes) else { panic!("not a batch") };
    let p = &m.partitions[0];
    assert_eq!((p.topic.as_str(), p.p, p.start, p.end, p.records), ("events", 3, Offset(1200), Offset(1450), 250));
    let counts = Accounting { read: 250, events: 240, dead_letters: 2, dropped: 0, unrouted: 7, tombstones: 1 };
    assert_eq!(m.counts, counts);
    assert!(m.counts.balances());
    assert_eq!(m.files[1].table, "purchases");
    assert!(m.more.contains_key("a_later_field"));
}

#[test]
fn a_manifest_with_partitions_is_read_and_kept() {
    let Entry::Batch(m) = kept("../v2/manifest.json", Entry::parse, Entry::to_bytes) else { panic!("not a batch") };
    assert_eq!(m.files[1].partition.as_deref(), Some("dt=2026-11-22/kind=a%2Fb"));
    let directories: Vec<_> = m.files.iter().map(|f| m.directory(f).unwrap()).collect();
    assert_eq!(directories, ["/tmp/sword_purchases", "/tmp/purchases/dt=2026-11-22/kind=a%2Fb"]);
}

#[test]
fn seals_gaps_and_new_topics_are_read_and_kept() {
    let Entry::Seal(seal) = kept("seal.json", Entry::parse, Entry::to_bytes) else { panic!("not a seal") };
    assert_eq!((seal.epoch, seal.base_slot), (2, Slot(41000)));
    let Entry::Gap(gap) = kept("gap.json", Entry::parse, Entry::to_bytes) else { panic!("not a gap") };
    assert_eq!((gap.topic.as_str(), gap.p, gap.from, gap.to), ("events", 3, Offset(1450), Offset(1700)));
    let Entry::Topic(topic) = kept("topic.json", Entry::parse, Entry::to_bytes) else { panic!("not a topic") };
    assert_eq!((topic.incarnation, topic.starts[&0]), (1, Offset(0)));
    let snapshot = kept("snapshot2.json", Snapshot::parse, Snapshot::to_bytes);
    assert_eq!((snapshot.incarnations["events"], snapshot.tables["guilds"].rows), (1, 7));
}

#[test]
fn replays_are_read_and_kept() {
    let Entry::Batch(m) = kept("replay.json", Entry::parse, Entry::to_bytes) else { panic!("not a batch") };
    assert_eq!((m.kind.as_str(), m.messages(), m.counts.read), ("replay", 7, 7));
    assert_eq!(m.replay[0].offsets, [(Offset(1207), Offset(1208)), (Offset(1300), Offset(1304))]);
    let snapshot = kept("snapshot3.json", Snapshot::parse, Snapshot::to_bytes);
    assert_eq!(snapshot.replayed, m.replay);
    assert_eq!((snapshot.replayed[0].incarnation, snapshot.replayed[1].incarnation), (0, 1));
}

#[test]
fn an_unknown_version_or_kind_is_not_guessed_at() {
    for text in [r#"{"v":3,"kind":"batch"}"#, r#"{"v":2,"kind":"gap"}"#, r#"{"v":1,"kind":"swap","table":"a"}"#] {
        let e = Entry::parse("log/x/m.json", text.as_bytes()).unwrap_err();
        assert!(matches!(e, FormatError::Version { .. }) && e.to_string().contains("log/x/m.json"), "{e}");
    }
    for text in ["", "{", "[]", r#"{"v":1,"kind":"batch"}"#] {
        assert!(matches!(Entry::parse("m", text.as_bytes()), Err(FormatError::Unreadable { .. })), "{text}");
    }
    assert!(matches!(JobFile::parse("job.json", br#"{"v":9}"#), Err(FormatError::Version { .. })));
}
