//! `landfall dead-letters replay` as a process of its own, on local files: killed at every step, and twice at a time.
#![allow(clippy::unwrap_used)]

mod common;

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use common::line::{column, costs, partition, settings, start, sword};
use landfall::source::MemoryTopic;
use landfall::storage::{LocalStorage, Storage};

const LETTERS: i64 = 210;
/// Where it is killed, the second time that it comes there, or the first: an epoch is closed every few slots only.
const POINTS: [(&str, &str); 14] = [
    ("stage.mkdir", "1*off->"),
    ("stage.create", "2*off->"),
    ("stage.manifest", "1*off->"),
    ("stage.list", "1*off->"),
    ("commit.before", "1*off->"),
    ("commit.rpc", "1*off->"),
    ("commit.after", "1*off->"),
    ("publish.rename.before", "3*off->"),
    ("publish.rename.after", "4*off->"),
    ("advance", "1*off->"),
    ("seal.mkdir", ""),
    ("seal.snapshot", ""),
    ("seal.cas", ""),
    ("seal.register", ""),
];

/// The binary on the job of `common::line`, whose batches are small and whose epochs are short.
fn landfall(folder: &Path, args: &[&str], failpoints: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
    let ours = std::env::vars_os().map(|(name, _)| name).filter(|n| n.to_string_lossy().starts_with("LANDFALL"));
    ours.for_each(|name| _ = command.env_remove(name));
    command.args(args).current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).env("FAILPOINTS", failpoints);
    command.env("LANDFALL__JOB", "test").env("LANDFALL__STORAGE__URL", format!("file://{}", folder.display()));
    command.env("LANDFALL__STORAGE__CHECKPOINT", "/checkpoint").env("LANDFALL__METASTORE__URI", "");
    command.env("LANDFALL__TRIGGER__MAX_ROWS", "7").env("LANDFALL__LOG__SLOTS_PER_EPOCH", "5");
    command
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// How many a replay that has ended says that it has landed.
fn replayed(output: &Output) -> i64 {
    let said = text(output);
    assert!(output.status.success(), "{said}");
    let figure = said.strip_prefix("replayed ").unwrap_or_else(|| panic!("{said}"));
    figure.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_replay_that_is_killed_at_every_step_lands_each_dead_letter_once() {
    let folder = tempfile::tempdir().unwrap();
    let (topic, storage) = (MemoryTopic::default(), Arc::new(LocalStorage::new(folder.path())) as Arc<dyn Storage>);
    for n in 0..LETTERS {
        let deep = sword(n).replace("\"sabre\"", "\"sabre\", \"x\": [[[1]]]");
        topic.append(&partition(0), 0, Some(deep.as_bytes()));
    }
    let strict = settings(&[("LANDFALL__MESSAGES__MAX_DEPTH", "2")]);
    let run = start(&topic, &storage, &strict, Some([(partition(0), LETTERS)].into())).await;
    run.task.await.unwrap().unwrap();
    let landed = || async { column(&storage, "purchases", "cost").await };
    assert!(storage.list("/tmp/purchases").await.unwrap().iter().all(|e| e.name.starts_with('_')));

    let mut before = 0;
    for (point, passed) in POINTS {
        let set = format!("{point}={passed}1*return(kill)");
        let output = landfall(folder.path(), &["dead-letters", "replay"], &set).output().unwrap();
        assert_eq!(output.status.signal(), Some(9), "{point}: {}", text(&output));
        let mut rows = landed().await;
        let after = rows.len();
        rows.dedup();
        assert!(rows.len() == after && after >= before, "{point}: {before} rows, then {after}");
        before = after;
    }
    assert!((50..LETTERS as usize).contains(&before), "{before} landed by the killed ones");

    let twins = [(); 2].map(|()| landfall(folder.path(), &["dead-letters", "replay"], "").spawn().unwrap());
    let twins = twins.map(|twin| replayed(&twin.wait_with_output().unwrap()));
    // What the last one committed and did not publish was landed by whoever came next.
    assert!(twins.iter().sum::<i64>() <= LETTERS - before as i64, "{twins:?} and {before}");
    assert_eq!(replayed(&landfall(folder.path(), &["dead-letters", "replay"], "").output().unwrap()), 0);
    assert_eq!(landed().await, costs(0..LETTERS));
    let audit = landfall(folder.path(), &["verify", "--deep"], "").output().unwrap();
    assert!(audit.status.success(), "{}", text(&audit));
    assert!(text(&audit).contains(&format!("dead letters replayed: {LETTERS}")), "{}", text(&audit));
}
